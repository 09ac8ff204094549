// The invariant of a tenant's end: whatever fails on the way and how often, all that is the tenant's goes, and nothing else.
// Owns a cluster of names and labels, in which deletions take their time; refuses to know what else the controller does.
import { Effect, Exit } from "effect"
import * as fc from "fast-check"
import { type ApiFailure, type Client, effectClient, Failures, type KubeObject } from "#kube"
import type { Catalog } from "../discovery/Catalog.ts"
import { tearDown } from "../lifecycle/Teardown.ts"
import { TENANT_LABEL } from "../rules/Sorts.ts"
import { tenantRoleName } from "../walls/Roles.ts"
import { cast } from "./Book.ts"
import { CheckedHandler } from "./Handler.ts"
import type { Invariant } from "./Invariants.ts"
import { holds, newRewriter } from "./View.ts"

const id = cast.tenant
const DEFINITIONS = "customresourcedefinitions"
const kinds = ["namespaces", "clusterroles", "clusterrolebindings", "ingressclasses", DEFINITIONS] as const
const names = [
  "x",
  id,
  `${id}-`,
  `${id}-x`,
  `${id}-${id}-x`,
  `${id}x`,
  `x-${id}-x`,
  `${cast.others[0]}-x`,
  `${cast.others[0]}-${id}-x`
]

interface Thing {
  readonly resource: string
  readonly name: string
  readonly label: string | undefined
}

const things: fc.Arbitrary<ReadonlyArray<Thing>> = fc.uniqueArray(
  fc
    .record({
      resource: fc.constantFrom(...kinds),
      name: fc.constantFrom(...names),
      label: fc.constantFrom(id, id, ...cast.others, undefined)
    })
    .map((thing) => (thing.resource === DEFINITIONS ? { ...thing, name: `things.${thing.name}.io` } : thing)),
  { selector: ({ name, resource }) => `${resource}/${name}`, maxLength: 20 }
)

const rights: ReadonlyArray<Thing> = ["clusterroles", "clusterrolebindings"].map((resource) => ({
  resource,
  name: tenantRoleName(id),
  label: undefined
}))

/** Under the tenant's prefix and with its mark; one of both may be anybody's. */
const isTenants = ({ label, name, resource }: Thing): boolean =>
  label === id &&
  (resource === DEFINITIONS ? name.slice(name.indexOf(".") + 1) : name).startsWith(`${id}-`) &&
  name !== `${id}-`

/** Upstream, where some calls fail and what is deleted goes when somebody looks away. */
class Cluster {
  left: ReadonlyArray<Thing>
  private readonly ending = new Set<Thing>()
  private readonly fails: Array<boolean>

  constructor(left: ReadonlyArray<Thing>, fails: ReadonlyArray<boolean>) {
    this.left = left
    this.fails = [...fails]
  }

  private get failure(): ApiFailure | undefined {
    return this.fails.shift() === true ? Failures.unavailable("it crashed here") : undefined
  }

  sweep(): void {
    this.left = this.left.filter((thing) => !this.ending.has(thing))
  }

  private seen(thing: Thing): KubeObject {
    const labels = thing.label === undefined ? {} : { labels: { [TENANT_LABEL]: thing.label } }
    const ending = this.ending.has(thing) ? { deletionTimestamp: "2026-01-01T00:00:00Z" } : {}
    return { apiVersion: "v1", kind: "Thing", metadata: { name: thing.name, ...labels, ...ending } }
  }

  readonly client: Pick<Client, "list" | "delete"> = {
    list: ({ resource }, { labelSelector }, done) => {
      const found = this.left.filter(
        (thing) =>
          thing.resource === resource.resource &&
          (labelSelector === undefined || labelSelector === `${TENANT_LABEL}=${thing.label ?? ""}`)
      )
      const items = found.map((thing) => this.seen(thing))
      done(this.failure ?? { apiVersion: "v1", kind: "List", metadata: { resourceVersion: "1" }, items })
    },
    delete: ({ name, resource }, _options, done) => {
      const { failure } = this
      const thing = this.left.find((one) => one.resource === resource.resource && one.name === name)
      if (failure !== undefined) return done(failure)
      if (thing === undefined) return done(Failures.notFound({ group: "", resource: resource.resource, name }))
      this.ending.add(thing)
      done(this.seen(thing))
    }
  }
}

/** Times that a teardown is begun anew. */
const TRIES_MAX = 100

const end = (cluster: Cluster, catalog: Catalog): boolean => {
  // SAFETY: a teardown lists and deletes; anything else would throw, and be found.
  const client = effectClient(cluster.client as Client)
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const exit = Effect.runSyncExit(tearDown(client, catalog, id))
    cluster.sweep()
    if (Exit.isSuccess(exit) && exit.value.objects === 0) return true
  }
  return false
}

/** A teardown ends with nothing of the tenant, and everything of others. */
export const teardownProperties: ReadonlyArray<Invariant> = [
  {
    number: 19,
    name: "teardown",
    says: "a teardown, crash where it may, leaves nothing of the tenant's and everything of others'",
    property: () => {
      const { catalog } = new CheckedHandler(newRewriter())
      return fc.property(
        fc.tuple(things, fc.array(fc.boolean(), { maxLength: 60 })),
        ([all, fails]: readonly [ReadonlyArray<Thing>, ReadonlyArray<boolean>]) => {
          const others = all.filter((thing) => !isTenants(thing) && !rights.some(({ name }) => name === thing.name))
          const cluster = new Cluster([...others, ...all.filter(isTenants), ...rights], fails)
          holds("the teardown does not end", end(cluster, catalog))
          const told = (some: ReadonlyArray<Thing>): string =>
            some
              .map(({ name, resource }) => `${resource}/${name}`)
              .sort()
              .join(" ")
          holds(`left is ${told(cluster.left)}, not ${told(others)}`, told(cluster.left) === told(others))
        }
      )
    }
  }
]
