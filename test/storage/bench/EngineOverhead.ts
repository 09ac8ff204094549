// What a node of ours adds to its engine's own time: one request at a time over one connection, get, create, update and delete, on LMDB
// and on TiKV in turns. The engine's time is the server's own account of it (/metrics); what is left of a request is the node: wire,
// transactions, revisions, watch log. Prints medians of turns in µs, and the processor time that the server's process took.
// Beside the node stands the floor: a bare relay (Relay.ts) that waits for as many answers, one after the other, and does nothing else.
// A process that waits is woken for each answer, and its client at the end; with more and longer waits the kernel lets the processors
// sleep deeper, which costs a request on TiKV more than one on LMDB whatever the node does.
//
//   node test/storage/bench/EngineOverhead.ts [requests of each kind a turn] [turns]
//
// Needs `wharf assets build tikv`.
import { NodeServices } from "@effect/platform-node"
import { Effect } from "effect"
import type { GrpcClient } from "#net"
import { findAsset, type ProgramName } from "#kind"
import { PutRequest, RangeRequest, TxnRequest } from "#storage"
import { open } from "../nodes/NodeCluster.ts"
import { parsePrometheus, total } from "../PrometheusText.ts"
import { type ServerProcess, startServer } from "../ServerProcess.ts"
import { TestBed } from "../tikv/TestBed.ts"
import { relayPath, startRelay } from "./Relay.ts"

const [requests = 2000, turns = 5] = process.argv.slice(2).map(Number)

const pathOf = (name: ProgramName): Promise<string> =>
  findAsset(name).pipe(
    Effect.map(({ path }) => path),
    Effect.provide(NodeServices.layer),
    Effect.runPromise
  )

/** Sums in seconds: operations on TiKV, durable commits of LMDB, whose reads are a page of memory away and count as the node's. */
const ENGINE_TIMES = ["wharf_tikv_operation_duration_seconds_sum", "etcd_disk_backend_commit_duration_seconds_sum"]

const none = new Uint8Array(0)
const nothing = { requestRange: undefined, requestPut: undefined, requestDeleteRange: undefined, requestTxn: undefined }
const value = new Uint8Array(512).fill(7)
const keyOf = (at: number): Uint8Array => Buffer.from(`/registry/bench/${String(at).padStart(40, "0")}`)
const putOf = (at: number): Uint8Array => PutRequest.encode({ key: keyOf(at), value })

const kinds = {
  create: { path: "/etcdserverpb.KV/Put", message: putOf },
  get: { path: "/etcdserverpb.KV/Range", message: (at: number) => RangeRequest.encode({ key: keyOf(at), limit: 1n }) },
  update: { path: "/etcdserverpb.KV/Put", message: putOf },
  delete: {
    path: "/etcdserverpb.KV/Txn",
    message: (at: number) =>
      TxnRequest.encode({
        compare: [],
        success: [{ ...nothing, requestDeleteRange: { key: keyOf(at), rangeEnd: none, prevKv: false } }],
        failure: []
      })
  }
} as const
type Kind = keyof typeof kinds

/**
 * Answers from outside the process that a request waits for, one after the other. On TiKV: a timestamp and the rows, and for a write a
 * timestamp, the prewrite, another timestamp and the commit besides; on LMDB a write's flush.
 */
const waitsOf = (name: string, kind: Kind): number => {
  if (name === "tikv") return kind === "get" ? 2 : 6
  return kind === "get" ? 0 : 1
}

const ask = (client: GrpcClient, path: string, message: Uint8Array): Promise<Uint8Array> =>
  new Promise((resolve, reject) => {
    client.unary(path, message, (error, answer) => (error === undefined ? resolve(Buffer.from(answer)) : reject(error)))
  })

interface Mean {
  readonly wholeUs: number
  readonly engineUs: number
  readonly processorUs: number
}

interface Side {
  readonly name: string
  readonly server: ServerProcess
  readonly client: GrpcClient
  readonly means: Map<Kind, Array<Mean>>
}

/** Seconds of the engine's and of the processor. */
const spent = async ({ server, name }: Side): Promise<readonly [number, number]> => {
  const samples = parsePrometheus(await (await fetch(`http://${server.address}/metrics`)).text())
  const [tikv, commits] = ENGINE_TIMES.map((metric) => total(samples, metric))
  return [(name === "tikv" ? tikv : commits) ?? 0, total(samples, "process_cpu_seconds_total") ?? 0]
}

/** What a bare relay's request takes beyond its waits, in µs. */
const floorOf = async (client: GrpcClient, waits: number): Promise<number> => {
  let waitedMs = 0
  const begun = performance.now()
  for (let at = 0; at < requests; at++) {
    const answer = await ask(client, relayPath(waits), none)
    waitedMs += Buffer.from(answer).readDoubleLE()
  }
  return ((performance.now() - begun - waitedMs) * 1000) / requests
}

const turn = async (side: Side, from: number): Promise<void> => {
  for (const kind of Object.keys(kinds) as ReadonlyArray<Kind>) {
    const { message, path } = kinds[kind]
    const [engineBefore, processorBefore] = await spent(side)
    const begun = performance.now()
    for (let at = from; at < from + requests; at++) await ask(side.client, path, message(at))
    const wholeUs = ((performance.now() - begun) * 1000) / requests
    const [engine, processor] = await spent(side)
    const engineUs = ((engine - engineBefore) * 1e6) / requests
    const processorUs = ((processor - processorBefore) * 1e6) / requests
    side.means.set(kind, [...(side.means.get(kind) ?? []), { wholeUs, engineUs, processorUs }])
  }
}

const median = (values: ReadonlyArray<number>): number =>
  values.toSorted((left, right) => left - right)[values.length >> 1] ?? Number.NaN

const bed = await TestBed.start(
  { "tikv-testbed": await pathOf("tikv-testbed"), "pd-server": await pathOf("pd-server") },
  1
)
const relay = await startRelay(bed.stores[0])
const relayed = await open(relay.address)
const sides: Array<Side> = []
const floors = new Map<number, Array<number>>([0, 1, 2, 6].map((waits) => [waits, []]))
try {
  for (const program of ["lmdb", "tikv"] as const) {
    const flags = program === "tikv" ? ["--pd-endpoints", bed.pd, "--tikv-key-prefix", "overhead/"] : []
    const server = await startServer({ program, flags })
    sides.push({ name: program, server, client: await open(server.address), means: new Map() })
  }
  // The first turn warms up and is not counted.
  for (let at = 0; at <= turns; at++) {
    for (const side of sides) await turn(side, at * requests)
    for (const [waits, values] of floors) values.push(await floorOf(relayed, waits))
    if (at > 0) continue
    for (const { means } of sides) means.clear()
    for (const values of floors.values()) values.length = 0
  }
  console.log(
    "| Request | Engine | whole, µs | engine's own, µs | the node's, µs | a bare relay's, µs | beyond it, µs | processor, µs |"
  )
  console.log("|---|---|---|---|---|---|---|---|")
  for (const kind of Object.keys(kinds) as ReadonlyArray<Kind>) {
    for (const { means, name } of sides) {
      const of = means.get(kind) ?? []
      const node = median(of.map(({ engineUs, wholeUs }) => wholeUs - engineUs))
      const floor = median(floors.get(waitsOf(name, kind)) ?? [])
      const cells = [
        median(of.map(({ wholeUs }) => wholeUs)),
        median(of.map(({ engineUs }) => engineUs)),
        node,
        floor,
        node - floor,
        median(of.map(({ processorUs }) => processorUs))
      ]
      console.log(`| ${kind} | ${name} | ${cells.map((cell) => cell.toFixed(0)).join(" | ")} |`)
    }
  }
} finally {
  relayed.close()
  relay.child.kill("SIGTERM")
  for (const { client, server } of sides) {
    client.close()
    await server.destroy()
  }
  await bed.destroy()
}
