// What a control plane of real programs says of itself at the end of a run: how long its API server waited for the store's writes, how far
// its socket is, how long its scheduler thought about a pod.
// Owns these measurements; refuses to judge them.
import { askOnce, type RunningPlane } from "#kind"
import { Effect } from "effect"
import { connect } from "node:net"
import { factNames } from "../calibration/Constants.ts"
import type { Finish } from "./systems/System.ts"

const WAYS = 200
const WRITES = /operation="(create|update|delete)"/
/** What a scheduler does between taking a pod and asking the API server to bind it; each of them a histogram that begins at 0.1 ms. */
const ATTEMPT = ["PreFilter", "Filter", "PreScore", "Score", "Reserve", "Permit"]
const US = 1e6

type Buckets = ReadonlyArray<readonly [bound: number, count: number]>

/** Counts below each bound in seconds, over all series of a histogram whose labels match. */
export const bucketsOf = (text: string, histogram: string, labels: RegExp): Buckets => {
  const sums = new Map<number, number>()
  for (const line of text.split("\n")) {
    if (!line.startsWith(`${histogram}_bucket{`) || !labels.test(line)) continue
    const bound = Number(/[{,]le="([^"]+)"/.exec(line)?.[1]?.replace("+Inf", "Infinity"))
    sums.set(bound, (sums.get(bound) ?? 0) + Number(line.slice(line.lastIndexOf(" ") + 1)))
  }
  return [...sums].toSorted(([left], [right]) => left - right)
}

/** A quantile of Prometheus' buckets, even between two bounds; undefined without values. */
export const quantileOfBuckets = (buckets: Buckets, share: number): number | undefined => {
  const all = buckets.at(-1)?.[1] ?? 0
  if (all === 0) return undefined
  let [fromBound, fromCount] = [0, 0]
  for (const [bound, count] of buckets) {
    if (count >= all * share) {
      if (!Number.isFinite(bound) || count === fromCount) return fromBound
      return fromBound + ((bound - fromBound) * (all * share - fromCount)) / (count - fromCount)
    }
    ;[fromBound, fromCount] = [bound, count]
  }
  return fromBound
}

/** µs until a connection is there: one way and back, and nobody computes. */
const connectUs = (port: number): Effect.Effect<number> =>
  Effect.callback((resume) => {
    const sinceMs = performance.now()
    const socket = connect({ host: "127.0.0.1", port }, () => {
      const us = (performance.now() - sinceMs) * 1000
      socket.destroy()
      resume(Effect.succeed(us))
    })
    socket.on("error", () => resume(Effect.succeed(0)))
  })

const shareOf = (ascending: ReadonlyArray<number>, share: number): number =>
  ascending[Math.floor((ascending.length - 1) * share)] ?? 0

/** The median time in s that a scheduler's metrics give for an attempt, without the call that binds; undefined where it made none. */
export const attemptOf = (text: string): number | undefined => {
  const medians = ATTEMPT.flatMap((point) => {
    const buckets = bucketsOf(text, "scheduler_framework_extension_point_duration_seconds", new RegExp(`"${point}"`))
    return quantileOfBuckets(buckets, 0.5) ?? []
  })
  return medians.length === 0 ? undefined : medians.reduce((sum, one) => sum + one, 0)
}

const schedulerFacts = ({ files, processes }: RunningPlane) =>
  Effect.gen(function* () {
    const scheduler = processes.find(({ name }) => name === "kube-scheduler")
    if (scheduler === undefined) return {}
    const { text } = yield* askOnce({ port: scheduler.port, path: "/metrics", ca: files.ca, pair: files.admin })
    const attempt = attemptOf(text)
    return attempt === undefined ? {} : { [factNames.attemptP50]: Math.round(attempt * US) }
  })

/** Asks the plane. */
export const planeFacts = (plane: RunningPlane): Effect.Effect<Finish> =>
  Effect.gen(function* () {
    const { files, url } = plane
    const port = Number(new URL(url).port)
    const { text } = yield* askOnce({ port, path: "/metrics", ca: files.ca, pair: files.admin })
    const buckets = bucketsOf(text, "etcd_request_duration_seconds", WRITES)
    const [p50, p90] = [0.5, 0.9].map((share) => quantileOfBuckets(buckets, share))
    const ways = (yield* Effect.forEach(Array.from({ length: WAYS }), () => connectUs(port))).toSorted((a, b) => a - b)
    return {
      violations: [],
      facts: {
        // One way is half of there and back.
        [factNames.wayP50]: Math.round(shareOf(ways, 0.5) / 2),
        [factNames.wayP90]: Math.round(shareOf(ways, 0.9) / 2),
        ...(p50 === undefined || p90 === undefined
          ? {}
          : { [factNames.commitP50]: Math.round(p50 * US), [factNames.commitP90]: Math.round(p90 * US) }),
        ...(yield* schedulerFacts(plane)),
        "store writes of the API server": buckets.at(-1)?.[1] ?? 0
      }
    }
  })
