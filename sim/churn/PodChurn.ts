// A cluster's pods without its controllers: so many pods, each replaced after a while by another, as deployments replace theirs.
// Owns the pace and the pods; refuses to carry the steps out. For worlds that measure nodes, the store and the binder alone.
import type { RandomStream } from "../time/RandomStream.ts"
import type { ChurnStep } from "./ChurnStep.ts"
import { loadTestPodSpec } from "./LoadTest.ts"

export interface PodChurnOptions {
  readonly pods: number
  readonly namespaces?: number
  readonly startMs?: number
  /** Pods made in one second until all are there; default 1000. */
  readonly createPerSecond?: number
  /** Pods replaced in one second from then on; default 0. */
  readonly replacePerSecond?: number
  /** Milliseconds since the world began at which the churn ends. */
  readonly untilMs: number
}

const CREATE_PER_SECOND = 1000
const POD_LABELS = { group: "churn" }

/** The steps, in the order of time; made as they are asked for. */
export function* podChurn(options: PodChurnOptions, random: RandomStream): Generator<ChurnStep> {
  const {
    createPerSecond = CREATE_PER_SECOND,
    namespaces = 1,
    pods,
    replacePerSecond = 0,
    startMs = 0,
    untilMs
  } = options
  const spec = loadTestPodSpec("churn")
  const living = Array.from({ length: pods }, (_, number) => number)
  let number = 0
  const of = (pod: number) => ({
    apiVersion: "v1",
    resource: "pods",
    namespace: `churn-${pod % namespaces}`,
    name: `pod-${pod}`
  })
  const create = (pod: number, atMs: number): ChurnStep => {
    const { name, namespace } = of(pod)
    return {
      atMs,
      verb: "create",
      of: of(pod),
      object: { apiVersion: "v1", kind: "Pod", metadata: { name, namespace, labels: POD_LABELS }, spec }
    }
  }
  for (let namespace = 0; namespace < namespaces; namespace++) {
    const name = `churn-${namespace}`
    yield {
      atMs: startMs,
      verb: "create",
      of: { apiVersion: "v1", resource: "namespaces", namespace: "", name },
      object: { apiVersion: "v1", kind: "Namespace", metadata: { name } }
    }
  }
  for (; number < pods; number++) yield create(number, startMs + (number * 1000) / createPerSecond)
  if (replacePerSecond === 0) return
  for (
    let atMs = startMs + (pods * 1000) / createPerSecond;
    atMs < untilMs;
    atMs += random.exponential(1000 / replacePerSecond)
  ) {
    const place = random.below(living.length)
    yield { atMs, verb: "delete", of: of(living[place]) }
    living[place] = number
    yield create(number++, atMs)
  }
}
