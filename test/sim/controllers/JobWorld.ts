// Random Jobs in a simulated cluster, with pods that succeed, fail with some code, hang or are deleted, and controllers that may be
// killed and started anew at any time: what happened is written down for the properties to judge.
// Owns the case, its run and the record; refuses to judge.
import * as fc from "fast-check"
import { type Client, gvr, type Json, type KubeObject, parseRfc3339 } from "#kube"
import { allControllers, startControllers, World } from "#sim"
import { clusterDefinitions } from "../Definitions.ts"
import { startFakeKubelet } from "./FakeKubelet.ts"
import { Kinds } from "./Stage.ts"

export interface JobCase {
  readonly seed: number
  readonly isIndexed: boolean
  readonly completions: number | undefined
  readonly parallelism: number
  readonly backoffLimit: number
  readonly perIndex: number | undefined
  readonly maxFailedIndexes: number | undefined
  readonly policy: boolean
  readonly replaceFailed: boolean
  /** Chances in percent: that a pod fails, hangs, is deleted by somebody. */
  readonly fails: number
  readonly hangs: number
  readonly deleted: number
  /** Seconds after which the controllers are killed and started anew. */
  readonly restarts: ReadonlyArray<number>
  readonly deadline: number | undefined
}

export const jobCases: fc.Arbitrary<JobCase> = fc
  .record({
    seed: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
    isIndexed: fc.boolean(),
    completions: fc.option(fc.integer({ min: 1, max: 8 }), { nil: undefined, freq: 6 }),
    parallelism: fc.integer({ min: 1, max: 5 }),
    backoffLimit: fc.integer({ min: 0, max: 5 }),
    perIndex: fc.option(fc.integer({ min: 0, max: 2 }), { nil: undefined }),
    maxFailedIndexes: fc.option(fc.integer({ min: 0, max: 3 }), { nil: undefined }),
    policy: fc.boolean(),
    replaceFailed: fc.boolean(),
    fails: fc.constantFrom(0, 10, 30, 60),
    hangs: fc.constantFrom(0, 0, 10),
    deleted: fc.constantFrom(0, 0, 20),
    restarts: fc.oneof(fc.constant([]), fc.array(fc.integer({ min: 1, max: 90 }), { maxLength: 3 })),
    deadline: fc.option(fc.integer({ min: 20, max: 400 }), { nil: undefined, freq: 2 })
  })
  .map((one) => {
    const completions = one.isIndexed ? (one.completions ?? 3) : one.completions
    const perIndex = one.isIndexed ? one.perIndex : undefined
    return {
      ...one,
      completions,
      perIndex,
      maxFailedIndexes: perIndex === undefined ? undefined : Math.min(one.maxFailedIndexes ?? 0, completions ?? 0)
    }
  })

/** What became of one pod. */
export interface PodRecord {
  readonly name: string
  readonly index: number
  readonly createdMs: number
  /** The phase in which it was counted, or the last one that was seen, and the exit code with it. */
  phase: string
  code: number
  endedMs: number | undefined
  deletedMs: number | undefined
  /** Whether it lost its finalizer while it was active: then it counts as nothing. */
  released: boolean
  held: boolean
}

export interface JobRecord {
  readonly job: KubeObject
  readonly pods: ReadonlyArray<PodRecord>
  readonly mostActive: number
  /** Uids that were ever put down as failed, or as succeeded, before they were counted. */
  readonly failedUids: ReadonlySet<string>
  readonly succeededUids: ReadonlySet<string>
  readonly hash: string
}

const IGNORED_CODE = 3
const FATAL_CODE = 9

const spec = (one: JobCase): { [field: string]: Json } => ({
  parallelism: one.parallelism,
  ...(one.completions === undefined ? {} : { completions: one.completions }),
  ...(one.isIndexed ? { completionMode: "Indexed" } : {}),
  ...(one.perIndex === undefined ? { backoffLimit: one.backoffLimit } : { backoffLimitPerIndex: one.perIndex }),
  ...(one.maxFailedIndexes === undefined ? {} : { maxFailedIndexes: one.maxFailedIndexes }),
  ...(one.deadline === undefined ? {} : { activeDeadlineSeconds: one.deadline }),
  ...(one.replaceFailed || one.policy ? { podReplacementPolicy: "Failed" } : {}),
  ...(one.policy
    ? {
        podFailurePolicy: {
          rules: [
            { action: "Ignore", onExitCodes: { operator: "In", values: [IGNORED_CODE] } },
            {
              action: one.perIndex === undefined ? "FailJob" : "FailIndex",
              onExitCodes: { operator: "In", values: [FATAL_CODE] }
            }
          ]
        }
      }
    : {}),
  template: { spec: { restartPolicy: "Never", containers: [{ name: "c", image: "i" }] } }
})

/** Whether a failure with this code counts towards any limit. */
export const counts = ({ policy }: JobCase, code: number): boolean => !(policy && code === IGNORED_CODE)

const RUN_MS = 4_000_000

/** Who watches the truth: the server's own view of the pods. */
class Witness {
  readonly pods = new Map<string, PodRecord>()
  readonly failedUids = new Set<string>()
  readonly succeededUids = new Set<string>()
  mostActive = 0
  #active = new Set<string>()

  seen(pod: KubeObject | undefined, before: KubeObject | undefined, nowMs: number): void {
    const uid = (pod ?? before)?.metadata.uid ?? ""
    if (pod === undefined) {
      const known = this.pods.get(uid)
      if (known !== undefined) {
        known.deletedMs ??= nowMs
        known.held = false
      }
      this.#active.delete(uid)
      return
    }
    const record = this.#recordOf(pod, nowMs)
    const status = pod.status as {
      phase?: string
      containerStatuses?: ReadonlyArray<{ state?: { terminated?: { exitCode: number } } }>
    }
    const held = pod.metadata.finalizers?.includes("batch.kubernetes.io/job-tracking") === true
    const isOver = status.phase === "Succeeded" || status.phase === "Failed"
    const isLeaving = pod.metadata.deletionTimestamp !== undefined
    if (record.held && !held && !isOver && !isLeaving) record.released = true
    // What a pod does after it was counted changes nothing.
    if (record.held) {
      record.phase = status.phase ?? "Pending"
      record.code = status.containerStatuses?.[0]?.state?.terminated?.exitCode ?? record.code
      if (isOver) record.endedMs ??= nowMs
    }
    record.held = held
    if (isLeaving) record.deletedMs ??= nowMs
    if (isOver || isLeaving) this.#active.delete(uid)
    else this.#active.add(uid)
    this.mostActive = Math.max(this.mostActive, this.#active.size)
  }

  #recordOf(pod: KubeObject, nowMs: number): PodRecord {
    const uid = pod.metadata.uid ?? ""
    const known = this.pods.get(uid)
    if (known !== undefined) return known
    const index = Number(pod.metadata.annotations?.["batch.kubernetes.io/job-completion-index"] ?? -1)
    const name = pod.metadata.name ?? ""
    const fresh = {
      name,
      index,
      createdMs: nowMs,
      phase: "Pending",
      code: 0,
      endedMs: undefined,
      deletedMs: undefined,
      released: false,
      held: true
    }
    this.pods.set(uid, fresh)
    return fresh
  }

  job(job: KubeObject): void {
    const { uncountedTerminatedPods: uncounted } = (job.status ?? {}) as {
      uncountedTerminatedPods?: { failed?: ReadonlyArray<string>; succeeded?: ReadonlyArray<string> }
    }
    for (const uid of uncounted?.failed ?? []) this.failedUids.add(uid)
    for (const uid of uncounted?.succeeded ?? []) this.succeededUids.add(uid)
  }
}

const isOver = ({ status }: KubeObject): boolean =>
  ((status ?? {}) as { conditions?: ReadonlyArray<{ type: string }> }).conditions?.some(
    ({ type }) => type === "Complete" || type === "Failed"
  ) === true

/** A life drawn for a pod from the world's own seed. */
const lives =
  (one: JobCase, draw: () => number) =>
  (_pod: KubeObject): string => {
    const chance = draw() * 100
    const after = Math.floor(draw() * 8000)
    if (chance < one.fails) {
      const code = one.policy ? ([1, IGNORED_CODE, 1, FATAL_CODE][Math.floor(draw() * 4)] ?? 1) : 1
      return `ready@500 fail=${code}@${after}`
    }
    return chance < one.fails + one.hangs ? "ready@500" : `ready@500 succeed@${after}`
  }

const pods = gvr("", "v1", "pods")

/** Deletes some pods while they run. */
const vandal =
  (one: JobCase, client: Client, draw: () => number, after: (ms: number, run: () => void) => void) =>
  (pod: KubeObject): void => {
    if (draw() * 100 >= one.deleted) return
    const { name = "", namespace = "" } = pod.metadata
    after(Math.floor(draw() * 6000), () => client.delete({ resource: pods, namespace, name }, {}, () => undefined))
  }

const names = new Set(["job-controller"])
const controllers = allControllers.filter(({ name }) => names.has(name))

/** Plays a case until its Job is over and everything has settled, or for more than an hour of its time. */
export const runJobCase = (one: JobCase): JobRecord => {
  const world = new World({
    seed: one.seed,
    definitions: clusterDefinitions,
    nodeGroups: [{ name: "node", count: 2, zones: ["a"] }],
    podStages: []
  })
  world.start()
  const { kernel } = world
  const process = kernel.process("kubelet of the test")
  const draw = (): number => process.random.next32() / 2 ** 32
  const kubelet = world.client("kubelet of the test")
  startFakeKubelet(kubelet, process.clockwork, "default", lives(one, draw))
  let incarnation = 0
  const begin = () => {
    const name = `controllers ${incarnation++}`
    return startControllers({ controllers }, { client: world.client(name), clockwork: kernel.process(name).clockwork })
  }
  let stop = begin()
  for (const seconds of one.restarts) {
    kernel.closureAt(seconds * 1000, process, () => {
      stop()
      stop = begin()
    })
  }
  const witness = new Witness()
  const hurt = vandal(one, kubelet, draw, process.clockwork.after)
  kernel.closureAt(1, process, () => {
    const server = world.api.server!
    server.view("", "pods").onChange((before, after) => {
      witness.seen(after, before, kernel.nowMs)
      if (before === undefined && after !== undefined) hurt(after)
    })
    server.view("batch", "jobs").onChange((_, after) => after !== undefined && witness.job(after))
    const job: KubeObject = {
      apiVersion: "batch/v1",
      kind: "Job",
      metadata: { name: "j", namespace: "default" },
      spec: spec(one)
    }
    kubelet.create({ resource: Kinds.jobs, namespace: "default" }, job, {}, () => undefined)
  })
  const job = (): KubeObject | undefined => world.api.server?.view("batch", "jobs").get("default", "j")
  kernel.run({ untilMs: RUN_MS, until: () => isOver(job() ?? ({ status: {} } as KubeObject)) })
  kernel.run({ untilMs: kernel.nowMs + 60_000 })
  const found = job()
  if (found === undefined) throw new Error("there is no job")
  stop()
  const { failedUids, mostActive, succeededUids } = witness
  return {
    job: found,
    pods: [...witness.pods.values()],
    mostActive,
    failedUids,
    succeededUids,
    hash: kernel.log.hash()
  }
}

/** A time of a Job's status, in milliseconds of its world. */
export const timeOf = (value: unknown): number => parseRfc3339(typeof value === "string" ? value : "") ?? Number.NaN
