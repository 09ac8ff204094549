// What a host must have before the federation can work on it: its kinds, its namespace, and on a new host the usual types.
// Owns these objects' creation, each only where it is missing; a definition of an older release is brought up to date.
import { Effect } from "effect"
import { fieldsOf, itemsOf } from "#apiserver"
import { type ApiFailure, type EffectClient, gvr, type KubeObject, sameJson } from "#kube"
import { federationResources, SYSTEM_NAMESPACE } from "../api/FederationNames.ts"
import { federationCrds } from "../api/schema/FederationCrds.ts"
import { namespaces } from "../clusters/JoinCluster.ts"
import { ensure, find, MANAGER, patchRead } from "../HostCalls.ts"
import { defaultTypeConfigs } from "./DefaultTypes.ts"

const definitions = gvr("apiextensions.k8s.io", "v1", "customresourcedefinitions")

const isEstablished = ({ status }: KubeObject): boolean =>
  itemsOf(fieldsOf(status)["conditions"]).some((one) => one["type"] === "Established" && one["status"] === "True")

const ESTABLISHED_TRIES = 300

/** A definition is there, as we know it and served. */
const installKind = (host: EffectClient, definition: KubeObject): Effect.Effect<void, ApiFailure> =>
  Effect.gen(function* () {
    const target = { resource: definitions, namespace: "", name: definition.metadata.name ?? "" }
    const before = yield* ensure(host, target, definition)
    const versions = fieldsOf(before.spec)["versions"]
    const wanted = fieldsOf(definition.spec)["versions"]
    // A server fills defaults in: only what we would say otherwise makes a difference.
    if (!sameJson(itemsOf(versions)[0]?.["schema"], itemsOf(wanted)[0]?.["schema"]))
      yield* patchRead(host, target, before, { spec: { versions: wanted } })
    for (let tries = 0; tries < ESTABLISHED_TRIES; tries++) {
      const now = yield* find(host, target)
      if (now !== undefined && isEstablished(now)) return
      yield* Effect.sleep("100 millis")
    }
  })

/** The kinds, on a host that is not our own. */
export const installKinds = (host: EffectClient): Effect.Effect<void, ApiFailure> =>
  Effect.forEach(federationCrds, (definition) => installKind(host, definition), { concurrency: 4, discard: true })

/** The system namespace, and the usual types where there are none at all. */
export const installObjects = (host: EffectClient): Effect.Effect<void, ApiFailure> =>
  Effect.gen(function* () {
    yield* ensure(
      host,
      { resource: namespaces, namespace: "", name: SYSTEM_NAMESPACE },
      { apiVersion: "v1", kind: "Namespace", metadata: { name: SYSTEM_NAMESPACE } }
    )
    const collection = { resource: federationResources.typeConfigs, namespace: "" }
    const { items } = yield* host.list(collection, { limit: 1 })
    if (items.length > 0) return
    yield* Effect.forEach(defaultTypeConfigs, (config) => host.create(collection, config, MANAGER), { discard: true })
  })
