// What an autoscaler scales, through the scale subresource of whatever kind its spec names.
// Owns the look-up and the write; refuses to decide how many replicas there should be.
import { Effect } from "effect"
import { type ApiFailure, type EffectClient, Failures, type KubeObject, type Target } from "#kube"
import { groupOf, type KindResources } from "../KindResources.ts"
import { fieldsOf, textOf } from "../Parts.ts"

export interface ScaleTarget {
  readonly target: Target
  readonly scale: KubeObject
}

const TRIES = 5

export class ScaleTargets {
  readonly #client: EffectClient
  readonly #kinds: KindResources

  constructor(client: EffectClient, kinds: KindResources) {
    this.#client = client
    this.#kinds = kinds
  }

  /** The scale that an autoscaler's spec names. */
  find({ metadata, spec }: KubeObject): Effect.Effect<ScaleTarget, ApiFailure> {
    const { apiVersion, kind, name } = fieldsOf(fieldsOf(spec)["scaleTargetRef"])
    const group = groupOf(textOf(apiVersion))
    const resource = this.#kinds.find(group, textOf(kind))
    if (resource === undefined) {
      const words = `no matches for kind ${JSON.stringify(textOf(kind))} in group ${JSON.stringify(group)}`
      return Effect.fail(Failures.generic(404, "NotFound", words))
    }
    const target = { resource, namespace: metadata.namespace ?? "", name: textOf(name), subresource: "scale" }
    return Effect.map(this.#client.get(target), (scale) => ({ target, scale }))
  }

  /** Sets the number of replicas; of what others changed in between, the newest is taken. */
  update = (found: ScaleTarget, replicas: number): Effect.Effect<void, ApiFailure> =>
    this.#update(this, found, replicas)

  readonly #update = Effect.fnUntraced(function* (
    self: ScaleTargets,
    { scale, target }: ScaleTarget,
    replicas: number
  ) {
    let newest = scale
    for (let tries = 1; ; tries++) {
      const wanted: KubeObject = { ...newest, spec: { ...fieldsOf(newest.spec), replicas } }
      const end = yield* Effect.result(self.#client.update(target, wanted))
      if (end._tag === "Success") return
      if (end.failure.reason !== "Conflict" || tries === TRIES) return yield* Effect.fail(end.failure)
      const fresh = yield* Effect.result(self.#client.get(target))
      if (fresh._tag === "Success") newest = fresh.success
    }
  })
}
