// ReplicaSets of a Deployment made larger and smaller, and old ones removed.
// Owns these writes and the event that tells of them; refuses to decide sizes.
import { Effect } from "effect"
import { type ApiFailure, type EffectClient, type KubeObject, type Reconciled } from "#kube"
import type { EventSink } from "../EventRecorder.ts"
import { replicaAnnotations, revisionOf, withAnnotations } from "./DeploymentRevisions.ts"
import type { Rollout } from "./DeploymentSync.ts"
import { byAge } from "./RolloutMath.ts"
import { type ReplicaSet, replicaSetResource, replicasOf } from "./Workloads.ts"

const KEEP_ALL = 2_147_483_647

export interface ScalingSources {
  readonly client: EffectClient
  readonly events: EventSink
}

/** A rollout after the server answered one of its sets anew. */
export const replaceSet = (rollout: Rollout, before: ReplicaSet, after: KubeObject): ReplicaSet => {
  // SAFETY: the server answers the kind that it was sent.
  const set = after as ReplicaSet
  if (rollout.fresh === before) rollout.fresh = set
  else rollout.old = rollout.old.map((one) => (one === before ? set : one))
  return set
}

export class Scaling {
  readonly #from: ScalingSources

  constructor(from: ScalingSources) {
    this.#from = from
  }

  /** Gives a set this many replicas. With `always` its annotations are kept right even where the size is. Answers whether the size changed. */
  scale(rollout: Rollout, set: ReplicaSet, size: number, always = false): Effect.Effect<boolean, ApiFailure> {
    const { deployment } = rollout
    const before = replicasOf(set)
    if (!always && before === size) return Effect.succeed(false)
    const { metadata } = set
    const annotations = withAnnotations(metadata.annotations, replicaAnnotations(deployment))
    if (before === size && annotations === metadata.annotations) return Effect.succeed(false)
    const { name = "", namespace = "" } = metadata
    const after = { ...set, metadata: { ...metadata, annotations }, spec: { ...set.spec, replicas: size } }
    return Effect.map(this.#from.client.update({ resource: replicaSetResource, namespace, name }, after), (answer) => {
      replaceSet(rollout, set, answer)
      if (before === size) return false
      const way = before < size ? "up" : "down"
      const message = `Scaled ${way} replica set ${name} from ${before} to ${size}`
      this.#from.events.event(deployment, "Normal", "ScalingReplicaSet", message)
      return true
    })
  }

  /** Removes the sets of the oldest revisions that are over, as far as they are more than the history may have. */
  cleanUp = Effect.fnUntraced({ self: this }, function* (this: Scaling, { deployment, old }: Rollout): Effect.fn.Return<
    Reconciled,
    ApiFailure
  > {
    const limit = deployment.spec.revisionHistoryLimit
    if (limit === undefined || limit === KEEP_ALL) return
    const alive = old.filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    const surplus = alive.length - limit
    if (surplus <= 0) return
    for (const set of alive.toSorted(byRevision).slice(0, surplus)) {
      const { generation = 0, name = "", namespace = "" } = set.metadata
      const isOver = replicasOf(set) === 0 && (set.status?.replicas ?? 0) === 0
      if (!isOver || generation > (set.status?.observedGeneration ?? 0)) continue
      yield* this.#from.client.delete({ resource: replicaSetResource, namespace, name }).pipe(
        Effect.catchIf(
          ({ code }) => code === 404,
          () => Effect.void
        )
      )
    }
  })
}

const byRevision = (a: ReplicaSet, b: ReplicaSet): number => {
  const x = revisionOf(a)
  const y = revisionOf(b)
  return x === undefined || y === undefined || x === y ? byAge(a, b) : x < y ? -1 : 1
}
