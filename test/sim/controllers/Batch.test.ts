// Jobs and CronJobs beside the real kube-controller-manager: the same script on a real kube-apiserver each, the results compared.
import { Effect } from "effect"
import { assert, it } from "vitest"
import { effectClient, machineClockwork, rfc3339 } from "#kube"
import { allControllers } from "#sim"
import { describeWith } from "../../Judges.ts"
import { startFakeKubelet } from "./FakeKubelet.ts"
import { jobScenes, play } from "./JobScenes.ts"
import { snapshot } from "./Normalized.ts"
import { realControlPlane, type RealControlPlane, type Programs, withOurControllers, withRealControllers } from "./RealControlPlane.ts"
import { Kinds, Stage } from "./Stage.ts"

const NAMES = ["job-controller", "cronjob-controller", "ttl-after-finished-controller"]
const ours = allControllers.filter(({ name }) => NAMES.includes(name))

const played = (programs: Programs, whose: "ours" | "real") =>
  Effect.scoped(
    Effect.gen(function* () {
      const plane: RealControlPlane = yield* realControlPlane(programs)
      if (whose === "ours") yield* withOurControllers(plane, ours)
      else yield* withRealControllers(plane, programs["kube-controller-manager"], NAMES)
      const client = effectClient(plane.client)
      const namespace = "batch-scenes"
      const made = { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } }
      yield* client.create({ resource: Kinds.namespaces, namespace: "" }, made)
      const stop = startFakeKubelet(plane.client, machineClockwork, namespace)
      yield* Effect.addFinalizer(() => Effect.sync(stop))
      const nowMs = machineClockwork.now()
      yield* play(new Stage(client, namespace), jobScenes(nowMs))
      yield* Effect.sleep(2500)
      const { cronJobs, jobs, pods } = Kinds
      const found = yield* snapshot(client, namespace, [jobs, cronJobs, pods], { counted: () => true })
      return { found, failures: plane.failures, at: rfc3339(nowMs) }
    })
  ).pipe(
    Effect.tapError((failure) => Effect.sync(() => process.stderr.write(`${whose}: ${String(failure)}\n`))),
    Effect.runPromise
  )

describeWith("etcd", "kube-apiserver", "kube-controller-manager")("Jobs and CronJobs", (programs) => {
  it("end as under the real controllers", async () => {
    const [real, own] = await Promise.all([played(programs, "real"), played(programs, "ours")])
    assert.isAbove(real.found["jobs"] === undefined ? 0 : (real.found["jobs"] as ReadonlyArray<unknown>).length, 20)
    for (const part in real.found) assert.deepStrictEqual(own.found[part], real.found[part], part)
  }, 180_000)
})
