import { assert, describe, it } from "vitest"
import * as fc from "fast-check"
import { makeMemoryEngine } from "../../../core/storage/engine/MemoryEngine.ts"
import type { Engine, View } from "../../../core/storage/engine/Engine.ts"
import { Compactor } from "../../../core/storage/mvcc/Compactor.ts"
import { EventKind } from "../../../core/storage/mvcc/Layout.ts"
import { recordFields, valueOf } from "../../../core/storage/mvcc/Record.ts"
import { type KeyRange, type Snapshot } from "../../../core/storage/mvcc/Snapshot.ts"
import { Store } from "../../../core/storage/mvcc/Store.ts"
import { EtcdFailure, Failure } from "../../../core/storage/rpc/EtcdFailure.ts"
import { readEvents } from "../../../core/storage/watch/EventLog.ts"

/** Deferred work, run by hand: commits happen when the test says so. */
class Turns {
  private queue: Array<() => void> = []
  readonly defer = (run: () => void): void => void this.queue.push(run)

  runAll(): void {
    while (this.queue.length > 0) this.queue.shift()?.()
  }
}

interface Version {
  readonly revision: number
  /** Undefined: deleted. */
  readonly value: string | undefined
  readonly create: number
  readonly version: number
}

const KEYS: ReadonlyArray<Buffer> = ["\0", "a", "a\0", "a\0\0", "a!", "b", "\xff", "x".repeat(2500)].map((text) =>
  Buffer.from(text, "latin1")
)
const key = fc.constantFrom(...KEYS)
const write = fc.oneof(
  { arbitrary: fc.record({ put: key, value: fc.constantFrom("", "x", "yy") }), weight: 4 },
  { arbitrary: fc.record({ from: key, end: fc.option(key, { nil: undefined }) }), weight: 1 }
)
const step = fc.oneof(
  { arbitrary: fc.record({ writes: fc.array(write, { minLength: 1, maxLength: 4 }) }), weight: 12 },
  { arbitrary: fc.constant({ flush: true as const }), weight: 4 },
  { arbitrary: fc.record({ compact: fc.integer({ min: 0, max: 6 }) }), weight: 1 }
)
const ranges: ReadonlyArray<KeyRange> = [
  { start: Buffer.alloc(1), end: undefined, single: false },
  ...KEYS.flatMap((start) => [
    { start, end: undefined, single: true },
    ...KEYS.map((end) => ({ start, end, single: false }))
  ])
]
const within = ({ end, single, start }: KeyRange, one: Buffer): boolean =>
  single ? one.compare(start) === 0 : one.compare(start) >= 0 && (end === undefined || one.compare(end) < 0)

class Model {
  readonly versions = new Map<Buffer, Array<Version>>(KEYS.map((one) => [one, []]))
  head = 1

  at(one: Buffer, revision: number): Version | undefined {
    const found = this.versions.get(one)?.findLast((version) => version.revision <= revision)
    return found?.value === undefined ? undefined : found
  }

  put(one: Buffer, value: string, revision: number): void {
    const before = this.at(one, revision)
    this.versions
      .get(one)
      ?.push({ revision, value, create: before?.create ?? revision, version: (before?.version ?? 0) + 1 })
  }

  remove(range: KeyRange, revision: number): number {
    const doomed = KEYS.filter((one) => within(range, one) && this.at(one, revision) !== undefined)
    for (const one of doomed) this.versions.get(one)?.push({ revision, value: undefined, create: 0, version: 0 })
    return doomed.length
  }
}

const describeRecord = (record: Uint8Array): string => {
  const { createRevision, modRevision, version } = recordFields(record)
  return `${String(valueOf(record))}/${createRevision}/${modRevision}/${version}`
}
const describeVersion = ({ create, revision, value, version }: Version): string =>
  `${value}/${create}/${revision}/${version}`

const compareSnapshot = (snapshot: Snapshot, model: Model, revision: number): void => {
  for (const range of ranges) {
    const wanted = KEYS.filter((one) => within(range, one))
      .sort((a, b) => a.compare(b))
      .flatMap((one) => {
        const version = model.at(one, revision)
        return version === undefined
          ? []
          : [`${one.length}:${one.subarray(0, 4).toString("latin1")}=${describeVersion(version)}`]
      })
    const seen: Array<string> = []
    snapshot.scan(range, (found, record) => {
      const name = Buffer.from(found)
      seen.push(`${name.length}:${name.subarray(0, 4).toString("latin1")}=${describeRecord(record)}`)
      return true
    })
    assert.deepStrictEqual(seen, wanted, `at ${revision}`)
    assert.strictEqual(snapshot.count(range), wanted.length, `count at ${revision}`)
  }
}

/** What the log tells from a revision on: put and delete, with the value before each. */
const compareLog = (view: View, model: Model, from: number, upTo: number): void => {
  const seen: Array<string> = []
  for (let next = from; next <= upTo;) {
    const read = readEvents(view, next, upTo, { events: 3, bytes: next % 2 === 0 ? 1 : 1e9 })
    assert.isAbove(read.next, next)
    next = read.next
    for (const { key: name, kind, record, revision } of read.events) {
      const value = kind === EventKind.Put ? (record === undefined ? "lost" : String(valueOf(record))) : "-"
      seen.push(`${revision} ${Buffer.from(name).toString("hex").slice(0, 20)} ${value}`)
    }
  }
  const wanted = [...model.versions].flatMap(([name, versions]) =>
    versions
      .filter(({ revision }) => revision >= from && revision <= upTo)
      .map(({ revision, value }) => `${revision} ${name.toString("hex").slice(0, 20)} ${value ?? "-"}`)
  )
  assert.deepStrictEqual(seen.sort(), wanted.sort())
}

const makeStore = (isFull = () => false) => {
  const turns = new Turns()
  const memory = makeMemoryEngine({ defer: turns.defer, clock: () => 0 })
  const engine: Engine = {
    ...memory,
    commit: (batch, done) => {
      if (isFull()) turns.defer(() => done({ kind: "failed", reason: "no-space", detail: "the test says so" }))
      else memory.commit(batch, done)
    }
  }
  const store = new Store(engine, { defer: turns.defer, minLeaseTtlSeconds: 1 })
  const compactor = new Compactor(store, { now: () => 0, after: (_delay, run) => turns.defer(run) })
  return { compactor, engine, store, turns }
}

describe("the store", () => {
  it("shows every revision that is not compacted as it was, whatever is committed together", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const { compactor, engine, store, turns } = makeStore()
        const model = new Model()
        let compacted = -1
        const check = (): void => {
          turns.runAll()
          assert.strictEqual(store.revision, model.head)
          engine.read(
            () => [],
            (view) => {
              for (let revision = Math.max(compacted, 1); revision <= model.head; revision++) {
                const snapshot = store.at(view, revision)
                if (snapshot instanceof EtcdFailure) assert.fail(`revision ${revision}: ${snapshot.message}`)
                compareSnapshot(snapshot, model, revision)
              }
              if (compacted > 1) assert.strictEqual(store.at(view, compacted - 1), Failure.compacted)
              assert.strictEqual(store.at(view, model.head + 1), Failure.futureRevision)
              compareLog(view, model, Math.max(compacted + 1, 2), model.head)
            }
          )
        }
        for (const one of steps) {
          if ("flush" in one) check()
          else if ("compact" in one) {
            turns.runAll()
            const target = model.head - one.compact
            if (target <= compacted || target < 1) continue
            compactor.compact(target, one.compact % 2 === 0, (failure) => assert.isUndefined(failure))
            compacted = target
          } else {
            const revision = model.head + 1
            let changes = 0
            let expected = model.head
            const written = new Set<Buffer>()
            const done = (result: unknown, answered: number): void => {
              assert.notInstanceOf(result, EtcdFailure)
              assert.strictEqual(answered, expected)
            }
            store.write(
              () => [],
              (txn) => {
                for (const action of one.writes) {
                  if ("put" in action) {
                    // A transaction puts a key once.
                    if (written.has(action.put)) continue
                    written.add(action.put)
                    txn.put(action.put, Buffer.from(action.value), 0)
                    model.put(action.put, action.value, revision)
                    changes++
                  } else {
                    const range = { start: action.from, end: action.end, single: action.end === undefined }
                    const deleted = txn.deleteRange(range)
                    assert.strictEqual(deleted, model.remove(range, revision))
                    changes += deleted
                  }
                }
                compareSnapshot(txn.snapshot(), model, revision)
                if (changes > 0) expected = revision
                return undefined
              },
              done
            )
            model.head = expected
          }
        }
        check()
      }),
      { numRuns: 150, interruptAfterTimeLimit: 20_000 }
    )
  })

  it("removes every row that a compaction leaves unreadable", () => {
    const { compactor, engine, store, turns } = makeStore()
    const put = (name: string): void =>
      store.write(
        () => [],
        (txn) => txn.put(Buffer.from(name), Buffer.from("v"), 0),
        () => undefined
      )
    for (let n = 0; n < 3000; n++) put(`k${n % 10}`)
    turns.runAll()
    const before = engine.size().totalBytes
    compactor.compact(store.revision, true, (failure) => assert.isUndefined(failure))
    turns.runAll()
    assert.isBelow(engine.size().totalBytes, before / 50)
    assert.isAtLeast(compactor.stats.rowsRemoved, 2900)
  })

  it("forgets whatever was not committed: writes, leases, revisions and compactions", () => {
    let full = false
    const { compactor, engine, store, turns } = makeStore(() => full)
    const answers: Array<unknown> = []
    const put = (name: string): void =>
      store.write<undefined>(
        () => [],
        (txn) => {
          txn.put(Buffer.from(name), Buffer.from("v"), 0)
          return undefined
        },
        (result, revision) => answers.push(result ?? revision)
      )
    put("a")
    put("b")
    turns.runAll()
    full = true
    put("c")
    put("d")
    store.writeRows(
      ({ batch }) => store.lessor.grant(7, 10, batch.writes),
      (result) => answers.push(result)
    )
    compactor.compact(2, false, (failure) => answers.push(failure))
    turns.runAll()
    assert.deepStrictEqual(answers, [2, 3, ...Array.from({ length: 4 }, () => Failure.noSpace)])
    assert.deepStrictEqual([store.revision, store.compacted, store.lessor.size], [3, -1, 0])
    full = false
    put("e")
    turns.runAll()
    assert.strictEqual(answers.at(-1), 4)
    engine.read(
      () => [],
      (view) => {
        const everything = { start: Buffer.alloc(1), end: undefined, single: false }
        assert.strictEqual(store.latest(view).count(everything), 3)
        assert.notInstanceOf(store.at(view, 2), EtcdFailure)
      }
    )
  })
})
