// How long things take: distributions as data.
// Owns drawing from them; refuses to know what is being delayed.
import type { RandomStream } from "../time/RandomStream.ts"

/** Milliseconds. */
export type Latency =
  | { readonly kind: "constant"; readonly ms: number }
  | { readonly kind: "uniform"; readonly fromMs: number; readonly toMs: number }
  /** By its median and the deviation of its logarithm: most are near the median, few take far longer. */
  | { readonly kind: "log-normal"; readonly medianMs: number; readonly sigma: number }
  /** As it was measured: the value at each of `quantileShares`, ascending; between two of them it is even. */
  | { readonly kind: "quantiles"; readonly ms: ReadonlyArray<number> }

/** The shares at which a measured distribution is kept. */
export const quantileShares = [0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1] as const

/** What half of the draws lie below, in milliseconds. */
export const medianOf = (latency: Latency): number => {
  switch (latency.kind) {
    case "constant":
      return latency.ms
    case "uniform":
      return (latency.fromMs + latency.toMs) / 2
    case "log-normal":
      return latency.medianMs
    case "quantiles":
      return atShare(latency.ms, 0.5)
  }
}

/** One draw, in milliseconds. */
export const drawLatency = (latency: Latency, random: RandomStream): number => {
  switch (latency.kind) {
    case "constant":
      return latency.ms
    case "uniform":
      return random.between(latency.fromMs, latency.toMs)
    case "log-normal":
      return random.logNormal(latency.medianMs, latency.sigma)
    case "quantiles":
      return atShare(latency.ms, random.float())
  }
}

const atShare = (ms: ReadonlyArray<number>, share: number): number => {
  let upper = 1
  while (upper < quantileShares.length - 1 && quantileShares[upper] < share) upper++
  const low = quantileShares[upper - 1]
  const high = quantileShares[upper]
  const from = ms[upper - 1] ?? 0
  return from + (((ms[upper] ?? from) - from) * (share - low)) / (high - low)
}
