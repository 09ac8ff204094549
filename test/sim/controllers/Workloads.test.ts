// Jobs, disruption budgets and autoscalers beside the real kube-controller-manager: the same script on a real kube-apiserver each, all
// of it at once, and the results compared, events among them. And autoscalers' API beside the real server's.
import { Cause, Effect, Exit } from "effect"
import { assert, it } from "vitest"
import { type Client, effectClient, machineClockwork, makeClockworkRuntime } from "#kube"
import { allControllers, autoscalerController, type NamedController, World } from "#sim"
import { describeWith } from "../../Judges.ts"
import { played, replayed } from "../../Played.ts"
import { clusterDefinitions } from "../Definitions.ts"
import { askAboutAutoscalers } from "./AutoscalerApi.ts"
import { autoscalerScenes, serveMetrics } from "./AutoscalerScenes.ts"
import { disruptionScenes, serveCustomOwners } from "./DisruptionScenes.ts"
import { startFakeKubelet } from "./FakeKubelet.ts"
import { jobScenes, play, type Scene } from "./JobScenes.ts"
import { reduced, snapshot } from "./Normalized.ts"
import { realControlPlane, type Programs, withOurControllers, withRealControllers } from "./RealControlPlane.ts"
import { Kinds, Stage } from "./Stage.ts"

const AUTOSCALER = "horizontal-pod-autoscaler-controller"
const NAMES = [
  "job-controller",
  "cronjob-controller",
  "ttl-after-finished-controller",
  "disruption-controller",
  AUTOSCALER
]
const FLAGS = ["--horizontal-pod-autoscaler-sync-period=2s", "--horizontal-pod-autoscaler-downscale-stabilization=6s"]
const quick: NamedController = {
  name: AUTOSCALER,
  make: (manager) => autoscalerController(manager, { periodMs: 2000, downscaleStabilizationMs: 6000 }),
  syncs: 5
}
const ours = allControllers
  .filter(({ name }) => NAMES.includes(name))
  .map((one) => (one.name === AUTOSCALER ? quick : one))

/** A namespace of its own with a kubelet for its pods, in which scenes are played to the end. */
const playScenes = (client: Client, namespace: string, scenes: ReadonlyArray<Scene>) =>
  Effect.gen(function* () {
    const calls = effectClient(client)
    const made = { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } }
    yield* calls.create({ resource: Kinds.namespaces, namespace: "" }, made)
    const stop = startFakeKubelet(client, machineClockwork, namespace)
    yield* Effect.addFinalizer(() => Effect.sync(stop))
    const stage = new Stage(calls, namespace)
    yield* play(stage, scenes)
    // What nobody waits for comes late: events, and the last looks of autoscalers.
    yield* Effect.sleep(5000)
  })

/** A job that is cleared away is missed where the informer of jobs is ahead of that of CronJobs. */
const isMissedByChance = (line: string): boolean => line.includes("/yearly-done Normal MissingJob")
const always = { counted: () => true, isChance: isMissedByChance }
/** Whether a look at the metrics falls before a pod's first readiness is chance. */
const isTooEarly = (line: string): boolean => line.includes("did not receive metrics for targeted pods")
/** Autoscalers tell the same again with each look, and budgets with each sync. */
const once = { counted: () => false, isChance: isTooEarly }

/** What a server answers about autoscalers, without what differs from run to run. */
const apiAnswers = (client: Client) =>
  Effect.gen(function* () {
    const calls = effectClient(client)
    const made = { apiVersion: "v1", kind: "Namespace", metadata: { name: "api" } }
    yield* calls.create({ resource: Kinds.namespaces, namespace: "" }, made)
    const answers = yield* askAboutAutoscalers(new Stage(calls, "api"))
    return answers.map(([call, answer]) => ({ call, answer: reduced(answer, "api") }))
  })

/** The same of our own server, in virtual time. */
const ownApiAnswers = (): ReadonlyArray<unknown> => {
  const world = new World({ seed: 1, definitions: clusterDefinitions, nodeGroups: [] })
  world.start()
  const client = world.client("asker")
  let answers: ReadonlyArray<unknown> | undefined
  makeClockworkRuntime(world.kernel.process("asker").clockwork).run(apiAnswers(client), (exit) => {
    answers = Exit.isSuccess(exit) ? exit.value : [Cause.pretty(exit.cause)]
  })
  world.kernel.run({ untilMs: 60_000, until: () => answers !== undefined })
  return answers ?? []
}

const outcome = (programs: Programs, whose: "ours" | "real") =>
  Effect.scoped(
    Effect.gen(function* () {
      const plane = yield* realControlPlane(programs)
      const beforehand = new Stage(effectClient(plane.client), "default")
      yield* serveCustomOwners(beforehand)
      yield* serveMetrics(beforehand)
      const api = whose === "real" ? yield* apiAnswers(plane.client) : ownApiAnswers()
      if (whose === "ours") yield* withOurControllers(plane, ours)
      else yield* withRealControllers(plane, programs["kube-controller-manager"], NAMES, FLAGS)
      const nowMs = machineClockwork.now()
      const acts = [
        playScenes(plane.client, "jobs", jobScenes(nowMs)),
        playScenes(plane.client, "budgets", disruptionScenes(nowMs)),
        playScenes(plane.client, "autoscalers", autoscalerScenes(nowMs))
      ]
      yield* Effect.all(acts, { concurrency: "unbounded" })
      const calls = effectClient(plane.client)
      const { autoscalers, budgets, cronJobs, deployments, jobs, pods } = Kinds
      return {
        api: { answers: api },
        batch: yield* snapshot(calls, "jobs", [jobs, cronJobs, pods], always),
        disruption: yield* snapshot(calls, "budgets", [budgets, pods], once),
        autoscaling: yield* snapshot(calls, "autoscalers", [autoscalers, deployments], once)
      } as const
    })
  ).pipe(
    Effect.mapError((failure) => new Error(`${whose}: ${String(failure)}`)),
    Effect.runPromise
  )

describeWith(
  "etcd",
  "kube-apiserver",
  "kube-controller-manager"
)("beside the real controllers", (programs) => {
  const both = played(async () => {
    const [real, own] = await Promise.all([outcome(programs, "real"), outcome(programs, "ours")])
    return { real, own }
  })
  const compare = (part: keyof Awaited<ReturnType<typeof outcome>>, least: number): Promise<void> =>
    both(({ own, real }) => {
      const found = Object.entries(real[part])
      const others: Readonly<Record<string, unknown>> = own[part]
      assert.isAbove(found.flatMap(([, list]) => list as ReadonlyArray<unknown>).length, least)
      for (const [name, expected] of found) assert.deepStrictEqual(others[name], expected, name)
    })
  const options = replayed(240_000)

  it("the API server answers the same about autoscalers in both versions", options, () => compare("api", 35))
  it("Jobs and CronJobs end the same", options, () => compare("batch", 100))
  it("disruption budgets say the same, and evictions are answered the same", options, () => compare("disruption", 40))
  it("autoscalers scale the same and tell the same", options, () => compare("autoscaling", 80))
})
