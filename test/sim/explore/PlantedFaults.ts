// Bugs planted between the store and its clients, or below the store: at least one for each class that etcd's robustness suite
// records. Each stands behind a switch and exists in tests only; the checkers must find every one of them.
import { GrpcCode, GrpcStatus, type Message } from "#net"
import { type Engine, Table, type WatchResponse, WriteBatch } from "#storage"
import {
  type EngineWrapper,
  type Guarantee,
  type StoreCalls,
  type StoreMethod,
  StoreMethods,
  type StoreNode,
  type StoreWrappers,
  type SimProcess
} from "#sim"

export interface PlantedFault {
  readonly name: string
  /** What it is like, with etcd's issue where there is one. */
  readonly like: string
  readonly wrappers: StoreWrappers
  /** Any of these is a proper name for it. */
  readonly breaks: ReadonlyArray<Guarantee>
}

type CallsWrapper = NonNullable<StoreWrappers["calls"]>
type Call = <Q extends object, A extends object>(
  method: StoreMethod<Q, A>,
  request: Partial<Q>,
  done: (answer: A | GrpcStatus) => void
) => void

/** What a fault does with the calls of one method; everything else passes. */
const onCall =
  <Q extends object, A extends object>(
    wanted: StoreMethod<Q, A>,
    make: (
      calls: StoreCalls,
      process: SimProcess,
      server: StoreNode
    ) => (request: Partial<Q>, done: (answer: A | GrpcStatus) => void) => void
  ): CallsWrapper =>
  (calls, process, server) => {
    const faulty = make(calls, process, server)
    const call: Call = (method, request, done) => {
      // SAFETY: paths name methods, so the messages are those of the wanted one.
      if (method.path === wanted.path)
        faulty(request as unknown as Partial<Q>, done as unknown as (answer: A | GrpcStatus) => void)
      else calls.call(method, request, done)
    }
    return { call, watch: calls.watch }
  }

/** What a fault does with the responses of each watch. */
const onResponses =
  (
    make: (
      server: StoreNode,
      startRevision: number
    ) => (response: WatchResponse, emit: (response: WatchResponse) => void) => void
  ): CallsWrapper =>
  (calls, _process, server) => ({
    call: calls.call,
    watch: (request, listener) => {
      const faulty = make(server, Number(request.startRevision ?? 0))
      return calls.watch(request, { ...listener, response: (response) => faulty(response, listener.response) })
    }
  })

const onEvents = (
  make: (server: StoreNode, startRevision: number) => (events: WatchResponse["events"]) => WatchResponse["events"]
): CallsWrapper =>
  onResponses((server, startRevision) => {
    const faulty = make(server, startRevision)
    return (response, emit) => {
      const events = faulty(response.events)
      if (response.events.length === 0 || events.length > 0) emit({ ...response, events })
    }
  })

const repeated: ReadonlySet<number> = new Set([GrpcCode.Unavailable, GrpcCode.DeadlineExceeded])

const everyNth = (nth: number): (() => boolean) => {
  let count = 0
  return () => ++count % nth === 0
}

const onEngine =
  (commit: (engine: Engine, ...parts: Parameters<Engine["commit"]>) => void): EngineWrapper =>
  (engine) => ({ ...engine, commit: (batch, done) => commit(engine, batch, done) })

const copyOf = <T extends object>(codec: Message<T>, value: T): T => codec.decode(codec.encode(value))

/** Answers before the disk has the data; only every fourth commit is really flushed. */
const early: EngineWrapper = (engine, _process, disk) => {
  const isFlushed = everyNth(4)
  disk.lying = true
  return {
    ...engine,
    commit: (batch, done) =>
      engine.commit(batch, (outcome) => {
        if (isFlushed()) disk.sync()
        done(outcome)
      })
  }
}

const forgetRevision = (() => {
  const isKept = everyNth(6)
  return onEngine((engine, batch, done) => {
    const kept = new WriteBatch()
    const keepRevision = isKept()
    for (const [row, key] of batch.keys.entries()) {
      const table = batch.tables[row]
      const value = batch.values[row]
      if (!keepRevision && table === Table.Meta && Buffer.from(key).toString() === "revision") continue
      if (value === undefined) kept.remove(table, key)
      else kept.put(table, key, value, batch.deltas[row] > 0)
    }
    engine.commit(kept, done)
  })
})()

const watchFaults: ReadonlyArray<PlantedFault> = [
  {
    name: "watch drops an event",
    like: "events lost during stream starvation (#17529)",
    wrappers: {
      calls: onEvents(() => {
        const isDropped = everyNth(9)
        return (events) => events.filter(() => !isDropped())
      })
    },
    breaks: ["watch is reliable", "watch is resumable", "watch is bookmarkable"]
  },
  {
    name: "watch repeats an event",
    like: "duplicated watch event due to a bug in caching (#17247)",
    wrappers: {
      calls: onEvents(() => {
        const isRepeated = everyNth(7)
        return (events) => events.flatMap((event) => (isRepeated() ? [event, event] : [event]))
      })
    },
    breaks: ["watch is unique"]
  },
  {
    name: "watch reorders events",
    like: "a response overtakes another",
    wrappers: {
      calls: onResponses(() => {
        const isHeld = everyNth(5)
        let held: WatchResponse | undefined
        return (response, emit) => {
          if (held === undefined && response.events.length > 0 && isHeld()) held = response
          else {
            emit(response)
            if (held !== undefined && response.events.length > 0) {
              emit(held)
              held = undefined
            }
          }
        }
      })
    },
    breaks: ["watch is reliable", "watch is ordered", "watch is resumable", "watch is bookmarkable"]
  },
  {
    name: "watch tears a transaction apart",
    like: "events of one revision in two responses",
    wrappers: {
      calls: onResponses(() => (response, emit) => {
        const [first, second] = response.events
        if (second !== undefined && first.kv?.modRevision === second.kv?.modRevision) {
          emit({ ...response, events: [first] })
          emit({ ...response, events: response.events.slice(1) })
        } else emit(response)
      })
    },
    breaks: ["watch is atomic"]
  },
  {
    name: "compaction eats a deletion",
    like: "missing delete event on a watch opened at the revision of a compaction (#18089, #19179)",
    wrappers: {
      calls: onEvents((server, startRevision) => (events) => {
        const compacted = server.storage?.store.compacted ?? -1
        return events.filter(
          ({ kv, type }) => !(type === 1 && startRevision > 0 && Number(kv?.modRevision) === compacted)
        )
      })
    },
    breaks: ["watch is reliable", "watch is resumable", "watch is bookmarkable"]
  },
  {
    name: "watch tells a wrong previous value",
    like: "the previous value is one version too old",
    wrappers: {
      calls: onEvents(() => {
        const last = new Map<string, Uint8Array>()
        return (events) =>
          events.map((event) => {
            if (event.prevKv === undefined) return event
            const key = Buffer.from(event.prevKv.key).toString()
            const older = last.get(key)
            last.set(key, event.prevKv.value)
            return older === undefined ? event : { ...event, prevKv: { ...event.prevKv, value: older } }
          })
      })
    },
    breaks: ["watch tells previous values"]
  },
  {
    name: "watch takes a creation for a change",
    like: "the revision of creation is off by one",
    wrappers: {
      calls: onEvents(
        () => (events) =>
          events.map((event) =>
            event.type === 0 && event.kv?.version === 1
              ? { ...event, kv: { ...event.kv, createRevision: Number(event.kv.createRevision) - 1 } }
              : event
          )
      )
    },
    breaks: ["watch marks creations"]
  },
  {
    name: "a bookmark is ahead of its events",
    like: "watch progress notification not synced with the stream (#15220)",
    wrappers: {
      calls: onResponses(() => {
        const isAhead = everyNth(6)
        return (response, emit) => {
          if (response.events.length > 0 && isAhead()) emit({ ...response, events: [] })
          emit(response)
        }
      })
    },
    breaks: ["watch is bookmarkable"]
  },
  {
    name: "a watch of the future tells the past",
    like: "watch on future revision returns old events (#20221)",
    wrappers: {
      calls: (calls, _process, server) => ({
        call: calls.call,
        watch: (request, listener) => {
          const isFuture =
            Number(request.startRevision ?? 0) > (server.storage?.store.revision ?? Number.POSITIVE_INFINITY)
          return calls.watch(isFuture ? { ...request, startRevision: 0 } : request, listener)
        }
      })
    },
    breaks: ["watch is resumable"]
  },
  {
    name: "a watch travels back in time",
    like: "watch traveling back in time after a partition (#15271)",
    wrappers: {
      calls: (calls) => ({
        call: calls.call,
        watch: (request, listener) => {
          const start = Number(request.startRevision ?? 0)
          return calls.watch({ ...request, startRevision: start > 4 ? start - 3 : start }, listener)
        }
      })
    },
    breaks: ["watch is resumable", "watch is unique"]
  },
  {
    name: "a watch of one key tells of others",
    like: "the filter lets neighbours through",
    wrappers: {
      calls: (calls) => ({
        call: calls.call,
        watch: (request, listener) =>
          calls.watch(
            request.rangeEnd?.length === 0
              ? { ...request, rangeEnd: Buffer.from("/k0"), key: Buffer.from("/k/") }
              : request,
            listener
          )
      })
    },
    breaks: ["watch is filtered"]
  }
]

const writeFaults: ReadonlyArray<PlantedFault> = [
  {
    name: "a crash loses an acknowledged write",
    like: "single node cluster can lose a write on crash (#14370)",
    wrappers: { engine: early },
    breaks: ["no lost acknowledged write", "revisions never go back"]
  },
  {
    name: "the revision goes back after a crash",
    like: "revision decreasing caused by a crash during compaction (#17780), inconsistent revision (#13766, #14685)",
    wrappers: { engine: forgetRevision },
    breaks: ["revisions never go back", "no stale read", "no lost acknowledged write"]
  },
  {
    name: "a transaction is not atomic",
    like: "a transaction is carried out put by put",
    wrappers: {
      calls: onCall(StoreMethods.txn, (calls) => (request, done) => {
        const puts = request.success?.flatMap(({ requestPut }) => requestPut ?? []) ?? []
        if (puts.length < 2) return calls.call(StoreMethods.txn, request, done)
        calls.call(StoreMethods.put, puts[0], (first) => {
          if (first instanceof GrpcStatus) return done(first)
          calls.call(StoreMethods.put, puts[1], (second) =>
            done(second instanceof GrpcStatus ? second : { header: second.header, succeeded: true, responses: [] })
          )
        })
      })
    },
    breaks: ["transactions are atomic", "linearizable keys"]
  },
  {
    name: "a retry applies a write twice",
    like: "a client repeats what may have happened",
    wrappers: {
      calls: onCall(StoreMethods.put, (calls) => (request, done) => {
        calls.call(StoreMethods.put, request, (answer) => {
          const isUnknown = answer instanceof GrpcStatus && repeated.has(answer.code)
          if (isUnknown) calls.call(StoreMethods.put, request, done)
          else done(answer)
        })
      })
    },
    breaks: ["applied at most once", "linearizable keys"]
  },
  {
    name: "compare-and-set does not compare",
    like: "a lost update",
    wrappers: {
      calls: onCall(
        StoreMethods.txn,
        (calls) => (request, done) => calls.call(StoreMethods.txn, { ...request, compare: [] }, done)
      )
    },
    breaks: ["linearizable keys"]
  },
  {
    name: "a deletion is acknowledged and not carried out",
    like: "inconsistency between what is answered and what is applied (#18667)",
    wrappers: {
      calls: onCall(StoreMethods.deleteRange, (calls) => {
        const isSkipped = everyNth(3)
        return (request, done) => {
          if (!isSkipped()) return calls.call(StoreMethods.deleteRange, request, done)
          calls.call(StoreMethods.range, { key: request.key ?? Buffer.alloc(0) }, (answer) =>
            done(
              answer instanceof GrpcStatus ? answer : { header: answer.header, deleted: answer.kvs.length, prevKvs: [] }
            )
          )
        }
      })
    },
    breaks: ["no lost acknowledged write", "linearizable keys"]
  }
]

const readFaults: ReadonlyArray<PlantedFault> = [
  {
    name: "a read is stale after a pause",
    like: "stale reads caused by process pausing (#20418)",
    wrappers: {
      calls: onCall(StoreMethods.range, (calls, process, server) => {
        const before = new Map<string, Parameters<Parameters<typeof calls.call<object, object>>[2]>[0]>()
        return (request, done) => {
          const key = `${Buffer.from(request.key ?? []).toString()} ${request.limit ?? 0} ${request.revision ?? 0}`
          const cached = before.get(key)
          // SAFETY: what is kept is what this method answered.
          if (server.process.paused && cached !== undefined) return process.clockwork.defer(() => done(cached as never))
          calls.call(StoreMethods.range, request, (answer) => {
            if (!(answer instanceof GrpcStatus)) before.set(key, copyOf(StoreMethods.range.response, answer))
            done(answer)
          })
        }
      })
    },
    breaks: ["no stale read", "linearizable keys"]
  },
  {
    name: "a list misses a key between pages",
    like: "the next page starts one key too late",
    wrappers: {
      calls: onCall(StoreMethods.range, (calls) => (request, done) => {
        const isNext = Buffer.from(request.key ?? []).at(-1) === 0
        calls.call(StoreMethods.range, request, (answer) =>
          done(answer instanceof GrpcStatus || !isNext ? answer : { ...answer, kvs: answer.kvs.slice(1) })
        )
      })
    },
    breaks: ["reads show one revision"]
  },
  {
    name: "a read of two keys is torn",
    like: "a read transaction sees two revisions",
    wrappers: {
      calls: onCall(StoreMethods.txn, (calls) => (request, done) => {
        const ranges = request.success?.flatMap(({ requestRange }) => requestRange ?? []) ?? []
        if (ranges.length < 2) return calls.call(StoreMethods.txn, request, done)
        calls.call(StoreMethods.range, ranges[0], (first) => {
          if (first instanceof GrpcStatus) return done(first)
          calls.call(StoreMethods.range, ranges[1], (second) => {
            if (second instanceof GrpcStatus) return done(second)
            const responses = [first, second].map((responseRange) => ({
              responseRange,
              responsePut: undefined,
              responseDeleteRange: undefined,
              responseTxn: undefined
            }))
            done({ header: first.header, succeeded: true, responses })
          })
        })
      })
    },
    breaks: ["reads show one revision", "linearizable keys", "no stale read"]
  }
]

const leaseFaults: ReadonlyArray<PlantedFault> = [
  {
    name: "a lease that is kept alive ends",
    like: "a live lease is revoked",
    wrappers: {
      calls: onCall(StoreMethods.keepAlive, (_calls, process) => (request, done) => {
        process.clockwork.after(1, () => done({ header: undefined, id: request.id ?? 0, ttl: 2 }))
      })
    },
    breaks: ["leases live as long as they are kept"]
  },
  {
    name: "a lease never ends",
    like: "expiry comes far too late",
    wrappers: {
      calls: onCall(
        StoreMethods.grant,
        (calls) => (request, done) =>
          calls.call(StoreMethods.grant, { ...request, ttl: Number(request.ttl ?? 0) * 100 }, done)
      )
    },
    breaks: ["leases end"]
  }
]

/** Every planted fault. */
export const plantedFaults: ReadonlyArray<PlantedFault> = [
  ...watchFaults,
  ...writeFaults,
  ...readFaults,
  ...leaseFaults
]
