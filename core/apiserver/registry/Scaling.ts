// The scale subresource: autoscaling/v1 Scale as a view of any kind that counts replicas, by the paths of its declaration.
// Owns the view and the way back; refuses writes, which are updates of the object itself.
import {
  ApiFailure,
  Failures,
  formatLabelSelector,
  isJsonObject,
  type Json,
  type KubeObject,
  labelSelectorOf
} from "#kube"
import { looseHeld } from "../cache/Held.ts"
import type { Subresource } from "../Definition.ts"
import { findNewest, objectAnswer } from "./Reading.ts"
import { patchedView } from "./Patching.ts"
import { changeObject, refuseName } from "./Updating.ts"
import { type Answer, ATTEMPTS_MAX, type Writing } from "./Writing.ts"

export type ScalePaths = Extract<Subresource, { type: "scale" }>

const partsOf = (path: string): ReadonlyArray<string> => path.replace(/^\./, "").split(".")

const at = (object: unknown, path: string): Json | undefined => {
  let value = object as Json | undefined
  for (const part of partsOf(path)) value = isJsonObject(value) ? value[part] : undefined
  return value
}

/** The object with a value at a path; only what is on the path is copied. */
const withAt = (
  object: Record<string, unknown>,
  parts: ReadonlyArray<string>,
  value: Json
): Record<string, unknown> => {
  const [first = "", ...rest] = parts
  const inner = object[first]
  const below =
    rest.length === 0
      ? value
      : withAt((isJsonObject(inner as Json) ? inner : {}) as Record<string, unknown>, rest, value)
  return { ...object, [first]: below }
}

const selectorText = (value: Json | undefined): string | undefined => {
  if (typeof value === "string") return value
  if (!isJsonObject(value)) return undefined
  const isSelector = "matchLabels" in value || "matchExpressions" in value
  const selector = labelSelectorOf(isSelector ? value : { matchLabels: value })
  return selector instanceof Error ? undefined : formatLabelSelector(value)
}

/** The Scale of an object. */
export const scaleOf = (object: KubeObject, paths: ScalePaths): KubeObject => {
  const { creationTimestamp, name, namespace, resourceVersion, uid } = object.metadata
  const selector = paths.labelSelectorPath === undefined ? undefined : selectorText(at(object, paths.labelSelectorPath))
  const replicas = at(object, paths.specReplicasPath)
  return {
    kind: "Scale",
    apiVersion: "autoscaling/v1",
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp } as KubeObject["metadata"],
    spec: typeof replicas === "number" && replicas !== 0 ? { replicas } : {},
    status: { replicas: at(object, paths.statusReplicasPath) ?? 0, ...(selector === undefined ? {} : { selector }) }
  }
}

/** Answers the Scale of the request's object. */
export const getScale = (writing: Writing, paths: ScalePaths, done: Answer): void => {
  const { registry, request, resource } = writing
  findNewest(registry, resource, request.namespace, request.name, (found) => {
    if (found instanceof ApiFailure) return done(found)
    if (found === undefined) return done(Failures.notFound(resource.about(request.name)))
    done(objectAnswer(looseHeld(scaleOf(resource.served(found).object, paths))))
  })
}

/** Updates or patches the Scale of the request's object, and answers it. */
export const changeScale = (writing: Writing, paths: ScalePaths, done: Answer): void => {
  const { request } = writing
  changeObject(
    writing,
    {
      subresource: undefined,
      from: (old) => {
        const scale = request.verb === "patch" ? patchedView(writing, scaleOf(old, paths)) : request.body
        if (scale === undefined) return Failures.badRequest("the body of the request is missing")
        if (scale instanceof ApiFailure) return scale
        const object = scaled(request, scale, old, paths)
        return object instanceof ApiFailure ? object : { object, managed: false }
      },
      absent: undefined,
      attempts: ATTEMPTS_MAX
    },
    (answer) => {
      if (answer instanceof ApiFailure || answer.kind !== "object") return done(answer)
      done(objectAnswer(looseHeld(scaleOf(answer.held.object, paths)), answer.code, answer.warnings))
    }
  )
}

const scaled = (
  request: Writing["request"],
  scale: KubeObject,
  old: KubeObject,
  paths: ScalePaths
): KubeObject | ApiFailure => {
  const misnamed = refuseName(scale, request.name, request.namespace)
  if (misnamed !== undefined) return misnamed
  const replicas = at(scale, "spec.replicas") ?? 0
  if (typeof replicas !== "number" || !Number.isInteger(replicas) || replicas < 0) {
    const problem = { type: "FieldValueInvalid", field: "spec.replicas", value: replicas } as const
    const detail = "must be greater than or equal to 0"
    return Failures.invalid({ group: "autoscaling", kind: "Scale" }, request.name, [{ ...problem, detail }])
  }
  const { resourceVersion, uid } = scale.metadata
  const metadata = { ...old.metadata, resourceVersion: resourceVersion ?? "", ...(uid === undefined ? {} : { uid }) }
  return withAt({ ...old, metadata }, partsOf(paths.specReplicasPath), replicas) as unknown as KubeObject
}
