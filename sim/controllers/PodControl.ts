// Pods made from a template and deleted, with the events that upstream's controllers tell about it.
// Owns the pod's first metadata and the batches of slow start; refuses to decide how many pods there should be.
import { Effect } from "effect"
import { ApiFailure, type Client, gvr, type Json, type JsonObject, type KubeObject, Names } from "#kube"
import type { EventSink } from "./EventRecorder.ts"
import { type OwnerKind, ownerReference } from "./Owned.ts"

export const podResource = gvr("", "v1", "pods")

/** A pod template as it stands in specs. */
export type PodTemplate = {
  readonly metadata?: {
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
    readonly finalizers?: ReadonlyArray<string>
  }
  readonly spec?: JsonObject
}

/** Whether a failure says that the namespace is going away: nothing can be made there, and nobody need be told. */
export const isNamespaceTerminating = ({ status }: ApiFailure): boolean =>
  status.details?.causes?.some(({ reason }) => reason === "NamespaceTerminating") === true

/** The pod that a template describes, controlled by its owner; the server completes the name. */
export const podFromTemplate = (
  { metadata = {}, spec }: PodTemplate,
  owner: KubeObject,
  ownerKind: OwnerKind
): KubeObject => {
  const { annotations, finalizers, labels } = metadata
  const name = owner.metadata.name ?? ""
  const prefix = `${name}-`
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      // The dash is dropped where the name leaves no room for it.
      generateName: Names.dnsSubdomain(`${prefix}a`).length === 0 ? prefix : name,
      namespace: owner.metadata.namespace ?? "",
      ...(labels && { labels }),
      ...(annotations && { annotations }),
      ...(finalizers && { finalizers }),
      ownerReferences: [ownerReference(owner, ownerKind)]
    },
    spec: spec as Json
  }
}

export class PodControl {
  readonly #client: Client
  readonly #events: EventSink

  constructor(client: Client, events: EventSink) {
    this.#client = client
    this.#events = events
  }

  /** Creates a pod for an owner, who hears of it in an event. */
  createWith(pod: KubeObject, owner: KubeObject, done: (answer: KubeObject | ApiFailure) => void): void {
    this.#client.create({ resource: podResource, namespace: owner.metadata.namespace ?? "" }, pod, {}, (answer) => {
      if (!(answer instanceof ApiFailure)) {
        this.#events.event(owner, "Normal", "SuccessfulCreate", `Created pod: ${answer.metadata.name ?? ""}`)
      } else if (!isNamespaceTerminating(answer)) {
        this.#events.event(owner, "Warning", "FailedCreate", `Error creating: ${answer.message}`)
      }
      done(answer)
    })
  }

  /** Deletes a pod of an owner, who hears of it in an event; one that is gone already is a failure with 404. */
  deleteWith(pod: KubeObject, owner: KubeObject, done: (answer: KubeObject | ApiFailure) => void): void {
    const { name = "", namespace = "" } = pod.metadata
    this.#client.delete({ resource: podResource, namespace, name }, {}, (answer) => {
      if (!(answer instanceof ApiFailure)) {
        this.#events.event(owner, "Normal", "SuccessfulDelete", `Deleted pod: ${name}`)
      } else if (answer.code !== 404) {
        this.#events.event(owner, "Warning", "FailedDelete", `Error deleting: ${answer.message}`)
      }
      done(answer)
    })
  }

  create(pod: KubeObject, owner: KubeObject): Effect.Effect<KubeObject, ApiFailure> {
    return answered((done) => this.createWith(pod, owner, done))
  }

  delete(pod: KubeObject, owner: KubeObject): Effect.Effect<KubeObject, ApiFailure> {
    return answered((done) => this.deleteWith(pod, owner, done))
  }
}

const answered = <A>(call: (done: (answer: A | ApiFailure) => void) => void): Effect.Effect<A, ApiFailure> =>
  Effect.callback<A, ApiFailure>((resume) =>
    call((answer) => resume(answer instanceof ApiFailure ? Effect.fail(answer) : Effect.succeed(answer)))
  )

/** How a batch of calls ended. */
export interface BatchEnd {
  readonly succeeded: number
  /** The first of the failures. */
  readonly failure: ApiFailure | undefined
}

type Call = (at: number, done: (failure: ApiFailure | undefined) => void) => void

const runBatch = (from: number, count: number, call: Call, done: (end: BatchEnd) => void): void => {
  let left = count
  let succeeded = 0
  let first: ApiFailure | undefined
  for (let at = from; at < from + count; at++) {
    call(at, (failure) => {
      if (failure === undefined) succeeded++
      else first ??= failure
      if (--left === 0) done({ succeeded, failure: first })
    })
  }
}

/** All of some calls at once. */
export const allAtOnce = (count: number, call: Call): Effect.Effect<BatchEnd> =>
  count === 0
    ? Effect.succeed({ succeeded: 0, failure: undefined })
    : Effect.callback<BatchEnd>((resume) => runBatch(0, count, call, (end) => resume(Effect.succeed(end))))

/**
 * Calls in batches of 1, 2, 4, 8 and so on, each after the one before has succeeded as a whole: what a quota forbids costs one call,
 * not hundreds. `skipped` is the number of calls that were never made.
 */
export const slowStart = (count: number, call: Call): Effect.Effect<BatchEnd & { readonly skipped: number }> =>
  Effect.callback((resume) => {
    let made = 0
    let succeeded = 0
    const next = (size: number): void => {
      const batch = Math.min(size, count - made)
      if (batch === 0) return resume(Effect.succeed({ succeeded, failure: undefined, skipped: 0 }))
      runBatch(made, batch, call, (end) => {
        made += batch
        succeeded += end.succeeded
        if (end.failure === undefined) next(batch * 2)
        else resume(Effect.succeed({ succeeded, failure: end.failure, skipped: count - made }))
      })
    }
    next(1)
  })
