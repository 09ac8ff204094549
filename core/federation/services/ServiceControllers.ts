// The two loops of services across clusters: exports bring endpoints to the host, imports send them and a Service to where they are
// wanted. Keys are "namespace/name" of the exported Service, the export and the import alike.
// Owns writes to slices, derived Services, placements and the two statuses; what they say is ImportedServices.ts's.
import { Effect } from "effect"
import { fieldsOf, itemsOf } from "#apiserver"
import {
  type ApiFailure,
  type Client,
  type Clockwork,
  type ClockworkRuntime,
  type Controller,
  type EffectClient,
  effectClient,
  gvr,
  type Informer,
  type Json,
  type JsonObject,
  type KubeObject,
  makeController,
  objectKey,
  type Reconciled,
  rfc3339,
  sameJson,
  splitKey
} from "#kube"
import { federatedSpecOf, placedClusters, placementBy } from "../api/FederatedObject.ts"
import { federationControllers, federationResources, SERVICES_GROUP } from "../api/FederationNames.ts"
import { withPlacement } from "../followers/FollowerController.ts"
import { sourceNameOf } from "../followers/Needs.ts"
import { referenceKey } from "../semantics/PodReferences.ts"
import { exportConflict } from "./ExportConflicts.ts"
import {
  derivedName,
  derivedService,
  derivedUpdate,
  exportingClusters,
  importedSlice,
  isHeadless,
  serviceLabels,
  sliceChanges
} from "./ImportedServices.ts"
import { ENDPOINT_SLICES, MemberSlices } from "./MemberSlices.ts"

export interface ServiceOptions {
  readonly clockwork: Clockwork
  readonly client: Client
  readonly runtime?: ClockworkRuntime
  /** Of FederatedObjects. */
  readonly objects: Informer
  /** Of the host's ServiceExports, ServiceImports, Services and EndpointSlices. */
  readonly exports: Informer
  readonly imports: Informer
  readonly services: Informer
  readonly slices: Informer
  readonly memberClient: (cluster: string) => Client | undefined
  /** A Service as a member has it; undefined: it has none of ours, or it is not known. */
  readonly memberService: (cluster: string, key: string) => KubeObject | undefined
  readonly onFailure?: (key: string, failure: ApiFailure) => void
}

export interface ServiceControllers {
  readonly start: () => void
  readonly stop: () => void
  /** A member was lost or is heard of again. */
  readonly clusterChanged: (cluster: string) => void
}

const SERVICES = gvr("", "v1", "services")
const MANAGER = { fieldManager: "kubeadmiral-services" }
const SOURCE_INDEX = "federation/source"
const EXPORTED_INDEX = "exported"

/** The exported Service that a host's slice is of. */
const exportedOf = ({ metadata }: KubeObject): string | undefined => {
  const name = metadata.labels?.[serviceLabels.exported]
  return name === undefined ? undefined : `${metadata.namespace ?? ""}/${name}`
}

const refused =
  (code: number) =>
  (call: Effect.Effect<KubeObject, ApiFailure>): Effect.Effect<void, ApiFailure> =>
    Effect.asVoid(call).pipe(Effect.catch((failure) => (failure.code === code ? Effect.void : Effect.fail(failure))))

const gone = refused(404)

class ServiceLoops {
  readonly #options: ServiceOptions
  readonly #host: EffectClient
  readonly members: MemberSlices
  /** Where each export was last seen to be, and how many are in each cluster. Bound: the exports. */
  readonly #exporting = new Map<string, ReadonlyArray<string>>()
  readonly #exports = new Map<string, number>()
  enqueueExport: (key: string) => void = () => {}

  constructor(options: ServiceOptions) {
    this.#options = options
    this.#host = effectClient(options.client)
    this.members = new MemberSlices({
      clockwork: options.clockwork,
      client: options.memberClient,
      changed: (service) => this.enqueueExport(service)
    })
    options.objects.store.addIndex(SOURCE_INDEX, (object) => [sourceNameOf(object)])
    options.slices.store.addIndex(EXPORTED_INDEX, (slice) => {
      const service = exportedOf(slice)
      return service === undefined ? [] : [service]
    })
  }

  /** Clusters that export a Service: where the export is placed, or the Service where the export names no place. */
  exporting(key: string): ReadonlyArray<string> {
    if (this.#options.exports.store.get(key)?.metadata.deletionTimestamp !== undefined) return []
    if (this.#options.exports.store.get(key) === undefined) return []
    const placed = this.#placed(SERVICES_GROUP, "ServiceExport", key)
    return placed.length > 0 ? placed : this.#placed("", "Service", key)
  }

  reconcileExport = (key: string): Effect.Effect<Reconciled, ApiFailure> =>
    Effect.suspend(() => {
      const { exports, services, slices } = this.#options
      this.#follow(key)
      const { name, namespace } = splitKey(key)
      const wanted: Array<KubeObject> = []
      const unheard = new Set<string>()
      for (const cluster of this.exporting(key)) {
        const found = this.members.slices(cluster, key)
        if (found === undefined) unheard.add(cluster)
        else wanted.push(...found.map((slice) => importedSlice(name, cluster, slice)))
      }
      const changes = sliceChanges(slices.store.byIndex(EXPORTED_INDEX, key), wanted, unheard)
      const collection = { resource: ENDPOINT_SLICES, namespace }
      return Effect.gen({ self: this }, function* () {
        for (const slice of changes.create) yield* refused(409)(this.#host.create(collection, slice, MANAGER))
        for (const slice of changes.update) {
          yield* Effect.asVoid(this.#host.update({ ...collection, name: slice.metadata.name ?? "" }, slice, MANAGER))
        }
        for (const one of changes.delete) yield* gone(this.#host.delete({ ...collection, name: one }))
        const exported = exports.store.get(key)
        if (exported !== undefined) yield* this.#tellExport(key, exported, services.store.get(key) !== undefined)
        // A cluster that could not be followed yet is asked for again.
        return unheard.size === 0 ? undefined : { requeueAfterMs: 30_000 }
      })
    })

  /** Members are followed as long as anything is exported there. */
  #follow(key: string): void {
    const count = (cluster: string, by: number): void => {
      const exports = (this.#exports.get(cluster) ?? 0) + by
      if (exports === 0) this.#exports.delete(cluster)
      else this.#exports.set(cluster, exports)
    }
    const now = this.exporting(key)
    for (const cluster of now) count(cluster, 1)
    for (const cluster of this.#exporting.get(key) ?? []) count(cluster, -1)
    if (now.length === 0) this.#exporting.delete(key)
    else this.#exporting.set(key, now)
    this.members.follow(new Set(this.#exports.keys()))
  }

  reconcileImport = (key: string): Effect.Effect<Reconciled, ApiFailure> =>
    Effect.suspend(() => {
      const { imports, services, slices } = this.#options
      const { name, namespace } = splitKey(key)
      const imported = imports.store.get(key)
      const isWanted = imported !== undefined && imported.metadata.deletionTimestamp === undefined
      const derived = derivedName(name)
      const there = services.store.get(`${namespace}/${derived}`)
      const own = slices.store.byIndex(EXPORTED_INDEX, key)
      const clusters = isWanted ? this.#placed(SERVICES_GROUP, "ServiceImport", key) : []
      return Effect.gen({ self: this }, function* () {
        if (isWanted) yield* this.#derive(imported, there)
        else if (there?.metadata.labels?.[serviceLabels.exported] === name) {
          yield* gone(this.#host.delete({ resource: SERVICES, namespace, name: derived }))
        }
        yield* this.#place("", "Service", `${namespace}/${derived}`, clusters)
        for (const slice of own) yield* this.#place("discovery.k8s.io", "EndpointSlice", objectKey(slice), clusters)
        if (isWanted) yield* this.#tellImport(imported, exportingClusters(own))
      })
    })

  #derive(imported: KubeObject, there: KubeObject | undefined): Effect.Effect<void, ApiFailure> {
    const wanted = derivedService(imported)
    const { name = "", namespace = "" } = wanted.metadata
    if (there === undefined) {
      return refused(409)(this.#host.create({ resource: SERVICES, namespace }, wanted, MANAGER))
    }
    if (there.metadata.deletionTimestamp !== undefined) return Effect.void
    // Whether a Service has an address cannot be changed: once it is gone it is made anew.
    if (isHeadless(there) !== isHeadless(wanted))
      return gone(this.#host.delete({ resource: SERVICES, namespace, name }))
    const update = derivedUpdate(there, wanted)
    return update === there
      ? Effect.void
      : Effect.asVoid(this.#host.update({ resource: SERVICES, namespace, name }, update, MANAGER))
  }

  #placed(group: string, kind: string, key: string): ReadonlyArray<string> {
    const federated = this.#federated(group, kind, key)
    return federated === undefined ? [] : placedClusters(federatedSpecOf(federated))
  }

  #federated(group: string, kind: string, key: string): KubeObject | undefined {
    const { name, namespace } = splitKey(key)
    return this.#options.objects.store.byIndex(SOURCE_INDEX, referenceKey({ group, kind, namespace, name }))[0]
  }

  /** Puts an object that this module made where the import is; federating it may still be under way, its event comes back here. */
  #place(group: string, kind: string, key: string, clusters: ReadonlyArray<string>): Effect.Effect<void, ApiFailure> {
    const federated = this.#federated(group, kind, key)
    if (federated === undefined || federated.metadata.deletionTimestamp !== undefined) return Effect.void
    const spec = federatedSpecOf(federated)
    const before = [...placementBy(spec, federationControllers.serviceImport)].sort()
    if (sameJson(before, [...clusters])) return Effect.void
    const after = withPlacement(spec, federationControllers.serviceImport, clusters)
    const { name = "", namespace = "" } = federated.metadata
    const target = { resource: federationResources.objects, namespace, name }
    return Effect.asVoid(this.#host.update(target, { ...federated, spec: after as unknown as Json }, MANAGER))
  }

  #tellImport(imported: KubeObject, clusters: ReadonlyArray<string>): Effect.Effect<void, ApiFailure> {
    const status = { clusters: clusters.map((cluster) => ({ cluster })) }
    const before = fieldsOf(imported.status)["clusters"] ?? []
    if (sameJson(before, status.clusters)) return Effect.void
    return this.#tell(federationResources.serviceImports, imported, status)
  }

  /** The export's conditions: whether there is a Service, and whether those of its clusters agree. */
  #tellExport(key: string, exported: KubeObject, valid: boolean): Effect.Effect<void, ApiFailure> {
    const { clockwork, memberService } = this.#options
    const copies = this.exporting(key).flatMap((cluster) => {
      const service = memberService(cluster, key)
      return service === undefined ? [] : [[cluster, service] as const]
    })
    const conflict = exportConflict(new Map(copies))
    const name = exported.metadata.name ?? ""
    const wanted: ReadonlyArray<readonly [type: string, status: string, reason: string, message: string]> = [
      valid
        ? ["Valid", "True", "ServiceFound", ""]
        : ["Valid", "False", "NoService", `the namespace has no Service ${name}`],
      conflict === undefined
        ? ["Conflict", "False", "NoConflicts", ""]
        : ["Conflict", "True", conflict.reason, conflict.message]
    ]
    const known = new Map(itemsOf(fieldsOf(exported.status)["conditions"]).map((one) => [one["type"], one]))
    const conditions = wanted.map(([type, status, reason, message]): JsonObject => {
      const before = known.get(type)
      const lastTransitionTime = before?.["status"] === status ? before["lastTransitionTime"] : undefined
      return { type, status, reason, message, lastTransitionTime: lastTransitionTime ?? rfc3339(clockwork.now()) }
    })
    const same = conditions.every((one) => sameJson(known.get(one["type"]) ?? null, one))
    return same ? Effect.void : this.#tell(federationResources.serviceExports, exported, { conditions })
  }

  #tell(resource: ReturnType<typeof gvr>, object: KubeObject, status: JsonObject): Effect.Effect<void, ApiFailure> {
    const { name = "", namespace = "" } = object.metadata
    const target = { resource, namespace, name, subresource: "status" }
    return gone(this.#host.update(target, { ...object, status }, MANAGER))
  }
}

/** The keys of services that a federated object's placement matters for. */
const serviceKeys = (federated: KubeObject): ReadonlyArray<string> => {
  const [, kind = "", namespace = "", name = ""] = sourceNameOf(federated).split("/").slice(-4)
  if (kind === "ServiceExport" || kind === "ServiceImport" || kind === "Service") return [`${namespace}/${name}`]
  return []
}

/** An object that the loops made themselves leads back to its service. */
const madeKeys = (federated: KubeObject): ReadonlyArray<string> => {
  const labels = fieldsOf(fieldsOf(federatedSpecOf(federated).template["metadata"])["labels"])
  const service = labels[serviceLabels.exported]
  return typeof service === "string" ? [`${federated.metadata.namespace ?? ""}/${service}`] : []
}

/** The controllers, waiting to be started. */
export const makeServiceControllers = (options: ServiceOptions): ServiceControllers => {
  const loops = new ServiceLoops(options)
  const { clockwork, exports, imports, objects, onFailure, runtime, services, slices } = options
  const common = {
    clockwork,
    ...(runtime === undefined ? {} : { runtime }),
    ...(onFailure === undefined ? {} : { onFailure })
  }
  const exportLoop: Controller = makeController({
    ...common,
    name: "serviceexport",
    watches: [
      { informer: exports, keys: objectKey },
      { informer: services, keys: objectKey },
      { informer: slices, keys: exportedOf },
      { informer: objects, keys: serviceKeys }
    ],
    reconcile: loops.reconcileExport
  })
  const importLoop: Controller = makeController({
    ...common,
    name: "serviceimport",
    watches: [
      { informer: imports, keys: objectKey },
      { informer: services, keys: exportedOf },
      { informer: slices, keys: exportedOf },
      { informer: objects, keys: (federated) => [...serviceKeys(federated), ...madeKeys(federated)] }
    ],
    reconcile: loops.reconcileImport
  })
  loops.enqueueExport = exportLoop.enqueue
  return {
    start: () => {
      exportLoop.start()
      importLoop.start()
    },
    stop: () => {
      exportLoop.stop()
      importLoop.stop()
      loops.members.stop()
    },
    clusterChanged: (cluster) => {
      for (const key of exports.store.keys()) if (loops.exporting(key).includes(cluster)) exportLoop.enqueue(key)
    }
  }
}
