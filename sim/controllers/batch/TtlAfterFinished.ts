// Deletes Jobs that are over, after as many seconds as their spec says.
// Owns this wait and the last look before the delete; what becomes of the Job's pods is the garbage collector's. Source:
// kubernetes pkg/controller/ttlafterfinished.
import { Effect } from "effect"
import { type Controller, effectClient, type KubeObject, makeController, objectKey, parseRfc3339 } from "#kube"
import type { Manager } from "../Manager.ts"
import { fieldsOf, numberIn, textOf } from "../Parts.ts"
import { finishedCondition } from "./JobFacts.ts"
import { jobResource } from "./JobTracking.ts"

const NAME = "ttl-after-finished-controller"

/** When a Job may go, in milliseconds since the epoch; undefined when it stays, or goes already. */
const expiryMs = (job: KubeObject): number | undefined => {
  const seconds = numberIn(fieldsOf(job.spec)["ttlSecondsAfterFinished"])
  if (seconds === undefined || job.metadata.deletionTimestamp !== undefined) return undefined
  const finished = finishedCondition(job)
  const at = finished === undefined ? undefined : parseRfc3339(textOf(finished.lastTransitionTime))
  return at === undefined ? undefined : at + seconds * 1000
}

/** The controller of Jobs' time to live. */
export const ttlAfterFinished = (manager: Manager): Controller => {
  const { clockwork } = manager
  const client = effectClient(manager.client)
  const jobs = manager.informers.informer(jobResource)
  const reconcile = Effect.fnUntraced(function* (key: string) {
    const known = jobs.store.get(key)
    const expiry = known === undefined ? undefined : expiryMs(known)
    if (known === undefined || expiry === undefined) return undefined
    const left = expiry - clockwork.now()
    if (left > 0) return { requeueAfterMs: left }
    const { name = "", namespace = "" } = known.metadata
    const target = { resource: jobResource, namespace, name }
    const end = yield* Effect.result(client.get(target))
    if (end._tag === "Failure") return end.failure.code === 404 ? undefined : yield* Effect.fail(end.failure)
    // Somebody may have given it more time since.
    const fresh = expiryMs(end.success)
    if (fresh === undefined) return undefined
    const more = fresh - clockwork.now()
    if (more > 0) return { requeueAfterMs: more }
    const { uid = "" } = end.success.metadata
    yield* client.delete(target, { propagationPolicy: "Foreground", preconditions: { uid } })
    return undefined
  })
  return makeController({
    name: NAME,
    clockwork,
    watches: [{ informer: jobs, keys: (job) => (expiryMs(job) === undefined ? undefined : objectKey(job)) }],
    workers: manager.syncs(NAME),
    onFailure: (key, failure) => manager.failed(NAME, key, failure),
    reconcile
  })
}
