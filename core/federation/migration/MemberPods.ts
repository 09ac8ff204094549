// The pods of a workload's newest template in a member.
// Owns which pods count; refuses pods of older templates: they had room once, which says nothing about now.
import { Effect } from "effect"
import { fieldsOf } from "#apiserver"
import {
  ApiFailure,
  controllerOf,
  type EffectClient,
  Failures,
  gvr,
  type KubeObject,
  labelSelectorOf,
  type LabelSelectorObject,
  SelectorInvalid
} from "#kube"

const PODS = gvr("", "v1", "pods")
const REPLICA_SETS = gvr("apps", "v1", "replicasets")

const REVISION = "deployment.kubernetes.io/revision"

const revisionOf = ({ metadata }: KubeObject): number => Number(metadata.annotations?.[REVISION] ?? 0)

/** The set that a Deployment fills now: of those that it controls the one with the highest revision. */
export const newestSet = (deployment: KubeObject, sets: ReadonlyArray<KubeObject>): KubeObject | undefined => {
  const own = sets.filter((set) => controllerOf(set)?.uid === deployment.metadata.uid)
  return own.reduce<KubeObject | undefined>(
    (newest, set) => (newest === undefined || revisionOf(set) > revisionOf(newest) ? set : newest),
    undefined
  )
}

/** Lists them; of a Deployment those of its newest set. Fails when the workload's selector cannot be read. */
export const podsOfWorkload = (
  member: EffectClient,
  workload: KubeObject
): Effect.Effect<ReadonlyArray<KubeObject>, ApiFailure> => {
  const { namespace = "" } = workload.metadata
  const selector = labelSelectorOf(fieldsOf(workload.spec)["selector"] as LabelSelectorObject | undefined)
  if (selector instanceof SelectorInvalid) return Effect.fail(Failures.badRequest(selector.message))
  const selection = { labelSelector: selector.toString(), resourceVersion: "0" }
  return Effect.gen(function* () {
    const owner =
      workload.kind === "Deployment"
        ? newestSet(workload, (yield* member.list({ resource: REPLICA_SETS, namespace }, selection)).items)
        : workload
    if (owner === undefined) return []
    const pods = yield* member.list({ resource: PODS, namespace }, selection)
    return pods.items.filter((pod) => controllerOf(pod)?.uid === owner.metadata.uid)
  })
}
