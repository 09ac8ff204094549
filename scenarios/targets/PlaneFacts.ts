// What a control plane of real programs says of itself at the end of a run: how long its API server waited for the store's writes, how far
// its socket is, how large its store is.
// Owns these measurements; refuses to judge them.
import { askOnce, type RunningPlane } from "#kind"
import { Effect } from "effect"
import { connect } from "node:net"
import { factNames } from "../calibration/Constants.ts"
import type { Finish } from "./systems/System.ts"

const WAYS = 200
const WRITES = /operation="(create|update|delete)"/
const US = 1e6

/** Counts below each bound in seconds, over all series of writes. */
const bucketsOf = (text: string): ReadonlyArray<readonly [bound: number, count: number]> => {
  const sums = new Map<number, number>()
  for (const line of text.split("\n")) {
    if (!line.startsWith("etcd_request_duration_seconds_bucket{") || !WRITES.test(line)) continue
    const bound = Number(/le="([^"]+)"/.exec(line)?.[1]?.replace("+Inf", "Infinity"))
    sums.set(bound, (sums.get(bound) ?? 0) + Number(line.slice(line.lastIndexOf(" ") + 1)))
  }
  return [...sums].toSorted(([left], [right]) => left - right)
}

/** A quantile of Prometheus' buckets, even between two bounds; undefined without values. */
export const quantileOfBuckets = (
  buckets: ReadonlyArray<readonly [bound: number, count: number]>,
  share: number
): number | undefined => {
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

/** Asks the plane. */
export const planeFacts = ({ files, url }: RunningPlane): Effect.Effect<Finish> =>
  Effect.gen(function* () {
    const port = Number(new URL(url).port)
    const { text } = yield* askOnce({ port, path: "/metrics", ca: files.ca, pair: files.admin })
    const buckets = bucketsOf(text)
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
        "store writes of the API server": buckets.at(-1)?.[1] ?? 0
      }
    }
  })
