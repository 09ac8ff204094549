// A simulated client of the store: carries out the steps of a workload and tells the checkers what it asked for and what it was told.
// Owns the way from a step to calls; refuses retries of its own: a call without an answer has an unknown outcome.
import { GrpcStatus } from "#net"
import { CompareResult, CompareTarget, PutRequest, RangeRequest, type KeyValue } from "#storage"
import type { LeaseChecker } from "../checkers/LeaseChecker.ts"
import type { StoreChecker } from "../checkers/StoreChecker.ts"
import type { SeenKey, StoreEnd, StoreReply, StoreRequest } from "../history/StoreHistory.ts"
import { didNothing, type StoreCalls, type StoreMethod, StoreMethods } from "../store/StoreCalls.ts"
import type { SimProcess } from "../time/SimProcess.ts"
import { KEY_PREFIX, LEASE_PREFIX, type StoreStep } from "./StoreWorkload.ts"
import type { StoreWatches } from "./StoreWatches.ts"

const bytes = (text: string): Buffer => Buffer.from(text, "latin1")
const text = (value: Uint8Array): string => Buffer.from(value).toString("latin1")
/** The end of the range of all keys with a prefix. */
export const prefixEnd = (prefix: string): string =>
  prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1)

const seen = ({ createRevision, key, modRevision, value, version }: KeyValue): SeenKey => ({
  key: text(key),
  value: text(value),
  createRevision: Number(createRevision),
  modRevision: Number(modRevision),
  version: Number(version)
})

const NO_OP = { requestRange: undefined, requestPut: undefined, requestDeleteRange: undefined, requestTxn: undefined }
const header = (answer: { readonly header: { readonly revision: number | bigint } | undefined }): number =>
  Number(answer.header?.revision ?? 0)
const ignore = (): void => undefined

export interface StoreClientParts {
  readonly process: SimProcess
  readonly calls: StoreCalls
  readonly checker: StoreChecker
  readonly leases: LeaseChecker
  readonly watches: StoreWatches
}

export class StoreClient {
  private readonly parts: StoreClientParts
  /** The newest revision that this client was shown. */
  private known = 1

  constructor(parts: StoreClientParts) {
    this.parts = parts
  }

  run(step: StoreStep): void {
    const value = `v${step.id}`
    switch (step.kind) {
      case "read":
        return this.read(step.key, ignore)
      case "write":
        return this.write(step.key, value)
      case "delete":
        return this.remove(step.key)
      case "cas":
        return this.read(step.key, (reply) => this.compareAndSet(step.key, value, reply.keys.at(0)))
      case "write-all":
        return this.writeAll(step.keys, value)
      case "read-all":
        return this.readAll(step.keys)
      case "list":
        return this.page(KEY_PREFIX, step.limit, 0)
      case "past":
        return this.page(KEY_PREFIX, 0, Math.max(1, this.known - step.back))
      case "compact":
        return this.parts.calls.call(StoreMethods.compact, { revision: this.known - step.keep }, ignore)
      case "lease":
        return this.lease(step)
      case "watch":
        return this.parts.watches.start(step, this.parts.process, this.parts.calls, this.known)
    }
  }

  read(key: string, then: (reply: StoreReply) => void): void {
    this.record(
      { kind: "read", key },
      StoreMethods.range,
      { key: bytes(key) },
      (answer) => ({ revision: header(answer), keys: answer.kvs.map(seen) }),
      then
    )
  }

  private write(key: string, value: string): void {
    this.record(
      { kind: "write", key, value },
      StoreMethods.put,
      { key: bytes(key), value: bytes(value) },
      (answer) => ({ revision: header(answer), keys: [] })
    )
  }

  private remove(key: string): void {
    this.record({ kind: "delete", key }, StoreMethods.deleteRange, { key: bytes(key) }, (answer) => ({
      revision: header(answer),
      keys: [],
      done: Number(answer.deleted) > 0
    }))
  }

  private compareAndSet(key: string, value: string, before: SeenKey | undefined): void {
    const expectedRevision = before?.modRevision ?? 0
    const compare = {
      result: CompareResult.Equal,
      target: CompareTarget.Mod,
      key: bytes(key),
      version: undefined,
      createRevision: undefined,
      modRevision: expectedRevision,
      value: undefined,
      lease: undefined,
      rangeEnd: Buffer.alloc(0)
    }
    const success = [{ ...NO_OP, requestPut: PutRequest.make({ key: bytes(key), value: bytes(value) }) }]
    this.record(
      { kind: "cas", key, value, expectedRevision, expected: before?.value },
      StoreMethods.txn,
      { compare: [compare], success },
      (answer) => ({ revision: header(answer), keys: [], done: answer.succeeded })
    )
  }

  private writeAll(keys: ReadonlyArray<string>, value: string): void {
    const success = keys.map((key) => ({
      ...NO_OP,
      requestPut: PutRequest.make({ key: bytes(key), value: bytes(value) })
    }))
    this.record({ kind: "write-all", keys, value }, StoreMethods.txn, { success }, (answer) => ({
      revision: header(answer),
      keys: []
    }))
  }

  private readAll(keys: ReadonlyArray<string>): void {
    const success = keys.map((key) => ({ ...NO_OP, requestRange: RangeRequest.make({ key: bytes(key) }) }))
    this.record({ kind: "read-all", keys }, StoreMethods.txn, { success }, (answer) => ({
      revision: header(answer),
      keys: answer.responses.flatMap(({ responseRange }) => responseRange?.kvs.map(seen) ?? [])
    }))
  }

  private page(start: string, limit: number, revision: number): void {
    const end = prefixEnd(KEY_PREFIX)
    const request = { key: bytes(start), rangeEnd: bytes(end), limit, revision }
    this.record(
      { kind: "page", start, end, limit, revision },
      StoreMethods.range,
      request,
      (answer) => ({
        revision: header(answer),
        keys: answer.kvs.map(seen),
        more: answer.more,
        count: Number(answer.count)
      }),
      (reply) => {
        const last = reply.keys.at(-1)
        if (reply.more === true && last !== undefined)
          this.page(`${last.key}\0`, limit, revision > 0 ? revision : reply.revision)
      }
    )
  }

  private lease({ id, renewals, ttlSeconds }: StoreStep & { readonly kind: "lease" }): void {
    const { calls, leases, process } = this.parts
    const { clockwork } = process
    const key = `${LEASE_PREFIX}${id}`
    const grantedMs = clockwork.monotonic()
    calls.call(StoreMethods.grant, { ttl: ttlSeconds, id: id + 1 }, (granted) => {
      if (granted instanceof GrpcStatus || granted.error !== "") return
      calls.call(StoreMethods.put, { key: bytes(key), value: bytes(`v${id}`), lease: granted.id }, (put) => {
        if (put instanceof GrpcStatus) return
        leases.attached(key, ttlSeconds * 1000, grantedMs, clockwork.monotonic())
        renew(renewals)
      })
      const renew = (left: number): void => {
        if (left > 0) clockwork.after((ttlSeconds * 1000) / 2.5, () => keepAlive(left))
      }
      const keepAlive = (left: number): void => {
        const calledMs = clockwork.monotonic()
        calls.call(StoreMethods.keepAlive, { id: granted.id }, (answer) => {
          const lives = !(answer instanceof GrpcStatus) && Number(answer.ttl) > 0
          leases.renewed(key, calledMs, clockwork.monotonic(), lives)
          renew(left - 1)
        })
      }
    })
  }

  private record<Q extends object, A extends object>(
    request: StoreRequest,
    method: StoreMethod<Q, A>,
    message: Partial<Q>,
    read: (answer: A) => StoreReply,
    then: (reply: StoreReply) => void = ignore
  ): void {
    const { checker, process } = this.parts
    const operation = checker.called(process.name, request, process.clockwork.monotonic())
    this.parts.calls.call(method, message, (answer) => {
      if (answer instanceof GrpcStatus) {
        process.note(20, answer.code)
        return checker.ended(operation, didNothing(answer) ? "nothing" : "unknown")
      }
      const reply = read(answer)
      const end: StoreEnd = { reply }
      this.known = Math.max(this.known, reply.revision)
      process.note(21, reply.revision)
      checker.ended(operation, end)
      then(reply)
    })
  }
}
