// Which policies and profiles an object has, as the host's informers know them now.
// Owns this knowledge and who hears of its changes; refuses the choice among policies, which their index makes, and their reading.
import type { Cancel, Informer, JsonObject, KubeObject } from "#kube"
import { mapOf, fieldsOf, textOf } from "#apiserver"
import { federationLabels } from "../api/FederationNames.ts"
import { type OverridePolicy, overridePolicyOf } from "../api/OverridePolicy.ts"
import { propagationPolicyOf } from "../api/PropagationPolicy.ts"
import { defaultSchedulingProfile, type SchedulingProfile, schedulingProfileOf } from "../api/SchedulingProfile.ts"
import type { PolicyChoice } from "../scheduling/Outcome.ts"
import { PolicyIndex } from "../scheduling/PolicyIndex.ts"

/** Informers of everything that steers. */
export interface PolicyInformers {
  readonly propagation: Informer
  readonly clusterPropagation: Informer
  readonly overrides: Informer
  readonly clusterOverrides: Informer
  readonly profiles: Informer
}

type Texts = Readonly<Record<string, string>>

/** What an object is overridden by; `missing` are names that no policy has. */
export interface OverrideChoice {
  readonly policies: ReadonlyArray<OverridePolicy>
  readonly missing: ReadonlyArray<string>
}

export class Policies {
  readonly #informers: PolicyInformers
  readonly #index = new PolicyIndex()
  readonly #stops: ReadonlyArray<Cancel>
  readonly #listeners = new Set<(policy: KubeObject) => void>()

  constructor(informers: PolicyInformers) {
    this.#informers = informers
    this.#stops = Object.values(informers).map((informer: Informer) => {
      const indexes = informer === informers.propagation || informer === informers.clusterPropagation
      const changed = (object: KubeObject): void => {
        if (indexes) this.#index.set(propagationPolicyOf(object))
        for (const listener of this.#listeners) listener(object)
      }
      return informer.addHandler({
        added: changed,
        // Counters in a policy's status concern no object.
        updated: (old, after) => {
          if (old.metadata.generation !== after.metadata.generation || old.metadata.uid !== after.metadata.uid)
            changed(after)
        },
        deleted: (object) => {
          if (indexes) this.#index.delete(object.metadata.namespace ?? "", object.metadata.name ?? "")
          for (const listener of this.#listeners) listener(object)
        }
      })
    })
  }

  /** Called for each policy or profile that comes, changes or goes. */
  onChange(listener: (policy: KubeObject) => void): Cancel {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** The propagation policy of an object. */
  propagation(labels: Texts, template: JsonObject): PolicyChoice {
    const metadata = fieldsOf(template["metadata"])
    return this.#index.choose({
      apiVersion: textOf(template["apiVersion"]),
      kind: textOf(template["kind"]),
      namespace: textOf(metadata["namespace"]),
      name: textOf(metadata["name"]),
      labels: { ...mapOf(metadata["labels"]), ...labels }
    })
  }

  /** The override policies of an object: of the cluster first. */
  overrides(labels: Texts, namespace: string): OverrideChoice {
    const { clusterOverrides, overrides } = this.#informers
    const policies: Array<OverridePolicy> = []
    const missing: Array<string> = []
    const take = (informer: Informer, name: string, key: string): void => {
      if (name === "") return
      const object = informer.store.get(key)
      if (object === undefined) missing.push(name)
      else policies.push(overridePolicyOf(object))
    }
    const clusterName = labels[federationLabels.clusterOverridePolicy] ?? ""
    take(clusterOverrides, clusterName, clusterName)
    const name = labels[federationLabels.overridePolicy] ?? ""
    if (namespace !== "") take(overrides, name, `${namespace}/${name}`)
    return { policies, missing }
  }

  /** The profile of a policy. */
  profile(policy: PolicyChoice): SchedulingProfile | "missing" {
    if (typeof policy === "string" || policy.profile === "") return defaultSchedulingProfile
    const object = this.#informers.profiles.store.get(policy.profile)
    return object === undefined ? "missing" : schedulingProfileOf(object)
  }

  stop(): void {
    for (const stop of this.#stops) stop()
  }
}
