// What an object's own annotations ask of its placement, and what a policy lets them do.
// Owns their formats, KubeAdmiral's, and the rule that they narrow a policy: clusters are ruled out, never in, unless the policy grants
// more. Refuses to write annotations.
import { type Json, LabelSelector } from "#kube"
import { fieldsOf, itemsOf, numberOf, type Problems } from "#apiserver"
import { clusterLabelsOf, type ClusterTerms, clusterTermOf } from "../api/ClusterTerms.ts"
import { schedulingAnnotations as names } from "../api/FederationNames.ts"
import {
  placementOf,
  type ClusterPreferences,
  type PropagationPolicy,
  type Requirements
} from "../api/PropagationPolicy.ts"
import { tolerationsOf } from "../api/Taints.ts"

type Annotations = Readonly<Record<string, string>>

/** What scheduling an object is held to, and what of its annotations does not count. */
export interface Wished {
  readonly requirements: Requirements
  readonly notes: ReadonlyArray<string>
}

const STEERING = [
  names.schedulingMode,
  names.stickyCluster,
  names.clusterSelector,
  names.affinity,
  names.tolerations,
  names.placements,
  names.maxClusters
]

const everywhere = new LabelSelector([])

/** The annotations of one object, read one after the other. */
class Reading {
  readonly notes: Array<string> = []
  readonly problems: Problems = []
  readonly #annotations: Annotations
  readonly #policy: PropagationPolicy
  readonly #replaces: boolean

  constructor(annotations: Annotations, policy: PropagationPolicy) {
    this.#annotations = annotations
    this.#policy = policy
    this.#replaces = policy.objectOverrides === "Replace"
  }

  requirements(): Requirements {
    const policy = this.#policy
    const placement = this.#placement()
    return {
      ...policy,
      mode: this.#mode(),
      sticky: this.#sticky(),
      clusters: this.#clusters(),
      preferred: this.#preferred(),
      tolerations: this.#tolerations(),
      maxClusters: this.#maxClusters(),
      placement
    }
  }

  #json(name: string): Json | undefined {
    const text = this.#annotations[name]
    if (text === undefined) return undefined
    try {
      // SAFETY: what JSON.parse answers is JSON.
      return JSON.parse(text) as Json
    } catch {
      this.notes.push(`annotation ${name} is not JSON and is ignored`)
      return undefined
    }
  }

  #mode(): Requirements["mode"] {
    const text = this.#annotations[names.schedulingMode]
    if (text === "Duplicate" || text === "Divide") return text
    if (text !== undefined) this.notes.push(`annotation ${names.schedulingMode} must be Duplicate or Divide`)
    return this.#policy.mode
  }

  #sticky(): boolean {
    const text = this.#annotations[names.stickyCluster]
    return text === undefined ? this.#policy.sticky : text === "true"
  }

  #affinity(): { readonly required: ReadonlyArray<Json>; readonly preferred: ReadonlyArray<Json> } {
    const affinity = fieldsOf(fieldsOf(this.#json(names.affinity))["clusterAffinity"])
    const required = fieldsOf(affinity["requiredDuringSchedulingIgnoredDuringExecution"])
    return {
      required: itemsOf(required["clusterSelectorTerms"]),
      preferred: itemsOf(affinity["preferredDuringSchedulingIgnoredDuringExecution"])
    }
  }

  #clusters(): ReadonlyArray<ClusterTerms> {
    const labels = this.#json(names.clusterSelector)
    const { required } = this.#affinity()
    const asked: Array<ClusterTerms> = []
    if (labels !== undefined) asked.push({ selector: clusterLabelsOf(labels), terms: [] })
    if (required.length > 0) {
      const terms = required.map((term, at) =>
        clusterTermOf(fieldsOf(term), `${names.affinity}.clusterSelectorTerms[${at}]`, this.problems)
      )
      asked.push({ selector: everywhere, terms })
    }
    if (asked.length === 0) return this.#policy.clusters
    return this.#replaces ? asked : [...this.#policy.clusters, ...asked]
  }

  #preferred(): Requirements["preferred"] {
    return this.#affinity().preferred.map((item, at) => {
      const term = fieldsOf(fieldsOf(item)["preference"])
      const path = `${names.affinity}.preferred[${at}]`
      return {
        weight: numberOf(fieldsOf(item)["weight"]),
        terms: { selector: everywhere, terms: [clusterTermOf(term, path, this.problems)] }
      }
    })
  }

  #tolerations(): Requirements["tolerations"] {
    const list = this.#json(names.tolerations)
    if (list === undefined) return this.#policy.tolerations
    const asked = tolerationsOf(list, names.tolerations, this.problems)
    return this.#replaces ? [asked] : [...this.#policy.tolerations, asked]
  }

  #maxClusters(): number {
    const text = this.#annotations[names.maxClusters]
    if (text === undefined) return this.#policy.maxClusters
    if (!/^\d{1,9}$/.test(text)) {
      this.notes.push(`annotation ${names.maxClusters} is no count and is ignored`)
      return this.#policy.maxClusters
    }
    return this.#replaces ? Number(text) : Math.min(Number(text), this.#policy.maxClusters)
  }

  #placement(): Requirements["placement"] {
    const asked = placementOf(this.#json(names.placements), names.placements, this.problems)
    const { placement } = this.#policy
    if (asked === undefined) return placement
    if (placement === undefined || this.#replaces) return asked
    const both = new Map<string, ClusterPreferences>()
    for (const [cluster, mine] of asked) {
      const theirs = placement.get(cluster)
      if (theirs === undefined) continue
      both.set(cluster, {
        min: Math.max(mine.min, theirs.min),
        max: Math.min(mine.max, theirs.max),
        weight: mine.weight ?? theirs.weight,
        priority: mine.priority ?? theirs.priority
      })
    }
    return both
  }
}

/** Objects that ask the same of the same policy are held to the very same. */
const remembered = new WeakMap<PropagationPolicy, Map<string, Wished>>()
const MEMORY_MAX = 1024

const nothingSaid: ReadonlyArray<string> = []

/** What an object is held to: the policy itself, so long as no annotation says otherwise. */
export const wishedOf = (annotations: Annotations, policy: PropagationPolicy): Wished => {
  const asks = STEERING.filter((name) => annotations[name] !== undefined)
  if (asks.length === 0) return { requirements: policy, notes: nothingSaid }
  if (policy.objectOverrides === "Ignore") {
    return { requirements: policy, notes: [`the policy lets no annotation change it: ${asks.join(", ")}`] }
  }
  const key = asks.map((name) => `${name}=${annotations[name]}`).join("\n")
  const known = remembered.get(policy) ?? new Map<string, Wished>()
  const found = known.get(key)
  if (found !== undefined) return found
  const reading = new Reading(annotations, policy)
  const requirements = reading.requirements()
  const wished = {
    requirements,
    notes: [...reading.notes, ...reading.problems.map(({ detail, field }) => `annotation ${field}: ${detail}`)]
  }
  if (known.size >= MEMORY_MAX) known.clear()
  remembered.set(policy, known.set(key, wished))
  return wished
}
