// What a node of ours adds to its engine's own time: one request at a time over one connection, get, create, update and delete, on LMDB
// and on TiKV in turns. The engine's time is the server's own account of it (/metrics); what is left of a request is the node: wire,
// transactions, revisions, watch log. Prints means in µs.
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

const ask = (client: GrpcClient, path: string, message: Uint8Array): Promise<void> =>
  new Promise((resolve, reject) => {
    client.unary(path, message, (error) => (error === undefined ? resolve() : reject(error)))
  })

interface Side {
  readonly name: string
  readonly server: ServerProcess
  readonly client: GrpcClient
  readonly means: Map<Kind, Array<{ readonly wholeUs: number; readonly engineUs: number }>>
}

const engineSeconds = async ({ server, name }: Side): Promise<number> => {
  const samples = parsePrometheus(await (await fetch(`http://${server.address}/metrics`)).text())
  const [tikv, commits] = ENGINE_TIMES.map((metric) => total(samples, metric))
  return (name === "tikv" ? tikv : commits) ?? 0
}

const turn = async (side: Side, from: number): Promise<void> => {
  for (const kind of Object.keys(kinds) as ReadonlyArray<Kind>) {
    const { message, path } = kinds[kind]
    const before = await engineSeconds(side)
    const begun = performance.now()
    for (let at = from; at < from + requests; at++) await ask(side.client, path, message(at))
    const wholeUs = ((performance.now() - begun) * 1000) / requests
    const engineUs = (((await engineSeconds(side)) - before) * 1e6) / requests
    side.means.set(kind, [...(side.means.get(kind) ?? []), { wholeUs, engineUs }])
  }
}

const median = (values: ReadonlyArray<number>): number =>
  values.toSorted((left, right) => left - right)[values.length >> 1] ?? Number.NaN

const bed = await TestBed.start(
  { "tikv-testbed": await pathOf("tikv-testbed"), "pd-server": await pathOf("pd-server") },
  1
)
const sides: Array<Side> = []
try {
  for (const program of ["lmdb", "tikv"] as const) {
    const flags = program === "tikv" ? ["--pd-endpoints", bed.pd, "--tikv-key-prefix", "overhead/"] : []
    const server = await startServer({ program, flags })
    sides.push({ name: program, server, client: await open(server.address), means: new Map() })
  }
  // The first turn warms up and is not counted.
  for (let at = 0; at <= turns; at++) {
    for (const side of sides) await turn(side, at * requests)
    if (at === 0) for (const { means } of sides) means.clear()
  }
  console.log("| Request | Engine | whole, µs | engine's own, µs | the node's, µs |\n|---|---|---|---|---|")
  for (const kind of Object.keys(kinds) as ReadonlyArray<Kind>) {
    for (const { means, name } of sides) {
      const of = means.get(kind) ?? []
      const [whole, engine, node] = [
        median(of.map(({ wholeUs }) => wholeUs)),
        median(of.map(({ engineUs }) => engineUs)),
        median(of.map(({ engineUs, wholeUs }) => wholeUs - engineUs))
      ]
      console.log(`| ${kind} | ${name} | ${whole.toFixed(0)} | ${engine.toFixed(0)} | ${node.toFixed(0)} |`)
    }
  }
} finally {
  for (const { client, server } of sides) {
    client.close()
    await server.destroy()
  }
  await bed.destroy()
}
