// What a host must have before the federation can work on it: its kinds, its namespace, and on a new host the usual types.
// Owns these objects' creation, each only where it is missing; a definition of an older release is brought up to date.
import { Effect } from "effect"
import { fieldsOf, itemsOf } from "#apiserver"
import { type ApiFailure, type EffectClient, gvr, type KubeObject, sameJson } from "#kube"
import { federationResources, SYSTEM_NAMESPACE } from "../api/FederationNames.ts"
import { federationCrds } from "../api/schema/FederationCrds.ts"
import { namespaces } from "../clusters/JoinCluster.ts"
import { ensure, find, isConflict, MANAGER, patchRead, unlessAbsent } from "../HostCalls.ts"
import { defaultTypeConfigs } from "./DefaultTypes.ts"

const definitions = gvr("apiextensions.k8s.io", "v1", "customresourcedefinitions")

const isEstablished = ({ status }: KubeObject): boolean =>
  itemsOf(fieldsOf(status)["conditions"]).some((one) => one["type"] === "Established" && one["status"] === "True")

/** On the system namespace: the usual types were all made. */
const INSTALLED = "internal.kubeadmiral.io/usual-types-installed"
const ESTABLISHED_TRIES = 300
const CHANGED_TRIES = 30

/** A definition as we know it: the host's own controllers write to it while it is new, and then it is read again. */
const keepKind = (host: EffectClient, definition: KubeObject, tries = 0): Effect.Effect<void, ApiFailure> =>
  Effect.gen(function* () {
    const target = { resource: definitions, namespace: "", name: definition.metadata.name ?? "" }
    const before = yield* ensure(host, target, definition)
    const versions = fieldsOf(before.spec)["versions"]
    const wanted = fieldsOf(definition.spec)["versions"]
    // A server fills defaults in: only what we would say otherwise makes a difference.
    if (sameJson(itemsOf(versions)[0]?.["schema"], itemsOf(wanted)[0]?.["schema"])) return
    yield* Effect.catch(patchRead(host, target, before, { spec: { versions: wanted } }), (failure) =>
      isConflict(failure) && tries < CHANGED_TRIES
        ? Effect.andThen(Effect.sleep("100 millis"), keepKind(host, definition, tries + 1))
        : Effect.fail(failure)
    )
  }).pipe(Effect.asVoid)

/** A definition is there, as we know it and served. */
const installKind = (host: EffectClient, definition: KubeObject): Effect.Effect<void, ApiFailure> =>
  Effect.gen(function* () {
    const target = { resource: definitions, namespace: "", name: definition.metadata.name ?? "" }
    yield* keepKind(host, definition)
    for (let tries = 0; tries < ESTABLISHED_TRIES; tries++) {
      const now = yield* find(host, target)
      if (now !== undefined && isEstablished(now)) return
      yield* Effect.sleep("100 millis")
    }
  })

/** The kinds, on a host that is not our own. */
export const installKinds = (host: EffectClient): Effect.Effect<void, ApiFailure> =>
  Effect.forEach(federationCrds, (definition) => installKind(host, definition), { concurrency: 4, discard: true })

const isOurs = ({ metadata }: KubeObject): boolean =>
  metadata.managedFields?.every(({ manager }) => manager === MANAGER.fieldManager) === true

/** The system namespace, and the usual types where there are none at all. */
export const installObjects = (host: EffectClient): Effect.Effect<void, ApiFailure> =>
  Effect.gen(function* () {
    const space = { resource: namespaces, namespace: "", name: SYSTEM_NAMESPACE }
    const made = yield* ensure(host, space, {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: SYSTEM_NAMESPACE }
    })
    // Once only: a type that a user took away afterwards stays away.
    if (made.metadata.annotations?.[INSTALLED] !== undefined) return
    const collection = { resource: federationResources.typeConfigs, namespace: "" }
    // A definition may be established and not be served for a moment.
    let known = yield* unlessAbsent(host.list(collection, {}))
    for (let tries = 0; known === undefined && tries < ESTABLISHED_TRIES; tries++) {
      yield* Effect.sleep("100 millis")
      known = yield* unlessAbsent(host.list(collection, {}))
    }
    // Somebody else's types are theirs to choose; ours may be half of them, where we were interrupted.
    if (known?.items.every(isOurs) !== true) return
    yield* Effect.forEach(
      defaultTypeConfigs,
      (config) => ensure(host, { ...collection, name: config.metadata.name ?? "" }, config),
      { discard: true }
    )
    yield* host.patch(space, { type: "merge", body: { metadata: { annotations: { [INSTALLED]: "true" } } } }, MANAGER)
  })
