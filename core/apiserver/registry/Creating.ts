// create: from a body to an object in the store, step by step in kube-apiserver's order.
// Owns system fields, generated names and their second tries; refuses rules of kinds, which strategies bring.
import { ApiFailure, Failures, generatedName, type KubeObject } from "#kube"
import type { Draft } from "../Definition.ts"
import { looseHeld } from "../cache/Held.ts"
import { decodeStored } from "../store/StoredJson.ts"
import { WriteConflict } from "../store/KeyValue.ts"
import { metadataProblems } from "./MetadataRules.ts"
import { findNewest, objectAnswer } from "./Reading.ts"
import { conform } from "./SchemaPass.ts"
import { draftOf, newDraftOf, randomUid, timestamp, withoutDoubleOwners } from "./SystemFields.ts"
import {
  admissionOf,
  type Answer,
  fitNamespace,
  generatedNameTaken,
  invalidObject,
  refuseKind,
  refuseOptions,
  validationOf,
  writeManagers,
  writeObject,
  type Writing
} from "./Writing.ts"

/** Names that are tried for one generateName (maxNameGenerationCreateAttempts). */
const NAMES_MAX = 8

/** Creates the request's body. */
export const createObject = (writing: Writing, done: Answer): void => {
  const { request } = writing
  const { body } = request
  const refused = refuseOptions(request, "CreateOptions")
  if (refused !== undefined) return done(refused)
  if (body === undefined) return done(Failures.badRequest("the body of the request is missing"))
  const prepared = prepare(writing, body)
  if (prepared instanceof ApiFailure) return done(prepared)
  writeManagers(writing, prepared, undefined)
  const admission = admissionOf(writing, "CREATE", prepared, undefined)
  writing.registry.admission.mutate(admission, writing.warnings, (admitted) => {
    if (admitted instanceof ApiFailure) return done(admitted)
    insert(writing, admitted ?? prepared, 1, (written) =>
      done(written instanceof ApiFailure ? written : objectAnswer(written, 201, writing.warnings))
    )
  })
}

/** A body as a draft that mutation begins with. */
export const prepare = (writing: Writing, body: KubeObject): Draft | ApiFailure => {
  const { request, resource, warnings } = writing
  const refused = refuseKind(resource, body)
  if (refused !== undefined) return refused
  const metadata = body.metadata ?? {}
  const conforming = conform(resource.definition, { ...body, metadata }, undefined, validationOf(request), warnings)
  if (conforming instanceof ApiFailure) return conforming
  const draft = newDraftOf(resource.definition, conforming)
  const namespace = fitNamespace(draft, resource, request.namespace)
  if (namespace !== undefined) return namespace
  if (request.name !== "" && (draft.metadata.name ?? "") === "") draft.metadata.name = request.name
  withoutDoubleOwners(draft, warnings)
  defaultForAdmission(writing, draft)
  return draft
}

/** Plugins see objects as decoding leaves them, defaults and all; what they change is completed once more after them. */
export const defaultForAdmission = ({ registry, strategy }: Writing, draft: Draft): void => {
  if (!registry.admission.isEmpty) strategy.defaults?.(draft)
}

type Inserted = (written: ReturnType<typeof looseHeld> | ApiFailure) => void

/** The steps after mutation: system fields, hooks, rules, validation, the store. */
export const insert = (writing: Writing, admitted: KubeObject, attempt: number, done: Inserted): void => {
  const { context, registry, request, resource, strategy } = writing
  const { clockwork } = registry
  const draft = draftOf(resource.definition, admitted)
  const { metadata } = draft
  metadata.resourceVersion = undefined as unknown as string
  metadata.uid = randomUid(clockwork.random)
  metadata.creationTimestamp = timestamp(clockwork)
  const isGenerated = (metadata.generateName ?? "") !== "" && (metadata.name ?? "") === ""
  if (isGenerated) metadata.name = generatedName(metadata.generateName ?? "", clockwork.random)
  if (generationFieldsOf(writing).length > 0) metadata.generation = 1
  strategy.defaults?.(draft)
  const refused = strategy.prepareForCreate?.(draft, context)
  if (refused !== undefined) return done(refused)
  const object = draft as unknown as KubeObject
  resource.cache.donors.lend(object, undefined)
  const own = strategy.validate?.(object) ?? []
  const problems = own.length > 0 ? own : metadataProblems(object, undefined, resource.definition.namespaced)
  if (problems.length > 0) return done(invalidObject(writing, object, problems))
  if (attempt === 1) writing.warnings.push(...(strategy.warnings?.(object, undefined) ?? []))
  registry.admission.validate(admissionOf(writing, "CREATE", object, undefined), writing.warnings, (failure) => {
    if (failure !== undefined) return done(failure)
    if (request.options.dryRun === true) return dryRun(writing, object, done)
    writeObject(writing, object, undefined, (written) => {
      if (!(written instanceof WriteConflict)) return done(written)
      if (isGenerated && attempt < NAMES_MAX) return insert(writing, admitted, attempt + 1, done)
      done(taken(writing, object, written))
    })
  })
}

const dryRun = ({ registry, resource }: Writing, object: KubeObject, done: Inserted): void => {
  const { name = "", namespace = "" } = object.metadata
  findNewest(registry, resource, namespace, name, (found) => {
    if (found === undefined) return done(looseHeld(object))
    done(found instanceof ApiFailure ? found : Failures.alreadyExists(resource.about(name)))
  })
}

const taken = ({ resource }: Writing, object: KubeObject, { current }: WriteConflict): ApiFailure => {
  const { generateName = "", name = "" } = object.metadata
  const failure =
    generateName === "" ? Failures.alreadyExists(resource.about(name)) : generatedNameTaken(resource, name)
  const there = current && decodeStored(current.value, current.revision)
  if (there?.metadata.deletionTimestamp === undefined) return failure
  return new ApiFailure({ ...failure.status, message: `object is being deleted: ${failure.message}` })
}

/** The fields whose change raises metadata.generation. */
export const generationFieldsOf = ({ resource }: Writing): ReadonlyArray<string> => {
  const { strategy, subresources } = resource.definition
  return strategy.generationFields ?? (subresources.get("status")?.type === "status" ? SPEC : NONE)
}

const SPEC = ["spec"]
const NONE: ReadonlyArray<string> = []
