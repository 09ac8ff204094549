// How long things take: distributions as data.
// Owns drawing from them; refuses to know what is being delayed.
import type { RandomStream } from "../time/RandomStream.ts"

/** Milliseconds. */
export type Latency =
  | { readonly kind: "constant"; readonly ms: number }
  | { readonly kind: "uniform"; readonly fromMs: number; readonly toMs: number }
  /** By its median and the deviation of its logarithm: most are near the median, few take far longer. */
  | { readonly kind: "log-normal"; readonly medianMs: number; readonly sigma: number }

/** One draw, in milliseconds. */
export const drawLatency = (latency: Latency, random: RandomStream): number => {
  switch (latency.kind) {
    case "constant":
      return latency.ms
    case "uniform":
      return random.between(latency.fromMs, latency.toMs)
    case "log-normal":
      return random.logNormal(latency.medianMs, latency.sigma)
  }
}
