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
