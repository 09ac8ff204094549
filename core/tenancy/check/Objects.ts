// Random objects of any kind, made along the served schema from a few numbers, so that a failing one shrinks to its smallest part.
// Owns which places of a kind can be filled and the words that fill them; refuses validity, which the translation never asks for.
import * as fc from "fast-check"
import { builtInResources, type Json, type JsonObject, type Schema, schemaOfKind } from "#kube"
import type { KindShape } from "../names/TenantView.ts"
import { builtInShape, isWithheld, tableName } from "../rules/CompiledRules.ts"
import { opaqueDefinitions } from "../rules/RuleTable.ts"
import { cast, inBook } from "./Book.ts"
import { compositeOf, type Words, wordFor } from "./Words.ts"

/** A place in a kind's objects that a value can be put at. */
interface Place {
  readonly steps: ReadonlyArray<string>
  readonly schema: Schema
  readonly path: string
}

/** A kind with its places; those of the checklist apart. */
export interface Ground {
  readonly shape: KindShape
  readonly places: ReadonlyArray<Place>
  readonly named: ReadonlyArray<Place>
}

const MAP_KEY = "k"

/** Of nodes, what tells of others' images and volumes: never shown, and never the tenant's to write. */
const HIDDEN: ReadonlySet<string> = new Set(["images", "volumesAttached", "volumesInUse"])

const placesOf = (shape: KindShape, root: Schema): ReadonlyArray<Place> => {
  const found: Array<Place> = []
  const visit = (schema: Schema, steps: ReadonlyArray<string>, path: string, above: ReadonlyArray<string>): void => {
    if (schema.items !== undefined) return visit(schema.items, [...steps, "*"], `${path}.*`, above)
    if (schema.values !== undefined && schema.values.fields === undefined) {
      found.push({ steps, schema, path })
      return undefined
    }
    if (schema.values !== undefined) return visit(schema.values, [...steps, MAP_KEY], `${path}.${MAP_KEY}`, above)
    const name = schema.name ?? ""
    if (schema.fields === undefined || (steps.length > 0 && compositeOf(schema, path) !== undefined)) {
      found.push({ steps, schema, path })
      return undefined
    }
    if (above.includes(name) || opaqueDefinitions.has(tableName(name))) return undefined
    for (const [field, inner] of schema.fields) {
      if (steps.length === 0 && (field === "apiVersion" || field === "kind")) continue
      if (HIDDEN.has(field) && name.endsWith("v1.NodeStatus")) continue
      const step = path.endsWith(":") ? path + field : `${path}.${field}`
      if (steps.length === 1 && steps[0] === "metadata" && (field === "name" || field === "namespace")) continue
      if (field === "url" || field === "selfLink" || field === "matchConditions") continue
      visit(inner, [...steps, field], step, [...above, name])
    }
    return undefined
  }
  visit(root, [], `${shape.kind}:`, [])
  return found
}

let all: ReadonlyArray<Ground> | undefined

/** Every kind that tenants are served, also those that only subresources speak. */
export const grounds = (): ReadonlyArray<Ground> => {
  if (all !== undefined) return all
  const shapes = new Map<string, KindShape>()
  for (const resource of builtInResources()) {
    if (isWithheld(resource)) continue
    for (const { group, kind, version } of [resource, ...resource.subresources]) {
      const shape = builtInShape(group, version, kind)
      if (shape !== undefined) shapes.set(`${group}/${version}/${kind}`, shape)
    }
  }
  all = [...shapes.values()].flatMap((shape) => {
    const schema = schemaOfKind(shape.group, shape.version, shape.kind)
    if (schema === undefined) return []
    const places = placesOf(shape, schema)
    return [{ shape, places, named: places.filter(({ path }) => inBook(path)) }]
  })
  return all
}

/** The numbers that an object is made of. */
export interface Draft {
  readonly kind: number
  readonly name: number
  readonly fills: ReadonlyArray<readonly [place: number, word: number]>
}

const NUMBERS = 100_000

/** Drafts of objects of all kinds, or of one. */
export const drafts = (kind?: string): fc.Arbitrary<Draft> => {
  const at = kind === undefined ? -1 : grounds().findIndex(({ shape }) => shape.kind === kind)
  return fc.record({
    kind: at < 0 ? fc.nat(grounds().length - 1) : fc.constant(at),
    name: fc.nat(NUMBERS),
    fills: fc.array(fc.tuple(fc.nat(NUMBERS), fc.nat(NUMBERS)), { maxLength: 8 })
  })
}

const put = (object: Record<string, unknown>, steps: ReadonlyArray<string>, value: Json): void => {
  let holder: Record<string, unknown> | Array<unknown> = object
  for (const [at, step] of steps.entries()) {
    const last = at === steps.length - 1
    const key: string | number = step === "*" ? 0 : step
    const held = holder as Record<string | number, unknown>
    if (last) held[key] = value
    else held[key] ??= steps[at + 1] === "*" ? [] : {}
    holder = held[key] as Record<string, unknown>
  }
}

/** An object that was made, with its shape. */
export interface Made {
  readonly shape: KindShape
  readonly object: JsonObject
}

/** The object that a draft is, with the words of one side. */
export const made = (draft: Draft, words: Words): Made => {
  const ground = grounds()[draft.kind]
  const { shape } = ground
  const apiVersion = shape.group === "" ? shape.version : `${shape.group}/${shape.version}`
  const metadata: Record<string, unknown> = { name: words.objectName(shape, draft.name) }
  if (shape.namespaced) metadata["namespace"] = words.namespace(draft.name)
  const object: Record<string, unknown> = { apiVersion, kind: shape.kind, metadata }
  for (const [place, word] of draft.fills) {
    const from = place % 2 === 0 && ground.named.length > 0 ? ground.named : ground.places
    const { path, schema, steps } = from[(place >> 1) % from.length]
    put(object, steps, wordFor(words, schema, path, word))
  }
  // SAFETY: made of JSON alone.
  return { shape, object: object as JsonObject }
}

/** The tenants that a check knows besides its own. */
export const foreignIds: ReadonlyArray<string> = cast.others
