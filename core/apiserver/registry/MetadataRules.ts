// What metadata may say, on every kind: names, labels, annotations, owners, finalizers, managers, and what an update may not change.
// Owns the rules and words of apimachinery's pkg/api/validation; refuses rules of kinds, which their strategies have.
// An update looks only at what differs from the version before it, which was looked at when it was written.
import {
  annotationProblems,
  type FieldProblem,
  type Json,
  type KubeObject,
  labelProblems,
  type ManagedFieldsEntry,
  Names,
  type ObjectMeta,
  type OwnerReference,
  parseApiVersion
} from "#kube"

const MANAGER_LENGTH_MAX = 128
const SUBRESOURCE_LENGTH_MAX = 256
export const ORPHAN = "orphan"
export const FOREGROUND = "foregroundDeletion"

const invalid = (field: string, value: Json | undefined, detail: string): FieldProblem => ({
  type: "FieldValueInvalid",
  field: `metadata.${field}`,
  ...(value === undefined ? {} : { value }),
  detail
})
const required = (field: string, detail: string): FieldProblem => ({
  type: "FieldValueRequired",
  field: `metadata.${field}`,
  detail
})
const forbidden = (field: string, detail: string): FieldProblem => ({
  type: "FieldValueForbidden",
  field: `metadata.${field}`,
  detail
})

/** The problems of an object's metadata; what is the same as in `old` is passed over. */
export const metadataProblems = (
  { metadata }: KubeObject,
  old: KubeObject | undefined,
  namespaced: boolean
): ReadonlyArray<FieldProblem> => {
  const before = old?.metadata
  const problems: Array<FieldProblem> = []
  if (before === undefined) nameProblems(metadata, namespaced, problems)
  if (metadata.generation !== undefined && metadata.generation < 0) {
    problems.push(invalid("generation", metadata.generation, "must be greater than or equal to 0"))
  }
  if (metadata.labels !== before?.labels) problems.push(...labelProblems(metadata.labels, "metadata.labels"))
  if (metadata.annotations !== before?.annotations) {
    problems.push(...annotationProblems(metadata.annotations, "metadata.annotations"))
  }
  if (metadata.ownerReferences !== before?.ownerReferences) ownerProblems(metadata.ownerReferences ?? [], problems)
  if (metadata.finalizers !== before?.finalizers) finalizerProblems(metadata.finalizers ?? [], problems)
  if (metadata.managedFields !== before?.managedFields) managerProblems(metadata.managedFields ?? [], problems)
  return problems
}

const nameProblems = (metadata: ObjectMeta, namespaced: boolean, problems: Array<FieldProblem>): void => {
  const { generateName = "", name = "", namespace = "" } = metadata
  if (generateName !== "") {
    for (const problem of Names.pathSegment(Names.asPrefix(generateName)))
      problems.push(invalid("generateName", generateName, problem))
  }
  if (name === "") problems.push(required("name", "name or generateName is required"))
  else for (const problem of Names.pathSegment(name)) problems.push(invalid("name", name, problem))
  if (!namespaced) {
    if (namespace !== "") problems.push(forbidden("namespace", "not allowed on this type"))
  } else if (namespace === "") problems.push(required("namespace", ""))
  else for (const problem of Names.dnsLabel(namespace)) problems.push(invalid("namespace", namespace, problem))
}

/** Owners come as clients send them: what must be there may be missing. */
const ownerProblems = (owners: ReadonlyArray<Partial<OwnerReference>>, problems: Array<FieldProblem>): void => {
  let controller: string | undefined
  for (const [at, owner] of owners.entries()) {
    const path = `ownerReferences[${at}]`
    const { apiVersion = "", kind = "", name = "", uid = "" } = owner
    const parts = apiVersion.split("/")
    if (apiVersion === "") problems.push(required(`${path}.apiVersion`, "must not be empty"))
    else if (parts.length > 2 || parseApiVersion(apiVersion).version === "") {
      problems.push(invalid(`${path}.apiVersion`, apiVersion, "must be <group>/<version> or <version>"))
    }
    if (kind === "") problems.push(required(`${path}.kind`, "must not be empty"))
    if (name === "") problems.push(required(`${path}.name`, "must not be empty"))
    if (uid === "") problems.push(required(`${path}.uid`, "must not be empty"))
    if (apiVersion === "v1" && kind === "Event") {
      problems.push(invalid(path, { ...owner }, "/v1, Kind=Event is disallowed from being an owner"))
    }
    if (owner.controller !== true) continue
    const found = `${kind}/${name}`
    if (controller === undefined) controller = found
    else {
      const detail = `Only one reference can have Controller set to true. Found "true" in references for ${controller} and ${found}`
      problems.push(invalid("ownerReferences", owners, detail))
    }
  }
}

const finalizerProblems = (finalizers: ReadonlyArray<string>, problems: Array<FieldProblem>): void => {
  for (const finalizer of finalizers) {
    for (const problem of Names.qualifiedName(finalizer)) problems.push(invalid("finalizers", finalizer, problem))
  }
  if (finalizers.includes(ORPHAN) && finalizers.includes(FOREGROUND)) {
    const detail = `finalizer ${ORPHAN} and ${FOREGROUND} cannot be both set`
    problems.push(invalid("finalizers", finalizers, detail))
  }
}

const managerProblems = (entries: ReadonlyArray<ManagedFieldsEntry>, problems: Array<FieldProblem>): void => {
  for (const [at, entry] of entries.entries()) {
    const path = `managedFields[${at}]`
    if (entry.operation === undefined) problems.push(required(`${path}.operation`, "must not be empty"))
    if (entry.fieldsType !== undefined && entry.fieldsType !== "FieldsV1") {
      problems.push(invalid(`${path}.fieldsType`, entry.fieldsType, "must be `FieldsV1`"))
    }
    problems.push(...fieldManagerProblems(entry.manager ?? "", `metadata.${path}.manager`))
    if ((entry.subresource ?? "").length > SUBRESOURCE_LENGTH_MAX) {
      const detail = `may not be more than ${SUBRESOURCE_LENGTH_MAX} bytes`
      problems.push({ type: "FieldValueTooLong", field: `metadata.${path}.subresource`, detail })
    }
  }
}

/** What is wrong with the name of a field manager. */
export const fieldManagerProblems = (manager: string, field: string): ReadonlyArray<FieldProblem> => {
  const problems: Array<FieldProblem> = []
  if (manager.length > MANAGER_LENGTH_MAX) {
    problems.push({ type: "FieldValueTooLong", field, detail: `may not be more than ${MANAGER_LENGTH_MAX} bytes` })
  }
  let at = 0
  for (const letter of manager) {
    if (!/[\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.test(letter)) {
      const code = `U+${(letter.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`
      problems.push({
        type: "FieldValueInvalid",
        field,
        value: manager,
        detail: `invalid character ${code} (at position ${at})`
      })
    }
    at += Buffer.byteLength(letter)
  }
  return problems
}

const IMMUTABLE = "field is immutable"

/** What an update changed that it may not. */
export const metadataUpdateProblems = (object: KubeObject, old: KubeObject): ReadonlyArray<FieldProblem> => {
  const problems: Array<FieldProblem> = []
  const { metadata } = object
  const before = old.metadata
  if (before.deletionTimestamp !== undefined) {
    const added = (metadata.finalizers ?? []).filter((one) => !(before.finalizers ?? []).includes(one)).sort()
    if (added.length > 0) {
      const shown = `[]string{${added.map((one) => JSON.stringify(one)).join(", ")}}`
      const detail = `no new finalizers can be added if the object is being deleted, found new finalizers ${shown}`
      problems.push(forbidden("finalizers", detail))
    }
  }
  if ((metadata.generation ?? 0) < (before.generation ?? 0)) {
    problems.push(invalid("generation", metadata.generation ?? 0, "must not be decremented"))
  }
  for (const field of IMMUTABLE_FIELDS) {
    const value = metadata[field]
    if ((value ?? "") !== (before[field] ?? "")) problems.push(invalid(field, value ?? null, IMMUTABLE))
  }
  return problems
}

const IMMUTABLE_FIELDS = [
  "name",
  "namespace",
  "uid",
  "creationTimestamp",
  "deletionTimestamp",
  "deletionGracePeriodSeconds"
] as const
