// Terms of affinity between pods: which pods, in which namespaces, and by which label of nodes "near" is measured.
// Owns compiling a pod's terms and matching them; refuses to count, which the affinity counts do.
import { type Labels, LabelSelector, type LabelSelectorObject, labelSelectorOf, noLabel } from "#kube"
import type { PodAffinityTermFields, PodSpecFields } from "./PodFields.ts"

export interface AffinityTerm {
  readonly topologyKey: string
  readonly selector: LabelSelector
  readonly namespaces: ReadonlySet<string>
  /** Also pods in namespaces with such labels. */
  readonly namespaceSelector: LabelSelector
  /** Of a preferred term; 0 for a required one. */
  readonly weight: number
}

/** All terms of a pod, by what they are for. */
export interface PodTerms {
  readonly requiredAffinity: ReadonlyArray<AffinityTerm>
  readonly requiredAnti: ReadonlyArray<AffinityTerm>
  readonly preferredAffinity: ReadonlyArray<AffinityTerm>
  readonly preferredAnti: ReadonlyArray<AffinityTerm>
}

/** Labels of a namespace by its name. */
export type NamespaceLabels = (namespace: string) => Labels

const selectorOf = (object: LabelSelectorObject | undefined): LabelSelector => {
  const selector = labelSelectorOf(object)
  return selector instanceof LabelSelector ? selector : noLabel
}

const compile = (own: string, fields: PodAffinityTermFields, weight: number): AffinityTerm => {
  const { labelSelector, namespaces = [], namespaceSelector, topologyKey } = fields
  const isOwn = namespaces.length === 0 && namespaceSelector === undefined
  return {
    topologyKey,
    selector: selectorOf(labelSelector),
    namespaces: new Set(isOwn ? [own] : namespaces),
    namespaceSelector: namespaceSelector === undefined ? noLabel : selectorOf(namespaceSelector),
    weight
  }
}

const none: PodTerms = { requiredAffinity: [], requiredAnti: [], preferredAffinity: [], preferredAnti: [] }

/** A pod's terms; the same object for all pods without any. */
export const termsOf = (namespace: string, { affinity }: PodSpecFields): PodTerms => {
  const { podAffinity, podAntiAffinity } = affinity ?? {}
  if (podAffinity === undefined && podAntiAffinity === undefined) return none
  const required = (terms: ReadonlyArray<PodAffinityTermFields> = []): ReadonlyArray<AffinityTerm> =>
    terms.map((term) => compile(namespace, term, 0))
  const preferred = (
    terms: ReadonlyArray<{ readonly weight: number; readonly podAffinityTerm: PodAffinityTermFields }> = []
  ): ReadonlyArray<AffinityTerm> =>
    terms.map(({ podAffinityTerm, weight }) => compile(namespace, podAffinityTerm, weight))
  return {
    requiredAffinity: required(podAffinity?.requiredDuringSchedulingIgnoredDuringExecution),
    requiredAnti: required(podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution),
    preferredAffinity: preferred(podAffinity?.preferredDuringSchedulingIgnoredDuringExecution),
    preferredAnti: preferred(podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution)
  }
}

/** Whether a pod has any term at all. */
export const hasTerms = (terms: PodTerms): boolean => terms !== none

/** Whether a term speaks of pods with these labels in this namespace. */
export const termMatches = (
  term: AffinityTerm,
  namespace: string,
  labels: Labels,
  namespaceLabels: NamespaceLabels
): boolean => {
  const isNear =
    term.namespaces.has(namespace) ||
    (!term.namespaceSelector.nothing && term.namespaceSelector.matches(namespaceLabels(namespace)))
  return isNear && term.selector.matches(labels)
}

/** Whether pods match every one of a pod's terms; false when it has none. */
export const matchesAll = (
  terms: ReadonlyArray<AffinityTerm>,
  namespace: string,
  labels: Labels,
  namespaceLabels: NamespaceLabels
): boolean => {
  if (terms.length === 0) return false
  for (const term of terms) if (!termMatches(term, namespace, labels, namespaceLabels)) return false
  return true
}

/** The labels that a pod's terms ask other pods about. */
export const termKeys = ({ preferredAffinity, preferredAnti, requiredAffinity, requiredAnti }: PodTerms) =>
  [requiredAffinity, requiredAnti, preferredAffinity, preferredAnti].flatMap((terms) =>
    terms.flatMap(({ selector }) => selector.requirements.map(({ key }) => key))
  )
