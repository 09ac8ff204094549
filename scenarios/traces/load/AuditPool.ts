// The batches that a load sends, made once: generated ones are stamped anew each time, so that no event comes twice; those of a recorded
// log go round and round, each round as another cluster's, so that nothing is known from the round before.
// Owns the making and the stamping. Bound: 50 batches, or the recorded log.
import { rfc3339Micro } from "#kube"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { gunzipSync } from "node:zlib"
import type { TracingStream } from "../Tracing.ts"
import { eventList, markedEvent, marks } from "./AuditEvents.ts"

/** One request to the webhook. The body is valid until the pool has gone round. */
export interface AuditBatch {
  readonly path: string
  readonly body: Buffer
  readonly events: number
}

/** Where batches come from. */
export interface AuditPool {
  readonly next: () => AuditBatch
  /** Bytes of an event, on average. */
  readonly eventBytes: number
}

/** More than may be in flight, and 20,000 pods with batches of 400. */
const POOL = 50
/** Versions start here: nine digits for 900 million events. */
const VERSIONS = 100_000_000
const LATENCY_US = 5123

/** The log of a real kube-apiserver 1.37 that comes with wharf. */
const shippedLog = fileURLToPath(new URL("../recorded/rollout-1.37.jsonl.gz", import.meta.url))

/** Opens the stream's pool. `nowUs` is the time of the first generated event. Throws when a recorded log cannot be read. */
export const auditPool = (stream: TracingStream, nowUs: number): AuditPool =>
  stream.source === "recorded"
    ? recordedPool(stream.file ?? shippedLog, stream.batch)
    : generatedPool(stream.batch, stream.source === "full", nowUs, stream.every * 1000)

const recordedPool = (file: string, size: number): AuditPool => {
  const bytes = readFileSync(file)
  const lines = (file.endsWith(".gz") ? gunzipSync(bytes) : bytes)
    .toString("utf8")
    .split("\n")
    .filter((line) => line !== "")
  if (lines.length === 0) throw new Error(`${file}: holds no audit event`)
  const batches: Array<Omit<AuditBatch, "path">> = []
  for (let at = 0; at < lines.length; at += size) {
    const some = lines.slice(at, at + size)
    batches.push({ body: eventList(some), events: some.length })
  }
  let turn = 0
  const next = (): AuditBatch => {
    const round = Math.floor(turn / batches.length)
    return { path: `/audit/recorded-${round}`, ...batches[turn++ % batches.length] }
  }
  return { next, eventBytes: Math.round(batches.reduce((sum, { body }) => sum + body.length, 0) / lines.length) }
}

interface Marked {
  readonly body: Buffer
  /** Of each event: its number's, version's and times' places. */
  readonly places: ReadonlyArray<readonly [number: number, version: number, received: number, staged: number]>
}

const placesIn = (body: Buffer, mark: string): ReadonlyArray<number> => {
  const places: Array<number> = []
  for (let at = body.indexOf(mark); at >= 0; at = body.indexOf(mark, at + mark.length)) places.push(at)
  return places
}

const marked = (from: number, size: number, hasManagedFields: boolean): Marked => {
  const body = eventList(Array.from({ length: size }, (_, at) => markedEvent(from + at, hasManagedFields)))
  const [numbers, versions, received, staged] = [marks.number, marks.version, marks.received, marks.staged].map(
    (mark) => placesIn(body, mark)
  )
  return { body, places: numbers.map((number, at) => [number, versions[at], received[at], staged[at]] as const) }
}

const generatedPool = (size: number, hasManagedFields: boolean, startUs: number, everyUs: number): AuditPool => {
  const batches = Array.from({ length: POOL }, (_, at) => marked(at * size, size, hasManagedFields))
  let turn = 0
  const next = (): AuditBatch => {
    const { body, places } = batches[turn % POOL]
    for (let at = 0; at < size; at++) {
      const number = turn * size + at
      const [place, version, received, staged] = places[at]
      const atUs = startUs + number * everyUs
      body.write(number.toString(16).padStart(8, "0"), place, "latin1")
      body.write(String(VERSIONS + number), version, "latin1")
      body.write(rfc3339Micro(atUs / 1000), received, "latin1")
      body.write(rfc3339Micro((atUs + LATENCY_US) / 1000), staged, "latin1")
    }
    turn++
    return { path: "/audit/generated", body, events: size }
  }
  return { next, eventBytes: Math.round(batches[0].body.length / size) }
}
