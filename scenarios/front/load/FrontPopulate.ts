// Makes the namespaces and objects that a front scenario begins with: at the upstream and as its administrator, or, where the front
// shows tenants clusters of their own, as the tenants; what is there already stays. Owns that; the fixed upstream needs none of it.
// Bound: so many requests in flight at once.
import type { ConnectFailed } from "#net"
import { Effect, Schema, Scope } from "effect"
import type { Report } from "../../generator/Protocol.ts"
import { answerName } from "./FrontCall.ts"
import type { FrontObjects } from "../FrontOperation.ts"
import { FrontClients, type FrontConnection } from "./FrontClients.ts"
import type { FrontContext } from "./FrontContext.ts"
import { adminUser, type FrontEndpoint, namespaceName, upstreamNamespace } from "./FrontEndpoint.ts"
import { FrontObjectPool } from "./FrontObjectPool.ts"

const inFlightMax = 64
const connections = 2
const tenantsAtOnce = 8
const conflict = 409

/** The upstream did not take an object that the scenario begins with. */
export class PopulateFailed extends Schema.TaggedError<PopulateFailed>()("PopulateFailed", {
  path: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `the upstream refused ${this.path}: ${this.reason}`
  }
}

const post = (
  connection: FrontConnection | undefined,
  path: string,
  body: Buffer
): Effect.Effect<void, PopulateFailed> =>
  Effect.callback((resume) => {
    const fail = (reason: string) => resume(new PopulateFailed({ path, reason }))
    if (connection?.http === undefined) return fail("its connection is lost")
    let status = 0
    let text = ""
    const fields = [
      ...connection.fields(),
      ["content-type", "application/json"],
      ["content-length", String(body.length)]
    ] as const
    const request = connection.http.request(
      { method: "POST", path, fields },
      {
        head: (code) => void (status = code),
        body: (bytes) => void (text += status < 300 ? "" : Buffer.from(bytes).toString("utf8")),
        end: () => (status < 300 || status === conflict ? resume(Effect.void) : fail(answerName(status, text))),
        failed: (error) => fail(error.message)
      }
    )
    request.end(body)
  })

/** Makes everything of one tenant (or all there is, without tenants), namespaces first. */
const makeTenant = ({ front, tenants, translates }: FrontContext, clients: FrontClients, tenant: number) =>
  Effect.gen(function* () {
    const named = (objects: FrontObjects) => (of: number, namespace: number) =>
      translates ? namespaceName(objects, namespace) : upstreamNamespace(front, objects, of, namespace)
    // Through a front that tells tenants apart each makes its own.
    const make = (path: string, body: Buffer) =>
      post(translates ? clients.connections[tenant] : clients.take(), path, body)
    const together = { concurrency: inFlightMax, discard: true } as const
    for (const [index, objects] of front.objects.entries()) {
      const name = named(objects)
      const namespaces = Array.from({ length: objects.namespaces }, (_, number) => name(tenant, number))
      const namespace = (text: string) =>
        make("/api/v1/namespaces", Buffer.from(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"${text}"}}`))
      yield* Effect.forEach(namespaces, namespace, together)
      const pool = new FrontObjectPool(index, objects, tenants, name)
      const numbers = Array.from({ length: objects.count }, (_, number) => number)
      const one = (number: number) => {
        const object = pool.preset(tenant, number)
        return make(pool.collection(tenant, object.namespace), pool.body(object))
      }
      yield* Effect.forEach(numbers, one, together)
    }
  })

/** Makes everything, as the administrator at `upstream`, or through a front that translates as its tenants. */
export const populate = (
  context: FrontContext,
  upstream: FrontEndpoint
): Effect.Effect<Report, ConnectFailed | PopulateFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const identity = { by: "certificate", user: adminUser, users: 1, fresh: false } as const
    const { endpoint, tenants, translates } = context
    const who = translates
      ? { endpoint, identity, clients: tenants, connections: 1, tenants, tenant: undefined }
      : { endpoint: upstream, identity, clients: 1, connections, tenants: 0, tenant: undefined }
    const clients = new FrontClients(who, yield* Scope.Scope, () => {})
    yield* clients.open
    const all = Array.from({ length: Math.max(1, tenants) }, (_, tenant) => tenant)
    yield* Effect.forEach(all, (tenant) => makeTenant(context, clients, tenant), { concurrency: tenantsAtOnce })
    return { type: "ready" }
  })
