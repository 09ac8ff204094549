// The wait for a share to be in force: as long as upstream's controller takes to count, and never for ever.
import { assert, it } from "vitest"
import type { Exit } from "effect"
import { type ApiFailure, effectClient, gvr, type KubeObject, makeClockworkRuntime } from "#kube"
import { SHARE_NAME } from "../../../core/tenancy/quota/QuotaShares.ts"
import { shareInForce } from "../../../core/tenancy/quota/SharesInForce.ts"
import { FakeServer } from "../../kube/FakeServer.ts"
import { VirtualClock } from "../../kube/VirtualClock.ts"

const QUOTAS = gvr("", "v1", "resourcequotas").resource

const share = (hard: string, inForce?: string): KubeObject => ({
  apiVersion: "v1",
  kind: "ResourceQuota",
  metadata: { namespace: "acme01-one", name: SHARE_NAME },
  spec: { hard: { pods: hard } },
  ...(inForce === undefined ? {} : { status: { hard: { pods: inForce } } })
})

interface Waited {
  end: Exit.Exit<boolean, ApiFailure> | undefined
  endedMs: number
}

const waitOn = (server: FakeServer): Waited => {
  const waited: Waited = { end: undefined, endedMs: NaN }
  makeClockworkRuntime(server.clock).run(shareInForce(effectClient(server.client), "acme01-one"), (end) => {
    waited.end = end
    waited.endedMs = server.clock.monotonic()
  })
  return waited
}

const answerOf = ({ end }: Waited): boolean | undefined => (end?._tag === "Success" ? end.value : undefined)

it("ends at once where there is no share, and where upstream has taken it in", () => {
  for (const object of [undefined, share("3", "3"), share("1000m", "1")]) {
    const server = new FakeServer(new VirtualClock(1))
    if (object !== undefined) server.put(QUOTAS, object)
    const waited = waitOn(server)
    server.clock.run(15)
    assert.isTrue(answerOf(waited))
  }
})

it("lasts until the status says what the share says", () => {
  const server = new FakeServer(new VirtualClock(1))
  server.put(QUOTAS, share("3"))
  const waited = waitOn(server)
  server.clock.run(1000)
  assert.isUndefined(waited.end)
  // What was in force before is not enough.
  server.put(QUOTAS, share("3", "2"))
  server.clock.run(500)
  assert.isUndefined(waited.end)
  const takenInMs = server.clock.monotonic()
  server.put(QUOTAS, share("3", "3"))
  server.clock.run(5000)
  assert.isTrue(answerOf(waited))
  assert.isAtMost(waited.endedMs - takenInMs, 2000)
})

it("gives up on an upstream in which nobody counts, and fails with what the server fails with", () => {
  const server = new FakeServer(new VirtualClock(1))
  server.put(QUOTAS, share("3"))
  const waited = waitOn(server)
  server.clock.run(10_000)
  assert.isFalse(answerOf(waited))
  server.faults.failing = 1
  const failed = waitOn(server)
  server.clock.run(10_000)
  assert.strictEqual(failed.end?._tag, "Failure")
})
