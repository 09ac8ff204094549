// The requests of a front's clients: which method, path and body each operation of a mix is.
// Owns that mapping; objects and their names are FrontObjectPool.ts's, sending is FrontCall.ts's.
import type { RecordedOperation } from "#reports"
import { type Randomness, randomness } from "../../Randomness.ts"
import type { FrontOperation, FrontOperationName } from "../FrontOperation.ts"
import type { FrontBehaviour } from "./FrontCall.ts"
import type { FrontContext } from "./FrontContext.ts"
import type { FrontObjectPool } from "./FrontObjectPool.ts"

/** What reports call each operation. */
export const frontOperationKinds: Readonly<Record<FrontOperationName, RecordedOperation["kind"]>> = {
  get: "read",
  list: "read",
  create: "write",
  update: "write",
  patch: "write",
  delete: "write",
  watch: "watch"
}

interface Setting {
  readonly operation: FrontOperation
  readonly pool: FrontObjectPool
  readonly random: Randomness
}

type Make = (setting: Setting) => FrontBehaviour

const query = (parts: ReadonlyArray<string | undefined>): string => {
  const given = parts.filter((part) => part !== undefined)
  return given.length === 0 ? "" : `?${given.join("&")}`
}

const collectionOf = ({ operation, pool, random }: Setting, tenant: number): string =>
  pool.collection(tenant, operation.scope === "all" ? undefined : random.below(pool.objects.namespaces))

const cachedQuery = ({ operation }: Setting): string | undefined => (operation.cached ? "resourceVersion=0" : undefined)

const get: Make = (setting) => {
  const tail = query([cachedQuery(setting)])
  return {
    writes: false,
    request: (call, { tenant }) => {
      call.object = setting.pool.pick(setting.random, tenant)
      return { method: "GET", path: `${setting.pool.path(call.object)}${tail}` }
    }
  }
}

const list: Make = (setting) => {
  const { limit } = setting.operation
  const tail = query([limit === undefined ? undefined : `limit=${limit}`, cachedQuery(setting)])
  return {
    writes: false,
    request: (_, { tenant }) => ({ method: "GET", path: `${collectionOf(setting, tenant)}${tail}` })
  }
}

const create: Make = ({ pool }) => ({
  writes: true,
  request: (call, { tenant }) => {
    const object = pool.name(tenant)
    call.object = object
    return { method: "POST", path: pool.collection(tenant, object.namespace), body: pool.body(object) }
  },
  answered: ({ object }) => {
    if (object !== undefined) pool.created(object)
  }
})

const update: Make = ({ pool, random }) => ({
  writes: true,
  request: (call, { tenant }) => {
    call.object = pool.pick(random, tenant)
    return { method: "PUT", path: pool.path(call.object), body: pool.body(call.object) }
  }
})

const patch: Make = ({ pool, random }) => ({
  writes: true,
  request: (call, { tenant }) => {
    call.object = pool.pick(random, tenant)
    const contentType = "application/merge-patch+json"
    return { method: "PATCH", path: pool.path(call.object), body: pool.patch(), contentType }
  }
})

const remove: Make = ({ pool }) => ({
  writes: false,
  request: (call, { tenant }) => {
    call.object = pool.takeCreated(tenant)
    return call.object === undefined ? undefined : { method: "DELETE", path: pool.path(call.object) }
  }
})

const watch: Make = (setting) => ({
  writes: false,
  holdMs: setting.operation.hold,
  // From the cache and without what is there: a watch that begins costs no list.
  request: (_, { tenant }) => ({
    method: "GET",
    path: `${collectionOf(setting, tenant)}?watch=1&allowWatchBookmarks=true&resourceVersion=0&fieldSelector=metadata.name%3Dnobody`
  })
})

const makers: Readonly<Record<FrontOperationName, Make>> = { get, list, create, update, patch, delete: remove, watch }

/** The behaviour of an operation; `name` is unique within the scenario and gives it a random stream of its own. */
export const frontBehaviour = (operation: FrontOperation, context: FrontContext, name: string): FrontBehaviour =>
  makers[operation.op]({
    operation,
    pool: context.pool(operation.objects),
    random: randomness(context.seed, `objects/${name}`)
  })
