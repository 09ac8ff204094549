// Brings what every cluster has into being, or up to date, at each start; doing it again changes nothing.
// Owns the order and what of an existing object is touched: missing rules and subjects come back, what was added stays.
import { ApiFailure, gvr, type Json, type KubeObject, rfc3339, sameJson } from "#kube"
import type { Api } from "../Api.ts"
import { askAsServer } from "../Loopback.ts"
import { notCovered, rulesOf } from "../rbac/PolicyRule.ts"
import { RBAC_GROUP } from "../rbac/RbacIndex.ts"
import {
  type BootstrapObject,
  bootstrapNamespaces,
  bootstrapObjects,
  type BootstrapOptions,
  joinedLists
} from "./BootstrapObjects.ts"

/** Writes that were overtaken are read and made again so often. */
const ATTEMPTS = 5
const PROTECT = "rbac.authorization.kubernetes.io/autoupdate"

const listOf = (value: unknown): ReadonlyArray<Json> => (Array.isArray(value) ? value : [])

/** The existing object with what it misses; the same object when it misses nothing. */
const mended = (held: KubeObject, wanted: KubeObject): KubeObject => {
  if (!wanted.apiVersion.startsWith(`${RBAC_GROUP}/`) || held.metadata.annotations?.[PROTECT] === "false") return held
  const rules = listOf(held["rules"])
  const missing =
    wanted["aggregationRule"] === undefined && notCovered(rulesOf(rules), rulesOf(wanted["rules"])).length > 0
  const subjects = joinedLists(listOf(held["subjects"]), listOf(wanted["subjects"]))
  const labels = { ...held.metadata.labels, ...wanted.metadata.labels }
  const annotations = { ...wanted.metadata.annotations, ...held.metadata.annotations }
  const next = {
    ...held,
    metadata: { ...held.metadata, labels, annotations },
    ...(missing ? { rules: joinedLists(rules, listOf(wanted["rules"])) } : {}),
    ...(subjects.length === 0 ? {} : { subjects }),
    ...(wanted["aggregationRule"] === undefined ? {} : { aggregationRule: wanted["aggregationRule"] })
  }
  return sameJson(next as unknown as Json, held as unknown as Json) ? held : next
}

const ensure = (
  api: Api,
  { object, resource }: BootstrapObject,
  attempts: number,
  done: (failure: ApiFailure | undefined) => void
): void => {
  const { name = "", namespace = "" } = object.metadata
  askAsServer(api, { verb: "get", resource, namespace, name }, (held) => {
    const again = (answer: KubeObject | ApiFailure): void => {
      if (!(answer instanceof ApiFailure)) return done(undefined)
      const overtaken = answer.reason === "Conflict" || answer.reason === "AlreadyExists"
      if (overtaken && attempts > 1) ensure(api, { object, resource }, attempts - 1, done)
      else done(answer)
    }
    if (held instanceof ApiFailure) {
      if (held.reason !== "NotFound") return done(held)
      return askAsServer(api, { verb: "create", resource, namespace, body: object }, again)
    }
    const next = mended(held, object)
    if (next === held) done(undefined)
    else askAsServer(api, { verb: "update", resource, namespace, name, body: next }, again)
  })
}

const ensureAll = (
  api: Api,
  objects: ReadonlyArray<BootstrapObject>,
  done: (failures: ReadonlyArray<ApiFailure>) => void
): void => {
  const failures: Array<ApiFailure> = []
  let left = objects.length
  for (const object of objects)
    ensure(api, object, ATTEMPTS, (failure) => {
      if (failure !== undefined) failures.push(failure)
      if (--left === 0) done(failures)
    })
}

const BLOCKS = gvr("networking.k8s.io", "v1", "servicecidrs")
const READY_MESSAGE = "Kubernetes default Service CIDR is ready"

/** Says of the server's own blocks that they are ready, where nobody has said anything of them. */
const declareBlocks = (api: Api, done: () => void): void =>
  askAsServer(api, { verb: "get", resource: BLOCKS, name: "kubernetes" }, (held) => {
    if (held instanceof ApiFailure || held.status !== undefined) return done()
    const lastTransitionTime = rfc3339(api.clockwork.now())
    const ready = { type: "Ready", status: "True", reason: "", message: READY_MESSAGE, lastTransitionTime }
    const body = { ...held, status: { conditions: [ready] } }
    askAsServer(api, { verb: "update", resource: BLOCKS, name: "kubernetes", subresource: "status", body }, () =>
      done()
    )
  })

/** `done` hears, once, what could not be written; resources that this server does not serve are among it. */
export const reconcileBootstrap = (
  api: Api,
  options: BootstrapOptions,
  done: (failures: ReadonlyArray<ApiFailure>) => void
): void =>
  ensureAll(api, bootstrapNamespaces(), (ofNamespaces) =>
    ensureAll(api, bootstrapObjects(options, api.clockwork.now()), (failures) =>
      declareBlocks(api, () => done([...ofNamespaces, ...failures]))
    )
  )
