// Rules of metadata that differ from kind to kind: names; and checks of labels and of fields that may not change.
// Owns these; what all kinds' metadata must satisfy is the registry's.
import { type Json, type KubeObject, labelProblems, type NameProblems, Names, sameJson } from "#kube"
import { IMMUTABLE, invalid, invalidEach, type Problems } from "./Problems.ts"

/** Messages about a name. */
export type NameRule = (name: string) => NameProblems

/** Names of most kinds. */
export const subdomainName: NameRule = Names.dnsSubdomain

/** Names of namespaces and of what names pods' hosts. */
export const labelName: NameRule = Names.dnsLabel

/** Names that must only be a segment of a path: RBAC's. The registry has checked that already. */
export const pathSegmentName: NameRule = () => []

/** Checks the name of a new object. */
export const checkName = ({ metadata }: KubeObject, rule: NameRule, problems: Problems): void => {
  const { generateName = "", name = "" } = metadata
  if (generateName !== "") {
    invalidEach("metadata.generateName", generateName, rule(Names.asPrefix(generateName)), problems)
  }
  if (name !== "") invalidEach("metadata.name", name, rule(name), problems)
}

/** Checks a map of labels. */
export const checkLabels = (
  labels: Readonly<Record<string, string>> | undefined,
  path: string,
  problems: Problems
): void => {
  if (labels !== undefined) problems.push(...labelProblems(labels, path))
}

/** A field that may not change once set; parts deeper than a scalar are compared by what they say. */
export const checkImmutable = (field: string, value: unknown, old: unknown, problems: Problems): void => {
  if (value === old) return
  if (!sameJson(value as Json | undefined, old as Json | undefined)) {
    problems.push(invalid(field, value as Json | undefined, IMMUTABLE))
  }
}

/** As `checkImmutable`, for fields whose rule the real server has from their type: its message does not show the value. */
export const checkKept = (field: string, value: unknown, old: unknown, problems: Problems): void => {
  if (value !== old && !sameJson(value as Json | undefined, old as Json | undefined)) {
    problems.push(invalid(field, null, IMMUTABLE))
  }
}

const DEPRECATED_NODE_LABELS: ReadonlyMap<string, string> = new Map([
  ["beta.kubernetes.io/arch", 'deprecated since v1.14; use "kubernetes.io/arch" instead'],
  ["beta.kubernetes.io/os", 'deprecated since v1.14; use "kubernetes.io/os" instead'],
  ["failure-domain.beta.kubernetes.io/region", 'deprecated since v1.17; use "topology.kubernetes.io/region" instead'],
  ["failure-domain.beta.kubernetes.io/zone", 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead'],
  ["beta.kubernetes.io/instance-type", 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead'],
  ["app.kubernetes.io/created-by", "deprecated since v1.9"],
  ["scheduler.alpha.kubernetes.io/preferAvoidPods", "deprecated since v1.22; use Taints and Tolerations instead"]
])

/** Since when a label of nodes is out of use, and what to use instead; undefined for all others. */
export const deprecatedNodeLabel = (key: string): string | undefined => DEPRECATED_NODE_LABELS.get(key)
