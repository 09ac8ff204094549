// What Jobs and CronJobs go through when two controllers are compared: each scene is one object's whole story, all play at once.
// Owns the stories; what pods do stands in their annotations, see FakeKubelet.ts.
import { Effect } from "effect"
import { type ApiFailure, type Json, type KubeObject, rfc3339 } from "#kube"
import { counted, isTrue, Kinds, type Stage } from "./Stage.ts"

export type Scene = (stage: Stage) => Effect.Effect<void, ApiFailure>

interface PodTraits {
  readonly life: string
  /** How its pods end when they are deleted while on a node. */
  readonly leave?: string
  readonly restartPolicy?: "Never" | "OnFailure"
}

const template = ({ leave, life, restartPolicy = "Never" }: PodTraits) => ({
  metadata: { annotations: { life, ...(leave === undefined ? {} : { leave }) }, labels: { own: "label" } },
  spec: {
    restartPolicy,
    ...(leave === undefined ? {} : { nodeName: "n" }),
    containers: [{ name: "c", image: "i" }],
    initContainers: [{ name: "init", image: "i", env: [{ name: "JOB_COMPLETION_INDEX", value: "mine" }] }]
  }
})

const job = (name: string, traits: PodTraits, spec: { [field: string]: Json } = {}): KubeObject => ({
  apiVersion: "batch/v1",
  kind: "Job",
  metadata: { name },
  spec: { ...spec, template: template(traits) as unknown as Json }
})

const isOver = isTrue("Complete", "Failed")

/** A Job that comes to its end by itself. */
const toTheEnd =
  (name: string, traits: PodTraits, spec: { [field: string]: Json } = {}): Scene =>
  (stage) =>
    Effect.gen(function* () {
      yield* stage.create(Kinds.jobs, job(name, traits, spec))
      yield* stage.untilObject(Kinds.jobs, name, "is over", isOver)
    })

const onCode = (action: string, code: number): Json => ({
  rules: [{ action, onExitCodes: { operator: "In", values: [code] } }]
})

const indexed = (completions: number, more: { [field: string]: Json } = {}): { [field: string]: Json } => ({
  completions,
  parallelism: completions,
  completionMode: "Indexed",
  ...more
})

const podsOf = (stage: Stage, name: string) => stage.list(Kinds.pods, `batch.kubernetes.io/job-name=${name}`)

const suspendedThenResumed: Scene = (stage) =>
  Effect.gen(function* () {
    const name = "suspended"
    const suspend = (value: boolean) => stage.merge(Kinds.jobs, name, { spec: { suspend: value } })
    const active = (count: number) =>
      stage.untilObject(Kinds.jobs, name, `has ${count} active`, (one) => counted(one, "active") === count)
    yield* stage.create(Kinds.jobs, job(name, { life: "ready" }, { suspend: true, completions: 2, parallelism: 2 }))
    yield* stage.untilObject(Kinds.jobs, name, "is suspended", isTrue("Suspended"))
    yield* suspend(false)
    yield* active(2)
    yield* Effect.sleep(1500)
    yield* suspend(true)
    yield* active(0)
    yield* stage.untilObject(Kinds.jobs, name, "is suspended again", isTrue("Suspended"))
  })

const elastic: Scene = (stage) =>
  Effect.gen(function* () {
    const name = "elastic"
    const size = (count: number) =>
      Effect.andThen(
        stage.merge(Kinds.jobs, name, { spec: { completions: count, parallelism: count } }),
        stage.untilObject(Kinds.jobs, name, `has ${count} active`, (one) => counted(one, "active") === count - 1)
      )
    yield* stage.create(Kinds.jobs, job(name, { life: "index 0 succeed|ready" }, indexed(3)))
    yield* stage.untilObject(Kinds.jobs, name, "has one done", (one) => counted(one, "succeeded") === 1)
    yield* size(5)
    yield* size(2)
    yield* size(1).pipe(Effect.andThen(stage.untilObject(Kinds.jobs, name, "is over", isOver)))
  })

/** A pod that leaves slowly is replaced only once it has ended, which is when the scene says so. */
const replaceWhenFailed: Scene = (stage) =>
  Effect.gen(function* () {
    const name = "patient"
    const traits = { life: "ready", leave: "stay" }
    yield* stage.create(Kinds.jobs, job(name, traits, { podReplacementPolicy: "Failed", parallelism: 1 }))
    yield* stage.untilObject(Kinds.jobs, name, "runs", (one) => counted(one, "ready") === 1)
    const [pod] = yield* podsOf(stage, name)
    const leaving = pod?.metadata.name ?? ""
    yield* stage.delete(Kinds.pods, leaving)
    yield* stage.untilObject(Kinds.jobs, name, "tells of the leaving pod", (one) => counted(one, "terminating") === 1)
    yield* Effect.sleep(1500)
    yield* stage.merge(Kinds.pods, leaving, { status: { phase: "Failed" } }, "status")
    yield* stage.delete(Kinds.pods, leaving, { gracePeriodSeconds: 0 })
    yield* stage.untilObject(Kinds.jobs, name, "counts the failure", (one) => counted(one, "failed") === 1)
    yield* stage.untilObject(Kinds.jobs, name, "runs again", (one) => counted(one, "ready") === 1)
  })

const managedElsewhere: Scene = (stage) =>
  Effect.asVoid(stage.create(Kinds.jobs, job("foreign", { life: "succeed" }, { managedBy: "example.org/other" })))

const deleted: Scene = (stage) =>
  Effect.gen(function* () {
    const name = "deleted"
    yield* stage.create(Kinds.jobs, job(name, { life: "ready" }, { parallelism: 2 }))
    yield* stage.untilObject(Kinds.jobs, name, "runs", (one) => counted(one, "ready") === 2)
    yield* stage.delete(Kinds.jobs, name, { propagationPolicy: "Orphan" })
    // Nobody orphans here: the test takes the garbage collector's part.
    yield* stage.merge(Kinds.jobs, name, { metadata: { finalizers: null } })
    yield* stage.until(
      "its pods are free",
      Effect.map(podsOf(stage, name), (pods) => pods.every(({ metadata }) => metadata.finalizers === undefined))
    )
  })

const adopting: Scene = (stage) =>
  Effect.gen(function* () {
    const name = "adopting"
    const labels = { adopt: "me" }
    const orphan = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "orphan", labels, annotations: { life: "ready" } }
    }
    yield* stage.create(Kinds.pods, { ...orphan, spec: template({ life: "" }).spec })
    const spec = { manualSelector: true, selector: { matchLabels: labels }, parallelism: 1 }
    const made = job(name, { life: "ready" }, spec)
    const pod = template({ life: "ready" })
    yield* stage.create(Kinds.jobs, {
      ...made,
      spec: { ...spec, template: { ...pod, metadata: { ...pod.metadata, labels } } as unknown as Json }
    })
    yield* stage.untilObject(Kinds.pods, "orphan", "is owned", ({ metadata }) => metadata.ownerReferences !== undefined)
    yield* stage.untilObject(Kinds.jobs, name, "runs", (one) => counted(one, "ready") === 1)
  })

const livesOut: Scene = (stage) =>
  Effect.gen(function* () {
    const name = "mayfly"
    yield* stage.create(Kinds.jobs, job(name, { life: "succeed" }, { ttlSecondsAfterFinished: 2 }))
    const isLeaving = ({ metadata }: KubeObject): boolean => metadata.deletionTimestamp !== undefined
    yield* stage.untilObject(Kinds.jobs, name, "is leaving", isLeaving)
  })

const workQueue: Scene = toTheEnd("queue", { life: "succeed" }, { parallelism: 3 })

const cron = (name: string, spec: { [field: string]: Json }, life = "ready"): KubeObject => ({
  apiVersion: "batch/v1",
  kind: "CronJob",
  metadata: { name },
  spec: { schedule: "0 0 1 1 *", jobTemplate: { spec: { template: template({ life }) as unknown as Json } }, ...spec }
})

const hasActive = (count: number) => (one: KubeObject) =>
  ((one.status as { active?: ReadonlyArray<unknown> } | undefined)?.active ?? []).length === count

/** The year's first minute was missed: its job starts at once, however late it is. */
const missed =
  (name: string, spec: { [field: string]: Json }, active: number, nowMs: number, life?: string): Scene =>
  (stage) =>
    Effect.gen(function* () {
      yield* stage.create(Kinds.cronJobs, cron(name, { ...spec, suspend: true }, life))
      const lastScheduleTime = rfc3339(nowMs - 400 * 86_400_000)
      yield* stage.merge(Kinds.cronJobs, name, { status: { lastScheduleTime } }, "status")
      yield* stage.merge(Kinds.cronJobs, name, { spec: { suspend: false } })
      yield* stage.untilObject(Kinds.cronJobs, name, `has ${active} active`, hasActive(active))
      if (active === 0) return yield* Effect.sleep(2000)
      yield* stage.until(
        `the job of ${name} runs or has run`,
        Effect.map(stage.list(Kinds.jobs), (jobs) => {
          const own = jobs.filter(({ metadata }) => metadata.ownerReferences?.[0]?.name === name)
          return own.length > 0 && own.every((one) => counted(one, "ready") + counted(one, "succeeded") > 0)
        })
      )
    })

const cronCompletes =
  (nowMs: number): Scene =>
  (stage) =>
    Effect.gen(function* () {
      const name = "yearly-done"
      yield* missed(name, { successfulJobsHistoryLimit: 0 }, 1, nowMs, "ready succeed@4000")(stage)
      const hasSucceeded = ({ status }: KubeObject): boolean =>
        (status as { lastSuccessfulTime?: string }).lastSuccessfulTime !== undefined
      yield* stage.untilObject(Kinds.cronJobs, name, "has succeeded", hasSucceeded)
      yield* stage.untilObject(Kinds.cronJobs, name, "has none active", hasActive(0))
    })

/** A job was deleted behind the controller's back. */
const cronMisses =
  (nowMs: number): Scene =>
  (stage) =>
    Effect.gen(function* () {
      const name = "yearly-robbed"
      yield* missed(name, {}, 1, nowMs)(stage)
      const jobs = yield* stage.list(Kinds.jobs)
      const own = jobs.find(({ metadata }) => metadata.name?.startsWith(name) === true)
      yield* stage.delete(Kinds.jobs, own?.metadata.name ?? "", { propagationPolicy: "Background" })
      yield* stage.untilObject(Kinds.cronJobs, name, "has none active", hasActive(0))
    })

/** All scenes, for a control plane whose clock shows this. */
export const jobScenes = (nowMs: number): ReadonlyArray<Scene> => [
  toTheEnd("plain", { life: "succeed" }, { completions: 3, parallelism: 2 }),
  toTheEnd("on-node", { life: "ready succeed@200", leave: "fail@100" }, { completions: 2 }),
  toTheEnd("indexed", { life: "index 2 ready succeed@1200|succeed" }, indexed(5)),
  toTheEnd("gives-up", { life: "fail", leave: "fail@100" }, { backoffLimit: 0, parallelism: 2, completions: 2 }),
  toTheEnd("gives-up-running", { life: "index 0 fail@1500|ready", leave: "fail@500" }, indexed(3, { backoffLimit: 0 })),
  toTheEnd("index-fails", { life: "index 1 fail|succeed" }, indexed(3, { backoffLimitPerIndex: 0 })),
  toTheEnd("index-retries", { life: "index 1 fail|succeed" }, indexed(2, { backoffLimitPerIndex: 1 })),
  toTheEnd(
    "too-many-fail",
    { life: "index 1 fail@800|index 2 ready|fail@800", leave: "fail@200" },
    indexed(3, { backoffLimitPerIndex: 0, maxFailedIndexes: 1 })
  ),
  toTheEnd("fails-at-once", { life: "fail=42" }, { backoffLimit: 3, podFailurePolicy: onCode("FailJob", 42) }),
  toTheEnd(
    "index-at-once",
    { life: "index 0 fail=42|succeed" },
    indexed(2, { backoffLimitPerIndex: 5, podFailurePolicy: onCode("FailIndex", 42) })
  ),
  toTheEnd(
    "ignored",
    { life: "index 0 condition=DisruptionTarget fail=3|fail=42" },
    indexed(2, {
      backoffLimit: 1,
      podFailurePolicy: {
        rules: [
          { action: "Ignore", onPodConditions: [{ type: "DisruptionTarget", status: "True" }] },
          { action: "Count", onExitCodes: { containerName: "c", operator: "NotIn", values: [1, 2, 3] } }
        ]
      }
    })
  ),
  toTheEnd(
    "enough",
    { life: "index 0 succeed|index 1 succeed|ready", leave: "fail@200" },
    indexed(4, {
      successPolicy: { rules: [{ succeededIndexes: "3" }, { succeededIndexes: "0-2", succeededCount: 2 }] }
    })
  ),
  toTheEnd("too-late", { life: "ready", leave: "fail@200" }, { activeDeadlineSeconds: 2 }),
  toTheEnd("fails-twice", { life: "fail" }, { backoffLimit: 1, completions: 1 }),
  suspendedThenResumed,
  elastic,
  replaceWhenFailed,
  managedElsewhere,
  deleted,
  adopting,
  livesOut,
  workQueue,
  missed("yearly", {}, 1, nowMs),
  missed("yearly-late", { startingDeadlineSeconds: 60 }, 0, nowMs),
  missed("yearly-zoned", { timeZone: "Europe/Berlin", jobTemplate: cronTemplate() }, 1, nowMs),
  cronCompletes(nowMs),
  cronMisses(nowMs)
]

function cronTemplate(): Json {
  return {
    metadata: { labels: { of: "template" }, annotations: { note: "kept" } },
    spec: { template: template({ life: "ready" }) as unknown as Json }
  }
}

/** Plays scenes at once; all are awaited. */
export const play = (stage: Stage, scenes: ReadonlyArray<Scene>): Effect.Effect<void, ApiFailure> =>
  Effect.forEach(scenes, (scene) => scene(stage), { concurrency: "unbounded", discard: true })
