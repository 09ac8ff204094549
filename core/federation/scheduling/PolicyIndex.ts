// Which policy is an object's: the one that its label names, or else the best of those that select it.
// Owns the order: a label before selectors, a policy of the namespace before one of the whole federation, then priority, then how closely
// it selects, then the name. Refuses to read labels of policies, and to place anything.
import type { Labels } from "#kube"
import { federationLabels } from "../api/FederationNames.ts"
import type { PropagationPolicy, ResourceSelector } from "../api/PropagationPolicy.ts"
import type { PolicyChoice } from "./Outcome.ts"

/** An object that looks for its policy. */
export interface PolicySubject {
  readonly apiVersion: string
  readonly kind: string
  /** Empty for what is in no namespace. */
  readonly namespace: string
  readonly name: string
  /** Of the source object. */
  readonly labels: Labels
}

const says = (asked: string, given: string): boolean => asked === "" || asked === given

const selects = (selector: ResourceSelector, subject: PolicySubject): boolean =>
  says(selector.kind, subject.kind) &&
  says(selector.apiVersion, subject.apiVersion) &&
  says(selector.namespace, subject.namespace) &&
  says(selector.name, subject.name) &&
  selector.labels.matches(subject.labels)

/** How closely a selector selects: a name, then labels, then a kind, then anything. */
const closeness = ({ kind, labels, name }: ResourceSelector): number =>
  name !== "" ? 3 : !labels.empty ? 2 : kind !== "" ? 1 : 0

interface Match {
  readonly policy: PropagationPolicy
  readonly closeness: number
}

/** Whether a match comes before another. */
const isBetter = (a: Match, b: Match | undefined): boolean =>
  b === undefined ||
  a.policy.priority > b.policy.priority ||
  (a.policy.priority === b.policy.priority &&
    (a.closeness > b.closeness || (a.closeness === b.closeness && a.policy.name < b.policy.name)))

const keyOf = (namespace: string, name: string): string => `${namespace}/${name}`

/** All policies, of namespaces and of the federation. */
export class PolicyIndex {
  readonly #byName = new Map<string, PropagationPolicy>()
  /** Those that select objects, by namespace; "" for the whole federation. */
  readonly #selecting = new Map<string, Map<string, PropagationPolicy>>()

  /** Takes a policy, or its new version. */
  set(policy: PropagationPolicy): void {
    this.delete(policy.namespace, policy.name)
    this.#byName.set(keyOf(policy.namespace, policy.name), policy)
    if (policy.selectors.length === 0) return
    const peers = this.#selecting.get(policy.namespace) ?? new Map<string, PropagationPolicy>()
    this.#selecting.set(policy.namespace, peers.set(policy.name, policy))
  }

  /** Forgets a policy; the namespace of one of the federation is empty. */
  delete(namespace: string, name: string): void {
    this.#byName.delete(keyOf(namespace, name))
    const peers = this.#selecting.get(namespace)
    peers?.delete(name)
    if (peers?.size === 0) this.#selecting.delete(namespace)
  }

  get(namespace: string, name: string): PropagationPolicy | undefined {
    return this.#byName.get(keyOf(namespace, name))
  }

  /** The policy of an object; "missing" when the one that it names is not there: no other is taken instead. */
  choose(subject: PolicySubject): PolicyChoice {
    const named = subject.namespace === "" ? undefined : subject.labels[federationLabels.propagationPolicy]
    if (named !== undefined) return this.get(subject.namespace, named) ?? "missing"
    const wide = subject.labels[federationLabels.clusterPropagationPolicy]
    if (wide !== undefined) return this.get("", wide) ?? "missing"
    const ownOnes = subject.namespace === "" ? undefined : this.#best(subject.namespace, subject)
    return ownOnes ?? this.#best("", subject) ?? "none"
  }

  #best(namespace: string, subject: PolicySubject): PropagationPolicy | undefined {
    let best: Match | undefined
    for (const policy of this.#selecting.get(namespace)?.values() ?? []) {
      for (const selector of policy.selectors) {
        if (!selects(selector, subject)) continue
        const match = { policy, closeness: closeness(selector) }
        if (isBetter(match, best)) best = match
      }
    }
    return best?.policy
  }
}
