// A stage of an object's life: when it applies, after how long, and what it does then.
// Owns the shape that both compiled stages (ours, in code) and those of Stage files have, and the choice among several.
// Refuses to carry a stage out, which the hollow nodes do.
import type { Json, JsonObject, KubeObject } from "#kube"
import type { RandomStream } from "../time/RandomStream.ts"

/** What stages may ask of the machine that an object is on. */
export interface StagePlace {
  /** Milliseconds since the epoch. */
  readonly nowMs: number
  /** The same, as RFC 3339. */
  readonly now: string
  readonly nodeName: string
  readonly nodeIp: string
  /** The same as a status lists it: one list for all pods of the machine. */
  readonly nodeIps: ReadonlyArray<JsonObject>
  readonly nodePort: number
  /** The address of a pod on this machine; the host's own when it uses the host's network. */
  readonly podIp: (pod: KubeObject) => string
}

export interface StageEvent {
  readonly type: string
  readonly reason: string
  readonly message: string
}

/** What a stage does, in order. */
export type StageStep =
  | { readonly kind: "event"; readonly event: StageEvent }
  | { readonly kind: "finalizers"; readonly change: (finalizers: ReadonlyArray<string>) => ReadonlyArray<string> }
  | { readonly kind: "delete" }
  /** Says the whole new status: how compiled stages do it. */
  | { readonly kind: "status"; readonly status: (object: KubeObject, place: StagePlace) => JsonObject }
  /** Says what changes: how templates do it. */
  | {
      readonly kind: "patch"
      readonly type: "json" | "merge" | "strategic"
      readonly subresource: string
      readonly body: (object: KubeObject, place: StagePlace) => Json
    }

/** Milliseconds from when a stage applies to when it happens: between `fromMs` and `toMs`, evenly. */
export interface StageDelay {
  readonly fromMs: number
  readonly toMs: number
}

export interface Stage {
  readonly name: string
  readonly matches: (object: KubeObject) => boolean
  /** Undefined: has no say; by weights one of several stages is chosen. */
  readonly weight: (object: KubeObject) => number | undefined
  readonly delay: (object: KubeObject, nowMs: number) => StageDelay | undefined
  readonly steps: ReadonlyArray<StageStep>
  /** The next stage is chosen at once, without waiting for the server to tell of the change. */
  readonly immediateNextStage: boolean
}

/** The stages that may be chosen, as kwok chooses them: by weight where any has one. */
export const possibleStages = (stages: ReadonlyArray<Stage>, object: KubeObject): ReadonlyArray<Stage> => {
  const matching = stages.filter((stage) => stage.matches(object))
  if (matching.length < 2) return matching
  const weighted = matching.filter((stage) => (stage.weight(object) ?? 0) > 0)
  if (weighted.length > 0) return weighted
  const saying = matching.filter((stage) => stage.weight(object) !== undefined)
  return saying.length > 0 ? saying : matching
}

/** The stage that an object enters now; undefined when it stays as it is. */
export const chooseStage = (
  stages: ReadonlyArray<Stage>,
  object: KubeObject,
  random: RandomStream
): Stage | undefined => {
  const possible = possibleStages(stages, object)
  if (possible.length < 2) return possible[0]
  const total = possible.reduce((sum, stage) => sum + (stage.weight(object) ?? 0), 0)
  if (total === 0) return random.pick(possible)
  let left = random.float() * total
  for (const stage of possible) {
    left -= stage.weight(object) ?? 0
    if (left < 0) return stage
  }
  return possible.at(-1)
}

/** One draw of a stage's delay, in milliseconds. */
export const drawDelay = (stage: Stage, object: KubeObject, nowMs: number, random: RandomStream): number => {
  const delay = stage.delay(object, nowMs)
  if (delay === undefined) return 0
  return Math.max(0, delay.toMs <= delay.fromMs ? delay.toMs : random.between(delay.fromMs, delay.toMs))
}
