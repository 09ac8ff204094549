// How long searches take among ten million spans, and a trace's reading beside them.
//   node test/tracing/bench/SearchBench.ts [spans, default 10000000] [folder that is kept and used again]
import { existsSync, rmSync } from "node:fs"
import { type AuditFact, idOf, objectId, traceIdIn, type TraceQuery, windowStartUs } from "#tracing"
import { append, openOnDisk, search, temporaryFolder } from "../Stores.ts"

const SPANS = Number(process.argv[2] ?? 10_000_000)
const kept = process.argv[3]
const START_US = 1_795_651_200_000_000
/** An hour and a half of a cluster with 2,000 writes a second. */
const SPACING_US = 500
const PODS = 200_000

const factOf = (number: number): AuditFact => {
  const pod = (number * 7919) % PODS
  const failed = number % 997 === 0
  const atUs = START_US + number * SPACING_US
  return {
    kind: "audit",
    id: idOf("bench", String(number)),
    object: {
      cluster: "prod",
      group: "",
      resource: "pods",
      namespace: `team-${pod % 200}`,
      name: `web-${pod % 5000}-${pod}`
    },
    uid: `${pod}-1111-4222-8333-444455556666`,
    atUs,
    version: "v1",
    subresource: "status",
    verb: number % 10 === 0 ? "create" : "patch",
    level: "Metadata",
    stage: "ResponseComplete",
    auditId: `${number}-4b2a-4c1d-9e3f-0123456789ab`,
    endUs: atUs + (number % 5000) * 10,
    username: `system:node:node-${pod % 1000}`,
    impersonator: "",
    userAgent: "kubelet/v1.37.2",
    sourceIps: [`10.1.${pod % 250}.7`],
    fieldManager: "",
    code: failed ? 409 : 200,
    reason: failed ? "Conflict" : "",
    message: "",
    causes: [],
    resourceVersion: "",
    newResourceVersion: String(number),
    generation: 1,
    truncated: false,
    dryRun: false
  }
}

const directory = kept ?? temporaryFolder()
const isFilled = kept !== undefined && existsSync(kept)
const { close, store } = await openOnDisk({ directory, bounds: { segmentRows: 65_536, recentMax: 100_000 } })
if (!isFilled) {
  const began = performance.now()
  for (let at = 0; at < SPANS; at += 10_000) {
    await append(
      store,
      Array.from({ length: Math.min(10_000, SPANS - at) }, (_, further) => factOf(at + further))
    )
  }
  const seconds = (performance.now() - began) / 1000
  console.log(`filled with ${SPANS} spans in ${seconds.toFixed(0)} s, ${Math.round(SPANS / seconds)} a second`)
}
const { bytes, facts } = store.stats()
console.log(`${facts} facts, ${Math.round(bytes / 2 ** 20)} MiB`)

const some = factOf(Math.floor(SPANS / 3))
const queries: ReadonlyArray<readonly [string, TraceQuery]> = [
  ["the newest 20 traces", { limit: 20 }],
  [
    "one object, anywhere",
    { attributes: { name: some.object.name, namespace: some.object.namespace, resource: "pods" }, limit: 20 }
  ],
  ["one audit id, anywhere", { attributes: { auditId: some.auditId }, limit: 20 }],
  ["a user's failures", { attributes: { username: some.username, responseCode: "409" }, limit: 20 }],
  ["a namespace, the newest 100", { attributes: { namespace: "team-7" }, limit: 100 }],
  ["an operation that nobody had", { operation: "nobody create", limit: 20 }],
  ["by resourceVersion, which has no column", { attributes: { newResourceVersion: "3333333" }, limit: 20 }],
  [
    "slower than 49.9 ms in ten minutes",
    { minDurationUs: 49_900, fromUs: some.atUs, toUs: some.atUs + 600_000_000, limit: 20 }
  ],
  ["failures, 1,500 traces", { attributes: { responseCode: "409" }, limit: 1500 }]
]
for (const [what, query] of queries) {
  const times: Array<number> = []
  let found = 0
  for (let round = 0; round < 5; round++) {
    const began = performance.now()
    found = (await search(store, query)).length
    times.push(performance.now() - began)
  }
  times.sort((a, b) => a - b)
  console.log(`${what}: ${found} traces, median ${times[2].toFixed(0)} ms, slowest ${times[4].toFixed(0)} ms`)
}
const began = performance.now()
const traceId = traceIdIn(objectId(some.object, 1800), windowStartUs(some.atUs, 1800))
const chunks = store.trace(traceId)
let spans = 0
for (let chunk = chunks.next(); chunk !== undefined; chunk = chunks.next()) spans += chunk.length
console.log(`one trace by its id: ${spans} spans in ${(performance.now() - began).toFixed(0)} ms`)
await close()
if (kept === undefined) rmSync(directory, { recursive: true, force: true })
