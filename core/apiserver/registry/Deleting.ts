// delete and deletecollection: carries out what a deletion comes to, again when somebody else was faster.
// Owns preconditions and the answers; refuses to decide between going and waiting, which DeletionPlan.ts does.
import { ApiFailure, Failures, type FieldProblem, type KubeObject, type Status } from "#kube"
import { isUnchanged } from "../cache/Donors.ts"
import { type Held, looseHeld } from "../cache/Held.ts"
import type { ApiAnswer, ApiRequest } from "../Request.ts"
import { KeyValueFailure, WriteConflict } from "../store/KeyValue.ts"
import { planDeletion } from "./DeletionPlan.ts"
import { findNewest, listObjects, objectAnswer } from "./Reading.ts"
import { type Registry, storeFailure } from "./Registry.ts"
import type { ServedResource } from "./StoredResource.ts"
import { draftOf } from "./SystemFields.ts"
import {
  admissionOf,
  type Answer,
  ATTEMPTS_MAX,
  beginWriting,
  currentOf,
  lockConflict,
  writeObject,
  type Writing
} from "./Writing.ts"

const POLICIES = new Set(["Foreground", "Background", "Orphan"])

/** Why the options of a delete are refused. */
const refuseDelete = ({ options }: ApiRequest): ApiFailure | undefined => {
  const { propagationPolicy: policy } = options
  if (policy === undefined || POLICIES.has(policy)) return undefined
  const detail = 'supported values: "Background", "Foreground", "Orphan", "nil"'
  const problem: FieldProblem = { type: "FieldValueNotSupported", field: "propagationPolicy", value: policy, detail }
  return Failures.invalid({ group: "meta.k8s.io", kind: "DeleteOptions" }, "", [problem])
}

/** Deletes the request's object. */
export const deleteObject = (writing: Writing, done: Answer): void => {
  const { registry, request, resource } = writing
  const refused = refuseDelete(request)
  if (refused !== undefined) return done(refused)
  const attempt = (found: Held | undefined | ApiFailure, tries: number): void => {
    if (found instanceof ApiFailure) return done(found)
    if (found === undefined) return done(Failures.notFound(resource.about(request.name)))
    apply(writing, found, (outcome) => {
      if (!(outcome instanceof WriteConflict)) return done(outcome)
      if (tries >= ATTEMPTS_MAX) return done(lockConflict(resource, request.name))
      attempt(currentOf(writing, outcome), tries + 1)
    })
  }
  findNewest(registry, resource, request.namespace, request.name, (found) => attempt(found, 1))
}

const refusePreconditions = ({ request, resource }: Writing, object: KubeObject): ApiFailure | undefined => {
  const { preconditions } = request.options
  if (preconditions === undefined) return undefined
  const { definition } = resource
  const { name = "", resourceVersion = "", uid = "" } = object.metadata
  // As the original has it, the failure names the kind where it means the resource.
  const about = { group: definition.group, resource: definition.kind, name }
  if (preconditions.uid !== undefined && preconditions.uid !== uid) {
    return Failures.conflict(
      about,
      `the UID in the precondition (${preconditions.uid}) does not match the UID in record (${uid}). The object might have been deleted and then recreated`
    )
  }
  if (preconditions.resourceVersion === undefined || preconditions.resourceVersion === resourceVersion) return undefined
  return Failures.conflict(
    about,
    `the ResourceVersion in the precondition (${preconditions.resourceVersion}) does not match the ResourceVersion in record (${resourceVersion}). The object might have been modified`
  )
}

type Outcome = ApiAnswer | ApiFailure | WriteConflict

const apply = (writing: Writing, found: Held, done: (outcome: Outcome) => void): void => {
  const { context, registry, resource, warnings } = writing
  const { strategy } = resource.definition
  const old = resource.served(found).object
  const refused = refusePreconditions(writing, old) ?? strategy.validateDelete?.(old, context)
  if (refused !== undefined) return done(refused)
  const admission = admissionOf(writing, "DELETE", undefined, old)
  registry.admission.mutate(admission, warnings, (admitted) => {
    if (admitted instanceof ApiFailure) return done(admitted)
    registry.admission.validate(admission, warnings, (failure) => {
      if (failure !== undefined) return done(failure)
      carryOut(writing, found, old, done)
    })
  })
}

const carryOut = (writing: Writing, found: Held, old: KubeObject, done: (outcome: Outcome) => void): void => {
  const { context, registry, request, resource, warnings } = writing
  const { definition } = resource
  const { strategy } = definition
  const isFirst = old.metadata.deletionTimestamp === undefined
  const plan = planDeletion(old, draftOf(definition, old), request.options, strategy, registry.clockwork.now())
  if (plan.kind === "pending") return done(objectAnswer(resource.served(found), 200, warnings))
  const isDryRun = request.options.dryRun === true
  if (plan.kind === "gone") return deleteNow(writing, found, isDryRun, done)
  const { draft } = plan
  if (isFirst) strategy.prepareForDelete?.(draft, context)
  const object = draft as unknown as KubeObject
  if (isDryRun) return done(objectAnswer(looseHeld(object), 200, warnings))
  draft.metadata.resourceVersion = undefined as unknown as string
  resource.cache.donors.lend(object, old)
  if (isUnchanged(object, old)) return done(objectAnswer(resource.served(found), 200, warnings))
  writeObject(writing, object, found, (written) =>
    done(
      written instanceof WriteConflict || written instanceof ApiFailure ? written : objectAnswer(written, 200, warnings)
    )
  )
}

/** Removes an object that nothing holds, and answers what clients are told. */
export const deleteNow = (
  { registry, resource, warnings }: Writing,
  found: Held,
  isDryRun: boolean,
  done: (outcome: Outcome) => void
): void => {
  const served = resource.served(found)
  const { object } = served
  const { strategy } = resource.definition
  const answer = (held: Held): ApiAnswer =>
    objectAnswer(strategy.returnsDeleted === true ? held : looseHeld(deletedStatus(resource, object)), 200, warnings)
  if (isDryRun) return done(answer(served))
  const write = {
    key: resource.placeOf(object, found).storeKey,
    value: undefined,
    expected: found.revision,
    ttlSeconds: 0,
    origin: undefined,
    place: undefined
  }
  registry.keyValue.write(write, (outcome) => {
    if (outcome instanceof KeyValueFailure) return done(storeFailure(outcome))
    if (outcome instanceof WriteConflict) return done(outcome)
    strategy.deleted?.(object)
    done(answer(served.at(outcome)))
  })
}

const deletedStatus = ({ definition }: ServedResource, { metadata }: KubeObject): KubeObject => {
  const { group, resource } = definition
  const { name = "", uid = "" } = metadata
  const status: Status = {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Success",
    details: { name, ...(group === "" ? {} : { group }), kind: resource, ...(uid === "" ? {} : { uid }) }
  }
  return status as unknown as KubeObject
}

/** Deletes of a collection that are under way at once. */
const CONCURRENT = 16
const PAGE = 10_000

/** Deletes what a list finds, object by object, and answers that list. */
export const deleteCollection = (
  registry: Registry,
  resource: ServedResource,
  request: ApiRequest,
  done: Answer
): void => {
  const refused = refuseDelete(request)
  if (refused !== undefined) return done(refused)
  const limit = request.options.limit ?? 0
  const found: Array<Extract<ApiAnswer, { kind: "list" }>> = []
  const page = (token: string | undefined): void => {
    const { continue: first, resourceVersion, resourceVersionMatch, ...options } = request.options
    const more =
      token === undefined
        ? { ...given({ continue: first, resourceVersion, resourceVersionMatch }) }
        : { continue: token }
    const listing = { ...request, options: { ...options, ...more, limit: limit > 0 ? limit : PAGE } } as ApiRequest
    listObjects(registry, resource, listing, (answer) => {
      if (answer instanceof ApiFailure || answer.kind !== "list") return done(answer)
      found.push(answer)
      deleteAll(
        registry,
        resource,
        request,
        answer.items.map(({ object }) => object),
        (failure) => {
          if (failure !== undefined) return done(failure)
          if (limit === 0 && answer.continue !== undefined) return page(answer.continue)
          const items = found.flatMap((one) => one.items)
          done({
            ...(limit > 0 ? answer : { ...found[0], kind: "list", definition: resource.definition }),
            items
          })
        }
      )
    })
  }
  page(undefined)
}

const given = (fields: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))

const deleteAll = (
  registry: Registry,
  resource: ServedResource,
  request: ApiRequest,
  objects: ReadonlyArray<KubeObject>,
  done: (failure: ApiFailure | undefined) => void
): void => {
  let next = 0
  let open = 0
  const failures: Array<ApiFailure> = []
  let isOver = false
  const step = (): void => {
    while (open < CONCURRENT && next < objects.length && failures.length === 0) {
      const { name = "", namespace = "" } = objects[next++].metadata
      open++
      const one = beginWriting(registry, resource, { ...request, verb: "delete", name, namespace })
      deleteObject(one, (answer) => {
        open--
        if (answer instanceof ApiFailure && answer.reason !== "NotFound") failures.push(answer)
        step()
      })
    }
    if (isOver || open > 0 || (next < objects.length && failures.length === 0)) return
    isOver = true
    done(failures[0])
  }
  step()
}
