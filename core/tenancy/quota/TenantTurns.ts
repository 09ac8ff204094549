// Whose request goes to the cluster next, so that a tenant that asks for everything at once takes turns with those that ask modestly.
// Owns the places at the cluster and the lines before them, one line a tenant, served in turn; refuses to know what a request is about,
// how many lists this process can take (ListPace.ts) and how long a line may be, which TenantLoad.ts bounds by the requests that a
// tenant may have under way.
import type { Clockwork } from "#kube"
import { defaultListPlaces, ListPace, type ListPlaces } from "./ListPace.ts"

/** What a request costs the cluster: lists are read, sent and rewritten whole, and get few places; everything else gets many. */
export type TurnKind = "list" | "other"

/** Places at the cluster, for all tenants together. */
export interface TurnPlaces {
  readonly list: ListPlaces
  readonly other: number
}

export const defaultTurnPlaces: TurnPlaces = { list: defaultListPlaces, other: 256 }

interface Ticket {
  readonly run: () => void
  state: "waiting" | "in" | "gone"
}

class Places {
  private places: number
  /** Beyond the places, and up to so many, a tenant that has none gets one: it need not wait for what others ask. */
  private readonly most: number
  private taken = 0
  private isServing = false
  /** In the order of turns: the first tenant is served next, and goes to the end when it has more. */
  private readonly lines = new Map<string, Array<Ticket>>()
  private readonly held = new Map<string, number>()

  constructor(places: number, most: number) {
    this.places = places
    this.most = most
  }

  /** There are more or fewer places from now on; who is in stays in. */
  changed(by: number): void {
    this.places += by
    this.serve()
  }

  take(tenant: string, run: () => void): () => void {
    const ticket: Ticket = { run, state: "waiting" }
    const line = this.lines.get(tenant)
    if (line === undefined) this.lines.set(tenant, [ticket])
    else line.push(ticket)
    this.serve()
    return () => {
      const { state } = ticket
      ticket.state = "gone"
      if (state !== "in") return
      this.hold(tenant, -1)
      this.serve()
    }
  }

  /** Requests that wait. */
  get waiting(): number {
    let sum = 0
    for (const line of this.lines.values()) for (const { state } of line) if (state === "waiting") sum++
    return sum
  }

  private hold(tenant: string, by: number): void {
    this.taken += by
    const has = (this.held.get(tenant) ?? 0) + by
    if (has === 0) this.held.delete(tenant)
    else this.held.set(tenant, has)
  }

  /** Lets in who is next while there are places; one that is over at once makes room within this very loop. */
  private serve(): void {
    if (this.isServing) return
    this.isServing = true
    try {
      while (this.taken < this.most) {
        const next = this.next()
        if (next === undefined) return
        next.run()
      }
    } finally {
      this.isServing = false
    }
  }

  /** The first of the next tenant's line who is still there, who has its place from now on. */
  private next(): Ticket | undefined {
    const isFull = this.taken >= this.places
    for (const [tenant, line] of this.lines) {
      const at = line.findIndex(({ state }) => state === "waiting")
      if (at >= 0 && isFull && this.held.has(tenant)) continue
      this.lines.delete(tenant)
      if (at < 0) continue
      const rest = line.slice(at + 1)
      if (rest.length > 0) this.lines.set(tenant, rest)
      const ticket = line[at]
      ticket.state = "in"
      this.hold(tenant, 1)
      return ticket
    }
    return undefined
  }
}

export class TenantTurns {
  private readonly places: Readonly<Record<TurnKind, Places>>
  private readonly pace: ListPace

  constructor(clockwork: Clockwork, places: TurnPlaces = defaultTurnPlaces) {
    const list = new Places(places.list.start, places.list.max)
    this.places = { list, other: new Places(places.other, places.other) }
    this.pace = new ListPace(clockwork, places.list, (by) => list.changed(by))
  }

  /** Runs a tenant's request when it is its turn, at once where there is a place. The answer gives up the place, or the wait for it. */
  take(kind: TurnKind, tenant: string, run: () => void): () => void {
    if (kind === "other") return this.places.other.take(tenant, run)
    const over = this.pace.began()
    const leave = this.places.list.take(tenant, run)
    return () => {
      over()
      leave()
    }
  }

  /** Requests that wait for their turn. */
  get waiting(): number {
    return this.places.list.waiting + this.places.other.waiting
  }
}
