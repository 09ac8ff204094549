// Whether a store keeps its word to its clients, operation by operation, while the load runs.
// Owns the checks of reads and writes: linearizable keys, no stale read, no lost acknowledged write, at most once, atomic transactions,
// reads of one revision. Refuses to judge watches and leases, which have checkers of their own.
import type { SeenKey, StoreEnd, StoreOperation, StoreReply, StoreRequest } from "../history/StoreHistory.ts"
import type { RecordedEvent, StoreRecord } from "../history/StoreRecord.ts"
import { RegisterChecker, type RegisterOperation } from "./Linearizability.ts"
import type { Violations } from "./Violations.ts"

type Written = ReadonlyArray<readonly [string, string | undefined]>

interface Acknowledged {
  readonly operation: StoreOperation
  readonly revision: number
}

/** Acknowledged writes that are looked for again when the store loses events; older ones were checked when they were new. */
const ACKNOWLEDGED_KEPT = 10_000

export class StoreChecker {
  readonly stats = { operations: 0, unknown: 0, undecidedKeys: 0 }
  private readonly record: StoreRecord
  private readonly violations: Violations
  private readonly registers = new Map<string, RegisterChecker>()
  private readonly writesOf = new Map<string, RecordedEvent>()
  private acknowledged: Array<Acknowledged> = []
  private ticks = 0
  /** The newest revision that any answer so far has shown. */
  private newestShown = 0
  private readonly floors = new Map<StoreOperation, number>()

  constructor(record: StoreRecord, violations: Violations) {
    this.record = record
    this.violations = violations
    record.onEvent = (event) => this.recorded(event)
    record.onLoss = (lost, revision) => this.lost(lost, revision)
  }

  called(client: string, request: StoreRequest, calledMs: number): StoreOperation {
    const operation = { client, request, calledAt: ++this.ticks, calledMs }
    this.floors.set(operation, this.newestShown)
    for (const key of keysOf(request)) this.register(key).called()
    return operation
  }

  ended(operation: StoreOperation, end: StoreEnd): void {
    const { request } = operation
    const answeredAt = ++this.ticks
    const floor = this.floors.get(operation) ?? 0
    this.floors.delete(operation)
    this.stats.operations++
    if (end === "unknown") this.stats.unknown++
    const reply = typeof end === "string" ? undefined : end.reply
    if (reply !== undefined) {
      if (!(request.kind === "page" && request.revision > 0) && reply.revision < floor)
        this.violations.report(
          "no stale read",
          `${describe(operation)} showed revision ${reply.revision} after ${floor} had been shown`
        )
      this.newestShown = Math.max(this.newestShown, reply.revision)
      this.checkWrites(operation, reply)
      this.checkShown(operation, reply)
    }
    for (const key of keysOf(request)) this.judge(key, operation, end, answeredAt)
  }

  private judge(key: string, operation: StoreOperation, end: StoreEnd, answeredAt: number): void {
    const register = this.register(key)
    const verdict = register.ended(registerOperation(key, operation, end, answeredAt))
    if (verdict === "not linearizable")
      this.violations.report("linearizable keys", `no order of operations on ${key} explains ${describe(operation)}`)
    else if (verdict === "undecided") this.stats.undecidedKeys++
  }

  private register(key: string): RegisterChecker {
    let register = this.registers.get(key)
    if (register === undefined) this.registers.set(key, (register = new RegisterChecker()))
    return register
  }

  /** What was acknowledged must be in the record, all of it at one revision. */
  private checkWrites(operation: StoreOperation, { done, revision }: StoreReply): void {
    const written = writesOf(operation.request, done)
    if (written.length === 0) return
    this.acknowledged.push({ operation, revision })
    if (this.acknowledged.length > ACKNOWLEDGED_KEPT) this.acknowledged = this.acknowledged.slice(ACKNOWLEDGED_KEPT / 2)
    const events = this.record.ofRevision(revision)
    for (const [key, value] of written) {
      if (events.some((event) => event.key === key && event.value === value)) continue
      const elsewhere = value === undefined ? undefined : this.writesOf.get(`${key} ${value}`)
      if (elsewhere === undefined)
        this.violations.report(
          "no lost acknowledged write",
          `${describe(operation)} was acknowledged at ${revision} and is not there`
        )
      else
        this.violations.report(
          "transactions are atomic",
          `${describe(operation)} wrote ${key} at ${elsewhere.revision}, not ${revision}`
        )
    }
  }

  /** What was shown must be the state of exactly one revision. */
  private checkShown(operation: StoreOperation, reply: StoreReply): void {
    const { request } = operation
    if (request.kind === "read") this.compare(operation, [request.key], reply.keys, reply.revision)
    else if (request.kind === "read-all") this.compare(operation, request.keys, reply.keys, reply.revision)
    else if (request.kind === "page") this.checkPage(operation, request, reply)
  }

  private checkPage(operation: StoreOperation, request: StoreRequest & { kind: "page" }, reply: StoreReply): void {
    const { end, limit, start } = request
    const revision = request.revision > 0 ? request.revision : reply.revision
    const inRange = [...this.record.keys()].filter((key) => key >= start && key < end).sort()
    const present = inRange.filter((key) => this.record.at(key, revision) !== undefined)
    const expected = limit > 0 ? present.slice(0, limit) : present
    this.compare(operation, new Set([...expected, ...reply.keys.map(({ key }) => key)]), reply.keys, revision)
    if (reply.more !== undefined && reply.more !== present.length > expected.length)
      this.violations.report("reads show one revision", `${describe(operation)} says more=${reply.more} at ${revision}`)
    if (reply.count !== undefined && reply.count !== present.length)
      this.violations.report(
        "reads show one revision",
        `${describe(operation)} counts ${reply.count} of ${present.length} keys`
      )
  }

  private compare(
    operation: StoreOperation,
    keys: Iterable<string>,
    shown: ReadonlyArray<SeenKey>,
    revision: number
  ): void {
    if (revision > this.record.revision) {
      this.violations.report(
        "reads show one revision",
        `${describe(operation)} shows revision ${revision} of a store at ${this.record.revision}`
      )
      return
    }
    for (const key of keys) {
      const recorded = this.record.at(key, revision)
      const seen = shown.find((one) => one.key === key)
      if (
        seen?.value === recorded?.value &&
        seen?.modRevision === recorded?.revision &&
        seen?.version === recorded?.version
      )
        continue
      const was = recorded === undefined ? "absent" : `${recorded.value} of ${recorded.revision}`
      const shows = seen === undefined ? "absent" : `${seen.value} of ${seen.modRevision}`
      this.violations.report(
        "reads show one revision",
        `${describe(operation)} shows ${key} ${shows} at ${revision}, where it was ${was}`
      )
    }
  }

  private recorded(event: RecordedEvent): void {
    const { key, revision, value } = event
    if (value === undefined) return
    const id = `${key} ${value}`
    const before = this.writesOf.get(id)
    if (before !== undefined)
      this.violations.report(
        "applied at most once",
        `${value} was written to ${key} at ${before.revision} and again at ${revision}`
      )
    this.writesOf.set(id, event)
    const sibling = this.writesOf.get(value)
    if (sibling !== undefined && sibling.revision !== revision && sibling.key !== key)
      this.violations.report(
        "transactions are atomic",
        `${value} was written to ${sibling.key} at ${sibling.revision} and to ${key} at ${revision}`
      )
    this.writesOf.set(value, event)
  }

  private lost(lost: ReadonlyArray<RecordedEvent>, revision: number): void {
    for (const { key, value } of lost) {
      this.writesOf.delete(`${key} ${value}`)
      if (value !== undefined) this.writesOf.delete(value)
    }
    for (const { operation, revision: at } of this.acknowledged) {
      if (at > revision)
        this.violations.report(
          "no lost acknowledged write",
          `${describe(operation)} was acknowledged at ${at}; the store came back at ${revision}`
        )
    }
    this.acknowledged = this.acknowledged.filter(({ revision: at }) => at <= revision)
  }
}

const describe = ({ client, request }: StoreOperation): string => {
  switch (request.kind) {
    case "read":
    case "delete":
      return `${client}'s ${request.kind} of ${request.key}`
    case "page":
      return `${client}'s page from ${request.start}`
    case "read-all":
      return `${client}'s read of ${request.keys.join(" and ")}`
    case "write-all":
      return `${client}'s write of ${request.value} to ${request.keys.join(" and ")}`
    default:
      return `${client}'s ${request.kind} of ${request.value} to ${request.key}`
  }
}

/** The keys whose linearizability an operation takes part in. */
const keysOf = (request: StoreRequest): ReadonlyArray<string> =>
  request.kind === "page" ? [] : "keys" in request ? request.keys : [request.key]

/** What an acknowledged request has certainly written. */
const writesOf = (request: StoreRequest, done: boolean | undefined): Written => {
  switch (request.kind) {
    case "write":
      return [[request.key, request.value]]
    case "cas":
      return done === true ? [[request.key, request.value]] : []
    case "delete":
      return done === true ? [[request.key, undefined]] : []
    case "write-all":
      return request.keys.map((key) => [key, request.value] as const)
    default:
      return []
  }
}

const registerOperation = (
  key: string,
  { calledAt, request }: StoreOperation,
  end: StoreEnd,
  answeredAt: number
): RegisterOperation => {
  const times = { calledAt, answeredAt: typeof end === "string" ? Number.POSITIVE_INFINITY : answeredAt }
  // What certainly did nothing is like a read without an answer: it says nothing.
  if (end === "nothing") return { kind: "read", ...times }
  const reply = end === "unknown" ? undefined : end.reply
  const answered = reply?.done === undefined ? {} : { done: reply.done }
  switch (request.kind) {
    case "write":
    case "write-all":
      return { kind: "write", value: request.value, ...times }
    case "delete":
      return { kind: "delete", ...answered, ...times }
    case "cas":
      return { kind: "cas", value: request.value, expected: request.expected, ...answered, ...times }
    default:
      return { kind: "read", seen: reply?.keys.find((seen) => seen.key === key)?.value, ...times }
  }
}
