// Containers of workloads, found by name: in pods, in whatever has a pod template, and in cron jobs.
// Owns where they stand, as JSON pointers; refuses to change them.
import { isJsonObject, type Json, type JsonObject } from "#kube"
import { itemsOf, textOf } from "#apiserver"

/** A container and where it stands. */
export interface Container {
  readonly name: string
  readonly path: string
  readonly fields: JsonObject
}

/** Where pod specs are looked for: any kind that has one there, ours or not. */
const POD_SPECS = ["/spec/template/spec", "/spec/jobTemplate/spec/template/spec", "/spec"]

/** The value at a JSON pointer. */
export const valueAt = (object: Json, pointer: string): Json | undefined => {
  let value: Json | undefined = object
  for (const part of pointer.split("/").slice(1)) {
    const key = part.replaceAll("~1", "/").replaceAll("~0", "~")
    if (Array.isArray(value)) value = /^\d+$/.test(key) ? value[Number(key)] : undefined
    else value = isJsonObject(value) ? value[key] : undefined
  }
  return value
}

/** All containers, init containers first, in their order; none where there is no pod spec. */
export const containersOf = (object: JsonObject): ReadonlyArray<Container> => {
  for (const place of POD_SPECS) {
    const spec = valueAt(object, place)
    if (!isJsonObject(spec) || !Array.isArray(spec["containers"])) continue
    return ["initContainers", "containers"].flatMap((list) =>
      itemsOf(spec[list]).map((fields, at) => ({
        name: textOf(fields["name"]),
        path: `${place}/${list}/${at}`,
        fields
      }))
    )
  }
  return []
}
