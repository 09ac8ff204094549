// A whole API server on a store: the built-in resources, the gates before them, and what the server itself keeps going.
// Owns how definitions, access, admission, bootstrap objects, custom resources and aggregated roles are joined, the same in a process and
// in a simulated world; refuses the store, the clock and the wire, which it is handed or which come on top.
import type { ApiFailure, Cancel, Clockwork } from "#kube"
import { matchCondition } from "./admission/AdmissionCel.ts"
import { admissionPlugins } from "./admission/Plugins.ts"
import type { WebhookOptions } from "./admission/Webhooks.ts"
import { type ApiServer, makeApiServer } from "./ApiServer.ts"
import type { BootstrapOptions } from "./bootstrap/BootstrapObjects.ts"
import { reconcileBootstrap } from "./bootstrap/Reconcile.ts"
import type { RingBounds } from "./cache/EventRing.ts"
import type { Definition } from "./Definition.ts"
import { serveCustomResources } from "./crd/CustomResources.ts"
import { aggregateClusterRoles } from "./rbac/Aggregation.ts"
import { makeDefinitions } from "./registry/DefinitionRegistry.ts"
import { schemaManagers } from "./registry/SchemaManagers.ts"
import { builtInDefinitions } from "./resources/BuiltIns.ts"
import { defaultResourcesContext, type ResourcesContext } from "./resources/Context.ts"
import { makeAccess, type ServerAccess } from "./serve/ServerIdentity.ts"
import type { Compaction } from "./store/Compaction.ts"
import type { KeyValue } from "./store/KeyValue.ts"

export interface ControlPlaneOptions {
  readonly keyValue: KeyValue
  readonly clockwork: Clockwork
  readonly resources?: Partial<ResourcesContext>
  /** Absent: no webhook is ever called. */
  readonly webhooks?: WebhookOptions
  /** Admission plugins that are to be off, by name. */
  readonly disable?: ReadonlyArray<string>
  /** Those that are on beside the usual ones. */
  readonly enable?: ReadonlyArray<string>
  readonly ring?: RingBounds
  readonly compaction?: Compaction
  /** Resources beside the built-in ones. */
  readonly definitions?: ReadonlyArray<Definition>
}

export interface ControlPlane {
  readonly api: ApiServer
  readonly access: ServerAccess
  /** Makes what every cluster has, then serves custom resources and aggregates roles; hears once what could not be written. */
  readonly begin: (options: BootstrapOptions, done: (failures: ReadonlyArray<ApiFailure>) => void) => void
  readonly stop: () => void
}

/** The control plane on a store; nothing is in it before `begin`. */
export const makeControlPlane = (options: ControlPlaneOptions): ControlPlane => {
  const { clockwork, compaction, disable, enable, keyValue, ring, webhooks } = options
  let access: ServerAccess | undefined
  const api = makeApiServer({
    keyValue,
    clockwork,
    definitions: makeDefinitions([
      ...builtInDefinitions({ ...defaultResourcesContext, ...options.resources }),
      ...(options.definitions ?? [])
    ]),
    managers: schemaManagers,
    admission: (server) =>
      admissionPlugins(server, {
        ...(access = makeAccess(server)),
        ...(webhooks === undefined ? {} : { webhooks: { condition: matchCondition, ...webhooks } }),
        ...(disable === undefined ? {} : { disable }),
        ...(enable === undefined ? {} : { enable })
      }),
    ...(ring === undefined ? {} : { ring }),
    ...(compaction === undefined ? {} : { compaction })
  })
  const stops: Array<Cancel> = []
  let stopped = false
  return {
    api,
    access: access ?? makeAccess(api),
    begin: (bootstrap, done) =>
      reconcileBootstrap(api, bootstrap, (failures) => {
        if (!stopped) for (const start of [aggregateClusterRoles, serveCustomResources]) stops.push(start(api))
        done(failures)
      }),
    stop: () => {
      stopped = true
      for (const stop of stops.splice(0)) stop()
      api.stop()
    }
  }
}
