// Pods of Jobs made, deleted and freed of their finalizer, with what is then expected of the informers.
// Owns these calls; refuses to decide which pods they are about. Pods are made in batches that double, as everywhere.
import { Effect } from "effect"
import { ApiFailure, type Informer, type KubeObject, objectKey } from "#kube"
import type { Expectations } from "../Expectations.ts"
import type { Manager } from "../Manager.ts"
import { allAtOnce, isNamespaceTerminating, type PodControl, podResource, slowStart } from "../PodControl.ts"
import { isReady } from "../PodFacts.ts"
import type { Freshness } from "../Freshness.ts"
import { TRACKING_FINALIZER } from "./JobFacts.ts"
import { isTracked } from "./JobPods.ts"
import { type JobState, uidOf } from "./JobState.ts"
import { jobPod } from "./JobTemplate.ts"

/** How many pods are on their way out now, and how many of those were ready. */
export interface Removed {
  readonly count: number
  readonly ready: number
  readonly failure: ApiFailure | undefined
}

const freeing = {
  type: "strategic",
  body: { metadata: { "$deleteFromPrimitiveList/finalizers": [TRACKING_FINALIZER] } }
} as const

const isGone = ({ code }: ApiFailure): boolean => code === 404

export class JobPodWork {
  readonly #manager: Manager
  readonly #control: PodControl
  readonly #pods: Informer
  readonly #expectations: Expectations
  readonly #written: Freshness
  /** By Job: uids of pods freed, which the informer does not show as free yet. */
  readonly #freed = new Map<string, Set<string>>()

  constructor(
    manager: Manager,
    parts: {
      readonly control: PodControl
      readonly pods: Informer
      readonly expectations: Expectations
      readonly written: Freshness
    }
  ) {
    this.#manager = manager
    this.#control = parts.control
    this.#pods = parts.pods
    this.#expectations = parts.expectations
    this.#written = parts.written
  }

  freed(key: string): ReadonlySet<string> {
    return new Set(this.#freed.get(key))
  }

  /** The informer shows a pod without its finalizer, or no longer. */
  seenFree(key: string, uid: string): void {
    this.#freed.get(key)?.delete(uid)
  }

  forget(key: string): void {
    this.#freed.delete(key)
  }

  /** Takes the finalizer off a pod; one that is gone is as good as free. */
  free(pod: KubeObject, done: (failure: ApiFailure | undefined) => void, key?: string): void {
    const { name = "", namespace = "" } = pod.metadata
    this.#manager.client.patch({ resource: podResource, namespace, name }, freeing, {}, (answer) => {
      if (!(answer instanceof ApiFailure)) {
        if (key !== undefined) this.#written.wrote(key, this.#pods, answer.metadata.resourceVersion)
        done(undefined)
      } else done(isGone(answer) ? undefined : answer)
    })
  }

  /** Frees pods that are counted; answers the uids of those that are free now, and the first failure. */
  freeAll = (
    key: string,
    pods: ReadonlyArray<KubeObject>
  ): Effect.Effect<{ readonly free: ReadonlySet<string>; readonly failure: ApiFailure | undefined }> => {
    const waiting = this.#freed.get(key) ?? new Set<string>()
    this.#freed.set(key, waiting)
    const free = new Set<string>()
    for (const pod of pods) waiting.add(uidOf(pod))
    const call = (at: number, done: (failure: ApiFailure | undefined) => void): void => {
      const pod = pods[at]
      this.free(
        pod,
        (failure) => {
          if (failure === undefined) free.add(uidOf(pod))
          else waiting.delete(uidOf(pod))
          // One that was gone is never heard of again.
          if (this.#pods.store.get(objectKey(pod)) === undefined) waiting.delete(uidOf(pod))
          done(failure)
        },
        key
      )
    }
    return Effect.map(allAtOnce(pods.length, call), ({ failure }) => ({ free, failure }))
  }

  /** Deletes pods that stay until they are counted. */
  deleteTracked = ({ job }: JobState, pods: ReadonlyArray<KubeObject>): Effect.Effect<Removed> =>
    removed(pods, (pod, done) =>
      this.#control.deleteWith(pod, job, (answer) =>
        done(answer instanceof ApiFailure && !isGone(answer) ? answer : undefined)
      )
    )

  /** Frees and deletes pods that are counted as nothing. */
  deleteUncounted = ({ job, key }: JobState, pods: ReadonlyArray<KubeObject>): Effect.Effect<Removed> => {
    if (pods.length === 0) return Effect.succeed({ count: 0, ready: 0, failure: undefined })
    this.#expectations.expect(key, 0, pods.map(objectKey))
    return removed(pods, (pod, done) => {
      const remove = (): void =>
        this.#control.deleteWith(pod, job, (answer) => {
          if (!(answer instanceof ApiFailure)) return done(undefined)
          this.#expectations.deleted(key, objectKey(pod))
          done(isGone(answer) ? undefined : answer)
        })
      if (!isTracked(pod)) return remove()
      this.free(
        pod,
        (failure) => {
          if (failure === undefined) return remove()
          this.#expectations.deleted(key, objectKey(pod))
          done(failure)
        },
        key
      )
    })
  }

  /** Makes a pod for each entry; answers how many there are now, or will be as soon as the namespace allows. */
  create = (
    state: JobState,
    indexes: ReadonlyArray<number | undefined>
  ): Effect.Effect<{ readonly made: number; readonly failure: ApiFailure | undefined }> => {
    const { job, key } = state
    if (indexes.length === 0) return Effect.succeed({ made: 0, failure: undefined })
    this.#expectations.expect(key, indexes.length)
    const call = (at: number, done: (failure: ApiFailure | undefined) => void): void =>
      this.#control.createWith(jobPod(state, indexes[at]), job, (answer) => {
        if (!(answer instanceof ApiFailure)) {
          this.#written.wrote(key, this.#pods, answer.metadata.resourceVersion)
          return done(undefined)
        }
        if (isNamespaceTerminating(answer)) return done(undefined)
        this.#expectations.created(key)
        done(answer)
      })
    return Effect.map(slowStart(indexes.length, call), ({ failure, skipped, succeeded }) => {
      for (let at = 0; at < skipped; at++) this.#expectations.created(key)
      return { made: succeeded, failure }
    })
  }
}

const removed = (
  pods: ReadonlyArray<KubeObject>,
  remove: (pod: KubeObject, done: (failure: ApiFailure | undefined) => void) => void
): Effect.Effect<Removed> =>
  Effect.map(
    allAtOnce(pods.length, (at, done) => remove(pods[at], done)),
    ({ failure, succeeded }) => ({ count: succeeded, ready: pods.filter(isReady).length, failure })
  )
