// Runs one phase inside the load generator: connects, opens the watchers, drives the loads together or one after the
// other, reports every second, lets the watchers catch up, and gives the phase's account.
// Owns the order of these steps. Timing of actions is LoadDriver.ts's; what they send is the operations'.
import type { RecordedOperation } from "#reports"
import { shapeName } from "../LoadShape.ts"
import type { Operation } from "../Operation.ts"
import type { Load, Phase } from "../Scenario.ts"
import type { RunningOperation } from "./Call.ts"
import { LoadDriver } from "./LoadDriver.ts"
import type { Endpoint, PhaseResult, Second } from "./Protocol.ts"
import { readOperations } from "./ReadOperations.ts"
import type { RunContext } from "./RunContext.ts"
import { serverOperations } from "./ServerOperations.ts"
import { Tally } from "./Tally.ts"
import { connectClient, type GrpcClient } from "./Transport.ts"
import { Watchers } from "./Watchers.ts"
import { writeOperations } from "./WriteOperations.ts"

const behaviours = { ...writeOperations, ...readOperations, ...serverOperations }

const kinds: Readonly<Record<Operation["op"], RecordedOperation["kind"]>> = {
  create: "write",
  update: "write",
  delete: "write",
  put: "write",
  deleteRange: "write",
  leaseAttach: "write",
  get: "read",
  list: "read",
  staleList: "read",
  count: "read",
  rangeStream: "read",
  leaseGrant: "lease",
  leaseKeepAlive: "lease",
  compact: "other",
  snapshot: "other"
}

/** Several keys may change at one revision only where range deletes or expiring leases are at work. */
const sharesRevisions = (phase: Phase): boolean =>
  phase.load.some(({ mix }) => mix.some(({ op }) => op === "deleteRange" || op === "leaseAttach"))

/** One load with its connections and operations. */
interface PreparedLoad {
  readonly load: Load
  readonly clients: ReadonlyArray<GrpcClient>
  readonly operations: ReadonlyArray<RunningOperation>
}

const openClients = async ({ host, port }: Endpoint, count: number): Promise<ReadonlyArray<GrpcClient>> => {
  const clients: Array<GrpcClient> = []
  for (let made = 0; made < count; made++) clients.push(await connectClient(host, port))
  return clients
}

/** One phase, from connecting to its account. */
export class PhaseRun {
  readonly #phase: Phase
  readonly #context: RunContext
  readonly #emit: (second: Second) => void
  readonly #loads: Array<PreparedLoad> = []
  readonly #drivers: Array<LoadDriver> = []
  readonly #watchers: Array<Watchers> = []
  readonly #clients: Array<GrpcClient> = []
  readonly #notes: Array<string> = []

  constructor(phase: Phase, context: RunContext, emit: (second: Second) => void) {
    this.#phase = phase
    this.#context = context
    this.#emit = emit
  }

  /** Runs the phase; rejects when a connection or a watch cannot be opened. */
  async run(endpoint: Endpoint): Promise<PhaseResult> {
    try {
      await this.#prepare(endpoint)
      this.#context.startPhase()
      const startedAt = performance.timeOrigin + this.#context.now
      const cpu = process.cpuUsage()
      const beat = setInterval(() => this.#beat(), 1000)
      await this.#drive()
      this.#context.tick()
      const endedAt = performance.timeOrigin + this.#context.now
      const used = process.cpuUsage(cpu)
      await this.#drain()
      clearInterval(beat)
      this.#beat()
      return this.#result(startedAt, endedAt, (used.user + used.system) / 1e6)
    } finally {
      for (const client of this.#clients) client.close()
    }
  }

  async #prepare(endpoint: Endpoint): Promise<void> {
    const several = this.#phase.load.length > 1
    for (const load of this.#phase.load) {
      const clients = await openClients(endpoint, load.connections)
      this.#clients.push(...clients)
      const open = load.shape.parallelismLimitedLoad === undefined
      const operations = load.mix.map((operation) => {
        const own = operation.name ?? operation.op
        const name = several ? `${load.name}/${own}` : own
        const tally = new Tally(name, kinds[operation.op], open)
        const setting = { operation, context: this.#context, name: `${this.#phase.name}/${name}` }
        return { behaviour: behaviours[operation.op](setting), tally, weight: operation.weight }
      })
      this.#loads.push({ load, clients, operations })
    }
    for (const watch of this.#phase.watch) {
      const clients = await openClients(endpoint, watch.connections)
      this.#clients.push(...clients)
      const watchers = new Watchers(watch, this.#context, sharesRevisions(this.#phase))
      this.#watchers.push(watchers)
      await new Promise<void>((resolve) => watchers.open(clients, resolve))
      if (watchers.failure !== undefined) throw new Error(watchers.failure)
    }
  }

  #driver(prepared: PreparedLoad, onEnd: () => void): LoadDriver {
    const { load } = prepared
    const global = this.#phase.load.filter(
      ({ shape }) => shapeName(shape) === "globalQPSLoad" && sameBucket(shape, load.shape)
    )
    const share = global.length > 1 ? { share: { index: global.indexOf(load), of: global.length } } : {}
    const driver = new LoadDriver({
      ...prepared,
      ...share,
      context: this.#context,
      onEnd: (note) => {
        if (note !== undefined) this.#notes.push(note)
        onEnd()
      }
    })
    this.#drivers.push(driver)
    return driver
  }

  async #drive(): Promise<void> {
    const runs = this.#loads.map(
      (prepared) => () => new Promise<void>((resolve) => this.#driver(prepared, resolve).start())
    )
    if (this.#phase.order === "parallel") await Promise.all(runs.map((run) => run()))
    else for (const run of runs) await run()
  }

  /** Waits for watchers to receive what is missing, at most the phase's drain time. */
  async #drain(): Promise<void> {
    const until = performance.now() + this.#phase.drain
    while (performance.now() < until && !this.#watchers.every(({ account }) => account.complete)) {
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  #beat(): void {
    for (const driver of this.#drivers) driver.sweep()
    const [first] = this.#watchers
    const watch = first === undefined ? {} : { watch: watchSecond(this.#watchers) }
    this.#emit({
      type: "second",
      at: Date.now(),
      inFlight: this.#drivers.reduce((sum, driver) => sum + driver.inFlight, 0),
      operations: this.#loads.flatMap(({ operations }) => operations.map(({ tally }) => tally.second())),
      ...watch
    })
  }

  #result(startedAt: number, endedAt: number, cpuSeconds: number): PhaseResult {
    const { name } = this.#phase
    const tallies = this.#loads.flatMap(({ operations }) => operations.map(({ tally }) => tally))
    const failures = this.#watchers.flatMap(({ failure }) => (failure === undefined ? [] : [failure]))
    const { pauseEndedAt, pauseMs, violations } = this.#context
    return {
      type: "phase",
      operations: tallies.map((tally) => tally.record(name)),
      watches: this.#watchers.map((watchers) => watchers.close(name)),
      facts: {
        startedAt,
        endedAt,
        cpuSeconds,
        pauseMs,
        pauseEndedAt: performance.timeOrigin + pauseEndedAt,
        connections: this.#clients.length,
        stddevMs: Object.fromEntries(tallies.map((tally) => [tally.name, tally.stddevMs])),
        violations: Object.fromEntries(violations),
        notes: [...this.#notes, ...failures]
      }
    }
  }
}

const sameBucket = (left: Load["shape"], right: Load["shape"]): boolean =>
  right.globalQPSLoad !== undefined &&
  left.globalQPSLoad?.qps === right.globalQPSLoad.qps &&
  left.globalQPSLoad.burst === right.globalQPSLoad.burst

const watchSecond = (groups: ReadonlyArray<Watchers>): NonNullable<Second["watch"]> => {
  const [{ account }, ...others] = groups
  let delivered = account.secondDelivered
  account.secondDelivered = 0
  for (const other of others) {
    delivered += other.account.secondDelivered
    other.account.secondDelivered = 0
    account.secondLag.add(other.account.secondLag)
    other.account.secondLag.reset()
  }
  const second = {
    delivered,
    lagP50Us: account.secondLag.percentile(50),
    lagP99Us: account.secondLag.percentile(99)
  }
  account.secondLag.reset()
  return second
}
