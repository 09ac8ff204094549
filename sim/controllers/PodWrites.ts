// How controllers that end pods write to them: a condition first, so that everybody can read why, then the deletion.
// Owns the shape of these patches, bound to the uid that was seen; refuses to decide whose turn it is.
import { Effect } from "effect"
import { type ApiFailure, gvr, type Json, type JsonObject, type KubeObject, rfc3339 } from "#kube"
import { fieldsOf } from "#apiserver"
import { clientOf } from "./ManagedController.ts"
import type { Manager } from "./Manager.ts"
import { type Condition, conditionOf, conditionsOf, isTerminal, nodeNameOf } from "./PodFacts.ts"

export const pods = gvr("", "v1", "pods")

/** A condition as it is to be: without times, which its change decides. */
export interface ConditionDraft {
  readonly type: string
  readonly status: string
  readonly reason?: string
  readonly message?: string
}

/** The condition to write; undefined when the pod has it already. */
export const changedCondition = (pod: KubeObject, draft: ConditionDraft, nowMs: number): JsonObject | undefined => {
  const { generation } = pod.metadata
  const old = conditionOf(pod, draft.type)
  const isSame =
    old !== undefined &&
    old.status === draft.status &&
    (old.reason ?? "") === (draft.reason ?? "") &&
    (old.message ?? "") === (draft.message ?? "")
  if (isSame) return undefined
  const since = old !== undefined && old.status === draft.status ? old.lastTransitionTime : undefined
  return {
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    ...draft,
    lastProbeTime: null,
    lastTransitionTime: since ?? rfc3339(nowMs)
  }
}

const patchStatus = (manager: Manager, pod: KubeObject, status: JsonObject): Effect.Effect<void, ApiFailure> => {
  const { name = "", namespace = "", uid } = pod.metadata
  return clientOf(manager)
    .patch(
      { resource: pods, namespace, name, subresource: "status" },
      { type: "strategic", body: { metadata: { uid }, status } }
    )
    .pipe(Effect.asVoid)
}

/** Writes a condition of a pod, unless it says so already. */
export const writeCondition = (
  manager: Manager,
  pod: KubeObject,
  draft: ConditionDraft
): Effect.Effect<void, ApiFailure> => {
  const condition = changedCondition(pod, draft, manager.clockwork.now())
  return condition === undefined ? Effect.void : patchStatus(manager, pod, { conditions: [condition] })
}

/** Ends a pod that nothing runs any more: it failed, for a reason perhaps, and goes at once. */
export const failAndDelete = (
  manager: Manager,
  pod: KubeObject,
  draft?: ConditionDraft
): Effect.Effect<void, ApiFailure> => {
  const { generation, name = "", namespace = "" } = pod.metadata
  const condition = draft === undefined ? undefined : changedCondition(pod, draft, manager.clockwork.now())
  const failed = isTerminal(pod)
    ? Effect.void
    : patchStatus(manager, pod, {
        phase: "Failed",
        ...(generation === undefined ? {} : { observedGeneration: generation }),
        ...(condition === undefined ? {} : { conditions: [condition] })
      })
  return Effect.andThen(
    failed,
    Effect.asVoid(clientOf(manager).delete({ resource: pods, namespace, name }, { gracePeriodSeconds: 0 }))
  )
}

/** The pod with its Ready condition false since now; undefined when it has none, or it is false. */
export const notReady = (pod: KubeObject, nowMs: number): KubeObject | undefined => {
  const conditions = conditionsOf(pod)
  const at = conditions.findIndex(({ type }) => type === "Ready")
  const old: Condition | undefined = conditions[at]
  if (old === undefined || old.status === "False") return undefined
  const fresh = conditions.with(at, { ...old, status: "False", lastTransitionTime: rfc3339(nowMs) })
  return { ...pod, status: { ...fieldsOf(pod.status), conditions: fresh as unknown as Json } }
}

const NODE_INDEX = "node"

/** Pods by the node that they are bound to. */
export const podsByNode = (manager: Manager): ((node: string) => ReadonlyArray<KubeObject>) => {
  const { store } = manager.informers.informer(pods)
  store.addIndex(NODE_INDEX, (pod) => {
    const node = nodeNameOf(pod)
    return node === "" ? [] : [node]
  })
  return (node) => store.byIndex(NODE_INDEX, node)
}
