// update: from the object as it is and a new body to the next version, again when somebody else was faster.
// Owns the loop, preconditions, what an update may not touch, and writes that change nothing; patches come here with another way to
// the new object. Refuses rules of kinds, which strategies bring.
import { ApiFailure, Failures, type FieldProblem, type KubeObject } from "#kube"
import { isUnchanged } from "../cache/Donors.ts"
import { type Held, looseHeld } from "../cache/Held.ts"
import type { Draft, Subresource } from "../Definition.ts"
import { WriteConflict } from "../store/KeyValue.ts"
import { defaultForAdmission, generationFieldsOf, insert, prepare } from "./Creating.ts"
import { deleteNow } from "./Deleting.ts"
import { metadataProblems, metadataUpdateProblems } from "./MetadataRules.ts"
import { findNewest, objectAnswer } from "./Reading.ts"
import { conform } from "./SchemaPass.ts"
import { draftOf, withoutDoubleOwners } from "./SystemFields.ts"
import {
  admissionOf,
  type Answer,
  ATTEMPTS_MAX,
  currentOf,
  fitNamespace,
  invalidObject,
  lockConflict,
  preconditionConflict,
  refuseKind,
  refuseOptions,
  validationOf,
  writeManagers,
  writeObject,
  type Writing
} from "./Writing.ts"

/** How an update comes to its new object. */
export interface Change {
  readonly subresource: Subresource | undefined
  /** The new object as its author wants it, of the object as it is; managers are `managed` when they are in it already. */
  readonly from: (old: KubeObject) => { readonly object: KubeObject; readonly managed: boolean } | ApiFailure
  /** Creates the object when it is absent; undefined: it is not found. */
  readonly absent: ((done: Answer) => void) | undefined
  /** Tries after losing against others. */
  readonly attempts: number
}

/** Updates with the request's body. */
export const updateObject = (writing: Writing, subresource: Subresource | undefined, done: Answer): void => {
  const { request, resource } = writing
  const { body } = request
  const refused = refuseOptions(request, "UpdateOptions")
  if (refused !== undefined) return done(refused)
  if (body === undefined) return done(Failures.badRequest("the body of the request is missing"))
  const wrong = refuseKind(resource, body) ?? refuseName(body, request.name, request.namespace)
  if (wrong !== undefined) return done(wrong)
  const canCreate = resource.definition.strategy.createOnUpdate === true && request.subresource === ""
  changeObject(
    writing,
    {
      subresource,
      from: () => ({ object: body, managed: false }),
      absent: canCreate ? (created) => createInstead(writing, body, created) : undefined,
      attempts: ATTEMPTS_MAX
    },
    done
  )
}

/** Whether an object is named as the request names it. */
export const refuseName = (body: KubeObject, name: string, namespace: string): ApiFailure | undefined => {
  const metadata = body.metadata ?? {}
  const own = metadata.name ?? ""
  if (own === "") {
    return Failures.badRequest(
      `the name of the object (${name} based on URL) was undeterminable: name must be provided`
    )
  }
  if (own !== name) {
    return Failures.badRequest(`the name of the object (${own}) does not match the name on the URL (${name})`)
  }
  const given = metadata.namespace ?? ""
  if (namespace === "" || given === "" || given === namespace) return undefined
  return Failures.badRequest(
    `the namespace of the object (${given}) does not match the namespace on the request (${namespace})`
  )
}

/** The update of an absent object that creates it. */
export const createInstead = (writing: Writing, body: KubeObject, done: Answer): void => {
  const { registry, request, resource } = writing
  const { uid = "" } = body.metadata
  if (uid !== "") return done(preconditionConflict(resource, body, "UID", uid, ""))
  const prepared = prepare(writing, body)
  if (prepared instanceof ApiFailure) return done(prepared)
  writeManagers(writing, prepared, undefined)
  registry.admission.mutate(admissionOf(writing, "CREATE", prepared, undefined), writing.warnings, (admitted) => {
    if (admitted instanceof ApiFailure) return done(admitted)
    insert(writing, admitted ?? prepared, 1, (written) => {
      if (!(written instanceof ApiFailure)) return done(objectAnswer(written, 201, writing.warnings))
      // Somebody else created it meanwhile.
      done(written.reason === "AlreadyExists" ? lockConflict(resource, request.name) : written)
    })
  })
}

/** Runs a change against the newest version until it is written, refused, or nothing is to be written. */
export const changeObject = (writing: Writing, change: Change, done: Answer): void => {
  const { registry, request, resource } = writing
  const { name, namespace } = request
  const attempt = (found: Held | undefined | ApiFailure, tries: number): void => {
    if (found instanceof ApiFailure) return done(found)
    if (found === undefined) {
      return change.absent === undefined ? done(Failures.notFound(resource.about(name))) : change.absent(done)
    }
    apply(writing, change, found, (outcome) => {
      if (!(outcome instanceof WriteConflict)) return done(outcome)
      if (tries >= change.attempts) return done(lockConflict(resource, name))
      writing.warnings.length = 0
      attempt(currentOf(writing, outcome), tries + 1)
    })
  }
  findNewest(registry, resource, namespace, name, (found) => attempt(found, 1))
}

type Outcome = Parameters<Answer>[0] | WriteConflict

const apply = (writing: Writing, change: Change, found: Held, done: (outcome: Outcome) => void): void => {
  const { registry, resource, warnings } = writing
  const served = resource.served(found)
  const old = served.object
  const changed = change.from(old)
  if (changed instanceof ApiFailure) return done(changed)
  const { uid = "" } = changed.object.metadata
  if (uid !== "" && uid !== old.metadata.uid) {
    return done(preconditionConflict(resource, old, "UID", uid, old.metadata.uid ?? ""))
  }
  const draft = draftForUpdate(writing, change, changed.object, old)
  if (draft instanceof ApiFailure) return done(draft)
  if (!changed.managed) writeManagers(writing, draft, old)
  defaultForAdmission(writing, draft)
  const object = draft as unknown as KubeObject
  registry.admission.mutate(admissionOf(writing, "UPDATE", object, old), warnings, (admitted) => {
    if (admitted instanceof ApiFailure) return done(admitted)
    const final = admitted === undefined || admitted === object ? draft : draftOf(resource.definition, admitted)
    finish(writing, change, final, found, old, done)
  })
}

/** The new object with what the subresource, or the object itself, leaves as it is. */
const draftForUpdate = (
  { request, resource, warnings }: Writing,
  { subresource }: Change,
  body: KubeObject,
  old: KubeObject
): Draft | ApiFailure => {
  const conforming = conform(resource.definition, body, old, validationOf(request), warnings)
  if (conforming instanceof ApiFailure) return conforming
  const draft =
    subresource?.type === "status"
      ? statusDraft(resource.definition, conforming, old, subresource.keepsMetadata === true)
      : draftOf(resource.definition, conforming)
  const namespace = fitNamespace(draft, resource, request.namespace)
  if (namespace !== undefined) return namespace
  if (subresource === undefined && resource.definition.subresources.get("status")?.type === "status") {
    keepStatus(draft, old)
  }
  withoutDoubleOwners(draft, warnings)
  return draft
}

/** Of an update of status only status is taken, and of metadata what it may set; where that is nothing, who manages the status. */
const statusDraft = (
  definition: Parameters<typeof draftOf>[0],
  body: KubeObject,
  old: KubeObject,
  keepsMetadata: boolean
): Draft => {
  const { managedFields, resourceVersion } = body.metadata
  const metadata = keepsMetadata
    ? ({ ...old.metadata, resourceVersion, managedFields } as KubeObject["metadata"])
    : body.metadata
  return draftOf(definition, { ...old, metadata, status: body.status } as KubeObject)
}

const keepStatus = (draft: Draft, old: KubeObject): void => {
  if (old.status !== undefined) draft.status = old.status as NonNullable<Draft["status"]>
  else if (draft.status !== undefined) draft.status = undefined as unknown as NonNullable<Draft["status"]>
}

/** Puts back what an update cannot change. */
const keepSystemFields = ({ metadata }: Draft, before: KubeObject["metadata"]): void => {
  if (before.generation !== undefined || metadata.generation !== undefined) {
    metadata.generation = before.generation as number
  }
  if ((metadata.uid ?? "") === "" && before.uid !== undefined) metadata.uid = before.uid
  if (before.creationTimestamp !== undefined) metadata.creationTimestamp = before.creationTimestamp
  if (before.deletionTimestamp !== undefined) metadata.deletionTimestamp = before.deletionTimestamp
  if (before.deletionGracePeriodSeconds !== undefined && metadata.deletionGracePeriodSeconds === undefined) {
    metadata.deletionGracePeriodSeconds = before.deletionGracePeriodSeconds
  }
  if (metadata.selfLink !== undefined) metadata.selfLink = undefined as unknown as string
}

const refuseRevision = ({ request, resource }: Writing, draft: Draft, old: KubeObject): ApiFailure | undefined => {
  const asked = draft.metadata.resourceVersion ?? ""
  if (asked === old.metadata.resourceVersion) return undefined
  if (asked !== "" && asked !== "0") return lockConflict(resource, request.name)
  if (resource.definition.strategy.unconditionalUpdate !== false) return undefined
  const { group, resource: kind } = resource.definition
  return Failures.invalid({ group, kind }, request.name, [
    {
      type: "FieldValueInvalid",
      field: "metadata.resourceVersion",
      value: 0,
      detail: "must be specified for an update"
    }
  ])
}

const finish = (
  writing: Writing,
  change: Change,
  draft: Draft,
  found: Held,
  old: KubeObject,
  done: (outcome: Outcome) => void
): void => {
  const { context, registry, resource, strategy, warnings } = writing
  const refused = refuseRevision(writing, draft, old)
  if (refused !== undefined) return done(refused)
  keepSystemFields(draft, old.metadata)
  strategy.defaults?.(draft)
  const hindered = strategy.prepareForUpdate?.(draft, old, context)
  if (hindered !== undefined) return done(hindered)
  const object = draft as unknown as KubeObject
  resource.cache.donors.lend(object, old)
  if (change.subresource?.type !== "status") raiseGeneration(writing, change, draft, old)
  const problems = together(
    metadataProblems(object, old, resource.definition.namespaced),
    metadataUpdateProblems(object, old),
    strategy.validate?.(object) ?? NONE,
    strategy.validateUpdate?.(object, old) ?? NONE
  )
  if (problems.length > 0) return done(invalidObject(writing, object, problems))
  if (strategy.warnings !== undefined) warnings.push(...strategy.warnings(object, old))
  registry.admission.validate(admissionOf(writing, "UPDATE", object, old), warnings, (failure) => {
    if (failure !== undefined) return done(failure)
    store(writing, object, found, old, done)
  })
}

const NONE: ReadonlyArray<FieldProblem> = []

/** All problems in one list; the usual object has none. */
const together = (...lists: ReadonlyArray<ReadonlyArray<FieldProblem>>): ReadonlyArray<FieldProblem> => {
  for (const list of lists) if (list.length > 0) return lists.flat()
  return NONE
}

const raiseGeneration = (writing: Writing, { subresource }: Change, draft: Draft, old: KubeObject): void => {
  // A part has its own view of what counts: binding a pod, say, does not.
  const fields = subresource?.type === "part" ? (writing.strategy.generationFields ?? []) : generationFieldsOf(writing)
  // Parts that say the same are the same by now.
  if (fields.some((field) => draft[field] !== old[field])) {
    draft.metadata.generation = (old.metadata.generation ?? 0) + 1
  }
}

const store = (
  writing: Writing,
  object: KubeObject,
  found: Held,
  old: KubeObject,
  done: (outcome: Outcome) => void
): void => {
  const { request, resource, warnings } = writing
  if (isReleased(writing, object, old)) {
    return deleteNow(writing, found, request.options.dryRun === true, (gone) =>
      done(
        gone instanceof WriteConflict || gone instanceof ApiFailure
          ? gone
          : objectAnswer(looseHeld(object), 200, warnings)
      )
    )
  }
  if (isUnchanged(object, old)) return done(objectAnswer(resource.served(found), 200, warnings))
  const { metadata } = object as { metadata: { resourceVersion?: string } }
  if (request.options.dryRun === true) {
    metadata.resourceVersion = old.metadata.resourceVersion as string
    return done(objectAnswer(looseHeld(object), 200, warnings))
  }
  metadata.resourceVersion = undefined as unknown as string
  writeObject(writing, object, found, (written) =>
    done(
      written instanceof WriteConflict || written instanceof ApiFailure ? written : objectAnswer(written, 200, warnings)
    )
  )
}

/** Whether an object that is being deleted has just lost the last thing that held it. */
const isReleased = ({ resource }: Writing, object: KubeObject, { metadata }: KubeObject): boolean =>
  metadata.deletionTimestamp !== undefined &&
  (object.metadata.finalizers ?? []).length === 0 &&
  (metadata.deletionGracePeriodSeconds ?? 0) === 0 &&
  resource.definition.strategy.heldBack?.(object) !== true
