// When the change happened that endpoints are written for: what programs measure the lag of the network by.
// Owns what each service was last written for; refuses to write. Bound: one time for each pod of each service.
import { type KubeObject, objectKey, parseRfc3339, rfc3339 } from "#kube"
import { conditionOf } from "../PodFacts.ts"
import { VersionFacts } from "../VersionFacts.ts"

export const TRIGGER_TIME = "endpoints.kubernetes.io/last-change-trigger-time"

interface Known {
  serviceMs: number
  /** Kept and changed in place: a map for each look would be the largest thing that a look leaves behind. */
  readonly pods: Map<string, Ready>
  /** Counts the looks, to tell pods that are gone. */
  turn: number
}

interface Ready {
  at: number
  turn: number
}

const timeOf = (text: string | undefined): number => (text === undefined ? 0 : (parseRfc3339(text) ?? 0))

/** When a pod became ready, or ceased to be; shared by all who ask. */
const readyTimes = new VersionFacts<undefined, number>()

export class TriggerTimes {
  readonly #known = new Map<string, Known>()

  forget(service: string): void {
    this.#known.delete(service)
  }

  /** The earliest change since the last call for this service, as RFC 3339; undefined when nothing has one. */
  next(service: KubeObject, pods: ReadonlyArray<KubeObject>): string | undefined {
    const key = objectKey(service)
    const before = this.#known.get(key)
    const serviceMs = timeOf(service.metadata.creationTimestamp)
    const known = before ?? { serviceMs, pods: new Map<string, Ready>(), turn: 0 }
    if (before === undefined) this.#known.set(key, known)
    let earliest = newlyReady(known, pods)
    if (before === undefined) return serviceMs === 0 ? undefined : rfc3339(serviceMs)
    if (serviceMs > known.serviceMs) earliest = Math.min(earliest, serviceMs)
    known.serviceMs = serviceMs
    return earliest === Infinity ? undefined : rfc3339(earliest)
  }
}

/** Notes when pods became ready, and answers the earliest time that is later than was known of its pod; Infinity without one. */
const newlyReady = (known: Known, pods: ReadonlyArray<KubeObject>): number => {
  const turn = ++known.turn
  let earliest = Infinity
  let count = 0
  for (const pod of pods) {
    const at = readyTimes.of(pod, undefined, undefined, () => timeOf(conditionOf(pod, "Ready")?.lastTransitionTime))
    if (at === 0) continue
    count++
    const { name = "" } = pod.metadata
    const ready = known.pods.get(name)
    if (at > (ready?.at ?? 0)) earliest = Math.min(earliest, at)
    if (ready === undefined) known.pods.set(name, { at, turn })
    else {
      ready.at = at
      ready.turn = turn
    }
  }
  if (known.pods.size === count) return earliest
  for (const [name, ready] of known.pods) if (ready.turn !== turn) known.pods.delete(name)
  return earliest
}

/** The annotations of endpoints with the time of the change, or without one. */
export const withTriggerTime = (
  annotations: Readonly<Record<string, string>> | undefined,
  time: string | undefined
): Readonly<Record<string, string>> => {
  const { [TRIGGER_TIME]: _, ...rest } = annotations ?? {}
  return time === undefined ? rest : { ...rest, [TRIGGER_TIME]: time }
}
