// Bugs planted below store nodes that share an engine, and between them: one for each way in which taking turns goes wrong.
// Each exists in tests only; the checkers must find every one of them.
import type { Clockwork } from "#kube"
import type { GrpcClient } from "#net"
import { type Engine, MetaKey, type Need, readRevision, Table, type View, WriteBatch } from "#storage"
import type { Guarantee, NodeWrappers } from "#sim"

export interface NodesFault {
  readonly name: string
  readonly like: string
  readonly wrappers: NodeWrappers
  /** Any of these is a proper name for it. */
  readonly breaks: ReadonlyArray<Guarantee>
}

type EngineWrapper = NonNullable<NodeWrappers["engine"]>

const everyNth = (nth: number): (() => boolean) => {
  let count = 0
  return () => ++count % nth === 0
}

const onCommit =
  (commit: (engine: Engine, ...parts: Parameters<Engine["commit"]>) => void): EngineWrapper =>
  (engine) => ({ ...engine, commit: (batch, done) => commit(engine, batch, done) })

/** What a fault makes of Views of some reads. */
const onViews =
  (make: () => (needs: ReadonlyArray<Need>, view: View) => View): EngineWrapper =>
  (engine) => {
    const faulty = make()
    return {
      ...engine,
      read: (needs, use) => {
        const wanted = needs()
        engine.read(
          () => wanted,
          (view) => use(faulty(wanted, view))
        )
      }
    }
  }

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0
const reads = (needs: ReadonlyArray<Need>, table: Table): boolean => needs.some((need) => need.table === table)

/** The newest revision as a node reads it before its first write of a term. */
const loadedRevision = (by: number): EngineWrapper =>
  onViews(() => (needs, view) => {
    if (!reads(needs, Table.LeaseKey)) return view
    return {
      ...bound(view),
      get: (table, key) => {
        const row = view.get(table, key)
        if (table !== Table.Meta || !same(key, MetaKey.revision) || row === undefined) return row
        const changed = Buffer.alloc(8)
        changed.writeBigUInt64BE(BigInt(readRevision(row, 0) + by))
        return changed
      }
    }
  })

const bound = (view: View): View => ({
  get: (table, key) => view.get(table, key),
  scan: (table, start, end, visit) => view.scan(table, start, end, visit),
  count: (table, start, end) => view.count(table, start, end)
})

/** Leaves out what a look at the log finds first, now and then. */
const firstEventMissed = onViews(() => {
  const isMissed = everyNth(4)
  return (needs, view) => {
    if (!reads(needs, Table.Log) || !reads(needs, Table.Meta) || !isMissed()) return view
    return {
      ...bound(view),
      scan: (table, start, end, visit) => {
        let first: number | undefined
        view.scan(table, start, end, (key, value) => {
          if (table !== Table.Log) return visit(key, value)
          first ??= readRevision(key, 0)
          return readRevision(key, 0) === first || visit(key, value)
        })
      }
    }
  }
})

/** Shows what the same read has found less than half a second ago. */
const cachedReads: EngineWrapper = (engine, _process, kernel) => {
  const cache = new Map<string, { readonly view: View; readonly atMs: number }>()
  return {
    ...engine,
    read: (needs, use) => {
      const wanted = needs()
      const name = wanted.map(({ start, table }) => `${table}${Buffer.from(start).toString("latin1")}`).join()
      const found = cache.get(name)
      const isPoints = wanted.every(({ end, start }) => end !== undefined && same(start, end))
      if (isPoints && found !== undefined && kernel.nowMs - found.atMs < 500) {
        return kernel.closureAt(kernel.nowMs, _process, () => use(found.view))
      }
      engine.read(
        () => wanted,
        (view) => {
          if (isPoints && reads(wanted, Table.Key)) cache.set(name, { view, atMs: kernel.nowMs })
          use(view)
        }
      )
    }
  }
}

/** Sends a write again when its answer is late. */
const resentWrites = (client: GrpcClient, after: Clockwork["after"]): GrpcClient => ({
  unary: (path, message, callback, options) => {
    let answered = false
    const once: typeof callback = (error, answer) => {
      if (!answered) callback(error, answer)
      answered = true
    }
    const copy = Buffer.from(message)
    const call = client.unary(path, message, once, options)
    after(60, () => {
      if (!answered && client.ready && path === "/etcdserverpb.KV/Put") client.unary(path, copy, once, options)
    })
    return call
  },
  stream: (path, listener, options) => client.stream(path, listener, options),
  get ready() {
    return client.ready
  },
  close: () => client.close()
})

export const nodesFaults: ReadonlyArray<NodesFault> = [
  {
    name: "the fence is removed",
    like: "a paused leader and the one that has begun after it both write",
    wrappers: {
      engine: onCommit((engine, batch, done) => {
        const bare = new WriteBatch()
        for (const [row, key] of batch.keys.entries()) {
          const value = batch.values[row]
          if (value === undefined) bare.remove(batch.tables[row], key)
          else bare.put(batch.tables[row], key, value)
        }
        engine.commit(bare, done)
      })
    },
    breaks: [
      "revisions never go back",
      "revisions have no gap",
      "linearizable keys",
      "no lost acknowledged write",
      "applied at most once",
      "transactions are atomic",
      "reads show one revision"
    ]
  },
  {
    name: "the watermark passes an uncertain commit",
    like: "an answer that never came is taken for a yes",
    wrappers: {
      engine: onCommit((engine, batch, done) =>
        engine.commit(batch, (outcome) => done(outcome.kind === "uncertain" ? { kind: "committed" } : outcome))
      )
    },
    breaks: [
      "no lost acknowledged write",
      "linearizable keys",
      "revisions have no gap",
      "revisions never go back",
      "watch is reliable",
      "watch is bookmarkable",
      "reads show one revision"
    ]
  },
  {
    name: "an uncertain commit is taken for a failed one",
    like: "requests that may have been carried out go on to the next leader",
    wrappers: {
      engine: onCommit((engine, batch, done) =>
        engine.commit(batch, (outcome) =>
          done(outcome.kind === "uncertain" ? { kind: "conflict", table: Table.Meta, key: MetaKey.term } : outcome)
        )
      )
    },
    breaks: ["applied at most once", "linearizable keys"]
  },
  {
    name: "a new leader leaves a gap",
    like: "the sequence goes on one too late",
    wrappers: { engine: loadedRevision(1) },
    breaks: ["revisions have no gap", "watch is bookmarkable"]
  },
  {
    name: "a new leader repeats a revision",
    like: "the sequence goes on from what a follower last knew",
    wrappers: { engine: loadedRevision(-1) },
    breaks: ["revisions never go back", "watch is bookmarkable"]
  },
  {
    name: "a watch is resumed one too late",
    like: "the first event after a look at the log is missed",
    wrappers: { engine: firstEventMissed },
    breaks: ["watch is reliable", "watch is resumable", "watch is bookmarkable", "watch is atomic"]
  },
  {
    name: "a follower reads what it has read before",
    like: "a read without a look at the newest revision",
    wrappers: { engine: cachedReads },
    breaks: ["no stale read", "linearizable keys", "reads show one revision", "no lost acknowledged write"]
  },
  {
    name: "a forward is sent again",
    like: "a write whose answer is late is repeated",
    wrappers: { client: (client, process) => resentWrites(client, process.clockwork.after) },
    breaks: ["applied at most once", "linearizable keys"]
  }
]
