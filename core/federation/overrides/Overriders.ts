// The seven overriders, each from an object to a JSON patch.
// Owns their semantics, KubeAdmiral's but for three: an operator that is left out overwrites, addIfAbsent leaves alone what is there
// instead of failing, and each overrider sees what the ones before it have done. Refuses to know clusters and policies.
import { applyJsonPatch, ApiFailure, isJsonObject, type Json, type JsonObject, sameJson } from "#kube"
import { itemsOf, mapOf, textOf, textsOf } from "#apiserver"
import type { OverridePatch } from "../api/FederatedObject.ts"
import type {
  EnvironmentOverrider,
  ImageOverrider,
  MapOverrider,
  Overriders,
  PatchOverrider,
  WordsOverrider
} from "../api/OverridePolicy.ts"
import { type Container, containersOf, valueAt } from "./Containers.ts"
import { changedImage, Unchangeable } from "./ImageReference.ts"

/** The patch of one overrider, or why it cannot be done. */
export type Change = ReadonlyArray<OverridePatch> | Unchangeable

const nothing: ReadonlyArray<OverridePatch> = []

/** The patch that brings a field from one value to another; undefined: absent. */
const fieldPatch = (path: string, before: Json | undefined, after: Json | undefined): ReadonlyArray<OverridePatch> => {
  if (sameJson(before, after)) return nothing
  if (after === undefined) return [{ op: "remove", path }]
  return [before === undefined ? { op: "add", path, value: after } : { op: "replace", path, value: after }]
}

const namedContainers = (object: JsonObject, names: ReadonlyArray<string>): ReadonlyArray<Container> => {
  const all = containersOf(object)
  return names.length === 0 ? all : all.filter(({ name }) => names.includes(name))
}

const image = (object: JsonObject, { containerNames, imagePath, operations }: ImageOverrider): Change => {
  const paths =
    imagePath === undefined || imagePath === ""
      ? namedContainers(object, containerNames ?? []).map(({ path }) => `${path}/image`)
      : [imagePath]
  const patches: Array<OverridePatch> = []
  for (const path of paths) {
    const before = valueAt(object, path)
    if (typeof before !== "string") return new Unchangeable(`there is no image at ${path}`)
    const after = changedImage(before, operations)
    if (after instanceof Unchangeable) return after
    patches.push(...fieldPatch(path, before, after))
  }
  return patches
}

const words =
  (field: "command" | "args") =>
  (object: JsonObject, { containerName, operator = "", value = [] }: WordsOverrider): Change => {
    const patches: Array<OverridePatch> = []
    for (const { fields, path } of namedContainers(object, [containerName])) {
      const present = fields[field] === undefined ? undefined : textsOf(fields[field])
      if (operator === "append" && value.length === 0) return new Unchangeable("there is nothing to append")
      const before = present ?? []
      const after =
        operator === "append"
          ? [...before, ...value]
          : operator === "delete"
            ? before.filter((word) => !value.includes(word))
            : value
      patches.push(...fieldPatch(`${path}/${field}`, present, after.length === 0 ? undefined : after))
    }
    return patches
  }

const environment = (
  object: JsonObject,
  { containerName, operator = "", value = [] }: EnvironmentOverrider
): Change => {
  const patches: Array<OverridePatch> = []
  for (const { fields, path } of namedContainers(object, [containerName])) {
    const before = itemsOf(fields["env"])
    const asked = new Map(value.map((one) => [one.name, one]))
    const there = new Set(before.map(({ name }) => textOf(name)))
    const after: ReadonlyArray<JsonObject> =
      operator === "addIfAbsent"
        ? [...before, ...value.filter(({ name }) => !there.has(name))]
        : operator === "delete"
          ? before.filter(({ name }) => !asked.has(textOf(name)))
          : before.map((one) => asked.get(textOf(one["name"])) ?? one)
    patches.push(
      ...fieldPatch(
        `${path}/env`,
        fields["env"] === undefined ? undefined : before,
        after.length === 0 ? undefined : after
      )
    )
  }
  return patches
}

const metadataMap =
  (field: "labels" | "annotations") =>
  (object: JsonObject, { operator = "", value = {} }: MapOverrider): Change => {
    const path = `/metadata/${field}`
    const present = valueAt(object, path)
    const before = mapOf(present)
    const after: Record<string, string> = { ...before }
    for (const name of Object.keys(value)) {
      if (operator === "delete") delete after[name]
      else if ((before[name] === undefined) === (operator === "addIfAbsent")) after[name] = value[name]
    }
    const isGone = Object.keys(after).length === 0 && (operator === "delete" || present === undefined)
    return fieldPatch(path, present, isGone ? undefined : after)
  }

/** What no policy may touch: it says which object it is. */
export const isForbidden = (path: string): boolean =>
  /^\/(?:kind|metadata\/(?:name|namespace|generateName|uid))(?:\/|$)/.test(path) || path === "" || path === "/metadata"

const jsonPatch = (_object: JsonObject, { from, operator, path, value }: PatchOverrider): Change => {
  for (const place of [path, ...(from === undefined ? [] : [from])]) {
    if (isForbidden(place)) return new Unchangeable(`${place === "" ? "the whole object" : place} may not be changed`)
  }
  const op = operator === undefined || operator === "" ? "replace" : operator
  return [{ op, path, ...(from === undefined ? {} : { from }), ...(value === undefined ? {} : { value }) }]
}

type Overrider = (object: JsonObject, one: never) => Change

const overriders: ReadonlyArray<readonly [keyof Overriders, Overrider]> = [
  ["image", image],
  ["command", words("command")],
  ["args", words("args")],
  ["envs", environment],
  ["annotations", metadataMap("annotations")],
  ["labels", metadataMap("labels")],
  ["jsonpatch", jsonPatch]
]

/** A rule's overriders in their order, with the name of each in a policy. */
export const overridersIn = (rule: Overriders): ReadonlyArray<readonly [string, (object: JsonObject) => Change]> =>
  overriders.flatMap(([kind, run]) =>
    // SAFETY: each list holds what its own overrider takes.
    (rule[kind] ?? []).map((one, at) => [`${kind}[${at}]`, (object: JsonObject) => run(object, one as never)] as const)
  )

/** The object with a patch applied, or why it does not apply. */
export const patched = (object: JsonObject, patches: ReadonlyArray<OverridePatch>): JsonObject | Unchangeable => {
  const done = applyJsonPatch(object, patches as unknown as Json)
  if (done instanceof ApiFailure) return new Unchangeable(done.message)
  return isJsonObject(done) ? done : new Unchangeable("the patch leaves no object")
}
