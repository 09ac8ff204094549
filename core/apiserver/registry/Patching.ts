// patch: a way from the object as it is to a new one, for an update that starts anew when somebody else was faster.
// Owns the four kinds of patches and their options; refuses the merges themselves, which #kube has.
import {
  ApiFailure,
  applyJsonPatch,
  applyMergePatch,
  applyStrategicMergePatch,
  decodeProblem,
  Failures,
  type FieldProblem,
  isJsonObject,
  type Json,
  type JsonObject,
  jsonPatchUnknownFields,
  type KubeObject,
  type Patch,
  strictDecodingMessage
} from "#kube"
import type { Subresource } from "../Definition.ts"
import { defaultForAdmission, insert } from "./Creating.ts"
import { fieldManagerProblems } from "./MetadataRules.ts"
import { objectAnswer } from "./Reading.ts"
import { changeObject, refuseName } from "./Updating.ts"
import { newDraftOf } from "./SystemFields.ts"
import { admissionOf, type Answer, lockConflict, validationOf, type Writing } from "./Writing.ts"

/** Tries of a patch that loses against others (MaxRetryWhenPatchConflicts, and the first one). */
const ATTEMPTS = 6

const refuseOptions = ({ options }: Writing["request"], patch: Patch): ApiFailure | undefined => {
  const { fieldManager = "", force } = options
  const problems: Array<FieldProblem> = []
  if (patch.type === "apply") {
    if (fieldManager === "") {
      problems.push({ type: "FieldValueRequired", field: "fieldManager", detail: "is required for apply patch" })
    }
  } else if (force !== undefined) {
    problems.push({ type: "FieldValueForbidden", field: "force", detail: "may not be specified for non-apply patch" })
  }
  problems.push(...fieldManagerProblems(fieldManager, "fieldManager"))
  return problems.length > 0
    ? Failures.invalid({ group: "meta.k8s.io", kind: "PatchOptions" }, "", problems)
    : undefined
}

const CUSTOM_TYPES = ["application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml"]

/** Patches the request's object; an applied configuration creates it when it is absent. */
export const patchObject = (writing: Writing, subresource: Subresource | undefined, done: Answer): void => {
  const { request, resource } = writing
  const { patch } = request
  if (patch === undefined) return done(Failures.badRequest("the body of the request is missing"))
  const refused = refuseOptions(request, patch)
  if (refused !== undefined) return done(refused)
  if (patch.type === "strategic" && resource.definition.custom === true) {
    return done(Failures.unsupportedMediaType(CUSTOM_TYPES))
  }
  const creates = patch.type === "apply" && request.subresource === ""
  changeObject(
    writing,
    {
      subresource,
      from: (old) => {
        const object = patch.type === "apply" ? applied(writing, patch, old) : patched(writing, patch, old)
        if (object instanceof ApiFailure) return object
        const misnamed = refuseName(object, request.name, request.namespace)
        return misnamed ?? { object, managed: patch.type === "apply" }
      },
      absent: creates ? (created) => createApplied(writing, patch, created) : undefined,
      attempts: ATTEMPTS
    },
    done
  )
}

/** The object after a patch that is no applied configuration. */
export const patched = (writing: Writing, patch: Patch, old: KubeObject): KubeObject | ApiFailure => {
  // SAFETY: objects are JSON.
  const document = old as unknown as JsonObject
  const made =
    patch.type === "json"
      ? jsonPatched(writing, document, patch.body)
      : patch.type === "merge"
        ? applyMergePatch(document, patch.body)
        : applyStrategicMergePatch(writing.resource.definition.schema, document, patch.body)
  if (made instanceof ApiFailure) return patch.type === "json" ? withoutCauses(made) : made
  const broken = undecodable(writing, made)
  if (broken !== undefined) return broken
  if (!isJsonObject(made) || !isJsonObject(made["metadata"])) {
    return Failures.badRequest("the patched object is no object with metadata")
  }
  return made as unknown as KubeObject
}

/** Operations that do not fit say only that they do not. */
const withoutCauses = (failure: ApiFailure): ApiFailure => {
  const { details, ...status } = failure.status
  if (failure.code !== 422 || details?.causes?.some(({ field }) => field !== undefined) === true) return failure
  return new ApiFailure({ ...status, details: {} })
}

/** What a patch made of an object must still be one of its kind. */
const undecodable = ({ resource }: Writing, made: Json): ApiFailure | undefined => {
  const { custom, schema } = resource.definition
  const wrong = custom === true ? undefined : decodeProblem(schema, made)
  return wrong === undefined
    ? undefined
    : Failures.invalid({ group: "", kind: "" }, "", [
        { type: "FieldValueInvalid", field: "patch", value: JSON.stringify(made), detail: wrong }
      ])
}

const jsonPatched = ({ request, warnings }: Writing, document: Json, patch: Json): Json | ApiFailure => {
  const validation = validationOf(request)
  if (validation !== "Ignore") {
    const unknown = jsonPatchUnknownFields(patch)
    if (unknown.length > 0 && validation === "Strict") return Failures.badRequest(strictDecodingMessage(unknown))
    warnings.push(...unknown)
  }
  return applyJsonPatch(document, patch)
}

const applied = (
  { registry, request, resource }: Writing,
  patch: Patch,
  live: KubeObject | undefined
): KubeObject | ApiFailure => {
  const { fieldManager = "", force = false } = request.options
  if (registry.managers === undefined) return Failures.unsupportedMediaType(CUSTOM_TYPES.slice(0, 2))
  const write = {
    definition: resource.definition,
    manager: fieldManager,
    subresource: request.subresource,
    nowMs: registry.clockwork.now()
  }
  return registry.managers.applied(write, live, patch.body, force)
}

const createApplied = (writing: Writing, patch: Patch, done: Answer): void => {
  const { registry, request, resource, warnings } = writing
  const made = applied(writing, patch, undefined)
  if (made instanceof ApiFailure) return done(made)
  const misnamed = refuseName(made, request.name, request.namespace)
  if (misnamed !== undefined) return done(misnamed)
  const draft = newDraftOf(resource.definition, made)
  if (resource.definition.namespaced) draft.metadata.namespace = request.namespace
  defaultForAdmission(writing, draft)
  const object = draft as unknown as KubeObject
  registry.admission.mutate(admissionOf(writing, "CREATE", object, undefined), warnings, (admitted) => {
    if (admitted instanceof ApiFailure) return done(admitted)
    insert(writing, admitted ?? object, 1, (written) => {
      if (!(written instanceof ApiFailure)) return done(objectAnswer(written, 201, warnings))
      done(written.reason === "AlreadyExists" ? lockConflict(resource, request.name) : written)
    })
  })
}

/** A document that is no stored object, patched: a Scale. */
export const patchedView = (writing: Writing, view: KubeObject): KubeObject | ApiFailure => {
  const { patch } = writing.request
  if (patch === undefined) return Failures.badRequest("the body of the request is missing")
  if (patch.type !== "apply")
    return patched(writing, patch.type === "strategic" ? { ...patch, type: "merge" } : patch, view)
  return patched(writing, { type: "merge", body: patch.body }, view)
}
