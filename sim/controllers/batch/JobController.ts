// The Job controller: one sync reads the pods, judges the Job, makes or deletes pods, and counts those that have ended.
// Owns the order of these steps, the wake-ups and the events; each step has a file of its own. Source: kubernetes
// pkg/controller/job/job_controller.go.
import { Effect } from "effect"
import {
  ApiFailure,
  type Cancel,
  type Controller,
  controllerOf,
  effectClient,
  type EffectClient,
  gvr,
  type Informer,
  type KubeObject,
  makeController,
  objectKey,
  parseRfc3339,
  rfc3339,
  sameJson,
  SelectorInvalid
} from "#kube"
import type { EventSink } from "../EventRecorder.ts"
import { Expectations } from "../Expectations.ts"
import type { Manager } from "../Manager.ts"
import { indexByOwner, ownedBy, orphansIn } from "../Owned.ts"
import { claim } from "../Ownership.ts"
import { fieldsOf, numberIn, textOf } from "../Parts.ts"
import { PodControl } from "../PodControl.ts"
import { Freshness } from "../Freshness.ts"
import { JobBackoff } from "./JobBackoff.ts"
import { isJobFinished, managedByOther, setJobCondition, TRACKING_FINALIZER } from "./JobFacts.ts"
import { completed, deadlineInMs, judgeJob } from "./JobOutcome.ts"
import { planPods } from "./JobPlan.ts"
import { isTracked } from "./JobPods.ts"
import { JobPodWork, type Removed } from "./JobPodWork.ts"
import { type JobState, jobStateOf } from "./JobState.ts"
import { jobKind } from "./JobTemplate.ts"
import { jobResource, JobTracking } from "./JobTracking.ts"
import { jobOf, jobSelector, OrphanPods } from "./OrphanPods.ts"

const NAME = "job-controller"
const BATCH_MS = 1000
const LIMITS = { baseMs: 1000, maxMs: 60_000, perSecond: Infinity, burst: 1 }
const MODES: ReadonlySet<string> = new Set(["", "NonIndexed", "Indexed"])
const podResource = gvr("", "v1", "pods")

const deadlineOf = ({ spec }: KubeObject): number | undefined => numberIn(fieldsOf(spec)["activeDeadlineSeconds"])

class JobController {
  readonly controllers: ReadonlyArray<Controller>
  readonly #manager: Manager
  readonly #client: EffectClient
  readonly #events: EventSink
  readonly #jobs: Informer
  readonly #pods: Informer
  readonly #expectations: Expectations
  readonly #written: Freshness
  readonly #backoff = new JobBackoff()
  readonly #work: JobPodWork
  readonly #tracking: JobTracking
  readonly #orphans: OrphanPods
  readonly #queue: Controller
  /** Uids of Jobs whose end was written and is not shown yet. */
  readonly #over = new Set<string>()

  constructor(manager: Manager) {
    this.#manager = manager
    const { client, clockwork, events, informers } = manager
    this.#client = effectClient(client)
    this.#events = events.from(NAME)
    this.#jobs = informers.informer(jobResource)
    this.#pods = informers.informer(podResource)
    indexByOwner(this.#pods)
    this.#expectations = new Expectations(clockwork)
    this.#written = new Freshness([this.#jobs, this.#pods])
    const shared = { jobs: this.#jobs, pods: this.#pods, written: this.#written, backoff: this.#backoff }
    const control = new PodControl(client, this.#events)
    this.#work = new JobPodWork(manager, { ...shared, control, expectations: this.#expectations })
    this.#tracking = new JobTracking({ ...shared, client: this.#client, work: this.#work })
    this.#orphans = new OrphanPods(manager, { ...shared, work: this.#work })
    this.#queue = makeController({
      name: NAME,
      clockwork,
      watches: [this.#jobs, this.#pods].map((informer) => ({ informer, keys: () => undefined })),
      workers: manager.syncs(NAME),
      limits: LIMITS,
      onFailure: (key, failure) => manager.failed(NAME, key, failure),
      reconcile: (key) => this.#sync(this, key)
    })
    this.controllers = [
      { ...this.#queue, start: () => this.#start(), stop: () => this.#stop() },
      this.#orphans.controller
    ]
  }

  #cancels: ReadonlyArray<Cancel> = []

  #start(): void {
    this.#cancels = [
      this.#jobs.addHandler({
        added: (job) => this.#queue.enqueue(objectKey(job)),
        updated: (before, after) => this.#jobChanged(before, after),
        deleted: (job) => this.#jobGone(job)
      }),
      this.#pods.addHandler({
        added: (pod) => this.#podSeen(pod),
        updated: (before, after) => this.#podChanged(before, after),
        deleted: (pod) => this.#podGone(pod, true)
      })
    ]
    this.#queue.start()
  }

  #stop(): void {
    for (const cancel of this.#cancels) cancel()
    this.#queue.stop()
  }

  #soon(job: KubeObject): void {
    this.#queue.enqueueAfter(objectKey(job), BATCH_MS)
  }

  #jobChanged(before: KubeObject, after: KubeObject): void {
    if (isJobFinished(after)) return this.#orphans.podsOf(after)
    if (before.metadata.generation === after.metadata.generation) this.#soon(after)
    else this.#queue.enqueue(objectKey(after))
    const seconds = deadlineOf(after)
    const started = parseRfc3339(textOf(fieldsOf(after.status)["startTime"]))
    if (seconds === undefined || started === undefined || seconds === deadlineOf(before)) return
    this.#queue.enqueueAfter(objectKey(after), started + seconds * 1000 - this.#manager.clockwork.now())
  }

  #jobGone(job: KubeObject): void {
    const key = objectKey(job)
    this.#queue.enqueue(key)
    this.#over.delete(job.metadata.uid ?? "")
    this.#orphans.podsOf(job)
    this.#forget(key)
  }

  #forget(key: string): void {
    this.#expectations.forget(key)
    this.#work.forget(key)
    this.#written.forget(key)
    this.#backoff.forget(key)
  }

  /** Jobs that might adopt a pod that nobody controls. */
  #couldAdopt(pod: KubeObject): void {
    const { labels, namespace = "" } = pod.metadata
    if (labels === undefined) return
    for (const job of this.#jobs.store.inNamespace(namespace)) {
      const selector = jobSelector(job)
      if (!(selector instanceof SelectorInvalid) && selector.matches(labels)) this.#soon(job)
    }
  }

  #podSeen(pod: KubeObject): void {
    if (pod.metadata.deletionTimestamp !== undefined) return this.#podGone(pod, false)
    if (controllerOf(pod) !== undefined) {
      const job = jobOf(this.#jobs, pod)
      if (job === undefined) return
      this.#expectations.created(objectKey(job))
      return this.#soon(job)
    }
    if (isTracked(pod)) this.#orphans.pod(pod)
    this.#couldAdopt(pod)
  }

  #podChanged(before: KubeObject, after: KubeObject): void {
    if (after.metadata.deletionTimestamp !== undefined) return this.#podGone(after, false)
    const wasOwnedBy = controllerOf(before)
    const isOwnedBy = controllerOf(after)
    const moved = wasOwnedBy?.uid !== isOwnedBy?.uid
    for (const pod of moved && wasOwnedBy !== undefined ? [before, after] : [after]) {
      const job = jobOf(this.#jobs, pod)
      if (job === undefined) continue
      if (!isTracked(after)) this.#work.seenFree(objectKey(job), after.metadata.uid ?? "")
      this.#soon(job)
    }
    if (isOwnedBy !== undefined) return
    if (isTracked(after)) this.#orphans.pod(after)
    if (moved || !sameJson(before.metadata.labels, after.metadata.labels)) this.#couldAdopt(after)
  }

  /** A pod is on its way out, or gone (`final`). */
  #podGone(pod: KubeObject, final: boolean): void {
    const isHeld = isTracked(pod)
    const job = jobOf(this.#jobs, pod)
    if (job === undefined || isJobFinished(job)) {
      const owner = controllerOf(pod)
      if (isHeld && (owner === undefined || owner.kind === jobKind.kind)) this.#orphans.pod(pod)
      return
    }
    const key = objectKey(job)
    this.#expectations.deleted(key, objectKey(pod))
    if (final || !isHeld) this.#work.seenFree(key, pod.metadata.uid ?? "")
    this.#soon(job)
  }

  readonly #sync = Effect.fnUntraced(function* (self: JobController, key: string) {
    if (!self.#written.isFresh(key)) return { requeueAfterMs: BATCH_MS }
    const job = self.#jobs.store.get(key)
    if (job === undefined) {
      self.#forget(key)
      return undefined
    }
    if (managedByOther(job) !== undefined) return undefined
    const uid = job.metadata.uid ?? ""
    if (isJobFinished(job)) {
      self.#backoff.forget(key)
      self.#written.forget(key)
      self.#over.delete(uid)
      return undefined
    }
    if (self.#over.has(uid)) return undefined
    if (!MODES.has(textOf(fieldsOf(job.spec)["completionMode"]))) {
      const message = "Skipped Job sync because completion mode is unknown"
      self.#events.event(job, "Warning", "UnknownCompletionMode", message)
      return undefined
    }
    const isSettled = self.#expectations.satisfied(key)
    const pods = yield* self.#claimed(job)
    const nowMs = self.#manager.clockwork.now()
    const sources = { key, job, pods, freed: self.#work.freed(key), backoff: self.#backoff, nowMs, now: rfc3339(nowMs) }
    yield* self.#advance(self, jobStateOf(sources), isSettled)
    return undefined
  })

  readonly #advance = Effect.fnUntraced(function* (self: JobController, state: JobState, isSettled: boolean) {
    const before = { ...state.status }
    state.finished = judgeJob(state)
    const deadline = deadlineInMs(state)
    if (state.finished === undefined && deadline !== undefined) self.#queue.enqueueAfter(state.key, deadline)
    let changed = false
    let failure: ApiFailure | undefined
    let active = state.active.length
    if (state.finished !== undefined) {
      const removed = yield* self.#work.deleteTracked(state, state.active)
      // Pods that the informer does not show yet may be left: the Job is not over.
      if (removed.count !== active || !isSettled) state.finished = undefined
      active = self.#without(state, active, removed)
      failure = removed.failure
    } else {
      const isManaged = isSettled && state.job.metadata.deletionTimestamp === undefined
      if (isManaged) ({ active, failure } = yield* self.#manage(self, state))
      const { completions } = state.spec
      const isReached = completions === undefined ? state.succeeded > 0 : state.succeeded >= completions
      if (isReached && active === 0) state.finished = completed(state)
      else if (isManaged) changed = self.#tellSuspension(state)
    }
    const { ready, status, terminating } = state
    if (active !== before.active || ready !== before.ready || terminating !== before.terminating) changed = true
    Object.assign(status, { active, ready, terminating })
    const isOver = yield* self.#tracking.track(state, changed)
    if (isOver) self.#tellEnd(state)
    if (failure !== undefined) return yield* Effect.fail(failure)
    return undefined
  })

  #without(state: JobState, active: number, { count, ready }: Removed): number {
    state.terminating += count
    state.ready -= ready
    return active - count
  }

  /** Makes or deletes pods; answers how many are active then. */
  readonly #manage = Effect.fnUntraced(function* (self: JobController, state: JobState) {
    const plan = planPods(state, self.#backoff)
    const active = state.active.length
    if (plan.step === "delete") {
      const removed = yield* self.#work.deleteUncounted(state, plan.pods)
      return { active: self.#without(state, active, removed), failure: removed.failure }
    }
    if (plan.step === "create") {
      const { failure, made } = yield* self.#work.create(state, plan.indexes)
      return { active: active + made, failure }
    }
    if (plan.step === "wait") self.#queue.enqueueAfter(state.key, Math.max(plan.forMs, BATCH_MS))
    return { active, failure: undefined }
  })

  #tellSuspension(state: JobState): boolean {
    const { job, now, spec, status } = state
    const told = spec.isSuspended
      ? ({ status: "True", reason: "JobSuspended", message: "Job suspended" } as const)
      : ({ status: "False", reason: "JobResumed", message: "Job resumed" } as const)
    if (!setJobCondition(status, { type: "Suspended", ...told }, now)) return false
    this.#events.event(job, "Normal", spec.isSuspended ? "Suspended" : "Resumed", told.message)
    // The time of being active begins anew.
    status.startTime = spec.isSuspended ? undefined : now
    return true
  }

  #tellEnd({ finished, job, spec, status }: JobState): void {
    this.#over.add(job.metadata.uid ?? "")
    if (finished === undefined) return
    if (finished.type !== "Complete") {
      return this.#events.event(job, "Warning", finished.reason, finished.message)
    }
    if (spec.completions !== undefined && status.succeeded > spec.completions) {
      const message = "Too many succeeded pods running after completion count reached"
      this.#events.event(job, "Warning", "TooManySucceededPods", message)
    }
    this.#events.event(job, "Normal", "Completed", "Job completed")
  }

  /** The pods of a Job; orphans that its selector takes become its own, to be counted like the others. */
  #claimed(job: KubeObject): Effect.Effect<ReadonlyArray<KubeObject>, ApiFailure> {
    const { namespace = "", uid } = job.metadata
    const selector = jobSelector(job)
    const options = {
      client: this.#client,
      owner: job,
      ownerKind: jobKind,
      ownerResource: jobResource,
      resource: podResource,
      matches: (labels: Readonly<Record<string, string>>) =>
        !(selector instanceof SelectorInvalid) && selector.matches(labels),
      finalizers: [TRACKING_FINALIZER]
    }
    const candidates = [...ownedBy(this.#pods, job), ...orphansIn(this.#pods, namespace)]
    return Effect.map(claim(options, candidates), (pods) =>
      pods.map((pod) => {
        if (controllerOf(pod)?.uid === uid || isTracked(pod)) return pod
        const finalizers = [...(pod.metadata.finalizers ?? []), TRACKING_FINALIZER]
        return { ...pod, metadata: { ...pod.metadata, finalizers } }
      })
    )
  }
}

/** The Job controller, and beside it the one that frees pods without a Job. */
export const jobController = (manager: Manager): ReadonlyArray<Controller> => new JobController(manager).controllers
