// The CronJob controller: starts the job of each scheduled time once, keeps the status true, clears old jobs away.
// Owns the rules of deadlines, concurrency and history, and the events; times are CronTimes.ts's. Source: kubernetes
// pkg/controller/cronjob/cronjob_controllerv2.go.
import { Effect } from "effect"
import { type CronClock, cronClock, TimeZone } from "#apiserver"
import {
  type Cancel,
  type Controller,
  controllerOf,
  effectClient,
  type EffectClient,
  Failures,
  gvr,
  type Informer,
  type KubeObject,
  makeController,
  objectKey,
  parseRfc3339,
  rfc3339
} from "#kube"
import type { EventSink, EventType } from "../EventRecorder.ts"
import type { Manager } from "../Manager.ts"
import { indexByOwner, isControlledBy, ownedBy } from "../Owned.ts"
import { fieldsOf, numberIn, textOf } from "../Parts.ts"
import { isNamespaceTerminating } from "../PodControl.ts"
import {
  byStart,
  cronJobKind,
  type CronStatus,
  cronStatusOf,
  jobFromTemplate,
  jobReference,
  mailTime,
  writtenCronStatus
} from "./CronJobs.ts"
import { dueTime, jobNameAt, NEVER_DUE, nextLookMs } from "./CronTimes.ts"
import { finishedCondition, isJobFinished } from "./JobFacts.ts"
import { jobResource } from "./JobTracking.ts"

const NAME = "cronjob-controller"
const cronJobResource = gvr("batch", "v1", "cronjobs")

/** One sync under way. */
interface Course {
  cron: KubeObject
  status: CronStatus
  readonly nowMs: number
  changed: boolean
}

const scheduleOf = ({ spec }: KubeObject): string => textOf(fieldsOf(spec)["schedule"])
const zoneOf = ({ spec }: KubeObject): string => textOf(fieldsOf(spec)["timeZone"])
const clockOf = (cron: KubeObject): CronClock | string => cronClock(scheduleOf(cron), zoneOf(cron))

const isActive = ({ status }: Course, { metadata }: KubeObject): boolean =>
  status.active.some(({ uid }) => uid === metadata.uid)

const dropActive = ({ status }: Course, uid: unknown): void => {
  status.active = status.active.filter((one) => one["uid"] !== uid)
}

class CronJobController {
  readonly controller: Controller
  readonly #manager: Manager
  readonly #client: EffectClient
  readonly #events: EventSink
  readonly #jobs: Informer
  readonly #cronJobs: Informer
  readonly #queue: Controller
  #cancel: Cancel | undefined

  constructor(manager: Manager) {
    this.#manager = manager
    this.#client = effectClient(manager.client)
    this.#events = manager.events.from(NAME)
    this.#jobs = manager.informers.informer(jobResource)
    this.#cronJobs = manager.informers.informer(cronJobResource)
    indexByOwner(this.#jobs)
    this.#queue = makeController({
      name: NAME,
      clockwork: manager.clockwork,
      watches: [
        { informer: this.#cronJobs, keys: () => undefined },
        { informer: this.#jobs, keys: (job) => this.#ownerKey(job) }
      ],
      workers: manager.syncs(NAME),
      onFailure: (key, failure) => manager.failed(NAME, key, failure),
      reconcile: (key) => this.#sync(this, key)
    })
    this.controller = { ...this.#queue, start: () => this.#start(), stop: () => this.#stop() }
  }

  #start(): void {
    this.#cancel = this.#cronJobs.addHandler({
      added: (cron) => this.#queue.enqueue(objectKey(cron)),
      updated: (before, after) => this.#changed(before, after),
      deleted: (cron) => this.#queue.enqueue(objectKey(cron))
    })
    this.#queue.start()
  }

  #stop(): void {
    this.#cancel?.()
    this.#queue.stop()
  }

  #ownerKey(job: KubeObject): string | undefined {
    const owner = controllerOf(job)
    if (owner?.kind !== cronJobKind.kind) return undefined
    const key = `${job.metadata.namespace ?? ""}/${owner.name}`
    return this.#cronJobs.store.get(key)?.metadata.uid === owner.uid ? key : undefined
  }

  /** A new schedule is looked at when it is due; everything else at once. */
  #changed(before: KubeObject, after: KubeObject): void {
    const key = objectKey(after)
    const isSame = scheduleOf(before) === scheduleOf(after) && zoneOf(before) === zoneOf(after)
    if (isSame) return this.#queue.enqueue(key)
    const clock = clockOf(after)
    if (typeof clock === "string") {
      const message = `unparseable schedule for cronjob: ${scheduleOf(after)}`
      return this.#events.event(after, "Warning", "UnParseableCronJobSchedule", message)
    }
    this.#queue.enqueueAfter(key, nextLookMs(after, clock, this.#manager.clockwork.now()))
  }

  #tell({ cron }: Course, type: EventType, reason: string, message: string): void {
    this.#events.event(cron, type, reason, message)
  }

  readonly #sync = Effect.fnUntraced(function* (self: CronJobController, key: string) {
    const cron = self.#cronJobs.store.get(key)
    if (cron === undefined) return undefined
    const jobs = ownedBy(self.#jobs, cron)
    const nowMs = self.#manager.clockwork.now()
    const course: Course = { cron, status: cronStatusOf(cron), nowMs, changed: false }
    yield* self.#clean(self, course, jobs)
    const end = yield* Effect.result(self.#advance(self, course, jobs))
    if (course.changed) {
      const { name = "", namespace = "" } = cron.metadata
      const target = { resource: cronJobResource, namespace, name, subresource: "status" }
      yield* self.#client.update(target, { ...course.cron, status: writtenCronStatus(course.status) })
    }
    if (end._tag === "Failure") return yield* Effect.fail(end.failure)
    return end.success === undefined ? undefined : { requeueAfterMs: end.success }
  })

  /** Deletes the oldest of the jobs that are over, as many as are too many. */
  readonly #clean = Effect.fnUntraced(function* (
    self: CronJobController,
    course: Course,
    jobs: ReadonlyArray<KubeObject>
  ) {
    const { failedJobsHistoryLimit, successfulJobsHistoryLimit } = fieldsOf(course.cron.spec)
    const limits = [
      ["Complete", numberIn(successfulJobsHistoryLimit)],
      ["Failed", numberIn(failedJobsHistoryLimit)]
    ] as const
    for (const [type, limit] of limits) {
      if (limit === undefined) continue
      const over = jobs.filter((job) => finishedCondition(job)?.type === type)
      for (const job of over.toSorted(byStart).slice(0, Math.max(0, over.length - limit))) {
        if (yield* self.#delete(course, job)) course.changed = true
      }
    }
  })

  #delete(course: Course, job: KubeObject): Effect.Effect<boolean> {
    const { name = "", namespace = "", uid } = job.metadata
    return this.#client.delete({ resource: jobResource, namespace, name }, { propagationPolicy: "Background" }).pipe(
      Effect.match({
        onFailure: ({ message }) => {
          this.#tell(course, "Warning", "FailedDelete", `Deleted job: ${message}`)
          return false
        },
        onSuccess: () => {
          dropActive(course, uid)
          this.#tell(course, "Normal", "SuccessfulDelete", `Deleted job ${name}`)
          return true
        }
      })
    )
  }

  /** Puts down what became of a job that the informer shows. */
  readonly #follow = Effect.fnUntraced(function* (self: CronJobController, course: Course, job: KubeObject) {
    const { name = "", namespace = "" } = course.cron.metadata
    const found = isActive(course, job)
    if (!isJobFinished(job)) {
      if (found) return
      const fresh = yield* self.#client.get({ resource: cronJobResource, namespace, name })
      const renewed = { ...course, status: cronStatusOf(fresh) }
      if (isActive(renewed, job)) Object.assign(course, { cron: fresh, status: renewed.status })
      else {
        const message = `Saw a job that the controller did not create or forgot: ${job.metadata.name ?? ""}`
        self.#tell(course, "Warning", "UnexpectedJob", message)
      }
      return
    }
    const condition = finishedCondition(job)?.type ?? ""
    if (found) {
      dropActive(course, job.metadata.uid)
      const message = `Saw completed job: ${job.metadata.name ?? ""}, condition: ${condition}`
      self.#tell(course, "Normal", "SawCompletedJob", message)
      course.changed = true
    }
    const ended = textOf(fieldsOf(job.status)["completionTime"])
    const last = parseRfc3339(course.status.lastSuccessfulTime ?? "") ?? -Infinity
    if (condition === "Complete" && (parseRfc3339(ended) ?? -Infinity) > last) {
      course.status.lastSuccessfulTime = ended
      course.changed = true
    }
  })

  /** Jobs that the status has and the informer has not: gone, unless the server knows better. */
  readonly #missing = Effect.fnUntraced(function* (
    self: CronJobController,
    course: Course,
    jobs: ReadonlyArray<KubeObject>
  ) {
    const known = new Set<unknown>(jobs.map(({ metadata }) => metadata.uid))
    for (const { name, namespace, uid } of course.status.active) {
      if (known.has(uid)) continue
      const target = { resource: jobResource, namespace: textOf(namespace), name: textOf(name) }
      const end = yield* Effect.result(self.#client.get(target))
      if (end._tag === "Success") continue
      if (end.failure.code !== 404) return yield* Effect.fail(end.failure)
      self.#tell(course, "Normal", "MissingJob", `Active job went missing: ${textOf(name)}`)
      dropActive(course, uid)
      course.changed = true
    }
  })

  /** Answers the milliseconds until the next look, if there is to be one. */
  readonly #advance = Effect.fnUntraced(function* (
    self: CronJobController,
    course: Course,
    jobs: ReadonlyArray<KubeObject>
  ) {
    for (const job of jobs) yield* self.#follow(self, course, job)
    yield* self.#missing(self, course, jobs)
    const { cron, nowMs } = course
    const clock = self.#clock(course)
    if (clock === undefined) return undefined
    const current: KubeObject = { ...cron, status: writtenCronStatus(course.status) }
    const due = dueTime(current, clock, nowMs)
    if (due === undefined) {
      self.#tell(course, "Warning", "InvalidSchedule", `invalid schedule: ${scheduleOf(cron)} : ${NEVER_DUE}`)
      return undefined
    }
    const again = nextLookMs(current, clock, nowMs)
    const { dueMs, tooMany } = due
    if (dueMs === undefined) return again
    if (tooMany) {
      const why = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew"
      self.#tell(course, "Warning", "TooManyMissedTimes", why)
    }
    if (self.#isPassedOver(course, dueMs)) return again
    const isReplaced = fieldsOf(cron.spec)["concurrencyPolicy"] === "Replace"
    if (isReplaced) yield* self.#replace(self, course)
    if (!(yield* self.#begin(self, course, dueMs))) return undefined
    return nextLookMs({ ...course.cron, status: writtenCronStatus(course.status) }, clock, nowMs)
  })

  /** The clock of a schedule that is to be followed. */
  #clock(course: Course): CronClock | undefined {
    const { cron } = course
    if (cron.metadata.deletionTimestamp !== undefined) return undefined
    const zone = zoneOf(cron)
    if (TimeZone.named(zone) === undefined) {
      const why = `invalid timeZone: ${JSON.stringify(zone)}: unknown time zone ${zone}`
      this.#tell(course, "Warning", "UnknownTimeZone", why)
      return undefined
    }
    if (fieldsOf(cron.spec)["suspend"] === true) return undefined
    const schedule = scheduleOf(cron)
    if (schedule.includes("TZ")) {
      const why =
        `CRON_TZ or TZ used in schedule ${JSON.stringify(schedule)} is not officially supported, ` +
        "see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details"
      this.#tell(course, "Warning", "UnsupportedSchedule", why)
    }
    const clock = clockOf(cron)
    if (typeof clock !== "string") return clock
    const why = `unparseable schedule: ${JSON.stringify(schedule)} : ${clock}`
    this.#tell(course, "Warning", "UnparseableSchedule", why)
    return undefined
  }

  /** Whether a scheduled time gets no job: too late, started before, or another one still runs and may not be joined. */
  #isPassedOver(course: Course, dueMs: number): boolean {
    const { cron, nowMs, status } = course
    const { concurrencyPolicy, startingDeadlineSeconds } = fieldsOf(cron.spec)
    const deadline = numberIn(startingDeadlineSeconds)
    if (deadline !== undefined && dueMs + deadline * 1000 < nowMs) {
      this.#tell(course, "Warning", "MissSchedule", `Missed scheduled time to start a job: ${mailTime(dueMs)}`)
      return true
    }
    const name = jobNameAt(cron, dueMs)
    if (status.active.some((one) => one["name"] === name && one["namespace"] === cron.metadata.namespace)) return true
    if (status.lastScheduleTime === rfc3339(dueMs)) return true
    if (concurrencyPolicy !== "Forbid" || status.active.length === 0) return false
    const why = "Not starting job because prior execution is running and concurrency policy is Forbid"
    this.#tell(course, "Normal", "JobAlreadyActive", why)
    return true
  }

  readonly #replace = Effect.fnUntraced(function* (self: CronJobController, course: Course) {
    for (const active of course.status.active) {
      const target = { resource: jobResource, namespace: textOf(active["namespace"]), name: textOf(active["name"]) }
      const end = yield* Effect.result(self.#client.get(target))
      if (end._tag === "Failure") {
        self.#tell(course, "Warning", "FailedGet", `Get job: ${end.failure.message}`)
        return yield* Effect.fail(end.failure)
      }
      if (!(yield* self.#delete(course, end.success))) {
        return yield* Effect.fail(Failures.internal(`could not replace job ${target.namespace}/${target.name}`))
      }
      course.changed = true
    }
  })

  /** Starts the job of a scheduled time; false when somebody else has. */
  readonly #begin = Effect.fnUntraced(function* (self: CronJobController, course: Course, dueMs: number) {
    const { cron, status } = course
    const made = jobFromTemplate(cron, dueMs)
    const { name = "", namespace = "" } = made.metadata
    const end = yield* Effect.result(self.#client.create({ resource: jobResource, namespace }, made))
    let job: KubeObject
    if (end._tag === "Success") {
      job = end.success
      self.#tell(course, "Normal", "SuccessfulCreate", `Created job ${name}`)
    } else if (end.failure.reason === "AlreadyExists") {
      job = yield* self.#client.get({ resource: jobResource, namespace, name })
      if (!isControlledBy(job, cron) || isActive(course, job)) return false
    } else {
      if (!isNamespaceTerminating(end.failure)) {
        self.#tell(course, "Warning", "FailedCreate", `Error creating job: ${end.failure.message}`)
      }
      return yield* Effect.fail(end.failure)
    }
    status.active.push(jobReference(job))
    status.lastScheduleTime = rfc3339(dueMs)
    course.changed = true
    return true
  })
}

/** The CronJob controller. */
export const cronJobController = (manager: Manager): Controller => new CronJobController(manager).controller
