// The status of an autoscaler during one sync: conditions with their times, replicas, what the metrics said.
// Owns its form and whether it differs from what is stored; refuses to decide anything.
import { type JsonObject, type KubeObject, sameJson } from "#kube"
import { type Fields, fieldsOf, itemsOf, numberOf, present } from "../Parts.ts"

export class AutoscalerStatus {
  readonly #autoscaler: KubeObject
  readonly #before: Fields
  readonly #now: string
  #conditions: ReadonlyArray<Fields>
  #counts: Fields

  constructor(autoscaler: KubeObject, now: string) {
    this.#autoscaler = autoscaler
    this.#before = fieldsOf(autoscaler.status)
    this.#now = now
    this.#conditions = itemsOf(this.#before["conditions"])
    this.#counts = this.#before
  }

  get desiredReplicas(): number {
    return numberOf(this.#before["desiredReplicas"])
  }

  /** Whether a condition is there and true. */
  isTrue(type: string): boolean {
    return this.#conditions.some((one) => one["type"] === type && one["status"] === "True")
  }

  /** Sets a condition; one that keeps its state keeps its time. */
  set(type: string, isTrue: boolean, reason: string, message: string): void {
    const known = this.#conditions.find((one) => one["type"] === type)
    const status = isTrue ? "True" : "False"
    const lastTransitionTime = known?.["status"] === status ? (known["lastTransitionTime"] ?? this.#now) : this.#now
    const condition: Fields = { type, status, lastTransitionTime, reason, message }
    this.#conditions =
      known === undefined
        ? [...this.#conditions, condition]
        : this.#conditions.map((one) => (one === known ? condition : one))
  }

  /** What was found, and whether the workload was scaled just now. */
  count(current: number, desired: number, metrics: ReadonlyArray<Fields>, wasScaled: boolean): void {
    this.#counts = present({
      observedGeneration: this.#autoscaler.metadata.generation,
      lastScaleTime: wasScaled ? this.#now : this.#before["lastScaleTime"],
      currentReplicas: current === 0 ? undefined : current,
      desiredReplicas: desired,
      currentMetrics: metrics.length === 0 ? null : metrics
    })
  }

  /** The status to write; undefined when it says what is stored. */
  changed(): JsonObject | undefined {
    const { conditions: _old, ...counts } = this.#counts
    const status = present({
      ...counts,
      conditions: this.#conditions.length === 0 ? undefined : this.#conditions
    })
    return sameJson(withoutNothing(status), withoutNothing(this.#before)) ? undefined : status
  }
}

const withoutNothing = (status: Fields): Fields =>
  Object.fromEntries(
    Object.entries(status).filter(
      ([, value]) => value !== null && value !== 0 && !(Array.isArray(value) && value.length === 0)
    )
  )
