// What a source becomes in its federated object: the template that goes to members, and labels and annotations that only steer.
// Owns which field goes where, as KubeAdmiral has it; refuses what kinds have of their own, which their rules remove.
import { fieldsOf, numberOf } from "#apiserver"
import { type Json, type JsonObject, type KubeObject, sameJson } from "#kube"
import {
  controlAnnotations,
  federationAnnotations,
  feedbackAnnotations,
  federationLabels,
  schedulingAnnotations
} from "../api/FederationNames.ts"
import { federatedSpecOf } from "../api/FederatedObject.ts"
import type { TypeConfig } from "../api/TypeConfig.ts"
import type { TypeRules } from "./TypeRules.ts"

type Texts = Readonly<Record<string, string>>

/** A source taken apart. */
export interface Parts {
  readonly template: JsonObject
  /** Of the federated object. */
  readonly labels: Texts
  readonly annotations: Texts
}

const POLICY_LABELS: ReadonlySet<string> = new Set([
  federationLabels.propagationPolicy,
  federationLabels.clusterPropagationPolicy,
  federationLabels.overridePolicy,
  federationLabels.clusterOverridePolicy
])

const STEERING: ReadonlySet<string> = new Set([
  ...Object.values(controlAnnotations),
  ...Object.values(schedulingAnnotations),
  federationAnnotations.rescheduleRequested
])

/** What other tools keep on the host's object for themselves would be wrong on a copy. */
const LEFT_OUT: ReadonlySet<string> = new Set([
  ...Object.values(feedbackAnnotations),
  federationAnnotations.fedHpaNotWorkReason,
  "kubectl.kubernetes.io/last-applied-configuration"
])

const split = (texts: Texts, isOurs: (key: string) => boolean): { readonly ours: Texts; readonly others: Texts } => {
  const ours: Record<string, string> = {}
  const others: Record<string, string> = {}
  for (const key in texts) (isOurs(key) ? ours : others)[key] = texts[key]
  return { ours, others }
}

const observed = (ours: Texts, others: Texts): string =>
  [ours, others].map((texts) => Object.keys(texts).sort().join(",")).join("|")

const filled = (texts: Texts): Texts | undefined => {
  for (const _ in texts) return texts
  return undefined
}

const isBookkeeping = (key: string): boolean =>
  LEFT_OUT.has(key) || key.startsWith("federate.controller.kubeadmiral.io/")

const without = (texts: Texts, drop: (key: string) => boolean): Texts =>
  Object.fromEntries(Object.entries(texts).filter(([key]) => !drop(key)))

/** Takes a source apart. */
export const partsOf = (source: KubeObject, type: TypeConfig, rules: Pick<TypeRules, "prepare">): Parts => {
  const { annotations = {}, generation, labels = {}, name, namespace } = source.metadata
  const byLabel = split(labels, (key) => POLICY_LABELS.has(key))
  const byAnnotation = split(without(annotations, isBookkeeping), (key) => STEERING.has(key))
  const own = { labels: filled(byLabel.others), annotations: filled(byAnnotation.others) }
  const bare: KubeObject = {
    ...source,
    apiVersion: type.type.group === "" ? type.type.version : `${type.type.group}/${type.type.version}`,
    kind: type.type.kind,
    metadata: {
      ...(name === undefined ? {} : { name }),
      ...(namespace === undefined || namespace === "" ? {} : { namespace }),
      ...(generation === undefined ? {} : { generation }),
      ...(own.labels === undefined ? {} : { labels: own.labels }),
      ...(own.annotations === undefined ? {} : { annotations: own.annotations })
    }
  }
  const { status: _status, ...rest } = bare
  return {
    // SAFETY: objects are JSON values.
    template: rules.prepare(rest, source) as unknown as JsonObject,
    labels: { [bare.apiVersion]: bare.kind, ...byLabel.ours },
    annotations: {
      ...byAnnotation.ours,
      [federationAnnotations.observedAnnotations]: observed(byAnnotation.ours, byAnnotation.others),
      [federationAnnotations.observedLabels]: observed(byLabel.ours, byLabel.others)
    }
  }
}

const uncounted = (template: JsonObject): JsonObject => ({
  ...template,
  metadata: { ...fieldsOf(template["metadata"]), generation: undefined }
})

/** Whether two templates say the same to members: how often the source was counted meanwhile is the host's business. */
export const isSameTemplate = (a: JsonObject, b: JsonObject): boolean => sameJson(uncounted(a), uncounted(b))

/** The generation of the source that a template was made from. */
export const templateGeneration = (template: JsonObject): number =>
  numberOf(fieldsOf(template["metadata"])["generation"])

/** Whether a template is what the source comes to now, though the source may count further: its own annotations raise generations. */
export const isTemplateOf = (
  template: JsonObject,
  source: KubeObject,
  { rules, type }: { readonly type: TypeConfig; readonly rules: Pick<TypeRules, "prepare"> }
): boolean =>
  templateGeneration(template) === source.metadata.generation ||
  isSameTemplate(template, partsOf(source, type, rules).template)

/** A federated object whose template is of this generation of its source. */
export const ofGeneration = (federated: KubeObject, { metadata: { generation } }: KubeObject): KubeObject => {
  const spec = federatedSpecOf(federated)
  if (generation === undefined || templateGeneration(spec.template) === generation) return federated
  const metadata = { ...fieldsOf(spec.template["metadata"]), generation } as JsonObject
  return { ...federated, spec: { ...spec, template: { ...spec.template, metadata } } as unknown as JsonObject }
}

/** Whether the source counts further than what was made of it, and its status does not say yet that this is seen. */
export const isUnseen = ({ metadata: { generation = 0 }, status }: KubeObject, federated: KubeObject): boolean =>
  templateGeneration(federatedSpecOf(federated).template) < generation &&
  numberOf(fieldsOf(status)["observedGeneration"]) < generation

/** A value deep in JSON. */
export const jsonAt = (value: Json | undefined, path: ReadonlyArray<string>): Json | undefined => {
  let found = value
  for (const field of path) {
    if (typeof found !== "object" || found === null || Array.isArray(found)) return undefined
    found = (found as JsonObject)[field]
  }
  return found
}
