// Health checks, balancing, time-outs and retries, with the defaults of what is not said.
// Owns these defaults and what they mean in milliseconds; the schema has checked the bounds.
import { type Fields, invalid, textsOf } from "#apiserver"
import type { Balancing, HealthCheck, Retry, Timeouts } from "../config/UpstreamCluster.ts"
import { type Findings, numberOr, secondsOr } from "./Decoding.ts"

/** spec.healthCheck. */
export const decodeHealthCheck = (fields: Fields, { problems }: Findings): HealthCheck => {
  const paths = textsOf(fields["paths"])
  for (const [at, path] of paths.entries())
    if (!/^\/[\x21-\x7e]*$/.test(path))
      problems.push(invalid(`spec.healthCheck.paths[${at}]`, path, "must be a path that begins with a slash"))
  return {
    paths: paths.length === 0 ? ["/readyz"] : paths,
    intervalMs: secondsOr(fields["intervalSeconds"], 5),
    timeoutMs: secondsOr(fields["timeoutSeconds"], 5),
    rise: numberOr(fields["rise"], 1),
    fall: numberOr(fields["fall"], 2),
    ejectAfterFailures: numberOr(fields["ejectAfterFailures"], 5),
    ejectionMs: secondsOr(fields["ejectionSeconds"], 10),
    maxEjectedPercent: numberOr(fields["maxEjectedPercent"], 50)
  }
}

/** spec.balancing. */
export const decodeBalancing = (fields: Fields): Balancing => ({
  connectionsPerEndpoint: numberOr(fields["connectionsPerEndpoint"], 2),
  slowStartMs: secondsOr(fields["slowStartSeconds"], 0)
})

/** spec.timeouts. */
export const decodeTimeouts = (fields: Fields): Timeouts => ({
  connectMs: secondsOr(fields["connectSeconds"], 5),
  responseHeaderMs: secondsOr(fields["responseHeaderSeconds"], 60),
  drainMs: secondsOr(fields["drainSeconds"], 30)
})

/** spec.retry. */
export const decodeRetry = (fields: Fields): Retry => ({
  attempts: numberOr(fields["attempts"], 2),
  budgetPercent: numberOr(fields["budgetPercent"], 20),
  minPerSecond: numberOr(fields["minPerSecond"], 3)
})
