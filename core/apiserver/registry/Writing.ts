// What creating, updating and patching share: a request's context, the last steps before the store, and the write itself.
// Owns the order of those steps; refuses what is particular to a verb.
import { ApiFailure, Failures, type FieldProblem, groupResource, type KubeObject, type Status } from "#kube"
import type { AdmissionRequest } from "../Access.ts"
import { Held } from "../cache/Held.ts"
import type { Draft, Strategy, StrategyContext, Subresource } from "../Definition.ts"
import type { ApiAnswer, ApiRequest } from "../Request.ts"
import { KeyValueFailure, WriteConflict } from "../store/KeyValue.ts"
import { compact } from "../store/Compact.ts"
import { decodeStored } from "../store/StoredJson.ts"
import { fieldManagerProblems } from "./MetadataRules.ts"
import { type Registry, storeFailure } from "./Registry.ts"
import type { FieldValidation } from "./SchemaPass.ts"
import type { ServedResource } from "./StoredResource.ts"

export type Answer = (answer: ApiAnswer | ApiFailure) => void

/** One write under way. */
export interface Writing {
  readonly registry: Registry
  readonly resource: ServedResource
  readonly request: ApiRequest
  /** The resource's strategy, or the subresource's. */
  readonly strategy: Strategy
  readonly context: StrategyContext
  readonly warnings: Array<string>
}

/** How often a write that others overtake starts anew before it gives up with a conflict. */
export const ATTEMPTS_MAX = 32

export const beginWriting = (
  registry: Registry,
  resource: ServedResource,
  request: ApiRequest,
  subresource?: Subresource
): Writing => {
  const own = subresource?.type === "status" || subresource?.type === "part" ? subresource.strategy : undefined
  const { api, clockwork } = registry
  if (!resource.cache.isReady) resource.cache.whenReady(() => undefined)
  return {
    registry,
    resource,
    request,
    strategy: own ?? resource.definition.strategy,
    context: { api, clockwork, user: request.user, options: request.options },
    warnings: []
  }
}

/** What unknown fields mean; a server warns unless it is told otherwise. */
export const validationOf = ({ options }: ApiRequest): FieldValidation => options.fieldValidation ?? "Warn"

/** Why the options of a write are refused. */
export const refuseOptions = (request: ApiRequest, kind: string): ApiFailure | undefined => {
  const { fieldManager = "", fieldValidation } = request.options
  if (fieldManager === "" && fieldValidation === undefined) return undefined
  const problems: Array<FieldProblem> = [...fieldManagerProblems(fieldManager, "fieldManager")]
  if (fieldValidation !== undefined && !["Ignore", "Warn", "Strict"].includes(fieldValidation)) {
    const detail = 'supported values: "", "Ignore", "Strict", "Warn"'
    problems.push({ type: "FieldValueNotSupported", field: "fieldValidation", value: fieldValidation, detail })
  }
  return problems.length > 0 ? Failures.invalid({ group: "meta.k8s.io", kind }, "", problems) : undefined
}

/** Puts the object's namespace right, or says that it is another than the request's. */
export const fitNamespace = (
  draft: Draft,
  { definition }: ServedResource,
  namespace: string
): ApiFailure | undefined => {
  const wanted = definition.namespaced ? namespace : ""
  const given = draft.metadata.namespace ?? ""
  if (given === wanted) return undefined
  if (given !== "" && wanted !== "") {
    return Failures.badRequest("the namespace of the provided object does not match the namespace sent on the request")
  }
  draft.metadata.namespace = wanted === "" ? (undefined as unknown as string) : wanted
  return undefined
}

/** Whether a body says that it is of the version and kind that the request is about. */
export const refuseKind = ({ definition, apiVersion }: ServedResource, body: KubeObject): ApiFailure | undefined => {
  if (body.apiVersion !== undefined && body.apiVersion !== apiVersion) {
    return Failures.badRequest(
      `the API version in the data (${body.apiVersion}) does not match the expected API version (${apiVersion})`
    )
  }
  if (body.kind === undefined || body.kind === definition.kind) return undefined
  const { kind, version } = definition
  return Failures.badRequest(
    `${body.kind} in version ${JSON.stringify(version)} cannot be handled as a ${kind}: no kind ${JSON.stringify(body.kind)} is registered for version ${JSON.stringify(apiVersion)}`
  )
}

/** Writes down who manages what, if the request names a manager. */
export const writeManagers = (
  { registry, request, resource }: Writing,
  draft: Draft,
  live: KubeObject | undefined
): void => {
  const { managers } = registry
  const { fieldManager = "" } = request.options
  if (managers === undefined || fieldManager === "") return
  const write = {
    definition: resource.definition,
    manager: fieldManager,
    subresource: request.subresource,
    nowMs: registry.clockwork.now()
  }
  const entries = managers.updated(write, live, draft)
  draft.metadata.managedFields = entries as NonNullable<typeof entries>
}

export const admissionOf = (
  { request, resource }: Writing,
  operation: AdmissionRequest["operation"],
  object: KubeObject | undefined,
  oldObject: KubeObject | undefined
): AdmissionRequest => ({ operation, request, definition: resource.definition, object, oldObject })

/** What the object says about itself that is wrong. */
export const invalidObject = (
  { resource }: Writing,
  object: KubeObject,
  problems: ReadonlyArray<FieldProblem>
): ApiFailure => Failures.invalid(resource.definition, object.metadata.name ?? "", problems)

export type Written = Held | WriteConflict | ApiFailure

/** Writes an object of the served version in the place of the version that was found (undefined: absent); answers it as it is served. */
export const writeObject = (
  { registry, resource }: Writing,
  object: KubeObject,
  found: Held | undefined,
  done: (written: Written) => void
): void => {
  const { cache, storage } = resource
  const stored = compact(resource.stored(object)) as { metadata: KubeObject["metadata"] } & KubeObject
  stored.metadata = compact(stored.metadata)
  if (!resource.isStoredVersion) {
    cache.donors.lend(stored, found?.object)
    ;(stored.metadata as { resourceVersion?: string | undefined }).resourceVersion = undefined
  }
  const place = resource.placeOf(stored, found)
  const held = new Held(stored, 0, cache.layout, undefined, place)
  const write = {
    key: place.storeKey,
    value: held,
    expected: found?.revision ?? 0,
    ttlSeconds: storage.ttlSeconds ?? 0,
    origin: held,
    place
  }
  registry.keyValue.write(write, (outcome) => {
    if (typeof outcome !== "number") {
      return done(outcome instanceof KeyValueFailure ? storeFailure(outcome) : outcome)
    }
    held.settle(outcome, undefined)
    done(resource.served(held))
  })
}

/** The version that a lost race left. */
export const currentOf = ({ resource }: Writing, { current }: WriteConflict): Held | undefined | ApiFailure => {
  if (current === undefined) return undefined
  const object = decodeStored(current.value, current.revision)
  return object === undefined
    ? Failures.internal(`unable to decode the value of ${current.key}`)
    : new Held(object, current.revision, resource.cache.layout, current.value)
}

/** The conflict of two writers. */
export const lockConflict = (resource: ServedResource, name: string): ApiFailure =>
  Failures.conflict(
    resource.about(name),
    "the object has been modified; please apply your changes to the latest version and try again"
  )

/** The conflict of a precondition, in the words of the storage layer. */
export const preconditionConflict = (
  resource: ServedResource,
  object: KubeObject,
  what: "UID" | "ResourceVersion",
  asked: string,
  found: string
): ApiFailure => {
  const { name = "", namespace = "" } = object.metadata
  const key = resource.storeKey(namespace, name)
  return Failures.conflict(
    resource.about(name),
    `StorageError: invalid object, Code: 4, Key: ${key}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: ${what} in precondition: ${asked}, ${what} in object meta: ${found}`
  )
}

/** The server could not find a name that is free. */
export const generatedNameTaken = ({ definition }: ServedResource, name: string): ApiFailure => {
  const { group, resource } = definition
  const status: Status = {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message: `${groupResource(definition)} ${JSON.stringify(name)} already exists, the server was not able to generate a unique name for the object`,
    reason: "AlreadyExists",
    details: { name, ...(group === "" ? {} : { group }), kind: resource, retryAfterSeconds: 1 },
    code: 409
  }
  return new ApiFailure(status)
}
