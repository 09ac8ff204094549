// When the change happened that endpoints are written for: what programs measure the lag of the network by.
// Owns what each service was last written for; refuses to write. Bound: one time for each pod of each service.
import { type KubeObject, objectKey, parseRfc3339, rfc3339 } from "#kube"
import { conditionOf } from "../PodFacts.ts"
import { VersionFacts } from "../VersionFacts.ts"

export const TRIGGER_TIME = "endpoints.kubernetes.io/last-change-trigger-time"

interface Known {
  readonly serviceMs: number
  readonly pods: ReadonlyMap<string, number>
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
    const times = new Map<string, number>()
    let earliest = Infinity
    for (const pod of pods) {
      const at = readyTimes.of(pod, undefined, undefined, () => timeOf(conditionOf(pod, "Ready")?.lastTransitionTime))
      if (at === 0) continue
      const { name = "" } = pod.metadata
      times.set(name, at)
      if (at > (before?.pods.get(name) ?? 0)) earliest = Math.min(earliest, at)
    }
    if (before === undefined || serviceMs > before.serviceMs) earliest = Math.min(earliest, serviceMs)
    this.#known.set(key, { serviceMs, pods: times })
    if (before === undefined) return serviceMs === 0 ? undefined : rfc3339(serviceMs)
    return earliest === Infinity ? undefined : rfc3339(earliest)
  }
}

/** The annotations of endpoints with the time of the change, or without one. */
export const withTriggerTime = (
  annotations: Readonly<Record<string, string>> | undefined,
  time: string | undefined
): Readonly<Record<string, string>> => {
  const { [TRIGGER_TIME]: _, ...rest } = annotations ?? {}
  return time === undefined ? rest : { ...rest, [TRIGGER_TIME]: time }
}
