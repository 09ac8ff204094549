// The connections to one endpoint, shared by all clients: a few over HTTP/2, as many as requests over HTTP/1.1.
// Owns how many there are, who waits for one, and their end; refuses to know whether the endpoint is well.
// Requests that bring much (lists, watches, logs) go over connections of their own as soon as there are two: the answer to a small
// one would else wait behind all that is on its way to others (head-of-line blocking, RFC 9113 section 5.2.1).
// Bounds: `CONNECTIONS_MAX` connections, which only streams that last can need over HTTP/2; `WAITING_MAX` requests that wait.
import type { Cancel, Clockwork } from "#kube"
import type { ConnectHttpOptions, HttpClient } from "#net"
import type { Dial, DialFailure } from "./DialAdapter.ts"

const CONNECTIONS_MAX = 1024
const WAITING_MAX = 10_000
/** Open requests on the least busy connection from which another one of the few is opened. */
const BUSY_REQUESTS = 32

export interface ConnectionsOptions {
  readonly dial: Dial
  readonly clockwork: Clockwork
  readonly target: ConnectHttpOptions
  /** HTTP/2 connections that are kept; more are opened only when the endpoint's stream limit leaves no other way. */
  readonly kept: number
}

/** A request that lasts as long as it likes and can be asked to end. */
export interface Lasting {
  endWell(): void
}

/** One of the connections. */
export interface Pooled {
  readonly client: HttpClient
  /** Whether it is there for what brings much. */
  readonly forHeavy: boolean
  /** Requests on it that bring much, counted by who asks. */
  heavy: number
}

/** Uses the connection within the call, or not at all. */
type Take = (outcome: Pooled | DialFailure) => void

/** What a connection costs that is a request's last choice. */
const LAST_CHOICE = 1e9

const failure = (code: string, message: string): DialFailure => ({ kind: "failure", code, message })

export class Connections {
  readonly target: ConnectHttpOptions
  private readonly options: ConnectionsOptions
  /** Long-running requests on these connections. */
  readonly lasting = new Set<Lasting>()
  private open: Array<Pooled> = []
  /** Connections that said goodbye and still carry requests. */
  private readonly leaving = new Set<HttpClient>()
  /** Who waits, and whether for something that brings much. */
  private readonly waiting = new Map<Take, boolean>()
  private dialing = 0
  private retired = false

  constructor(options: ConnectionsOptions) {
    this.options = options
    this.target = options.target
  }

  get count(): number {
    return this.open.length
  }

  get activeRequests(): number {
    let sum = 0
    for (const { client } of this.open) sum += client.activeRequests
    return sum
  }

  /** The least busy connection that can take a request now, of those for its kind where there is one. */
  ready(heavy = false): Pooled | undefined {
    let best: Pooled | undefined
    let least = Number.POSITIVE_INFINITY
    let isApart = false
    for (const pooled of this.open) {
      const { client } = pooled
      if (pooled.forHeavy) isApart = true
      if (!client.ready) {
        if (client.leaving) this.setAside(pooled)
        continue
      }
      const isLastChoice = heavy ? !pooled.forHeavy : pooled.heavy > 0
      const cost = client.activeRequests + (isLastChoice ? LAST_CHOICE : 0)
      if (cost < least) {
        best = pooled
        least = cost
      }
    }
    if (best === undefined) return undefined
    const isWanted = best.client.activeRequests >= BUSY_REQUESTS || (heavy && !isApart && best.client.protocol === "h2")
    if (isWanted && this.open.length + this.dialing < this.options.kept) this.connect()
    return best
  }

  /** Hands out a connection, perhaps before it returns; what it answers gives up waiting. */
  take(take: Take, heavy = false): Cancel {
    const pooled = this.retired ? failure("RETIRED", "the endpoint was removed") : this.ready(heavy)
    if (pooled !== undefined) {
      take(pooled)
      return nothing
    }
    if (this.waiting.size >= WAITING_MAX) {
      take(failure("BUSY", `more than ${WAITING_MAX} requests wait for a connection`))
      return nothing
    }
    this.waiting.set(take, heavy)
    this.connectForWaiting()
    return () => void this.waiting.delete(take)
  }

  /** Closes idle connections beyond those that are kept. */
  trim(): void {
    for (const { client } of this.open.slice()) {
      if (this.open.length <= this.options.kept) return
      if (client.activeRequests > 0) continue
      this.forget(client)
      client.closeWhenIdle()
    }
  }

  /** Takes no more requests; what is open may go on for `drainMs`. */
  retire(drainMs: number): void {
    if (this.retired) return
    this.retired = true
    this.failWaiting(failure("RETIRED", "the endpoint was removed"))
    const clients = this.all()
    this.open = []
    for (const client of clients) client.closeWhenIdle()
    const { after, random } = this.options.clockwork
    // Spread over the time, so that those who start again elsewhere do not all come at once.
    for (const each of this.lasting) after(drainMs * (0.1 + 0.8 * random()), () => each.endWell())
    if (clients.some(({ activeRequests }) => activeRequests > 0)) {
      after(drainMs, () => {
        for (const client of clients) client.close()
      })
    }
  }

  /** Fails what is open. */
  close(): void {
    this.retired = true
    this.failWaiting(failure("RETIRED", "the endpoint was removed"))
    for (const client of this.all()) client.close()
    this.open = []
  }

  private connectForWaiting(): void {
    // One connection of HTTP/2 has room for many; which protocol it is, the first one tells.
    const each = this.open[0]?.client.protocol === "http/1.1" ? this.waiting.size : 1
    // Counted beforehand: an attempt that fails at once must not be made again and again.
    const missing = Math.min(each - this.dialing, CONNECTIONS_MAX - this.open.length - this.dialing)
    for (let made = 0; made < missing; made++) this.connect()
  }

  private connect(): void {
    this.dialing++
    this.options.dial.connect(this.target, (outcome) => {
      this.dialing--
      if ("kind" in outcome) return this.failWaiting(outcome)
      if (this.retired) return outcome.close()
      const apart = this.open.filter(({ forHeavy }) => forHeavy).length
      this.open.push({ client: outcome, forHeavy: this.open.length > 2 * apart, heavy: 0 })
      outcome.onClose = () => {
        this.forget(outcome)
        this.serve()
      }
      outcome.onRoom = () => {
        if (this.waiting.size > 0) this.serve()
      }
      this.serve()
    })
  }

  private forget(client: HttpClient): void {
    this.open = this.open.filter((other) => other.client !== client)
    this.leaving.delete(client)
  }

  private setAside({ client }: Pooled): void {
    this.forget(client)
    if (client.activeRequests > 0) this.leaving.add(client)
  }

  private all(): ReadonlyArray<HttpClient> {
    return [...this.open.map(({ client }) => client), ...this.leaving]
  }

  private serve(): void {
    for (const [take, heavy] of this.waiting) {
      const pooled = this.ready(heavy)
      if (pooled === undefined) return this.connectForWaiting()
      // A connection that was there at once served it already.
      if (this.waiting.delete(take)) take(pooled)
    }
  }

  private failWaiting(why: DialFailure): void {
    const waiting = [...this.waiting.keys()]
    this.waiting.clear()
    for (const take of waiting) take(why)
  }
}

const nothing = (): void => {}
