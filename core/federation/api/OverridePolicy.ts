// An OverridePolicy or ClusterOverridePolicy as code reads it, compiled once per object.
// Owns the shape of its rules and which clusters each is for; refuses to apply them.
import type { Json, KubeObject, Labels } from "#kube"
import { fieldsIn, fieldsOf, itemsOf, type Problems, textsOf } from "#apiserver"
import { clusterMatches, type ClusterTerms, clusterTermsOf, type Labelled } from "./ClusterTerms.ts"

/** One change of a part of an image. */
export interface ImageOperation {
  readonly imageComponent: "Registry" | "Repository" | "Tag" | "Digest"
  readonly operator?: "" | "addIfAbsent" | "overwrite" | "delete"
  readonly value?: string
}

/** Changes of images. */
export interface ImageOverrider {
  readonly imagePath?: string
  readonly containerNames?: ReadonlyArray<string>
  readonly operations: ReadonlyArray<ImageOperation>
}

/** Changes of a container's command or arguments. */
export interface WordsOverrider {
  readonly containerName: string
  readonly operator?: "" | "append" | "overwrite" | "delete"
  readonly value?: ReadonlyArray<string>
}

/** Changes of a container's environment. */
export interface EnvironmentOverrider {
  readonly containerName: string
  readonly operator?: "" | "addIfAbsent" | "overwrite" | "delete"
  readonly value?: ReadonlyArray<{ readonly name: string; readonly [field: string]: Json | undefined }>
}

/** Changes of labels or annotations. */
export interface MapOverrider {
  readonly operator?: "" | "addIfAbsent" | "overwrite" | "delete"
  readonly value?: Labels
}

/** Any other change. */
export interface PatchOverrider {
  readonly operator?: "" | "add" | "remove" | "replace" | "test" | "move" | "copy"
  readonly path: string
  readonly from?: string
  readonly value?: Json
}

/** What a rule changes, in this order. */
export interface Overriders {
  readonly image?: ReadonlyArray<ImageOverrider>
  readonly command?: ReadonlyArray<WordsOverrider>
  readonly args?: ReadonlyArray<WordsOverrider>
  readonly envs?: ReadonlyArray<EnvironmentOverrider>
  readonly annotations?: ReadonlyArray<MapOverrider>
  readonly labels?: ReadonlyArray<MapOverrider>
  readonly jsonpatch?: ReadonlyArray<PatchOverrider>
}

/** A rule and its clusters. */
export interface OverrideRule {
  /** undefined: any. */
  readonly names: ReadonlySet<string> | undefined
  readonly clusters: ClusterTerms
  readonly overriders: Overriders
}

/** A policy. */
export interface OverridePolicy {
  readonly kind: "OverridePolicy" | "ClusterOverridePolicy"
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly generation: number
  readonly rules: ReadonlyArray<OverrideRule>
  readonly problems: Problems
}

const readOverridePolicy = (object: KubeObject): OverridePolicy => {
  const problems: Problems = []
  const { generation, name, namespace, uid } = object.metadata
  return {
    kind: object.kind === "ClusterOverridePolicy" ? "ClusterOverridePolicy" : "OverridePolicy",
    namespace: namespace ?? "",
    name: name ?? "",
    uid: uid ?? "",
    generation: generation ?? 0,
    rules: itemsOf(fieldsOf(object.spec)["overrideRules"]).map((rule, at) => {
      const target = fieldsIn(rule["targetClusters"])
      const names = textsOf(target?.["clusters"])
      return {
        names: names.length === 0 ? undefined : new Set(names),
        clusters: clusterTermsOf(target ?? {}, `spec.overrideRules[${at}].targetClusters`, problems),
        overriders: fieldsOf(rule["overriders"])
      }
    }),
    problems
  }
}

const known = new WeakMap<KubeObject, OverridePolicy>()

/** Reads an override policy, once per object. */
export const overridePolicyOf = (object: KubeObject): OverridePolicy => {
  const found = known.get(object)
  if (found !== undefined) return found
  const fresh = readOverridePolicy(object)
  known.set(object, fresh)
  return fresh
}

/** Whether a rule is for a cluster. */
export const ruleIsFor = ({ clusters, names }: OverrideRule, cluster: Labelled): boolean =>
  (names === undefined || names.has(cluster.name)) && clusterMatches(clusters, cluster)
