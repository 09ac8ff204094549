// A small world around several store nodes on one shared engine: nodes that crash, pause and are cut off from one another and from
// the engine, commits of which nobody knows what became of them, clients that go to another node when theirs is gone, every checker.
// Owns how these are joined; refuses to shrink or repeat, which Explore.ts does. What is true is what the engine applied, in its order.
import { MetaKey, readEvents, readRevision, Table, TermRecord, type View, type WriteBatch } from "#storage"
import { LeaseChecker } from "../checkers/LeaseChecker.ts"
import { StoreChecker } from "../checkers/StoreChecker.ts"
import { Violations } from "../checkers/Violations.ts"
import { FaultInjector, type FaultTargets } from "../faults/FaultInjector.ts"
import { drawPlan, type FaultPlan, type FaultStep, planEndMs } from "../faults/FaultPlan.ts"
import { Network } from "../faults/Network.ts"
import { StoreRecord } from "../history/StoreRecord.ts"
import { SharedEngine } from "../store/SharedEngine.ts"
import { type NodeWrappers, SharedNode } from "../store/SharedNode.ts"
import { SimGrpcClient } from "../store/SimGrpc.ts"
import { makeStoreCalls } from "../store/StoreCalls.ts"
import { Kernel } from "../time/Kernel.ts"
import { hashText, RandomStream } from "../time/RandomStream.ts"
import type { SimProcess } from "../time/SimProcess.ts"
import { StoreClient } from "./StoreClient.ts"
import { StoreWatches } from "./StoreWatches.ts"
import type { RunResult } from "./StoreWorld.ts"
import { drawStoreWorkload, KEY_PREFIX, type StoreStep } from "./StoreWorkload.ts"

/** One run, completely: what the seed still decides are latencies, losses and the order of what is simultaneous. */
export interface NodesCase {
  readonly kind: "nodes"
  readonly seed: number
  readonly nodes: number
  readonly clients: number
  readonly keys: number
  readonly plan: FaultPlan
  readonly steps: ReadonlyArray<StoreStep>
}

export interface NodesHooks extends NodeWrappers {
  /** Sees the kernel before anything happens: to write its log down. */
  readonly onKernel?: (kernel: Kernel) => void
}

const TERM_MS = 1000
const DURATION_MS = 8000
const SETTLE_MS = 12_000
const FINAL_MS = 3000
const PROGRESS_MS = 700
const LAST_IDS_FROM = 1_000_000
const NOTE_EVENT = 30
const EVERYTHING = { events: Number.MAX_SAFE_INTEGER, bytes: Number.MAX_SAFE_INTEGER }
const kinds: ReadonlyArray<FaultStep["kind"]> = [
  "crash",
  "pause",
  "pause",
  "partition",
  "one-way",
  "bad-link",
  "commits-lost",
  "commits-lost",
  "hand-over",
  "compact",
  "slow-watcher"
]

/** Draws a case from a seed. */
export const drawNodesCase = (
  seed: number,
  size: { readonly steps?: number; readonly faults?: number } = {}
): NodesCase => {
  const random = new RandomStream(seed).split("case")
  const clients = 4
  const keys = 5
  const nodes = 3
  const servers = Array.from({ length: nodes }, (_, at) => `node ${at + 1}`)
  // Whoever may be cut off from a node: clients, other nodes, the engine.
  const others = [...Array.from({ length: clients }, (_, at) => `client ${at}`), ...servers, "engine", "engine"]
  const draw = { fromMs: 0, toMs: DURATION_MS, steps: size.faults ?? 6, servers, clients: others, kinds }
  return {
    kind: "nodes",
    seed,
    nodes,
    clients,
    keys,
    plan: drawPlan(random.split("plan"), draw),
    steps: drawStoreWorkload(random.split("work"), { clients, keys, steps: size.steps ?? 140, durationMs: DURATION_MS })
  }
}

/** Runs a case to its end, or to its first violation. */
export const runNodesCase = (run: NodesCase, hooks: NodesHooks = {}): RunResult => new NodesWorld(run, hooks).run()

class NodesWorld {
  private readonly case: NodesCase
  private readonly kernel: Kernel
  private readonly violations: Violations
  private readonly record: StoreRecord
  private readonly network: Network
  private readonly engine: SharedEngine
  private readonly checker: StoreChecker
  private readonly leases: LeaseChecker
  private readonly watches: StoreWatches
  private readonly nodes = new Map<string, SharedNode>()
  private readonly clients: ReadonlyArray<{ readonly process: SimProcess; readonly client: StoreClient }>
  private term = 0

  constructor(run: NodesCase, hooks: NodesHooks) {
    const kernel = new Kernel({ seed: run.seed })
    hooks.onKernel?.(kernel)
    this.case = run
    this.kernel = kernel
    this.violations = new Violations(() => kernel.nowMs)
    this.violations.onViolation = () => kernel.stop()
    this.record = new StoreRecord(() => kernel.nowMs, this.violations)
    this.network = new Network(kernel)
    this.engine = new SharedEngine(kernel, this.network)
    this.checker = new StoreChecker(this.record, this.violations)
    this.leases = new LeaseChecker(this.violations)
    this.watches = new StoreWatches(this.record, this.violations)
    this.joinRecord()
    const options = { termMs: TERM_MS, progressIntervalMs: PROGRESS_MS, wrappers: hooks }
    for (let id = 1; id <= run.nodes; id++) {
      const node = new SharedNode(kernel, this.network, this.engine, id, this.nodes, options)
      this.nodes.set(node.process.name, node)
      node.start()
    }
    this.clients = Array.from({ length: run.clients }, (_, at) => this.makeClient(`client ${at}`, at))
  }

  run(): RunResult {
    const { checker, clients, engine, kernel, leases, record, violations, watches } = this
    const { plan, steps } = this.case
    for (const step of steps) {
      const { client, process } = clients[step.client]
      // The first term takes a moment to begin.
      kernel.closureAt(step.atMs + 50, process, () => client.run(step))
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
      counts: { ...checker.stats, ...engine.stats, storeEvents: record.events.length, terms: this.term }
    }
  }

  /** A client that goes to the next node each time it has to connect anew. */
  private makeClient(name: string, first: number) {
    const { checker, leases, network, watches } = this
    const process = this.kernel.process(name)
    const nodes = [...this.nodes.values()]
    let next = first
    const calls = makeStoreCalls(process, () => {
      for (let tried = 0; tried < nodes.length; tried++) {
        const { process: server, service } = nodes[next++ % nodes.length]
        const connection = network.connect(process, server)
        if (connection !== undefined) return new SimGrpcClient(connection, service)
      }
      return undefined
    })
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
    const compact = (keep: number): void => {
      for (const { node } of this.nodes.values()) {
        if (node?.leads() !== true) continue
        const { compactor, store } = node.storage
        if (store.revision > keep) compactor.compact(store.revision - keep, false, () => undefined)
      }
    }
    const servers = Array.from(this.nodes, ([name, node]) => {
      const { process } = node
      const handOver = (): void => {
        if (process.up && !process.paused) node.node?.handOver()
      }
      return [name, { process, start: () => node.start(), crash: () => node.crash(), compact, handOver }] as const
    })
    const { engine } = this
    return {
      servers: new Map(servers),
      clients: new Map([...this.clients.map(({ process }) => process), engine.process].map((one) => [one.name, one])),
      setCommitLoss: (rate) => void (engine.lossRate = rate)
    }
  }

  /** The record is what the engine applied; each checker is told what concerns it. */
  private joinRecord(): void {
    const { engine, leases, record } = this
    const { onEvent } = record
    record.onEvent = (event) => {
      engine.process.note(NOTE_EVENT, hashText(`${event.revision} ${event.key} ${event.value ?? ""}`))
      onEvent?.(event)
      leases.recorded(event)
    }
    engine.onApplied = (batch, view) => this.applied(batch, view)
  }

  private applied(batch: WriteBatch, view: View): void {
    const { kernel, leases, record, violations } = this
    const term = Number(TermRecord.decode(Buffer.from(view.get(Table.Meta, MetaKey.term) ?? [])).term)
    if (term !== this.term) leases.restarted(kernel.nowMs)
    this.term = term
    const rows = batch.keys.filter((_key, row) => batch.tables[row] === Table.Log && batch.values[row] !== undefined)
    const revisions = [...new Set(rows.map((row) => readRevision(row, 0)))]
    if (revisions.length === 0) return
    for (const [at, revision] of revisions.entries()) {
      const due = record.revision + 1 + at
      if (revision < due)
        violations.report("revisions never go back", `revision ${revision} was written when ${due} was due`)
      else if (revision > due)
        violations.report("revisions have no gap", `revision ${revision} was written when ${due} was due`)
    }
    const shown = readRevision(view.get(Table.Meta, MetaKey.revision) ?? new Uint8Array(8), 0)
    const last = revisions[revisions.length - 1]
    if (shown !== last) violations.report("revisions have no gap", `${last} was written and ${shown} is shown`)
    const { events } = readEvents(view, record.revision + 1, last, EVERYTHING)
    for (const event of events) record.append(event.encoded(false))
  }
}
