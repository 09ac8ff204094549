// The HorizontalPodAutoscaler controller: every fifteen seconds it asks what is used, and scales what the spec names.
// Owns the order of one sync, its conditions and events; metrics, arithmetic and memory have files of their own. Source: kubernetes
// pkg/controller/podautoscaler/horizontal.go.
import { Effect } from "effect"
import {
  ApiFailure,
  type Cancel,
  type Controller,
  effectClient,
  type EffectClient,
  Failures,
  gvr,
  type Informer,
  type KubeObject,
  type LabelSelector,
  makeController,
  objectKey,
  parseLabelSelector,
  quantityOf,
  QuantityInvalid,
  rfc3339,
  SelectorInvalid
} from "#kube"
import type { EventSink } from "../EventRecorder.ts"
import { KindResources } from "../KindResources.ts"
import type { Manager } from "../Manager.ts"
import { type Fields, fieldsIn, fieldsOf, itemsOf, numberIn, numberOf, textOf } from "../Parts.ts"
import { podResource } from "../PodControl.ts"
import { Freshness } from "../Freshness.ts"
import { annotatedMetrics, otherwise } from "./AnnotatedMetrics.ts"
import { AutoscalerStatus } from "./AutoscalerStatus.ts"
import { askMetric, MetricFailure } from "./MetricReplicas.ts"
import type { MetricSource } from "./MetricSource.ts"
import { Recommendations } from "./Recommendations.ts"
import { type CalculatorSettings, type Tolerances, usualCalculator } from "./ReplicaCalculator.ts"
import { type ScaleTarget, ScaleTargets } from "./ScaleTargets.ts"
import { AutoscalerSelectors } from "./Selectors.ts"
import { servedMetrics } from "./ServedMetrics.ts"

const NAME = "horizontal-pod-autoscaler-controller"

/** What kube-controller-manager's flags say, with its defaults. */
export interface AutoscalerSettings {
  /** Who knows what is used. Default: the server, and annotations for what it does not serve. */
  readonly source?: MetricSource
  /** Between two looks at one autoscaler. Default 15,000. */
  readonly periodMs?: number
  /** How far back a higher recommendation holds back a scaling down. Default 300,000. */
  readonly downscaleStabilizationMs?: number
  /** A fraction. Default 0.1. */
  readonly tolerance?: number
  readonly calculator?: CalculatorSettings
}

const usualSettings = {
  periodMs: 15_000,
  downscaleStabilizationMs: 300_000,
  tolerance: 0.1,
  calculator: usualCalculator
} as const
const autoscalers = gvr("autoscaling", "v2", "horizontalpodautoscalers")

/** One sync under way. */
interface Course {
  readonly key: string
  readonly autoscaler: KubeObject
  readonly spec: Fields
  readonly status: AutoscalerStatus
  readonly nowMs: number
  readonly scaled: ScaleTarget
  readonly current: number
}

/** What metrics ask for, once all were asked. */
interface Wanted {
  readonly replicas: number
  readonly metric: string
  readonly statuses: ReadonlyArray<Fields>
  /** Of metrics that could not be had while others could. */
  readonly problem: string | undefined
}

const toleranceIn = (rules: unknown): number | undefined => {
  const value = fieldsOf(rules)["tolerance"]
  if (typeof value !== "string" && typeof value !== "number") return undefined
  const read = quantityOf(value)
  return read instanceof QuantityInvalid ? undefined : Number(read.unscaled) * 10 ** read.scale
}

const tolerancesOf = ({ behavior }: Fields, usual: number): Tolerances => {
  const { scaleDown, scaleUp } = fieldsOf(behavior)
  return { down: toleranceIn(scaleDown) ?? usual, up: toleranceIn(scaleUp) ?? usual }
}

const leastOf = ({ minReplicas }: Fields): number => numberIn(minReplicas) ?? 1
const mayWake = ({ metrics }: Fields): boolean =>
  itemsOf(metrics).some(({ type }) => type === "Object" || type === "External")

class AutoscalerController {
  readonly controller: Controller
  readonly #manager: Manager
  readonly #client: EffectClient
  readonly #events: EventSink
  readonly #settings: Required<Omit<AutoscalerSettings, "source">>
  readonly #source: MetricSource
  readonly #targets: ScaleTargets
  readonly #kinds: KindResources
  readonly #autoscalers: Informer
  readonly #pods: Informer
  readonly #queue: Controller
  readonly #written: Freshness
  readonly #selectors = new AutoscalerSelectors()
  readonly #memory = new Map<string, Recommendations>()
  #cancel: Cancel | undefined

  constructor(manager: Manager, { source, ...settings }: AutoscalerSettings) {
    this.#settings = { ...usualSettings, ...settings }
    const { client, clockwork, events, informers } = manager
    this.#manager = manager
    this.#client = effectClient(client)
    this.#events = events.from("horizontal-pod-autoscaler")
    this.#kinds = new KindResources(manager)
    this.#targets = new ScaleTargets(this.#client, this.#kinds)
    this.#source =
      source ?? otherwise(servedMetrics(client, this.#kinds), annotatedMetrics(client, clockwork, this.#kinds))
    this.#autoscalers = informers.informer(autoscalers)
    this.#pods = informers.informer(podResource)
    this.#written = new Freshness([this.#autoscalers])
    this.#queue = makeController({
      name: NAME,
      clockwork,
      watches: [this.#autoscalers, this.#pods, this.#kinds.informer].map((informer) => ({
        informer,
        keys: () => undefined
      })),
      workers: manager.syncs(NAME),
      onFailure: (key, failure) => manager.failed(NAME, key, failure),
      reconcile: (key) => this.#sync(this, key)
    })
    this.controller = { ...this.#queue, start: () => this.#start(), stop: () => this.#stop() }
  }

  #start(): void {
    this.#cancel = this.#autoscalers.addHandler({
      added: (one) => this.#now(one),
      updated: (before, after) => {
        // A status that was written is no reason to hurry.
        if (before.metadata.generation !== after.metadata.generation) this.#now(after)
        else this.#queue.enqueueAfter(objectKey(after), this.#settings.periodMs)
      },
      deleted: ({ metadata }) => {
        this.#selectors.delete(metadata.namespace ?? "", metadata.name ?? "")
        this.#written.forget(`${metadata.namespace ?? ""}/${metadata.name ?? ""}`)
      }
    })
    this.#queue.start()
  }

  #stop(): void {
    this.#cancel?.()
    this.#queue.stop()
  }

  #now(one: KubeObject): void {
    this.#selectors.add(one.metadata.namespace ?? "", one.metadata.name ?? "")
    this.#queue.enqueue(objectKey(one))
  }

  /** A sync that failed is not hurried either: what it lacks seldom comes sooner. */
  readonly #sync = Effect.fnUntraced(function* (self: AutoscalerController, key: string) {
    const again = { requeueAfterMs: self.#settings.periodMs }
    if (!self.#written.isFresh(key)) return again
    const autoscaler = self.#autoscalers.store.get(key)
    if (autoscaler === undefined) {
      self.#memory.delete(key)
      return undefined
    }
    const end = yield* Effect.result(self.#reconcile(self, key, autoscaler))
    if (end._tag === "Failure") self.#manager.failed(NAME, key, end.failure)
    return again
  })

  readonly #reconcile = Effect.fnUntraced(function* (self: AutoscalerController, key: string, autoscaler: KubeObject) {
    const nowMs = self.#manager.clockwork.now()
    const status = new AutoscalerStatus(autoscaler, rfc3339(nowMs))
    const target = yield* Effect.result(self.#targets.find(autoscaler))
    if (target._tag === "Failure") {
      const { message } = target.failure
      self.#events.event(autoscaler, "Warning", "FailedGetScale", message)
      const why = `the HPA controller was unable to get the target's current scale: ${message}`
      status.set("AbleToScale", false, "FailedGetScale", why)
      yield* self.#write(key, autoscaler, status)
      return yield* Effect.fail(target.failure)
    }
    const scaled = target.success
    status.set(
      "AbleToScale",
      true,
      "SucceededGetScale",
      "the HPA controller was able to get the target's current scale"
    )
    const current = numberOf(fieldsOf(scaled.scale.spec)["replicas"])
    self.#memoryOf(key).begin(current, nowMs)
    const course: Course = { key, autoscaler, spec: fieldsOf(autoscaler.spec), status, nowMs, scaled, current }
    yield* self.#decide(self, course)
  })

  #memoryOf(key: string): Recommendations {
    const known = this.#memory.get(key) ?? new Recommendations(this.#settings.downscaleStabilizationMs)
    this.#memory.set(key, known)
    return known
  }

  readonly #decide = Effect.fnUntraced(function* (self: AutoscalerController, course: Course) {
    const { autoscaler, current, spec, status } = course
    const [least, most] = [leastOf(spec), numberOf(spec["maxReplicas"])]
    const wasSentToSleep = status.isTrue("ScaledToZero")
    if (current === 0 && !(wasSentToSleep && (least !== 0 || mayWake(spec)))) {
      const why = "scaling is disabled since the replica count of the target is zero"
      status.set("ScalingActive", false, "ScalingDisabled", why)
      status.count(current, current, [], false)
      return yield* self.#write(course.key, autoscaler, status)
    }
    if (current > most) {
      return yield* self.#scale(self, course, most, "Current number of replicas above Spec.MaxReplicas", [])
    }
    if (current !== 0 && current < least) {
      return yield* self.#scale(self, course, least, "Current number of replicas below Spec.MinReplicas", [])
    }
    const wanted = yield* Effect.result(self.#measure(self, course))
    if (wanted._tag === "Failure") {
      const { message, statuses } = wanted.failure
      status.count(current, status.desiredReplicas, statuses, false)
      yield* self.#write(course.key, autoscaler, status)
      self.#events.event(autoscaler, "Warning", "FailedComputeMetricsReplicas", message)
      return yield* Effect.fail(Failures.internal(message))
    }
    const { metric, problem, replicas, statuses } = wanted.success
    const { desired, reason } = self.#bounded(course, replicas, metric, { current, least, most })
    if (desired === current) {
      status.count(current, current, statuses, false)
      yield* self.#write(course.key, autoscaler, status)
    } else yield* self.#scale(self, course, desired, reason, statuses)
    if (problem !== undefined) return yield* Effect.fail(Failures.internal(problem))
    return undefined
  })

  /** What metrics ask for, held back and kept within bounds. */
  #bounded(
    { key, nowMs, spec, status }: Course,
    replicas: number,
    metric: string,
    bounds: { readonly current: number; readonly least: number; readonly most: number }
  ): { readonly desired: number; readonly reason: string } {
    const { current, least } = bounds
    const reason = replicas > current ? `${metric} above target` : replicas < current ? "All metrics below target" : ""
    const found = this.#memoryOf(key).normalize(replicas, bounds, fieldsIn(spec["behavior"]), nowMs)
    const { isLimited, isStabilized, limited, stabilized } = found
    if (isStabilized) status.set("AbleToScale", true, stabilized.reason, stabilized.message)
    else status.set("AbleToScale", true, "ReadyForNewScale", "recommended size matches current size")
    status.set("ScalingLimited", isLimited, limited.reason, limited.message)
    if (current === 0 && limited.replicas < least) {
      return { desired: least, reason: reason === "" ? "Current number of replicas below Spec.MinReplicas" : reason }
    }
    return { desired: limited.replicas, reason }
  }

  /** The most that any metric asks for. What cannot be measured stops a scaling down, never one up. */
  readonly #measure = Effect.fnUntraced(function* (self: AutoscalerController, course: Course) {
    const { autoscaler, current, nowMs, scaled, spec, status } = course
    const { selector, replicas: statusReplicas } = fieldsOf(scaled.scale.status)
    const found = self.#select(course, textOf(selector))
    if (typeof found === "string") return yield* Effect.fail({ message: found, statuses: [] as ReadonlyArray<Fields> })
    const { namespace = "" } = autoscaler.metadata
    const metrics = itemsOf(spec["metrics"])
    const ask = {
      source: self.#source,
      query: { namespace, ...found },
      specReplicas: current,
      statusReplicas: numberOf(statusReplicas),
      tolerances: tolerancesOf(spec, self.#settings.tolerance),
      settings: self.#settings.calculator,
      nowMs
    }
    let [replicas, metric] = [0, ""]
    const statuses: Array<Fields> = []
    const failures: Array<MetricFailure> = []
    for (const one of metrics) {
      const end = yield* Effect.result(askMetric(ask, one))
      if (end._tag === "Failure") {
        self.#events.event(autoscaler, "Warning", end.failure.reason, end.failure.message)
        failures.push(end.failure)
        statuses.push({ type: "" })
        continue
      }
      statuses.push(end.success.status)
      if (replicas === 0 || end.success.replicas > replicas) ({ name: metric, replicas } = end.success)
    }
    const [first] = failures
    const problem =
      first && `invalid metrics (${failures.length} invalid out of ${metrics.length}), first error is: ${first.whole}`
    if (first !== undefined && (failures.length >= metrics.length || replicas < current)) {
      const why = `the HPA was unable to compute the replica count: ${first.message}`
      status.set("ScalingActive", false, first.reason, why)
      return yield* Effect.fail({ message: problem ?? "", statuses })
    }
    const why = `the HPA was able to successfully calculate a replica count from ${metric}`
    status.set("ScalingActive", true, "ValidMetricFound", why)
    return { replicas, metric, statuses, problem } satisfies Wanted
  })

  /** The pods of the workload, or why they cannot be told. */
  #select(
    { autoscaler, status }: Course,
    text: string
  ): string | { readonly selector: LabelSelector; readonly pods: ReadonlyArray<KubeObject> } {
    const { name = "", namespace = "" } = autoscaler.metadata
    const refuse = (event: string, reason: string, message: string, shown = message): string => {
      this.#events.event(autoscaler, "Warning", event, message)
      status.set("ScalingActive", false, reason, shown)
      return message
    }
    if (text === "") {
      const shown = "the HPA target's scale is missing a selector"
      return refuse("SelectorRequired", "InvalidSelector", "selector is required", shown)
    }
    const selector = parseLabelSelector(text)
    if (selector instanceof SelectorInvalid) {
      const why = `couldn't convert selector into a corresponding internal selector object: ${selector.message}`
      return refuse("InvalidSelector", "InvalidSelector", why)
    }
    this.#selectors.set(namespace, name, selector)
    const pods = this.#pods.store
      .inNamespace(namespace)
      .filter(({ metadata }) => selector.matches(metadata.labels ?? {}))
    const selecting = this.#selectors.selecting(namespace, pods)
    if (selecting.length < 2) return { selector, pods }
    const names = selecting.map((other) => `{${other} ${namespace}}`).join(" ")
    const why = `pods by selector ${text} are controlled by more than one HPA (e.g. [${names}])`
    return refuse("AmbiguousSelector", "AmbiguousSelector", why)
  }

  readonly #scale = Effect.fnUntraced(function* (
    self: AutoscalerController,
    course: Course,
    desired: number,
    reason: string,
    statuses: ReadonlyArray<Fields>
  ) {
    const { autoscaler, current, key, nowMs, scaled, spec, status } = course
    const end = yield* Effect.result(self.#targets.update(scaled, desired))
    if (end._tag === "Failure") {
      const { message } = end.failure
      const told = `New size: ${desired}; reason: ${reason}; error: ${message}`
      self.#events.event(autoscaler, "Warning", "FailedRescale", told)
      const why = `the HPA controller was unable to update the target scale: ${message}`
      status.set("AbleToScale", false, "FailedUpdateScale", why)
      status.count(current, status.desiredReplicas, statuses, false)
      yield* self.#write(key, autoscaler, status)
      return yield* Effect.fail(end.failure)
    }
    const why = `the HPA controller was able to update the target scale to ${desired}`
    status.set("AbleToScale", true, "SucceededRescale", why)
    self.#events.event(autoscaler, "Normal", "SuccessfulRescale", `New size: ${desired}; reason: ${reason}`)
    self.#memoryOf(key).scaled(current, desired, fieldsIn(spec["behavior"]), nowMs)
    const sleeps = current > 0 && desired === 0 && leastOf(spec) === 0 && mayWake(spec)
    if (sleeps) status.set("ScaledToZero", true, "ScaledToZero", "the HPA controller scaled the workload to zero")
    else {
      const awake = "the HPA controller did not scale the workload to zero"
      status.set("ScaledToZero", false, "NotScaledToZero", awake)
    }
    status.count(current, desired, statuses, true)
    yield* self.#write(key, autoscaler, status)
  })

  #write(key: string, autoscaler: KubeObject, status: AutoscalerStatus): Effect.Effect<void, ApiFailure> {
    const changed = status.changed()
    if (changed === undefined) return Effect.void
    const { name = "", namespace = "" } = autoscaler.metadata
    const target = { resource: autoscalers, namespace, name, subresource: "status" }
    return this.#client.update(target, { ...autoscaler, status: changed }).pipe(
      Effect.tapError(({ message }) =>
        Effect.sync(() => this.#events.event(autoscaler, "Warning", "FailedUpdateStatus", message))
      ),
      Effect.map((written) => this.#written.wrote(key, this.#autoscalers, written.metadata.resourceVersion))
    )
  }
}

/** The controller of HorizontalPodAutoscalers. */
export const autoscalerController = (manager: Manager, settings: AutoscalerSettings = {}): Controller =>
  new AutoscalerController(manager, settings).controller
