// How many federated objects each policy stands behind, in all and by type.
// Owns counting, incrementally: each object is counted under at most four policies, once. Refuses to write, which the controller
// does. Bound: one small record for each object that names a policy.
import type { KubeObject } from "#kube"

export interface TypedCount {
  readonly group: string
  readonly resource: string
  readonly count: number
}

export interface PolicyUse {
  readonly refCount: number
  readonly typedRefCount: ReadonlyArray<TypedCount>
}

interface Counted {
  readonly policies: ReadonlyArray<string>
  readonly type: string
}

/** The kinds of policies, by the label that names one. */
export interface PolicyLabel {
  readonly label: string
  /** The plural of the policy's resource. */
  readonly resource: string
  readonly namespaced: boolean
}

/** A policy in queues and maps: "resource/namespace/name". */
export const policyKey = (resource: string, namespace: string, name: string): string =>
  `${resource}/${namespace}/${name}`

/** The policies that an object names. */
export const policiesOf = (object: KubeObject, labels: ReadonlyArray<PolicyLabel>): ReadonlyArray<string> => {
  const { labels: own = {}, namespace = "" } = object.metadata
  return labels.flatMap(({ label, namespaced, resource }) => {
    const name = own[label]
    if (name === undefined || name === "" || (namespaced && namespace === "")) return []
    return [policyKey(resource, namespaced ? namespace : "", name)]
  })
}

const ZERO: PolicyUse = { refCount: 0, typedRefCount: [] }

export class ReferenceCounts {
  readonly #objects = new Map<string, Counted>()
  readonly #policies = new Map<string, Map<string, number>>()

  /** Counts an object anew; answers the policies whose counts changed. */
  set(key: string, policies: ReadonlyArray<string>, type: string): ReadonlyArray<string> {
    const before = this.#objects.get(key)
    if (before !== undefined && before.type === type && sameTexts(before.policies, policies)) return []
    const gone = this.delete(key)
    if (policies.length > 0) this.#objects.set(key, { policies, type })
    for (const policy of policies) this.#count(policy, type, 1)
    return [...new Set([...gone, ...policies])]
  }

  /** Forgets an object; answers the policies whose counts changed. */
  delete(key: string): ReadonlyArray<string> {
    const before = this.#objects.get(key)
    if (before === undefined) return []
    this.#objects.delete(key)
    for (const policy of before.policies) this.#count(policy, before.type, -1)
    return before.policies
  }

  /** What a policy stands behind, types in alphabetical order. */
  use(policy: string): PolicyUse {
    const types = this.#policies.get(policy)
    if (types === undefined) return ZERO
    let refCount = 0
    const typedRefCount = [...types]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([type, count]): TypedCount => {
        refCount += count
        const dot = type.indexOf(".")
        return { group: dot < 0 ? "" : type.slice(dot + 1), resource: dot < 0 ? type : type.slice(0, dot), count }
      })
    return { refCount, typedRefCount }
  }

  #count(policy: string, type: string, by: 1 | -1): void {
    const types = this.#policies.get(policy) ?? new Map<string, number>()
    const count = (types.get(type) ?? 0) + by
    if (count === 0) types.delete(type)
    else types.set(type, count)
    if (types.size === 0) this.#policies.delete(policy)
    else this.#policies.set(policy, types)
  }
}

const sameTexts = (a: ReadonlyArray<string>, b: ReadonlyArray<string>): boolean =>
  a.length === b.length && a.every((text, at) => text === b[at])
