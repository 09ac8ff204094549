// Writes a plan of EndpointSlices: makes, changes and drops them in that order, and remembers what was written.
// Owns the calls; refuses to plan. The first failure ends it: the service is looked at again.
import { Effect } from "effect"
import { type ApiFailure, gvr, type KubeObject } from "#kube"
import { clientOf, isNamespaceTerminating, isNotFound } from "../ManagedController.ts"
import type { Manager } from "../Manager.ts"
import type { Packing } from "./SlicePacking.ts"
import type { SliceTracker } from "./SliceTracker.ts"
import { withTriggerTime } from "./TriggerTimes.ts"

export const slices = gvr("discovery.k8s.io", "v1", "endpointslices")

export interface SliceWriteOptions {
  readonly manager: Manager
  readonly tracker: SliceTracker
  /** What the slices are of: what is being deleted gets no new ones. */
  readonly owner: KubeObject
  /** The time of the change, or none; absent: annotations stay as they are planned. */
  readonly triggerTime?: { readonly at: string | undefined }
}

const annotated = (slice: KubeObject, time: SliceWriteOptions["triggerTime"]): KubeObject => {
  if (time === undefined) return slice
  const annotations = withTriggerTime(slice.metadata.annotations, time.at)
  return { ...slice, metadata: { ...slice.metadata, annotations } }
}

/** Writes all of a plan. */
export const writeSlices = Effect.fnUntraced(function* (
  { create, remove, update }: Packing,
  { manager, owner, tracker, triggerTime }: SliceWriteOptions
): Effect.fn.Return<void, ApiFailure> {
  const client = clientOf(manager)
  const { deletionTimestamp, namespace = "" } = owner.metadata
  if (deletionTimestamp === undefined) {
    for (const slice of create) {
      const made = yield* client
        .create({ resource: slices, namespace }, annotated(slice, triggerTime))
        .pipe(
          Effect.catch((failure) =>
            isNamespaceTerminating(failure) ? Effect.succeed(undefined) : Effect.fail(failure)
          )
        )
      if (made === undefined) return
      tracker.wrote(made)
    }
  }
  for (const slice of update) {
    const { name = "" } = slice.metadata
    tracker.wrote(yield* client.update({ resource: slices, namespace, name }, annotated(slice, triggerTime)))
  }
  for (const slice of remove) {
    const { name = "" } = slice.metadata
    yield* client.delete({ resource: slices, namespace, name }).pipe(
      Effect.asVoid,
      Effect.catch((failure) => (isNotFound(failure) ? Effect.void : Effect.fail(failure)))
    )
    tracker.deleted(slice)
  }
})
