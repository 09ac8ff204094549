// Pods made and deleted by the dozen for one owner, each expected until the informers show it.
// Owns the joint of slow start, expectations and failures; refuses to decide how many and which. What a namespace that goes away
// refuses is no failure, and neither is a pod that was gone already.
import { Effect } from "effect"
import { ApiFailure, type KubeObject, objectKey } from "#kube"
import type { Expectations } from "./Expectations.ts"
import { allAtOnce, isNamespaceTerminating, type PodControl, slowStart } from "./PodControl.ts"

export interface PodBatch {
  /** How many are made, and which is the one at a place. */
  readonly create: number
  readonly podAt: (at: number) => KubeObject
  readonly remove: ReadonlyArray<KubeObject>
}

/** How a batch ended: the first failure of each kind. */
export interface PodBatchEnd {
  readonly created: ApiFailure | undefined
  readonly removed: ApiFailure | undefined
}

export class PodBatches {
  readonly #pods: PodControl
  readonly #expectations: Expectations

  constructor(pods: PodControl, expectations: Expectations) {
    this.#pods = pods
    this.#expectations = expectations
  }

  /** Makes first, then deletes; all of it is tried. */
  carryOut(owner: KubeObject, batch: PodBatch): Effect.Effect<PodBatchEnd> {
    const { create, remove } = batch
    this.#expectations.expect(owner.metadata.uid ?? "", create, remove.map(objectKey))
    return Effect.flatMap(this.#create(owner, batch), (created) =>
      Effect.map(this.#remove(owner, remove), (removed) => ({ created, removed }))
    )
  }

  #create(owner: KubeObject, { create, podAt }: PodBatch): Effect.Effect<ApiFailure | undefined> {
    const uid = owner.metadata.uid ?? ""
    const calls = slowStart(create, (at, done) =>
      this.#pods.createWith(podAt(at), owner, (answer) => {
        if (!(answer instanceof ApiFailure)) return done(undefined)
        this.#expectations.created(uid)
        done(isNamespaceTerminating(answer) ? undefined : answer)
      })
    )
    return Effect.map(calls, ({ failure, skipped }) => {
      for (let at = 0; at < skipped; at++) this.#expectations.created(uid)
      return failure
    })
  }

  #remove(owner: KubeObject, pods: ReadonlyArray<KubeObject>): Effect.Effect<ApiFailure | undefined> {
    const uid = owner.metadata.uid ?? ""
    const calls = allAtOnce(pods.length, (at, done) => {
      const pod = pods[at]
      if (pod === undefined) return done(undefined)
      this.#pods.deleteWith(pod, owner, (answer) => {
        if (!(answer instanceof ApiFailure)) return done(undefined)
        this.#expectations.deleted(uid, objectKey(pod))
        done(answer.code === 404 ? undefined : answer)
      })
    })
    return Effect.map(calls, ({ failure }) => failure)
  }
}
