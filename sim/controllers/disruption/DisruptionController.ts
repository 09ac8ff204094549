// The disruption controller: keeps the status of each PodDisruptionBudget true to its pods, so that evictions know what they may take.
// Owns the wake-ups, the order of a sync and what happens when it fails: then nothing may be disrupted. Source: kubernetes
// pkg/controller/disruption/disruption.go.
import { Effect } from "effect"
import {
  ApiFailure,
  type Controller,
  controllerOf,
  effectClient,
  type EffectClient,
  gvr,
  type Informer,
  type JsonObject,
  type KubeObject,
  labelSelectorOf,
  makeController,
  objectKey,
  rfc3339,
  sameJson,
  SelectorInvalid
} from "#kube"
import type { EventSink } from "../EventRecorder.ts"
import { goSelector } from "../GoSelector.ts"
import { KindResources } from "../KindResources.ts"
import type { Manager } from "../Manager.ts"
import { fieldsIn, fieldsOf, numberOf } from "../Parts.ts"
import { podResource } from "../PodControl.ts"
import { isReady } from "../PodFacts.ts"
import { budgetStatus, countHealthy, scaled, sortDisrupted, withCondition } from "./BudgetStatus.ts"
import { type ExpectedUnknown, PodControllers } from "./ExpectedPods.ts"
import { staleDisruptions } from "./StaleDisruptions.ts"

const NAME = "disruption-controller"
const budgetResource = gvr("policy", "v1", "poddisruptionbudgets")

/** Added to the wait for a pod that should go: it is overdue after that time, not at it. */
const LATER_MS = 5

const selectorOf = ({ spec }: KubeObject): ReturnType<typeof labelSelectorOf> =>
  labelSelectorOf(fieldsIn(fieldsOf(spec)["selector"]))

/** Whether a pod counts otherwise than before, or for another budget: most of what is said of a pod changes no budget. */
const countsOtherwise = (before: KubeObject, after: KubeObject): boolean =>
  isReady(before) !== isReady(after) ||
  before.metadata.deletionTimestamp !== after.metadata.deletionTimestamp ||
  !sameJson(before.metadata.labels, after.metadata.labels) ||
  controllerOf(before)?.uid !== controllerOf(after)?.uid

class DisruptionController {
  readonly controllers: ReadonlyArray<Controller>
  readonly #client: EffectClient
  readonly #events: EventSink
  readonly #budgets: Informer
  readonly #pods: Informer
  readonly #above: PodControllers
  readonly #nowMs: () => number

  constructor(manager: Manager) {
    const { clockwork, events, informers } = manager
    this.#nowMs = clockwork.now
    this.#client = effectClient(manager.client)
    this.#events = events.from("controllermanager")
    this.#budgets = informers.informer(budgetResource)
    this.#pods = informers.informer(podResource)
    this.#above = new PodControllers(manager, this.#client, new KindResources(manager))
    const silent = this.#above.informers.map((informer) => ({ informer, keys: () => undefined }))
    const budgets = makeController({
      name: NAME,
      clockwork,
      watches: [
        { informer: this.#budgets, keys: objectKey },
        { informer: this.#pods, keys: (pod) => this.#budgetOf(pod), changed: countsOtherwise },
        ...silent
      ],
      workers: manager.syncs(NAME),
      onFailure: (key, failure) => manager.failed(NAME, key, failure),
      reconcile: (key) => this.#sync(this, key)
    })
    this.controllers = [budgets, staleDisruptions(manager, this.#client, this.#pods)]
  }

  /** The budget of a pod. Of several one is chosen, and the pod's owner is told. */
  #budgetOf(pod: KubeObject): string | undefined {
    const { labels, name = "", namespace = "" } = pod.metadata
    if (labels === undefined) return undefined
    const [first, ...others] = this.#budgets.store.inNamespace(namespace).filter((budget) => {
      const selector = selectorOf(budget)
      return !(selector instanceof SelectorInvalid) && selector.matches(labels)
    })
    if (first === undefined) return undefined
    if (others.length > 0) {
      const message =
        `Pod ${JSON.stringify(namespace)}/${JSON.stringify(name)} matches multiple PodDisruptionBudgets.  ` +
        `Chose ${JSON.stringify(first.metadata.name ?? "")} arbitrarily.`
      this.#events.event(pod, "Warning", "MultiplePodDisruptionBudgets", message)
    }
    return objectKey(first)
  }

  readonly #sync = Effect.fnUntraced(function* (self: DisruptionController, key: string) {
    const budget = self.#budgets.store.get(key)
    if (budget === undefined) return undefined
    const end = yield* Effect.result(self.#judge(self, budget))
    if (end._tag === "Success") return end.success === undefined ? undefined : { requeueAfterMs: end.success }
    const { failure } = end
    if (failure instanceof ApiFailure && failure.reason === "Conflict") return yield* Effect.fail(failure)
    yield* self.#failSafe(budget, failure.message)
    return undefined
  })

  #podsOf(budget: KubeObject): ReadonlyArray<KubeObject> {
    const selector = selectorOf(budget)
    if (selector instanceof SelectorInvalid) return []
    return this.#pods.store.selected(budget.metadata.namespace ?? "", selector)
  }

  /** Brings the status up to date; answers the milliseconds until the next look, if one is due by itself. */
  readonly #judge = Effect.fnUntraced(function* (self: DisruptionController, budget: KubeObject) {
    const pods = self.#podsOf(budget)
    if (pods.length === 0) self.#events.event(budget, "Normal", "NoPods", "No matching pods found")
    const { desiredHealthy, expectedPods } = yield* self.#expected(self, budget, pods)
    const nowMs = self.#nowMs()
    const { againInMs, expected, overdue } = sortDisrupted(budget, pods, nowMs)
    const { namespace = "" } = budget.metadata
    for (const pod of overdue) {
      // Upstream names the namespace twice.
      const message = `Pod was expected by PDB ${namespace}/${namespace} to be deleted but it wasn't`
      self.#events.event(pod, "Warning", "NotDeleted", message)
    }
    const currentHealthy = countHealthy(pods, expected, nowMs)
    const counts = { currentHealthy, desiredHealthy, expectedPods, disruptedPods: expected }
    const status = budgetStatus(budget, counts, rfc3339(nowMs))
    if (status !== undefined) yield* self.#write(budget, status)
    return againInMs === undefined ? undefined : againInMs + LATER_MS
  })

  readonly #expected = Effect.fnUntraced(function* (
    self: DisruptionController,
    budget: KubeObject,
    pods: ReadonlyArray<KubeObject>
  ) {
    const { maxUnavailable, minAvailable } = fieldsOf(budget.spec)
    if (maxUnavailable === undefined && typeof minAvailable === "number") {
      return { desiredHealthy: minAvailable, expectedPods: pods.length }
    }
    if (maxUnavailable === undefined && minAvailable === undefined) return { desiredHealthy: 0, expectedPods: 0 }
    const { count, unmanaged } = yield* self.#above.expected(pods).pipe(
      Effect.tapError(({ message }: ApiFailure | ExpectedUnknown) =>
        Effect.sync(() => {
          const why = `Failed to calculate the number of expected pods: ${message}`
          self.#events.event(budget, "Warning", "CalculateExpectedPodCountFailed", why)
        })
      )
    )
    if (unmanaged.length > 0) {
      const why =
        `Pods selected by this PodDisruptionBudget (selector: ${goSelector(fieldsOf(budget.spec)["selector"])}) were ` +
        "found to be unmanaged. As a result, the status of the PDB cannot be calculated correctly, which may result in " +
        'undefined behavior. To account for these pods please set ".spec.minAvailable" field of the PDB to an integer value.'
      self.#events.event(budget, "Warning", "UnmanagedPods", why)
    }
    const desiredHealthy =
      maxUnavailable === undefined ? scaled(minAvailable, count) : Math.max(0, count - scaled(maxUnavailable, count))
    return { desiredHealthy, expectedPods: count }
  })

  #write(budget: KubeObject, status: JsonObject): Effect.Effect<KubeObject, ApiFailure> {
    const { name = "", namespace = "" } = budget.metadata
    return this.#client.update(
      { resource: budgetResource, namespace, name, subresource: "status" },
      { ...budget, status }
    )
  }

  /** Where nobody knows better, nothing may be disrupted. */
  #failSafe(budget: KubeObject, message: string): Effect.Effect<KubeObject, ApiFailure> {
    const status = fieldsOf(budget.status)
    const condition = { type: "DisruptionAllowed", status: "False", reason: "SyncFailed", message }
    const generation = numberOf(status["observedGeneration"])
    const conditions = withCondition(status["conditions"], condition, generation, rfc3339(this.#nowMs()))
    return this.#write(budget, {
      currentHealthy: 0,
      desiredHealthy: 0,
      expectedPods: 0,
      ...status,
      disruptionsAllowed: 0,
      conditions
    })
  }
}

/** The controller of disruption budgets, and beside it the one that takes stale conditions back. */
export const disruptionController = (manager: Manager): ReadonlyArray<Controller> =>
  new DisruptionController(manager).controllers
