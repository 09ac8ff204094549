// One etcd and ours side by side: each operation goes to all, and what they answer must agree.
// Owns the order of sending, waiting and comparing; refuses to choose operations.
import { setTimeout as sleep } from "node:timers/promises"
import { type Driver, type Fields, GrpcDriver, type MethodName, type Outcome } from "../GrpcDriver.ts"
import { freePort } from "../../FreePort.ts"
import { type Program, type ServerProcess, startServer } from "../ServerProcess.ts"
import { reduce } from "./Accepted.ts"
import { normalize, same, withoutCluster } from "./Normalize.ts"
import { type Moment, type Operation, resolve, show } from "./Operations.ts"
import { SpreadDriver } from "./SpreadDriver.ts"
import { WatchRecorder } from "./WatchRecorder.ts"

/** The two servers do not agree. */
export class Difference extends Error {
  override readonly name = "Difference"
}

/** The real etcd ended on a request that ours answers: nothing is left to compare with. */
export class JudgeDied extends Error {
  override readonly name = "JudgeDied"
}

interface Side {
  readonly program: Program
  /** Several of one store on a shared engine. */
  readonly servers: ReadonlyArray<ServerProcess>
  readonly driver: Driver
  readonly watches: Map<number, WatchRecorder>
}

const agree = ({ program, servers }: Side, wanted: unknown, got: unknown): boolean =>
  program === "tikv"
    ? same(withoutCluster(wanted, servers.length), withoutCluster(got, servers.length))
    : same(wanted, got)

/** Where ours is on TiKV, and on how many nodes. */
export interface OnTikv {
  /** A placement driver's address. */
  readonly placementDriver: string
  readonly nodes: number
}

/** One node advertises a given URL, which makes its id, and listens elsewhere; of several each is what it says. */
const startNodes = async (
  { nodes, placementDriver }: OnTikv,
  peerUrl: string
): Promise<ReadonlyArray<ServerProcess>> => {
  const port = await freePort()
  const flags = [...FLAGS, "--pd-endpoints", placementDriver, "--tikv-key-prefix", `trial-${port}/`]
  if (nodes === 1) {
    const listening = [...flags, "--listen-peer-urls", `http://127.0.0.1:${port}`]
    return [await startServer({ program: "tikv", peerUrl, flags: listening })]
  }
  return await Promise.all(
    Array.from({ length: nodes }, (_, at) =>
      startServer({ program: "tikv", flags: [...flags, "--name", `n${at + 1}`] })
    )
  )
}

/** etcd looks every 100 ms for watches that start in the past. */
const CATCH_UP_MS = 120
const WATCH_TIMEOUT_MS = 4000
const UNAVAILABLE = 14
/** Both programs: leases from one second on, a quick first election. */
const FLAGS = ["--heartbeat-interval", "10", "--election-timeout", "100", "--unsafe-no-fsync"]

export class Trial {
  private readonly etcd: Side
  private readonly ours: ReadonlyArray<Side>
  private moment: Moment = { revision: 1, compacted: -1 }
  private watchesSettledFrom = 0
  /** Every revision that a compaction named. */
  private readonly compactions = new Set<number | bigint>()

  private constructor(etcd: Side, ours: ReadonlyArray<Side>) {
    this.etcd = etcd
    this.ours = ours
  }

  /** Starts an etcd and ours: on both embedded engines, or on TiKV under a prefix of its own. */
  static async start(etcdPath: string, onTikv?: OnTikv): Promise<Trial> {
    const peerUrl = `http://127.0.0.1:${await freePort()}`
    const side = async (program: Program): Promise<Side> => {
      const servers =
        program === "tikv" && onTikv !== undefined
          ? await startNodes(onTikv, peerUrl)
          : [await startServer({ program, etcdPath, peerUrl, flags: FLAGS })]
      const driver =
        servers.length > 1
          ? new SpreadDriver(servers.map(({ address }) => address))
          : new GrpcDriver(servers[0].address)
      await driver.ready()
      return { program, servers, driver, watches: new Map() }
    }
    const engines: ReadonlyArray<Program> = onTikv === undefined ? ["lmdb", "memory"] : ["tikv"]
    const [etcd, ...ours] = await Promise.all([side("etcd"), ...engines.map(side)])
    return new Trial(etcd, ours)
  }

  async stop(): Promise<void> {
    for (const side of this.sides) {
      side.driver.close()
      for (const server of side.servers) await server.destroy()
    }
  }

  private get sides(): ReadonlyArray<Side> {
    return [this.etcd, ...this.ours]
  }

  /** Runs a sequence and then empties the store; throws a Difference. */
  async run(operations: ReadonlyArray<Operation>): Promise<void> {
    for (const [index, operation] of operations.entries()) {
      try {
        await this.step(operation)
      } catch (error) {
        if (error instanceof Difference) throw new Difference(`operation ${index} ${show(operation)}\n${error.message}`)
        throw error
      }
    }
    await this.settle("at the end")
    await this.empty()
  }

  private async step(operation: Operation): Promise<void> {
    switch (operation.kind) {
      case "call":
        return this.call(operation)
      case "stream": {
        const requests = operation.requests.map((request) => resolve(request, this.moment) as object)
        return this.everywhere(operation, async ({ driver }) =>
          flatten(operation, await driver.gather(operation.method, requests))
        )
      }
      case "burst":
        return this.burst(operation)
      case "watch":
        return this.watch(operation)
      case "endWatch":
        await this.settle("before the end of a watch stream")
        for (const { watches } of this.sides) {
          watches.get(operation.stream)?.finish(operation.how)
          if (operation.how === "cancel") watches.delete(operation.stream)
        }
        return undefined
      case "expire":
        return this.expire(operation)
      case "passing":
        return this.everywhere(operation, async (side) => {
          const outcome = await side.driver.call("leaseGrant", operation)
          if (!("answer" in outcome)) return outcome
          const { id, ttl } = outcome.answer
          const revoked = await side.driver.call("leaseRevoke", { id })
          return { ttl, id: operation.id === 0 ? "any" : id, revoked: revoked as unknown as Fields }
        })
    }
  }

  private async call(operation: Extract<Operation, { kind: "call" }>): Promise<void> {
    // etcd tells a watch that is behind only every 100 ms, and what it is told then depends on the compaction.
    if (operation.method === "compact") await this.settle("before a compaction")
    const request = resolve(operation.request, this.moment) as { readonly revision?: number }
    const { revision = 0 } = request
    const compactedThere = operation.method === "hashKv" && this.compactions.has(revision)
    await this.everywhere(
      compactedThere ? { ...operation, request: { ...operation.request, compactedThere } } : operation,
      async ({ driver }) => await driver.call(operation.method, request)
    )
    if (operation.method === "compact" && revision > this.moment.compacted && revision <= this.moment.revision) {
      this.compactions.add(revision)
      this.note({ compacted: revision })
    }
  }

  /** Asks everyone and compares. */
  private async everywhere(operation: Operation, ask: (side: Side) => Promise<Fields>): Promise<void> {
    const outcomes = await Promise.all(this.sides.map(ask))
    this.compare(operation, outcomes)
  }

  private compare(operation: Operation, [expected, ...found]: ReadonlyArray<Fields>): void {
    if (expected["code"] === UNAVAILABLE) throw new JudgeDied(`etcd ended on ${show(operation)}`)
    const wanted = reduce(operation, normalize(expected) as Fields)
    for (const [index, outcome] of found.entries()) {
      const got = reduce(operation, normalize(outcome) as Fields)
      if (!agree(this.ours[index], wanted, got)) this.differ(this.ours[index], wanted, got)
    }
    this.note({ revision: headerRevision(expected) })
  }

  private note({ compacted = this.moment.compacted, revision = 0 }: Partial<Moment>): void {
    this.moment = { revision: Math.max(revision, this.moment.revision), compacted }
  }

  private differ(side: Side, wanted: unknown, got: unknown): never {
    throw new Difference(`etcd:   ${show(wanted)}\n${`${side.program}:`.padEnd(8)}${show(got)}`)
  }

  /** Ours takes the writes in one turn of its loop, so that each is decided on what is not yet committed. */
  private async burst(operation: Extract<Operation, { kind: "burst" }>): Promise<void> {
    const { moment } = this
    const send = (side: Side, { method, request }: { method: MethodName; request: Fields }) =>
      side.driver.call(method, resolve(request, moment) as object)
    const inTurn = async (side: Side): Promise<ReadonlyArray<Outcome>> => {
      const outcomes: Array<Outcome> = []
      for (const write of operation.writes) outcomes.push(await send(side, write))
      return outcomes
    }
    const expected = await inTurn(this.etcd)
    // What must be fetched first may overtake: on TiKV the order of concurrent writes is nobody's.
    const found = await Promise.all(
      this.ours.map((side) =>
        side.program === "tikv" ? inTurn(side) : Promise.all(operation.writes.map((write) => send(side, write)))
      )
    )
    for (const [index, { method, request }] of operation.writes.entries()) {
      // A transaction without writes sees what is committed, wherever in the burst it stands.
      if (method === "txn" && isReadOnly(request)) continue
      const outcomes = [expected[index], ...found.map((outcomes) => outcomes[index])]
      // A lease's header tells the revision at the time of the answer, when more of the burst has been committed.
      const bare = method.startsWith("lease") ? outcomes.map(withoutHeader) : outcomes
      this.compare({ kind: "call", method, request }, bare)
      this.note({ revision: headerRevision(expected[index]) })
    }
  }

  private async watch({ request, stream }: Extract<Operation, { kind: "watch" }>): Promise<void> {
    if ("progressRequest" in request) await this.settle("before a progress request")
    for (const side of this.sides) {
      let recorder = side.watches.get(stream)
      if (recorder === undefined) side.watches.set(stream, (recorder = new WatchRecorder(side.driver)))
      recorder.send(resolve(request, this.moment) as Fields)
    }
    this.watchesSettledFrom = performance.now() + ("createRequest" in request ? CATCH_UP_MS : 30)
    await this.settle("after a watch request")
  }

  /** Waits until every watch has been told the same everywhere. */
  private async settle(when: string): Promise<void> {
    if (this.etcd.watches.size === 0) return
    const started = performance.now()
    for (;;) {
      const wait = Math.max(2, this.watchesSettledFrom - performance.now())
      await sleep(wait)
      const problem = this.watchDifference(when)
      if (problem === undefined) return
      if (performance.now() - started > WATCH_TIMEOUT_MS) throw new Difference(problem)
    }
  }

  private watchDifference(when: string): string | undefined {
    for (const [stream, recorder] of this.etcd.watches) {
      const wanted = recorder.account()
      for (const side of this.ours) {
        const { program, watches } = side
        const other = watches.get(stream)
        if (other === undefined) return `${program} has no stream ${stream}`
        if (other.broken.length > 0) return `${program}: ${other.broken.join("; ")}`
        const got = other.account()
        if (!agree(side, wanted, got))
          return `watch stream ${stream} ${when}\netcd:   ${show(wanted)}\n${program}: ${show(got)}`
        if (!agree(side, recorder.end, other.end))
          return `stream ${stream} ended: etcd ${show(recorder.end)}, ${program} ${show(other.end)}`
      }
    }
    return undefined
  }

  private async expire({ id, key }: Extract<Operation, { kind: "expire" }>): Promise<void> {
    const calls = [
      { method: "leaseGrant", request: { id, ttl: 1 } },
      { method: "put", request: { key, lease: id } }
    ] as const
    for (const { method, request } of calls) await this.call({ kind: "call", method, request })
    const gone = async ({ driver }: Side): Promise<boolean> => {
      for (let tries = 0; tries < 100; tries++) {
        const { grantedTtl } = (await driver.ask("leaseTimeToLive", { id })) as { grantedTtl: number }
        if (grantedTtl === 0) return true
        await sleep(50)
      }
      return false
    }
    const expired = await Promise.all(this.sides.map(gone))
    if (expired.includes(false)) throw new Difference(`a lease did not expire: ${show(expired)}`)
    await this.call({ kind: "call", method: "range", request: { key } })
  }

  /** Leaves nothing behind but revisions. */
  private async empty(): Promise<void> {
    for (const { watches } of this.sides) {
      for (const recorder of watches.values()) recorder.finish("cancel")
      watches.clear()
    }
    const everything = { key: Buffer.alloc(1), rangeEnd: Buffer.alloc(1), prevKv: true }
    await this.call({ kind: "call", method: "range", request: everything })
    await this.call({ kind: "call", method: "deleteRange", request: everything })
    const { leases } = (await this.etcd.driver.ask("leaseLeases", {})) as { leases: ReadonlyArray<{ id: bigint }> }
    for (const { id } of leases) await this.call({ kind: "call", method: "leaseRevoke", request: { id } })
  }
}

const isReadOnly = ({ failure, success }: Fields): boolean =>
  [...((success ?? []) as ReadonlyArray<Fields>), ...((failure ?? []) as ReadonlyArray<Fields>)].every(
    ({ requestRange }) => requestRange !== undefined
  )

const withoutHeader = (outcome: Outcome): Outcome =>
  "answer" in outcome ? { answer: { ...outcome.answer, header: undefined } } : outcome

const headerRevision = (outcome: Fields): number => {
  const { header } = (outcome["answer"] ?? {}) as { header?: { revision: number } }
  return header?.revision ?? 0
}

/** The chunks of a stream are the server's choice; what they add up to is not. */
const flatten = (operation: Operation, outcome: Outcome): Fields => {
  if (operation.kind !== "stream" || operation.method !== "rangeStream" || !("answers" in outcome)) {
    return outcome
  }
  const chunks = outcome.answers.map(({ rangeResponse }) => rangeResponse as Record<string, unknown>)
  const last = chunks.at(-1)
  const early = chunks
    .slice(0, -1)
    .some(({ count, header, more }) => header !== undefined || count !== 0 || more === true)
  return {
    ...outcome,
    answers: undefined,
    early,
    last: { ...last, kvs: [] },
    kvs: chunks.flatMap(({ kvs }) => kvs as Array<unknown>)
  }
}
