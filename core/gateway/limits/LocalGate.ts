// What a flow control asks for when its limit is this gateway's own: the gate, and what is set beside it.
// Owns the way from configuration to flow; refuses limits across gateways.
import { TokenBucket } from "#kube"
import type { FlowControl } from "../config/UpstreamCluster.ts"
import type { FlowSettings } from "./Flow.ts"
import { BucketGate, exemptGate, type Gate, SlotGate, TokenGate } from "./Gate.ts"

/** Of the flow, beside its gate. */
export const flowSettings = ({ limit, queue }: FlowControl): FlowSettings => ({
  queueLength: queue?.length ?? 0,
  queueTimeoutMs: queue?.timeoutMs ?? 0,
  maxLongRunning: limit.kind === "MaxRequestsInflight" ? limit.maxLongRunning : undefined
})

/** What a gate has left at once. */
const leftIn = (gate: Gate, nowMs: number): number | undefined =>
  gate instanceof BucketGate
    ? gate.bucket.available(nowMs)
    : gate instanceof TokenGate
      ? gate.available(nowMs)
      : undefined

/**
 * The gate of a limit that is this gateway's own; a bucket that stays one keeps its tokens, and one that takes a lease's place has
 * what that left: a limiter that comes and goes fills nobody's bucket.
 */
export const localGate = ({ limit }: FlowControl, before: Gate, nowMs: number): Gate => {
  if (limit.kind === "Exempt") return exemptGate
  if (limit.kind === "MaxRequestsInflight") return new SlotGate(limit.max)
  const { burst, qps } = limit.local
  if (!(before instanceof LocalBucket)) {
    return new LocalBucket(new TokenBucket(qps, burst, nowMs, leftIn(before, nowMs) ?? burst))
  }
  before.bucket.resize(qps, burst, nowMs)
  return before
}

/** A bucket of this gateway's own, which is never taken for that of a lease. */
class LocalBucket extends BucketGate {}
