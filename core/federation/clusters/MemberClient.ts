// The client of one member, so that no member can hold up another: so many calls at a time, so many that wait, each with an end, and
// none at all while the member does not answer.
// Owns these bounds; refuses to retry, which queues do. Watches are not counted: there is one for each type that is followed.
import { ApiFailure, type Client, type Clockwork, type Done, Failures, type WatchListener } from "#kube"
import { Circuit, type CircuitBounds, usualCircuit } from "./Circuit.ts"

/** Bounds of one member. */
export interface MemberBounds {
  /** Calls under way. */
  readonly inFlightMax: number
  /** Calls that wait for one of these places; more are refused with 429. */
  readonly waitingMax: number
  readonly callMs: number
  readonly circuit: CircuitBounds
}

/** Enough for a large member, little enough for a thousand of them. */
export const usualBounds: MemberBounds = { inFlightMax: 64, waitingMax: 4096, callMs: 30_000, circuit: usualCircuit }

/** Whether the member itself, and not the request, is at fault. */
const isLost = ({ code }: ApiFailure): boolean => code === 502 || code === 503 || code === 504

export class MemberClient implements Client {
  readonly circuit: Circuit
  readonly #client: Client
  readonly #clockwork: Clockwork
  readonly #bounds: MemberBounds
  readonly #waiting: Array<() => void> = []
  #first = 0
  #inFlight = 0

  constructor(client: Client, clockwork: Clockwork, bounds: MemberBounds = usualBounds) {
    this.#client = client
    this.#clockwork = clockwork
    this.#bounds = bounds
    this.circuit = new Circuit(clockwork, bounds.circuit)
  }

  /** Calls under way and those that wait. */
  get load(): number {
    return this.#inFlight + this.#waiting.length - this.#first
  }

  get: Client["get"] = (target, options, done) => this.#ask(done, (end) => this.#client.get(target, options, end))

  list: Client["list"] = (collection, options, done) =>
    this.#ask(done, (end) => this.#client.list(collection, options, end))

  create: Client["create"] = (target, object, options, done) =>
    this.#ask(done, (end) => this.#client.create(target, object, options, end))

  update: Client["update"] = (target, object, options, done) =>
    this.#ask(done, (end) => this.#client.update(target, object, options, end))

  patch: Client["patch"] = (target, patch, options, done) =>
    this.#ask(done, (end) => this.#client.patch(target, patch, options, end))

  delete: Client["delete"] = (target, options, done) =>
    this.#ask(done, (end) => this.#client.delete(target, options, end))

  deleteCollection: Client["deleteCollection"] = (collection, options, selection, done) =>
    this.#ask(done, (end) => this.#client.deleteCollection(collection, options, selection, end))

  watch: Client["watch"] = (collection, options, listener) => {
    const heard: WatchListener = {
      event: (event) => {
        // What speaks is there, whatever calls were lost before.
        if (this.circuit.isOpen) this.circuit.succeeded()
        listener.event(event)
      },
      ended: listener.ended
    }
    return this.#client.watch(collection, options, heard)
  }

  #ask<A>(done: Done<A>, call: (end: Done<A>) => void): void {
    const refuse = (failure: ApiFailure): void => this.#clockwork.defer(() => done(failure))
    if (this.circuit.waitMs() > 0) return refuse(Failures.unavailable("the member does not answer; it is left alone"))
    if (this.#inFlight < this.#bounds.inFlightMax) return this.#begin(done, call)
    if (this.#waiting.length - this.#first >= this.#bounds.waitingMax)
      return refuse(Failures.tooManyRequests("too many calls wait for the member", 1))
    this.#waiting.push(() => this.#begin(done, call))
  }

  #begin<A>(done: Done<A>, call: (end: Done<A>) => void): void {
    if (!this.circuit.enter()) {
      this.#clockwork.defer(() => done(Failures.unavailable("the member does not answer; it is left alone")))
      return this.#next()
    }
    this.#inFlight++
    let ended = false
    const end: Done<A> = (answer) => {
      if (ended) return
      ended = true
      cancel()
      this.#inFlight--
      if (answer instanceof ApiFailure && isLost(answer)) this.circuit.failed()
      else this.circuit.succeeded()
      this.#next()
      done(answer)
    }
    const cancel = this.#clockwork.after(this.#bounds.callMs, () =>
      end(Failures.timeout(`the member gave no answer within ${this.#bounds.callMs} ms`, 0))
    )
    call(end)
  }

  #next(): void {
    const begin = this.#waiting[this.#first]
    if (begin === undefined) return
    this.#first++
    if (this.#first > 32 && this.#first * 2 > this.#waiting.length) {
      this.#waiting.splice(0, this.#first)
      this.#first = 0
    }
    begin()
  }
}
