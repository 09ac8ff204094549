// Creations of what a tenant may have so many of, all under way together, against a cluster that takes any time for each step.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { Query } from "#apiserver"
import { MemoryExchange } from "../../../core/tenancy/check/Handler.ts"
import { SteppedClockwork } from "../../../core/tenancy/check/SteppedClockwork.ts"
import { Translation } from "../../../core/tenancy/names/Translation.ts"
import { ClusterCreations } from "../../../core/tenancy/serve/ClusterCreations.ts"
import { readPath } from "../../../core/tenancy/serve/RequestPath.ts"
import type { TenantScope } from "../../../core/tenancy/serve/Scopes.ts"
import { TenantCall } from "../../../core/tenancy/serve/TenantCall.ts"
import type { Upstream } from "../../../core/tenancy/upstream/Upstream.ts"

const served = {
  group: "networking.k8s.io",
  version: "v1",
  resource: "ingressclasses",
  kind: "IngressClass",
  namespaced: false,
  verbs: new Set(["create"]),
  subresources: new Map<string, ReadonlySet<string>>(),
  entry: {}
}
const { verbs: _verbs, subresources: _subresources, entry: _entry, ...shape } = served

const RESOURCE = "ingressclasses.networking.k8s.io"
const COLLECTION = "/apis/networking.k8s.io/v1/ingressclasses"

const scopeOf = (bound: number): TenantScope => {
  const object = {
    apiVersion: "tenant.kubezoo.io/v1alpha1",
    kind: "Tenant",
    metadata: { name: "tenant" },
    spec: { maxObjects: { [RESOURCE]: bound } }
  }
  const tenant = { id: "tenant", uid: "u", access: "ReadWrite" as const, deleting: false, object }
  const names = new Translation({ tenant: "tenant" } as ConstructorParameters<typeof Translation>[0])
  return { tenant, names } as unknown as TenantScope
}

/** How long each step of a creation takes, and what becomes of it. */
const creation = fc.record({
  comesMs: fc.nat(20),
  listedMs: fc.nat(20),
  storedMs: fc.nat(20),
  answeredMs: fc.nat(20),
  fails: fc.boolean(),
  /** The client of one that fails may go away before, so long after it came. */
  goesMs: fc.option(fc.nat(40))
})

describe("creations outside namespaces", () => {
  it("are let in up to the bound exactly, however they overlap", () => {
    fc.assert(
      fc.property(fc.array(creation, { maxLength: 8 }), fc.integer({ min: 0, max: 4 }), (steps, bound) => {
        const clockwork = new SteppedClockwork()
        const scope = scopeOf(bound)
        const stored: Array<string> = []
        let listedMs = 0
        const upstream = {
          send: (_head, _body, listener) => {
            const body = JSON.stringify({ items: stored.map((name) => ({ metadata: { name } })) })
            clockwork.after(listedMs, () => {
              listener.head(200, [])
              listener.body(Buffer.from(body))
              listener.end([])
            })
            return { cancel: () => undefined }
          }
        } as Upstream
        const creations = new ClusterCreations(upstream)
        // 0: the client had gone; -1: never over.
        const codes = steps.map(() => -1)
        steps.forEach((step, at) =>
          clockwork.after(step.comesMs, () => {
            const exchange = new MemoryExchange({ method: "POST", path: COLLECTION, fields: [], body: "{}" })
            const path = readPath("POST", COLLECTION) ?? assert.fail("no path")
            const kind = { served, shape }
            const caller = {
              kind: "tenant" as const,
              tenant: scope.tenant,
              admin: true,
              user: { name: "a", groups: [] }
            }
            const call = new TenantCall(exchange, { path, query: new Query(""), caller, scope, kind })
            call.onOver(() => (codes[at] = exchange.code))
            if (step.goesMs !== null && step.fails) clockwork.after(step.goesMs, () => call.finish())
            listedMs = step.listedMs
            creations.within(call, () =>
              clockwork.after(step.storedMs, () => {
                if (!step.fails) stored.push(`tenant-${at}`)
                clockwork.after(step.answeredMs, () => call.respond(step.fails ? 422 : 201, [], "{}"))
              })
            )
          })
        )
        clockwork.run(10_000)
        const succeeding = steps.filter(({ fails }) => !fails).length
        assert.strictEqual(stored.length, Math.min(bound, succeeding))
        const countOf = (...of: ReadonlyArray<number>) => codes.filter((code) => of.includes(code)).length
        assert.strictEqual(countOf(201), stored.length)
        assert.strictEqual(countOf(201, 403, 422, 0), steps.length, "each ends")
      })
    )
  })
})
