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
  private free: number
  private isServing = false
  /** In the order of turns: the first tenant is served next, and goes to the end when it has more. */
  private readonly lines = new Map<string, Array<Ticket>>()

  constructor(places: number) {
    this.free = places
  }

  /** There are more or fewer places from now on; who is in stays in. */
  changed(by: number): void {
    this.free += by
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
      this.free++
      this.serve()
    }
  }

  /** Requests that wait. */
  get waiting(): number {
    let sum = 0
    for (const line of this.lines.values()) for (const { state } of line) if (state === "waiting") sum++
    return sum
  }

  /** Lets in who is next while there are places; one that is over at once makes room within this very loop. */
  private serve(): void {
    if (this.isServing) return
    this.isServing = true
    try {
      while (this.free > 0) {
        const next = this.next()
        if (next === undefined) return
        this.free--
        next.state = "in"
        next.run()
      }
    } finally {
      this.isServing = false
    }
  }

  /** The first of the next tenant's line who is still there. */
  private next(): Ticket | undefined {
    for (const [tenant, line] of this.lines) {
      this.lines.delete(tenant)
      const at = line.findIndex(({ state }) => state === "waiting")
      if (at < 0) continue
      const rest = line.slice(at + 1)
      if (rest.length > 0) this.lines.set(tenant, rest)
      return line[at]
    }
    return undefined
  }
}

export class TenantTurns {
  private readonly places: Readonly<Record<TurnKind, Places>>
  private readonly pace: ListPace

  constructor(clockwork: Clockwork, places: TurnPlaces = defaultTurnPlaces) {
    const list = new Places(places.list.start)
    this.places = { list, other: new Places(places.other) }
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
