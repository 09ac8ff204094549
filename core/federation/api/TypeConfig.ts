// A FederatedTypeConfig as code reads it, with its defaults.
// Owns reading; refuses to know what any type means, which the table of type semantics does.
import type { GroupVersionKind, GroupVersionResource, KubeObject } from "#kube"
import { fieldsIn, fieldsOf, textOf, textsOf } from "#apiserver"
import { federationAnnotations } from "./FederationNames.ts"

/** A type that is federated. */
export interface TypeConfig {
  readonly name: string
  readonly type: GroupVersionKind & GroupVersionResource
  readonly namespaced: boolean
  /** Paths with dots that are collected; undefined: none is. */
  readonly collectedFields: ReadonlyArray<string> | undefined
  readonly aggregatesStatus: boolean
  readonly migratesReplicas: boolean
  /** Groups of controllers that handle an object before it is synced. */
  readonly controllers: ReadonlyArray<ReadonlyArray<string>>
  /** Paths with dots; empty: the type has none. */
  readonly paths: {
    readonly labelSelector: string
    readonly replicasSpec: string
    readonly replicasStatus: string
    readonly availableReplicasStatus: string
    readonly readyReplicasStatus: string
  }
  /** Of kinds like HPA: where the scaled object is named; empty: no such kind. */
  readonly scaleTargetRefPath: string
}

/** Reads a FederatedTypeConfig. */
export const typeConfigOf = (object: KubeObject): TypeConfig => {
  const spec = fieldsOf(object.spec)
  const source = fieldsOf(spec["sourceType"])
  const collection = fieldsOf(spec["statusCollection"])
  const paths = fieldsOf(spec["pathDefinition"])
  const controllers: unknown = spec["controllers"]
  return {
    name: object.metadata.name ?? "",
    type: {
      group: textOf(source["group"]),
      version: textOf(source["version"]),
      kind: textOf(source["kind"]),
      resource: textOf(source["pluralName"])
    },
    namespaced: source["scope"] === "Namespaced",
    collectedFields: collection["enabled"] === true ? textsOf(collection["fields"]) : undefined,
    aggregatesStatus: fieldsIn(spec["statusAggregation"])?.["enabled"] !== false,
    migratesReplicas: fieldsOf(spec["autoMigration"])["enabled"] === true,
    controllers: Array.isArray(controllers) ? controllers.map(textsOf) : [],
    paths: {
      labelSelector: textOf(paths["labelSelector"]),
      replicasSpec: textOf(paths["replicasSpec"]),
      replicasStatus: textOf(paths["replicasStatus"]),
      availableReplicasStatus: textOf(paths["availableReplicasStatus"]),
      readyReplicasStatus: textOf(paths["readyReplicasStatus"])
    },
    scaleTargetRefPath: object.metadata.annotations?.[federationAnnotations.scaleTargetRefPath] ?? ""
  }
}
