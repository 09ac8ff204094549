// The connections to one endpoint, shared by all clients: a few over HTTP/2, as many as requests over HTTP/1.1.
// Owns how many there are, who waits for one, and their end; refuses to know whether the endpoint is well.
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

/** Uses the connection within the call, or not at all. */
type Take = (outcome: HttpClient | DialFailure) => void

const failure = (code: string, message: string): DialFailure => ({ kind: "failure", code, message })

export class Connections {
  readonly target: ConnectHttpOptions
  private readonly options: ConnectionsOptions
  /** Long-running requests on these connections. */
  readonly lasting = new Set<Lasting>()
  private open: Array<HttpClient> = []
  /** Connections that said goodbye and still carry requests. */
  private readonly leaving = new Set<HttpClient>()
  private waiting = new Set<Take>()
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
    for (const client of this.open) sum += client.activeRequests
    return sum
  }

  /** The least busy connection that can take a request now. */
  ready(): HttpClient | undefined {
    let best: HttpClient | undefined
    let fewest = Number.POSITIVE_INFINITY
    for (const client of this.open) {
      if (!client.ready) {
        if (client.leaving) this.setAside(client)
        continue
      }
      const { activeRequests } = client
      if (activeRequests < fewest) {
        best = client
        fewest = activeRequests
      }
    }
    if (best !== undefined && fewest >= BUSY_REQUESTS && this.open.length + this.dialing < this.options.kept)
      this.connect()
    return best
  }

  /** Hands out a connection, perhaps before it returns; what it answers gives up waiting. */
  take(take: Take): Cancel {
    const client = this.retired ? failure("RETIRED", "the endpoint was removed") : this.ready()
    if (client !== undefined) {
      take(client)
      return nothing
    }
    if (this.waiting.size >= WAITING_MAX) {
      take(failure("BUSY", `more than ${WAITING_MAX} requests wait for a connection`))
      return nothing
    }
    this.waiting.add(take)
    this.connectForWaiting()
    return () => void this.waiting.delete(take)
  }

  /** Closes idle connections beyond those that are kept. */
  trim(): void {
    for (const client of this.open.slice()) {
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
    const clients = [...this.open, ...this.leaving]
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
    for (const client of [...this.open, ...this.leaving]) client.close()
    this.open = []
  }

  private connectForWaiting(): void {
    // One connection of HTTP/2 has room for many; which protocol it is, the first one tells.
    const each = this.open[0]?.protocol === "http/1.1" ? this.waiting.size : 1
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
      this.open.push(outcome)
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
    this.open = this.open.filter((other) => other !== client)
    this.leaving.delete(client)
  }

  private setAside(client: HttpClient): void {
    this.open = this.open.filter((other) => other !== client)
    if (client.activeRequests > 0) this.leaving.add(client)
  }

  private serve(): void {
    for (const take of this.waiting) {
      const client = this.ready()
      if (client === undefined) return this.connectForWaiting()
      this.waiting.delete(take)
      take(client)
    }
  }

  private failWaiting(why: DialFailure): void {
    const waiting = [...this.waiting]
    this.waiting.clear()
    for (const take of waiting) take(why)
  }
}

const nothing = (): void => {}
