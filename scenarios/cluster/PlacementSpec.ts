// What a scenario's placement fields become in a pod's spec, in Kubernetes' words.
// Owns that translation; refuses to judge it.
import type { NodeTerm, PodTerm, SpreadTerm } from "./Placement.ts"
import type { Workload } from "./Workload.ts"

type Fields = Readonly<Record<string, unknown>>

const REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
const PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"

const nodeAffinityOf = (terms: ReadonlyArray<NodeTerm>): Fields => {
  const expression = ({ key, operator, values }: NodeTerm): Fields =>
    operator === "Exists" || operator === "DoesNotExist" ? { key, operator } : { key, operator, values }
  const required = terms.filter(({ weight }) => weight === undefined)
  const preferred = terms.filter(({ weight }) => weight !== undefined)
  return {
    ...(required.length > 0 && { [REQUIRED]: { nodeSelectorTerms: [{ matchExpressions: required.map(expression) }] } }),
    ...(preferred.length > 0 && {
      [PREFERRED]: preferred.map((term) => ({
        weight: term.weight,
        preference: { matchExpressions: [expression(term)] }
      }))
    })
  }
}

const podAffinityOf = (terms: ReadonlyArray<PodTerm>, own: Fields): Fields => {
  const termOf = ({ everywhere, matchLabels, topologyKey }: PodTerm): Fields => ({
    topologyKey,
    labelSelector: { matchLabels: matchLabels ?? own },
    ...(everywhere && { namespaceSelector: {} })
  })
  const required = terms.filter(({ weight }) => weight === undefined)
  const preferred = terms.filter(({ weight }) => weight !== undefined)
  return {
    ...(required.length > 0 && { [REQUIRED]: required.map(termOf) }),
    ...(preferred.length > 0 && {
      [PREFERRED]: preferred.map((term) => ({ weight: term.weight, podAffinityTerm: termOf(term) }))
    })
  }
}

const spreadOf = ({ matchLabels, ...term }: SpreadTerm, own: Fields): Fields => ({
  ...term,
  labelSelector: { matchLabels: matchLabels ?? own }
})

/** The part of a pod's spec that says where it may go; `own` are the labels that only the workload's own pods have. */
export const placementSpec = (workload: Workload, own: Fields): Fields => {
  const { gates, nodeAffinity, podAffinity, podAntiAffinity, priorityClass, spread } = workload
  const affinity = {
    ...(nodeAffinity && { nodeAffinity: nodeAffinityOf(nodeAffinity) }),
    ...(podAffinity && { podAffinity: podAffinityOf(podAffinity, own) }),
    ...(podAntiAffinity && { podAntiAffinity: podAffinityOf(podAntiAffinity, own) })
  }
  return {
    ...(priorityClass !== undefined && { priorityClassName: priorityClass }),
    ...(Object.keys(affinity).length > 0 && { affinity }),
    ...(spread && { topologySpreadConstraints: spread.map((term) => spreadOf(term, own)) }),
    ...(gates && { schedulingGates: gates.map((name) => ({ name })) })
  }
}
