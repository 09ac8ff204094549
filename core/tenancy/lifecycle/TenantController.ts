// Tenants as they should be: each reconcile looks at one tenant and brings the cluster a step nearer, whatever happened before.
// Owns finalizer, status and the order of setting up and tearing down; refuses to serve anybody.
import { Effect } from "effect"
import {
  ApiFailure,
  type Client,
  type Clockwork,
  type Controller,
  effectClient,
  type EffectClient,
  Informer,
  isJsonObject,
  type JsonObject,
  type KubeObject,
  makeController,
  type Reconciled,
  sameJson
} from "#kube"
import type { Catalog } from "../discovery/Catalog.ts"
import { prefixIn } from "../names/TenantId.ts"
import { shareQuota } from "../quota/QuotaKeeping.ts"
import { ensureAuthority, type PodServer } from "../walls/PodAccess.ts"
import { INTERNAL_LABEL } from "../serve/UpstreamHead.ts"
import { QUOTAS } from "../quota/QuotaShares.ts"
import { shareInForce } from "../quota/SharesInForce.ts"
import { markNamespaces, namespaceMarks } from "./NamespaceMarks.ts"
import { PLATFORM_SLICES_SELECTOR, platformSlices } from "./KubernetesService.ts"
import { tearDown } from "./Teardown.ts"
import type { TenantNamespaces } from "./TenantNamespaces.ts"
import { TENANTS, type Tenants } from "./Tenants.ts"
import { DEFINITIONS, idProblem, setUp } from "./TenantSetup.ts"

export const FINALIZER = "kubezoo.io/tenant"
/** How soon it looks again when others have to do something first. */
const LOOK_AGAIN_MS = 1000
const QUOTA_NOT_IN_FORCE = "upstream does not enforce the quota yet: its resourcequota-controller has to count first"
/** How often a tenant is looked at though nothing was heard of it. */
const RESYNC_MS = 600_000

export interface TenantControllerOptions {
  readonly client: Client
  readonly clockwork: Clockwork
  readonly tenants: Tenants
  readonly namespaces: TenantNamespaces
  readonly catalog: Catalog
  /** Where tenants' pods find this server; undefined: they are told nothing. */
  readonly podServer: PodServer | undefined
  readonly onFailure: (tenant: string, failure: ApiFailure) => void
}

export interface TenantController {
  readonly start: () => void
  readonly stop: () => void
}

/** A controller that waits to be started, by whoever leads. */
export const makeTenantController = (options: TenantControllerOptions): TenantController => {
  const { client, clockwork, namespaces, onFailure, tenants } = options
  const definitions = new Informer({
    client,
    clockwork,
    collection: { resource: DEFINITIONS, namespace: "" },
    transform: ({ apiVersion, kind, metadata, spec }) => ({
      apiVersion,
      kind,
      metadata: { ...metadata, managedFields: [] },
      spec: { group: groupOf(spec) }
    })
  })
  definitions.store.addIndex("tenant", ({ spec }) => [prefixIn(groupOf(spec)) ?? ""])
  const reconciler = new Reconciler(options, definitions)
  // What is used in a share moves the others.
  const quotas = new Informer({
    client,
    clockwork,
    collection: { resource: QUOTAS, namespace: "" },
    labelSelector: `${INTERNAL_LABEL}=true`
  })
  const addresses = new Informer({
    client,
    clockwork,
    collection: platformSlices,
    labelSelector: PLATFORM_SLICES_SELECTOR
  })
  const controller: Controller = makeController({
    name: "tenants",
    clockwork,
    workers: 4,
    watches: [
      { informer: tenants.informer, keys: ({ metadata }) => metadata.name },
      { informer: namespaces.informer, keys: ({ metadata }) => prefixIn(metadata.name ?? "") },
      { informer: quotas, keys: ({ metadata }) => prefixIn(metadata.namespace ?? ""), changed: usageChanged },
      { informer: addresses, keys: () => [...tenants.all()].map(({ id }) => id) },
      { informer: definitions, keys: ({ spec }) => prefixIn(groupOf(spec)) }
    ],
    reconcile: (id) => reconciler.reconcile(id),
    onFailure
  })
  return {
    start: () => {
      definitions.start()
      quotas.start()
      addresses.start()
      controller.start()
    },
    stop: () => {
      controller.stop()
      addresses.stop()
      quotas.stop()
      definitions.stop()
    }
  }
}

const wasServed = ({ status }: KubeObject): boolean => {
  const phase = isJsonObject(status) ? status["phase"] : undefined
  return phase === "Ready" || phase === "Suspended"
}

const usageChanged = (before: KubeObject, after: KubeObject): boolean =>
  !sameJson(before.status ?? null, after.status ?? null)

const groupOf = (spec: unknown): string => {
  const group = (spec as { readonly group?: unknown } | undefined)?.group
  return typeof group === "string" ? group : ""
}

class Reconciler {
  private readonly options: TenantControllerOptions
  private readonly client: EffectClient
  private readonly definitions: Informer

  constructor(options: TenantControllerOptions, definitions: Informer) {
    this.options = options
    this.client = effectClient(options.client)
    this.definitions = definitions
  }

  reconcile(id: string): Effect.Effect<Reconciled, ApiFailure> {
    const object = this.options.tenants.informer.store.get(id)
    if (object === undefined) return Effect.void
    return object.metadata.deletionTimestamp === undefined ? this.keep(object) : this.end(object)
  }

  private readonly refreshed: Effect.Effect<void, ApiFailure> = Effect.callback((resume) =>
    this.options.catalog.refresh((failure) => resume(failure === undefined ? Effect.void : Effect.fail(failure)))
  )

  private keep(object: KubeObject): Effect.Effect<Reconciled, ApiFailure> {
    const { client, definitions, options, refreshed } = this
    const writeStatus = (known: KubeObject, status: JsonObject) => this.writeStatus(known, status)
    return Effect.gen(function* () {
      const id = object.metadata.name ?? ""
      let tenant = object
      if (!(tenant.metadata.finalizers ?? []).includes(FINALIZER)) {
        yield* refreshed
        const problem = yield* idProblem(client, options.catalog, id)
        if (problem !== undefined) {
          yield* writeStatus(tenant, { online: false, phase: "Rejected", message: problem })
          return { requeueAfterMs: RESYNC_MS }
        }
        const finalizers = [...(tenant.metadata.finalizers ?? []), FINALIZER]
        tenant = yield* client.update(
          { resource: TENANTS, namespace: "", name: id },
          { ...tenant, metadata: { ...tenant.metadata, finalizers } }
        )
      }
      const groups = new Set(definitions.store.byIndex("tenant", id).map(({ spec }) => groupOf(spec)))
      const namespaces = yield* setUp(client, id, {
        namespaces: options.namespaces.of(id),
        groups: [...groups].sort()
      })
      const { podServer } = options
      if (podServer !== undefined)
        for (const namespace of namespaces) yield* ensureAuthority(client, namespace, podServer)
      const access = isJsonObject(tenant.spec) ? tenant.spec["access"] : undefined
      const suspended = access === "ReadOnly" || access === "Frozen"
      yield* markNamespaces(client, namespaceMarks(tenant.spec), options.namespaces.objectsOf(id))
      const { quota } = yield* shareQuota(client, id, namespaces)
      if (quota !== undefined && !wasServed(tenant)) {
        // Nobody makes anything in a cluster that nothing bounds yet.
        for (const namespace of namespaces) {
          if (yield* shareInForce(client, namespace)) continue
          yield* writeStatus(tenant, { online: false, phase: "Pending", message: QUOTA_NOT_IN_FORCE })
          return { requeueAfterMs: LOOK_AGAIN_MS }
        }
      }
      yield* writeStatus(tenant, {
        online: !suspended,
        phase: suspended ? "Suspended" : "Ready",
        message: "",
        namespaces: namespaces.length,
        ...(quota === undefined ? {} : { quota })
      })
      return { requeueAfterMs: RESYNC_MS }
    })
  }

  private end(object: KubeObject): Effect.Effect<Reconciled, ApiFailure> {
    const { client, options, refreshed } = this
    const writeStatus = (known: KubeObject, status: JsonObject) => this.writeStatus(known, status)
    return Effect.gen(function* () {
      const id = object.metadata.name ?? ""
      const finalizers = object.metadata.finalizers ?? []
      // Without the finalizer nothing was ever made for it.
      if (!finalizers.includes(FINALIZER)) return undefined
      yield* refreshed
      const left = yield* tearDown(client, options.catalog, id)
      if (left.objects > 0) {
        yield* writeStatus(object, { online: false, phase: "Terminating", message: left.message })
        return { requeueAfterMs: LOOK_AGAIN_MS }
      }
      yield* client
        .update(
          { resource: TENANTS, namespace: "", name: id },
          { ...object, metadata: { ...object.metadata, finalizers: finalizers.filter((each) => each !== FINALIZER) } }
        )
        .pipe(Effect.catch((failure) => (failure.code === 404 ? Effect.void : Effect.fail(failure))))
      return undefined
    })
  }

  private writeStatus(tenant: KubeObject, status: JsonObject): Effect.Effect<void, ApiFailure> {
    const { client } = this
    const known = isJsonObject(tenant.status) ? tenant.status : {}
    const next = { ...known, ...status }
    if (sameJson(known, next)) return Effect.void
    const target = { resource: TENANTS, namespace: "", name: tenant.metadata.name ?? "", subresource: "status" }
    return client.update(target, { ...tenant, status: next }).pipe(
      Effect.asVoid,
      Effect.catch((failure) =>
        // Somebody else wrote meanwhile, and this tenant is heard of again for it.
        failure.code === 409 || failure.code === 404 ? Effect.void : Effect.fail(failure)
      )
    )
  }
}
