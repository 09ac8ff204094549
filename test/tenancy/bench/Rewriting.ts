// How many bytes a second the rewriting does on lists of pods, both ways, beside JSON.parse and JSON.stringify of the same bytes.
// Owns the measured list, which looks like what a kube-apiserver answers: managed fields, status, owners; run it alone on a machine.
import { BodyInvalid } from "#tenancy"
import { bytes, rewriter, shapeOf } from "../Tenants.ts"
import { podOf } from "./Pods.ts"

const pod = shapeOf("Pod")
const MEGABYTE = 1_000_000

const listBytes = (megabytes: number): Uint8Array => {
  const items: Array<unknown> = []
  let size = 0
  while (size < megabytes * MEGABYTE) {
    const item = podOf(items.length)
    size += JSON.stringify(item).length
    items.push(item)
  }
  return bytes({ kind: "PodList", apiVersion: "v1", metadata: { resourceVersion: "1" }, items })
}

const CHUNK = 64 * 1024

const streamed = (body: Uint8Array): number => {
  const stream = rewriter.answerToTenant(pod, { collection: true })
  let written = 0
  const take = (piece: Uint8Array | BodyInvalid): void => {
    if (piece instanceof BodyInvalid) throw piece
    written += piece.length
  }
  for (let at = 0; at < body.length; at += CHUNK) take(stream.push(body.subarray(at, at + CHUNK)))
  take(stream.end())
  return written
}

/** Megabytes a second: the median of as many rounds as fit into the time. */
const measure = (name: string, size: number, run: () => unknown, seconds = 3): void => {
  const rounds: Array<number> = []
  run()
  const until = performance.now() + seconds * 1000
  while (performance.now() < until || rounds.length < 3) {
    const start = performance.now()
    run()
    rounds.push(size / MEGABYTE / ((performance.now() - start) / 1000))
  }
  rounds.sort((a, b) => a - b)
  const at = (share: number): string => (rounds[Math.floor((rounds.length - 1) * share)] ?? 0).toFixed(0)
  process.stdout.write(`${name.padEnd(44)} ${at(0.5)} MB/s (${at(0)} to ${at(1)}, ${rounds.length} rounds)\n`)
}

const list = listBytes(20)
const decoder = new TextDecoder()
const encoder = new TextEncoder()

// Bodies that go up are single objects: the pods one by one, in the tenant's spelling.
const upstreamPods = Array.from({ length: 2000 }, (_, at) => bytes(podOf(at)))
const tenantPods = upstreamPods.map((one) => rewriter.toTenant(pod, one)).filter((one) => one instanceof Uint8Array)
const total = (bodies: ReadonlyArray<Uint8Array>): number => bodies.reduce((sum, { length }) => sum + length, 0)

process.stdout.write(
  `${upstreamPods.length} pods, ${Math.round(total(upstreamPods) / upstreamPods.length)} bytes each\n`
)
measure("a list down, in pieces of 64 KiB", list.length, () => streamed(list))
measure("single pods down", total(upstreamPods), () => {
  for (const one of upstreamPods) rewriter.toTenant(pod, one)
})
measure("single pods up", total(tenantPods), () => {
  for (const one of tenantPods) rewriter.toUpstream(pod, one)
})
measure("JSON.parse and stringify of the list", list.length, () =>
  encoder.encode(JSON.stringify(JSON.parse(decoder.decode(list))))
)
const before = process.memoryUsage().arrayBuffers
const large = listBytes(100)
const sized = process.memoryUsage().arrayBuffers
streamed(large)
const after = process.memoryUsage().arrayBuffers
process.stdout.write(
  `a list of ${(large.length / MEGABYTE).toFixed(0)} MB: ${((after - sized) / MEGABYTE).toFixed(1)} MB of buffers beside it at the end (${((sized - before) / MEGABYTE).toFixed(0)} MB is the list)\n`
)
