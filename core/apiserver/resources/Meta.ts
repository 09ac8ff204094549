// What every object's metadata must satisfy, on create and on update.
// Owns the rules of names in metadata, labels, annotations, owners and finalizers; refuses any kind's own rules.
// Source: apimachinery pkg/api/validation/objectmeta.go.
import {
  annotationProblems,
  type Json,
  type KubeObject,
  labelProblems,
  type NameProblems,
  Names,
  type ObjectMeta,
  parseApiVersion,
  sameJson
} from "#kube"
import { forbidden, IMMUTABLE, invalid, invalidEach, type Problems, required } from "./Problems.ts"

/** Messages about a name; `isPrefix` is set for generateName. */
export type NameRule = (name: string, isPrefix: boolean) => NameProblems

// A prefix may end in a dash: what is generated after it makes the name whole.
const rule =
  (whole: (name: string) => NameProblems): NameRule =>
  (name, isPrefix) =>
    whole(isPrefix ? Names.asPrefix(name) : name)

/** Names of most kinds. */
export const subdomainName: NameRule = rule(Names.dnsSubdomain)

/** Names of namespaces. */
export const labelName: NameRule = rule(Names.dnsLabel)

/** Names that must only be a segment of a path: RBAC's. */
export const pathSegmentName: NameRule = (name) => Names.pathSegment(name)

/** Checks a map of labels. */
export const checkLabels = (
  labels: Readonly<Record<string, string>> | undefined,
  path: string,
  problems: Problems
): void => {
  if (labels !== undefined) problems.push(...labelProblems(labels, path))
}

const checkAnnotations = (annotations: ObjectMeta["annotations"], problems: Problems): void => {
  if (annotations !== undefined) problems.push(...annotationProblems(annotations, "metadata.annotations"))
}

const checkOwners = (owners: ObjectMeta["ownerReferences"], problems: Problems): void => {
  let controller = ""
  for (let at = 0; at < (owners?.length ?? 0); at++) {
    const owner = owners?.[at]
    if (owner === undefined) continue
    const path = `metadata.ownerReferences[${at}]`
    const { apiVersion = "", kind = "", name = "", uid = "" } = owner
    if (apiVersion === "") problems.push(required(`${path}.apiVersion`, "must not be empty"))
    else if (apiVersion.split("/").length > 2 || parseApiVersion(apiVersion).version === "") {
      problems.push(invalid(`${path}.apiVersion`, apiVersion, "must be <group>/<version> or <version>"))
    }
    if (kind === "") problems.push(required(`${path}.kind`, "must not be empty"))
    if (name === "") problems.push(required(`${path}.name`, "must not be empty"))
    if (uid === "") problems.push(required(`${path}.uid`, "must not be empty"))
    if (apiVersion === "v1" && kind === "Event") {
      problems.push(invalid(path, { ...owner }, "/v1, Kind=Event is disallowed from being an owner"))
    }
    if (owner.controller !== true) continue
    if (controller !== "") problems.push(twoControllers(owners ?? [], controller, `${kind}/${name}`))
    else controller = `${kind}/${name}`
  }
}

const twoControllers = (owners: NonNullable<ObjectMeta["ownerReferences"]>, first: string, second: string) =>
  invalid(
    "metadata.ownerReferences",
    owners.map((owner) => ({ ...owner })),
    `Only one reference can have Controller set to true. Found "true" in references for ${first} and ${second}`
  )

const checkFinalizers = (finalizers: ReadonlyArray<string> | undefined, problems: Problems): void => {
  for (const finalizer of finalizers ?? []) {
    invalidEach("metadata.finalizers", finalizer, Names.qualifiedName(finalizer), problems)
  }
  if (finalizers?.includes("orphan") === true && finalizers.includes("foregroundDeletion")) {
    const why = "finalizer orphan and foregroundDeletion cannot be both set"
    problems.push(invalid("metadata.finalizers", finalizers, why))
  }
}

const checkCommon = (metadata: ObjectMeta, problems: Problems): void => {
  checkLabels(metadata.labels, "metadata.labels", problems)
  checkAnnotations(metadata.annotations, problems)
  checkOwners(metadata.ownerReferences, problems)
}

/** Checks the metadata of a new object. */
export const checkMeta = (
  { metadata }: KubeObject,
  namespaced: boolean,
  rule: NameRule,
  problems: Problems
): void => {
  const { generateName = "", name = "", namespace = "" } = metadata
  if (generateName !== "") {
    invalidEach("metadata.generateName", generateName, rule(generateName, true), problems)
  }
  if (name === "") problems.push(required("metadata.name", "name or generateName is required"))
  else invalidEach("metadata.name", name, rule(name, false), problems)
  if (!namespaced && namespace !== "") problems.push(forbidden("metadata.namespace", "not allowed on this type"))
  if (namespaced) {
    if (namespace === "") problems.push(required("metadata.namespace"))
    else invalidEach("metadata.namespace", namespace, labelName(namespace, false), problems)
  }
  checkCommon(metadata, problems)
  checkFinalizers(metadata.finalizers, problems)
}

const FIXED = [
  "name",
  "namespace",
  "uid",
  "creationTimestamp",
  "deletionTimestamp",
  "deletionGracePeriodSeconds"
] as const

/** Checks the metadata of an object that replaces another. */
export const checkMetaUpdate = ({ metadata }: KubeObject, old: KubeObject, problems: Problems): void => {
  const before = old.metadata
  if (metadata === before) return
  if (before.deletionTimestamp !== undefined) {
    const added = (metadata.finalizers ?? []).filter((one) => before.finalizers?.includes(one) !== true).sort()
    if (added.length > 0) {
      const shown = `[]string{${added.map((one) => JSON.stringify(one)).join(", ")}}`
      const why = `no new finalizers can be added if the object is being deleted, found new finalizers ${shown}`
      problems.push(forbidden("metadata.finalizers", why))
    }
  }
  for (const field of FIXED) {
    if (metadata[field] !== before[field]) {
      problems.push(invalid(`metadata.${field}`, metadata[field], IMMUTABLE))
    }
  }
  if (metadata.labels !== before.labels) checkLabels(metadata.labels, "metadata.labels", problems)
  if (metadata.annotations !== before.annotations) checkAnnotations(metadata.annotations, problems)
  if (metadata.ownerReferences !== before.ownerReferences) checkOwners(metadata.ownerReferences, problems)
}

/** A field that may not change once set; parts deeper than a scalar are compared by what they say. */
export const checkImmutable = (field: string, value: unknown, old: unknown, problems: Problems): void => {
  if (value === old) return
  if (!sameJson(value as Json | undefined, old as Json | undefined)) {
    problems.push(invalid(field, value as Json | undefined, IMMUTABLE))
  }
}
