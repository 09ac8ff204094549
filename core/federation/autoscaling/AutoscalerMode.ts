// Where an HPA decides: in each member for itself (distributed), or once for all of them on the host (centralized).
// Owns what each mode asks of the workload, and the words when it is not so; refuses to scale anything.
import { fieldsOf, textOf } from "#apiserver"
import { type KubeObject, parseApiVersion } from "#kube"
import { federationAnnotations, federationLabels } from "../api/FederationNames.ts"
import { namedFollowers } from "../followers/Needs.ts"
import { valueAt } from "../semantics/FieldPaths.ts"
import { referenceKey } from "../semantics/PodReferences.ts"
import type { Reference } from "../semantics/TypeSemantics.ts"

export type AutoscalerMode = "centralized" | "distributed"

/** The mode that an HPA's label names; distributed without one. */
export const autoscalerMode = ({ metadata }: KubeObject): AutoscalerMode =>
  metadata.labels?.[federationLabels.hpaMode] === "centralized" ? "centralized" : "distributed"

/** What the policy of a workload says, as far as it matters here. */
export interface WorkloadPolicy {
  readonly mode: "Divide" | "Duplicate"
  readonly followers: boolean
}

/** The object that an HPA scales, by the path that its type's configuration names. */
export const scaledReference = (autoscaler: KubeObject, path: ReadonlyArray<string>): Reference | undefined => {
  const target = fieldsOf(valueAt(autoscaler, path))
  const [kind, name] = [textOf(target["kind"]), textOf(target["name"])]
  if (kind === "" || name === "") return undefined
  const { group } = parseApiVersion(textOf(target["apiVersion"]))
  return { group, kind, namespace: autoscaler.metadata.namespace ?? "", name }
}

export interface AutoscalerDecision {
  /** It is decided on the host: members get no HPA. */
  readonly centralized: boolean
  /** Why nothing is scaled yet; absent: all is as it must be. */
  readonly problem?: string
}

const isTrue = (value: string | undefined): boolean => value === "true"

const distributedProblem = (
  autoscaler: KubeObject,
  workload: KubeObject,
  policy: WorkloadPolicy
): string | undefined => {
  const annotations = workload.metadata.annotations ?? {}
  const { metadata } = autoscaler
  const own: Reference = {
    group: parseApiVersion(autoscaler.apiVersion).group,
    kind: autoscaler.kind,
    namespace: metadata.namespace ?? "",
    name: metadata.name ?? ""
  }
  const named = namedFollowers(annotations[federationAnnotations.followers], own.namespace)
  const missing = [
    ...(policy.mode === "Duplicate" ? [] : ["the workload's policy must have schedulingMode Duplicate"]),
    ...(policy.followers ? [] : ["the workload's policy must not disable follower scheduling"]),
    ...(isTrue(annotations[federationAnnotations.retainReplicas])
      ? []
      : [`the workload must have the annotation ${federationAnnotations.retainReplicas}=true`]),
    ...(named.map(referenceKey).includes(referenceKey(own))
      ? []
      : [`the workload's annotation ${federationAnnotations.followers} must name this object`])
  ]
  return missing.length === 0 ? undefined : missing.join("; ")
}

/** Whether an HPA can work in its mode; `workload` is the federated object that it scales. */
export const decideAutoscaler = (
  autoscaler: KubeObject,
  workload: KubeObject | undefined,
  policy: WorkloadPolicy | undefined
): AutoscalerDecision => {
  const centralized = autoscalerMode(autoscaler) === "centralized"
  const refuse = (problem: string): AutoscalerDecision => ({ centralized: false, problem })
  if (workload === undefined) return refuse("the scaled workload is not federated")
  if (policy === undefined) return refuse("the scaled workload has no propagation policy")
  if (!centralized) {
    const problem = distributedProblem(autoscaler, workload, policy)
    return problem === undefined ? { centralized } : { centralized, problem }
  }
  if (policy.mode !== "Divide") return refuse("the workload's policy must have schedulingMode Divide")
  return isTrue(workload.metadata.annotations?.[federationAnnotations.retainReplicas])
    ? refuse(`the workload must not have the annotation ${federationAnnotations.retainReplicas}=true`)
    : { centralized }
}
