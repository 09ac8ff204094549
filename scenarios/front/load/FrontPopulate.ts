// Makes the namespaces and objects that a front scenario begins with, at the upstream and as its administrator, as fast as it
// takes them; what is there already stays. Owns that; the fixed upstream needs none of it.
// Bound: so many requests in flight at once.
import type { ConnectFailed } from "#net"
import { Effect, Schema, Scope } from "effect"
import type { Report } from "../../generator/Protocol.ts"
import { answerName } from "./FrontCall.ts"
import { FrontClients } from "./FrontClients.ts"
import type { FrontContext } from "./FrontContext.ts"
import { adminUser, type FrontEndpoint, upstreamNamespace } from "./FrontEndpoint.ts"
import { FrontObjectPool } from "./FrontObjectPool.ts"

const inFlightMax = 64
const connections = 2
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

const post = (clients: FrontClients, path: string, body: Buffer): Effect.Effect<void, PopulateFailed> =>
  Effect.callback((resume) => {
    const connection = clients.take()
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

/** Gives everything that is to be made, namespaces first. */
const makeAll = ({ front, tenants }: FrontContext, clients: FrontClients) =>
  Effect.gen(function* () {
    const all = Array.from({ length: Math.max(1, tenants) }, (_, tenant) => tenant)
    const pools = front.objects.map((objects, index) => {
      const named = (tenant: number, namespace: number) => upstreamNamespace(front, objects, tenant, namespace)
      return new FrontObjectPool(index, objects, tenants, named)
    })
    const namespaces = all.flatMap((tenant) =>
      front.objects.flatMap((objects) =>
        Array.from({ length: objects.namespaces }, (_, index) => upstreamNamespace(front, objects, tenant, index))
      )
    )
    const make = (path: string, body: Buffer) => post(clients, path, body)
    yield* Effect.forEach(
      namespaces,
      (name) =>
        make("/api/v1/namespaces", Buffer.from(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"${name}"}}`)),
      { concurrency: inFlightMax, discard: true }
    )
    for (const pool of pools) {
      const numbers = Array.from({ length: pool.objects.count }, (_, index) => index)
      for (const tenant of all) {
        const one = (index: number) => {
          const object = pool.preset(tenant, index)
          return make(pool.collection(tenant, object.namespace), pool.body(object))
        }
        yield* Effect.forEach(numbers, one, { concurrency: inFlightMax, discard: true })
      }
    }
  })

/** Makes everything; the connections close with the scope. */
export const populate = (
  context: FrontContext,
  endpoint: FrontEndpoint
): Effect.Effect<Report, ConnectFailed | PopulateFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const identity = { by: "certificate", user: adminUser, users: 1, fresh: false } as const
    const options = { endpoint, identity, clients: 1, connections, tenants: 0, tenant: undefined }
    const clients = new FrontClients(options, yield* Scope.Scope, () => {})
    yield* clients.open
    yield* makeAll(context, clients)
    return { type: "ready" }
  })
