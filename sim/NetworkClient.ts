// The Client port across the simulated network: calls take time, get lost with their connection, and watches break.
// Owns one connection at a time and its calls; refuses retries. A call that may have happened fails like one whose connection was
// reset; one that certainly did not, like one that was refused.
import { ApiFailure, type Cancel, type Client, type Collection, Failures, type Target, type WatchListener } from "#kube"
import type { Network } from "./faults/Network.ts"
import type { CallLane, PacedVerb, ServerPace } from "./faults/ServerPace.ts"
import type { Lane, SimConnection } from "./faults/SimConnection.ts"
import type { SimProcess } from "./time/SimProcess.ts"

export interface NetworkClientOptions {
  readonly network: Network
  readonly process: SimProcess
  readonly server: SimProcess
  /** The client inside the server's process, as it runs now; undefined while it is down. */
  readonly local: () => Client | undefined
  /** Milliseconds after which a call is given up; default 60 s, as the API server's own. */
  readonly timeoutMs?: number
  /** How long the server takes; default: no virtual time. */
  readonly pace?: ServerPace
}

const TIMEOUT_MS = 60_000

/** Messages of failures of the way, not of the server. */
export const transportMessages = { refused: "connection refused", reset: "connection reset by peer" } as const

/** Whether a failed write may have happened all the same. */
export const mayHaveHappened = (failure: ApiFailure): boolean =>
  failure.message === transportMessages.reset || failure.code === 504 || failure.code >= 500

interface Open {
  readonly connection: SimConnection
  /** Ends every call and watch of the connection, on each side. */
  readonly calls: Set<{ readonly fail: (failure: ApiFailure) => void }>
  readonly served: Set<Cancel>
}

type Run<A> = (client: Client, done: (answer: A | ApiFailure) => void) => void

/** One call under way: answered once, by the server, by its connection's end, or by the time. */
class OpenCall<A> {
  readonly deadlineMs: number
  over = false
  private readonly open: Open
  private readonly done: (answer: A | ApiFailure) => void

  constructor(open: Open, deadlineMs: number, done: (answer: A | ApiFailure) => void) {
    this.open = open
    this.deadlineMs = deadlineMs
    this.done = done
  }

  finish(answer: A | ApiFailure): void {
    if (this.over) return
    this.over = true
    this.open.calls.delete(this)
    this.done(answer)
  }

  fail(failure: ApiFailure): void {
    this.finish(failure)
  }
}

/** The calls of one client in the order of their deadlines, which is that of their start: one timer is enough for all. */
class Deadlines {
  private readonly process: SimProcess
  private calls: Array<OpenCall<never>> = []
  private head = 0
  private armedIn = -1

  constructor(process: SimProcess) {
    this.process = process
  }

  add(call: OpenCall<never>): void {
    const { incarnation } = this.process
    // What an earlier life of the process had called nobody waits for any more, and its timer is gone.
    if (this.armedIn !== incarnation && this.armedIn >= 0) this.clear()
    this.calls.push(call)
    this.skipOver()
    if (this.armedIn < 0) this.arm(incarnation)
  }

  private clear(): void {
    this.calls = []
    this.head = 0
    this.armedIn = -1
  }

  /** Forgets what has been answered meanwhile, so that no more is kept than waits behind the oldest open call. */
  private skipOver(): void {
    const { calls } = this
    while (this.head < calls.length && calls[this.head].over) this.head++
    if (this.head < 1024 || this.head * 2 < calls.length) return
    this.calls = calls.slice(this.head)
    this.head = 0
  }

  private arm(incarnation: number): void {
    this.armedIn = incarnation
    const { clockwork } = this.process
    clockwork.after(this.calls[this.head].deadlineMs - clockwork.monotonic(), () => {
      this.armedIn = -1
      this.expire(clockwork.monotonic())
      if (this.head < this.calls.length) this.arm(this.process.incarnation)
      else this.clear()
    })
  }

  private expire(nowMs: number): void {
    for (this.skipOver(); this.head < this.calls.length && this.calls[this.head].deadlineMs <= nowMs; this.skipOver())
      this.calls[this.head].fail(Failures.timeout("request did not complete within requested timeout", 0))
  }
}

class NetworkCalls {
  private readonly options: NetworkClientOptions
  private readonly deadlines: Deadlines
  private current: Open | undefined

  constructor(options: NetworkClientOptions) {
    this.options = options
    this.deadlines = new Deadlines(options.process)
  }

  call<A>(lane: CallLane | undefined, run: Run<A>, done: (answer: A | ApiFailure) => void): void {
    const { local, process, timeoutMs = TIMEOUT_MS } = this.options
    const { clockwork } = process
    const open = this.open()
    if (open === undefined) return clockwork.defer(() => done(Failures.unavailable(transportMessages.refused)))
    const call = new OpenCall<A>(open, clockwork.monotonic() + timeoutMs, done)
    this.deadlines.add(call)
    open.calls.add(call)
    const { connection } = open
    const serve = (): void => {
      const client = local()
      if (client === undefined) return
      run(client, (answer) => connection.send("server", () => call.finish(answer), lane?.answer?.(answer)))
    }
    connection.send("client", serve, lane)
  }

  watch(
    lane: Lane | undefined,
    start: (client: Client, listener: WatchListener) => Cancel,
    listener: WatchListener
  ): Cancel {
    const { clockwork } = this.options.process
    const open = this.open()
    let over = false
    const end = (failure: ApiFailure | undefined): void => {
      if (over) return
      over = true
      open?.calls.delete(ending)
      listener.ended(failure)
    }
    const ending = { fail: end }
    if (open === undefined) {
      clockwork.defer(() => end(Failures.unavailable(transportMessages.refused)))
      return () => void (over = true)
    }
    open.calls.add(ending)
    let stopServing: Cancel | undefined
    open.connection.send("client", () => {
      const client = this.options.local()
      if (client === undefined) return
      const stop = start(client, {
        event: (event) => open.connection.send("server", () => (over ? undefined : listener.event(event)), lane),
        ended: (failure) => {
          open.served.delete(stop)
          open.connection.send("server", () => end(failure), lane)
        }
      })
      stopServing = stop
      open.served.add(stop)
    })
    return () => {
      if (over) return
      over = true
      open.calls.delete(ending)
      open.connection.send("client", () => {
        stopServing?.()
        if (stopServing !== undefined) open.served.delete(stopServing)
      })
    }
  }

  private open(): Open | undefined {
    if (this.current !== undefined && !this.current.connection.broken) return this.current
    const { network, process, server } = this.options
    const connection = network.connect(process, server)
    if (connection === undefined) return undefined
    const open: Open = { connection, calls: new Set(), served: new Set() }
    connection.onBroken.client = () => {
      const calls = [...open.calls]
      open.calls.clear()
      for (const call of calls) call.fail(Failures.unavailable(transportMessages.reset))
    }
    connection.onBroken.server = () => {
      for (const stop of open.served) stop()
      open.served.clear()
    }
    return (this.current = open)
  }
}

/** A client in one process of a server in another. */
export const makeNetworkClient = (options: NetworkClientOptions): Client => {
  const calls = new NetworkCalls(options)
  const { pace } = options
  const lane = (verb: PacedVerb, place: Collection | Target) => pace?.call(verb, place)
  return {
    get: (target, given, done) =>
      calls.call(lane("get", target), (client, answer) => client.get(target, given, answer), done),
    list: (place, given, done) =>
      calls.call(lane("list", place), (client, answer) => client.list(place, given, answer), done),
    watch: (place, given, listener) =>
      calls.watch(pace?.watch(place), (client, serving) => client.watch(place, given, serving), listener),
    create: (target, object, given, done) =>
      calls.call(lane("create", target), (client, answer) => client.create(target, object, given, answer), done),
    update: (target, object, given, done) =>
      calls.call(lane("update", target), (client, answer) => client.update(target, object, given, answer), done),
    patch: (target, patch, given, done) =>
      calls.call(lane("patch", target), (client, answer) => client.patch(target, patch, given, answer), done),
    delete: (target, given, done) =>
      calls.call(lane("delete", target), (client, answer) => client.delete(target, given, answer), done),
    deleteCollection: (place, given, selection, done) =>
      calls.call(
        lane("deletecollection", place),
        (client, answer) => client.deleteCollection(place, given, selection, answer),
        done
      )
  }
}
