// A small world around the store alone: one server on one disk, some clients, a workload, a plan of faults, and every checker.
// Owns how these are joined and what a run answers; refuses to shrink or repeat, which Explore.ts does.
// Everything is decided by the case: the same case gives the same event log, wherever and however often it is run.
import { LeaseChecker } from "../checkers/LeaseChecker.ts"
import { StoreChecker } from "../checkers/StoreChecker.ts"
import { type Violation, Violations } from "../checkers/Violations.ts"
import { FaultInjector, type FaultTargets } from "../faults/FaultInjector.ts"
import { drawPlan, type FaultPlan, type FaultStep, planEndMs } from "../faults/FaultPlan.ts"
import { Network } from "../faults/Network.ts"
import { StoreRecord } from "../history/StoreRecord.ts"
import { SimGrpcClient } from "../store/SimGrpc.ts"
import { makeStoreCalls, type StoreCalls } from "../store/StoreCalls.ts"
import { type EngineWrapper, StoreNode } from "../store/StoreNode.ts"
import { Kernel } from "../time/Kernel.ts"
import { hashText, RandomStream } from "../time/RandomStream.ts"
import type { SimProcess } from "../time/SimProcess.ts"
import { StoreClient } from "./StoreClient.ts"
import { StoreWatches } from "./StoreWatches.ts"
import { drawStoreWorkload, KEY_PREFIX, type StoreStep } from "./StoreWorkload.ts"

/** One run, completely: what the seed still decides are latencies and the order of what is simultaneous. */
export interface StoreCase {
  readonly kind: "store"
  readonly seed: number
  readonly clients: number
  readonly keys: number
  readonly plan: FaultPlan
  readonly steps: ReadonlyArray<StoreStep>
}

export interface RunResult {
  readonly eventLogHash: string
  readonly events: number
  readonly virtualMs: number
  readonly violations: ReadonlyArray<Violation>
  /** Whatever the world counts: operations, unknown outcomes, keys that were not decided. */
  readonly counts: Readonly<Record<string, number>>
}

/** Where tests plant bugs: below the store and between the store and its clients. */
export interface StoreWrappers {
  readonly engine?: EngineWrapper
  readonly calls?: (calls: StoreCalls, process: SimProcess, server: StoreNode) => StoreCalls
  /** Sees the kernel before anything happens: to write its log down. */
  readonly onKernel?: (kernel: Kernel) => void
}

const DURATION_MS = 8000
const SETTLE_MS = 12_000
const FINAL_MS = 3000
const PROGRESS_MS = 700
const LAST_IDS_FROM = 1_000_000
const NOTE_EVENT = 30
const kinds: ReadonlyArray<FaultStep["kind"]> = [
  "crash",
  "crash",
  "pause",
  "partition",
  "one-way",
  "bad-link",
  "disk-stall",
  "disk-full",
  "disk-fails",
  "compact",
  "slow-watcher"
]

/** Draws a case from a seed. */
export const drawStoreCase = (
  seed: number,
  size: { readonly steps?: number; readonly faults?: number } = {}
): StoreCase => {
  const random = new RandomStream(seed).split("case")
  const clients = 4
  const keys = 5
  const names = Array.from({ length: clients }, (_, at) => `client ${at}`)
  const draw = { fromMs: 0, toMs: DURATION_MS, steps: size.faults ?? 5, servers: ["store"], clients: names, kinds }
  return {
    kind: "store",
    seed,
    clients,
    keys,
    plan: drawPlan(random.split("plan"), draw),
    steps: drawStoreWorkload(random.split("work"), { clients, keys, steps: size.steps ?? 140, durationMs: DURATION_MS })
  }
}

/** Runs a case to its end, or to its first violation. */
export const runStoreCase = (run: StoreCase, wrappers: StoreWrappers = {}): RunResult =>
  new StoreWorld(run, wrappers).run()

class StoreWorld {
  private readonly case: StoreCase
  private readonly kernel: Kernel
  private readonly violations: Violations
  private readonly record: StoreRecord
  private readonly network: Network
  private readonly checker: StoreChecker
  private readonly leases: LeaseChecker
  private readonly watches: StoreWatches
  private readonly server: StoreNode
  private readonly clients: ReadonlyArray<{ readonly process: SimProcess; readonly client: StoreClient }>

  constructor(run: StoreCase, wrappers: StoreWrappers) {
    const kernel = new Kernel({ seed: run.seed })
    wrappers.onKernel?.(kernel)
    this.case = run
    this.kernel = kernel
    this.violations = new Violations(() => kernel.nowMs)
    this.violations.onViolation = () => kernel.stop()
    this.record = new StoreRecord(() => kernel.nowMs, this.violations)
    this.network = new Network(kernel)
    this.checker = new StoreChecker(this.record, this.violations)
    this.leases = new LeaseChecker(this.violations)
    this.watches = new StoreWatches(this.record, this.violations)
    this.server = new StoreNode(kernel, {
      ...(wrappers.engine && { wrapEngine: wrappers.engine }),
      progressIntervalMs: PROGRESS_MS
    })
    this.joinRecord()
    this.server.start()
    this.clients = Array.from({ length: run.clients }, (_, at) => this.makeClient(`client ${at}`, wrappers))
  }

  run(): RunResult {
    const { checker, clients, kernel, leases, record, server, violations, watches } = this
    const { plan, steps } = this.case
    for (const step of steps) {
      const { client, process } = clients[step.client]
      kernel.closureAt(step.atMs, process, () => client.run(step))
    }
    new FaultInjector(kernel, this.network, this.targets()).schedule(plan)
    const quietMs = Math.max(DURATION_MS, planEndMs(plan))
    const endMs = quietMs + SETTLE_MS
    kernel.closureAt(endMs, clients[0].process, () => this.lastWrites(endMs))
    if (kernel.run({ untilMs: endMs + FINAL_MS }) === "time") {
      watches.finished()
      leases.finished(kernel.nowMs, quietMs)
    }
    return {
      eventLogHash: kernel.log.hash(),
      events: kernel.log.count,
      virtualMs: kernel.nowMs,
      violations: violations.list,
      counts: { ...checker.stats, storeEvents: record.events.length, commits: server.disk.stats.commits }
    }
  }

  private makeClient(name: string, wrappers: StoreWrappers) {
    const { checker, leases, network, server, watches } = this
    const process = this.kernel.process(name)
    const plain = makeStoreCalls(process, () => {
      const connection = network.connect(process, server.process)
      return connection && new SimGrpcClient(connection, server.service)
    })
    const calls = wrappers.calls?.(plain, process, server) ?? plain
    return { process, client: new StoreClient({ process, calls, checker, leases, watches }) }
  }

  /** One more write of every key, so that nothing is late for want of something new, and one more read. */
  private lastWrites(atMs: number): void {
    const [{ client, process }] = this.clients
    for (let key = 0; key < this.case.keys; key++) {
      const name = `${KEY_PREFIX}${key}`
      client.run({ id: LAST_IDS_FROM + key, atMs, client: 0, kind: "write", key: name })
      this.kernel.closureAt(atMs + FINAL_MS / 2, process, () => client.read(name, () => undefined))
    }
  }

  private targets(): FaultTargets {
    const { server } = this
    const compact = (keep: number): void => {
      const revision = (server.storage?.store.revision ?? 0) - keep
      if (revision > 0) server.storage?.compactor.compact(revision, false, () => undefined)
    }
    const start = (): void => void server.start()
    const crash = (): void => server.crash()
    return {
      servers: new Map([["store", { process: server.process, disk: server.disk, start, crash, compact }]]),
      clients: new Map(this.clients.map(({ process }) => [process.name, process]))
    }
  }

  /** The record tells each checker what concerns it, and puts every event of the store into the log. */
  private joinRecord(): void {
    const { kernel, leases, record, server, watches } = this
    const { onEvent, onLoss } = record
    record.onEvent = (event) => {
      server.process.note(NOTE_EVENT, hashText(`${event.revision} ${event.key} ${event.value ?? ""}`))
      onEvent?.(event)
      leases.recorded(event)
    }
    record.onLoss = (lost, revision) => {
      onLoss?.(lost, revision)
      watches.lost(revision)
    }
    server.onStart = (storage) => {
      record.follow(storage)
      leases.restarted(kernel.nowMs)
    }
  }
}
