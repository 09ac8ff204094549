// Empties one namespace of one resource: deletes all of it, and says what is left and why.
// Owns that one resource's deletion and the estimate of how long it takes; which resources there are is ServedResources.ts's.
import { Effect } from "effect"
import { type ApiFailure, type EffectClient, type KubeObject } from "#kube"
import { fieldsOf, numberOf } from "#apiserver"
import { isNotFound } from "../ManagedController.ts"
import { isTerminal } from "../PodFacts.ts"
import type { ServedResource } from "./ServedResources.ts"

/** What deleting one resource of a namespace came to. */
export interface Emptied {
  /** Seconds until the rest may be gone; 0 when nothing is left or nobody knows. */
  readonly estimateSeconds: number
  readonly remaining: number
  readonly finalizers: ReadonlyMap<string, number>
  readonly failure?: string
}

/** How long whoever put a finalizer is believed to take. */
const FINALIZER_SECONDS = 15
const none: ReadonlyMap<string, number> = new Map()
const background = { propagationPolicy: "Background" } as const

const isUnsupported = (failure: ApiFailure): boolean => failure.code === 405 || isNotFound(failure)

const versionText = ({ group, resource, version }: ServedResource): string =>
  `${group}/${version}, Resource=${resource}`

/** The longest grace of pods that have not ended. */
const graceSeconds = (pods: ReadonlyArray<KubeObject>): number => {
  let most = 0
  for (const pod of pods) {
    if (!isTerminal(pod)) most = Math.max(most, numberOf(fieldsOf(pod.spec)["terminationGracePeriodSeconds"]))
  }
  return most
}

export interface EmptyOptions {
  readonly client: EffectClient
  readonly namespace: string
  readonly resource: ServedResource
  /** Seconds since the namespace was deleted. */
  readonly ageSeconds: number
}

const list = ({ client, namespace, resource }: EmptyOptions, metadataOnly = true) =>
  resource.verbs.includes("list")
    ? client.list({ resource, namespace }, { metadataOnly }).pipe(
        Effect.map(({ items }): ReadonlyArray<KubeObject> | undefined => items),
        Effect.catch((failure) => (isUnsupported(failure) ? Effect.succeed(undefined) : Effect.fail(failure)))
      )
    : Effect.succeed(undefined)

/** Deletes all objects of the resource in one call, or one by one where the server knows no such call. */
const deleteAll = Effect.fnUntraced(function* (options: EmptyOptions) {
  const { client, namespace, resource } = options
  if (resource.verbs.includes("deletecollection")) {
    const isDone = yield* client.deleteCollection({ resource, namespace }, background).pipe(
      Effect.as(true),
      Effect.catch((failure) => (isUnsupported(failure) ? Effect.succeed(false) : Effect.fail(failure)))
    )
    if (isDone) return
  }
  for (const { metadata } of (yield* list(options)) ?? []) {
    yield* client
      .delete({ resource, namespace, name: metadata.name ?? "" }, background)
      .pipe(Effect.catch((failure) => (isUnsupported(failure) ? Effect.void : Effect.fail(failure))))
  }
})

const estimateOf = Effect.fnUntraced(function* (options: EmptyOptions) {
  const { ageSeconds, resource } = options
  if (resource.group !== "" || resource.resource !== "pods") return 0
  const grace = graceSeconds((yield* list(options, false)) ?? [])
  return ageSeconds >= grace ? 0 : grace
})

const empty = Effect.fnUntraced(function* (options: EmptyOptions, estimate: number) {
  yield* deleteAll(options)
  const left = yield* list(options)
  if (left === undefined || left.length === 0) {
    const emptied: Emptied = {
      estimateSeconds: left === undefined ? estimate : 0,
      remaining: 0,
      finalizers: none
    }
    return emptied
  }
  const finalizers = new Map<string, number>()
  for (const { metadata } of left)
    for (const name of metadata.finalizers ?? []) finalizers.set(name, (finalizers.get(name) ?? 0) + 1)
  const estimateSeconds = estimate > 0 ? estimate : finalizers.size > 0 ? FINALIZER_SECONDS : 0
  const emptied: Emptied = {
    estimateSeconds,
    remaining: left.length,
    finalizers,
    ...(estimateSeconds > 0
      ? {}
      : {
          failure: `unexpected items still remain in namespace: ${options.namespace} for gvr: ${versionText(options.resource)}`
        })
  }
  return emptied
})

/** Deletes a resource's objects in a namespace; what fails is said, not thrown. */
export const emptyNamespace = (options: EmptyOptions): Effect.Effect<Emptied> => {
  const failed =
    (estimateSeconds: number) =>
    (failure: ApiFailure): Emptied => ({ estimateSeconds, remaining: 0, finalizers: none, failure: failure.message })
  return estimateOf(options).pipe(
    Effect.flatMap((estimate) =>
      empty(options, estimate).pipe(Effect.catch((failure) => Effect.succeed(failed(estimate)(failure))))
    ),
    Effect.catch((failure) => Effect.succeed(failed(0)(failure)))
  )
}
