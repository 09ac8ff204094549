// Invariants of patches and of server-side apply: patching and translating commute, and what was added survives.
// Owns patches; where a patch needs the whole object, the property does what the server does.
import * as fc from "fast-check"
import { applyJsonPatch, applyMergePatch, type Json, type JsonObject } from "#kube"
import { Refused, WholeNeeded } from "../rewrite/Contract.ts"
import type { Rewriter } from "../rewrite/Rewriter.ts"
import { LAST_APPLIED_ANNOTATION } from "../rules/Metadata.ts"
import { cast } from "./Book.ts"
import type { Invariant } from "./Invariants.ts"
import { drafts, made, type Made } from "./Objects.ts"
import { Broken, downText, holds, parse, same, sameValue, toBytes, toText, upText, wordOf } from "./View.ts"
import { tenantWords } from "./Words.ts"

const merged = (target: JsonObject, patch: JsonObject): JsonObject => applyMergePatch(target, patch) as JsonObject

/** The object of a second draft as a patch of the first's: same kind, same name. */
const second = (
  first: Made,
  fills: ReadonlyArray<readonly [number, number]>,
  kind: number,
  name: number
): JsonObject => {
  const { object } = made({ kind, name, fills }, tenantWords)
  const { apiVersion: _, kind: __, ...rest } = object
  const metadata = { ...(rest["metadata"] as JsonObject) }
  if (Object.keys(metadata).length === 0) throw new Broken(`${first.shape.kind} has no metadata`)
  return { ...rest, metadata }
}

const commutes = (rewriter: Rewriter) =>
  fc.property(
    drafts(),
    fc.array(fc.tuple(fc.nat(100_000), fc.nat(100_000)), { maxLength: 3 }),
    fc.boolean(),
    (draft, fills, clears) => {
      const first = made(draft, tenantWords)
      const { object, shape } = first
      const change = second(first, fills, draft.kind, draft.name)
      const patch: JsonObject = clears
        ? { ...change, metadata: { ...(change["metadata"] as JsonObject), labels: null } }
        : change
      const result = rewriter.patchToUpstream(shape, "application/merge-patch+json", toBytes(patch))
      const upstream = parse(upText(rewriter, shape, JSON.stringify(object)))
      const expected = parse(upText(rewriter, shape, JSON.stringify(merged(object, patch))))
      if (result instanceof WholeNeeded) return
      if (!("body" in result)) throw new Broken(`a patch of ${shape.kind} failed: ${result.message}`)
      const actual = merged(upstream, parse(toText(result.body)))
      sameValue(`${shape.kind} patched by ${JSON.stringify(patch)} as ${toText(result.body)}`, actual, expected)
    }
  )

const pointer = (steps: ReadonlyArray<string>): string =>
  steps.map((step) => `/${step.replaceAll("~", "~0").replaceAll("/", "~1")}`).join("")

interface Spot {
  readonly path: string
  readonly value: Json
}

/** Every place of an object, by pointer. */
const spots = (value: Json | undefined, steps: ReadonlyArray<string> = []): ReadonlyArray<Spot> => {
  const here = steps.length === 0 || value === undefined ? [] : [{ path: pointer(steps), value }]
  if (Array.isArray(value)) return [...here, ...value.flatMap((item: Json, at) => spots(item, [...steps, String(at)]))]
  if (typeof value !== "object" || value === null) return here
  return [...here, ...Object.entries(value as JsonObject).flatMap(([key, inner]) => spots(inner, [...steps, key]))]
}

const patched = (object: JsonObject, operation: JsonObject): JsonObject | undefined => {
  try {
    return applyJsonPatch(object, [operation] as never) as JsonObject
  } catch {
    return undefined
  }
}

/** One operation on any place: replacing a value by another object's, testing it, taking it away, copying it. */
const operations = (rewriter: Rewriter) =>
  fc.property(drafts(), fc.nat(1000), fc.constantFrom("replace", "add", "remove", "test", "copy"), (draft, at, op) => {
    const { object, shape } = made(draft, tenantWords)
    const places = spots(object).filter(
      ({ path }) => !["/apiVersion", "/kind", "/metadata", "/metadata/name", "/metadata/namespace"].includes(path)
    )
    if (places.length === 0) return
    const place = places[at % places.length]
    const operation: JsonObject =
      op === "copy"
        ? { op, from: place.path, path: "/metadata/annotations" }
        : op === "remove"
          ? { op, path: place.path }
          : { op, path: place.path, value: place.value }
    const expected = patched(object, operation)
    const result = rewriter.patchToUpstream(shape, "application/json-patch+json", toBytes([operation]))
    if (expected === undefined || result instanceof WholeNeeded) return
    if (!("body" in result)) throw new Broken(`an operation on ${shape.kind} failed: ${result.message}`)
    const [translated] = JSON.parse(toText(result.body)) as ReadonlyArray<JsonObject>
    const upstream = parse(upText(rewriter, shape, JSON.stringify(object)))
    const actual = patched(upstream, translated ?? {})
    if (actual === undefined)
      throw new Broken(`${JSON.stringify(operation)} of ${shape.kind} fails upstream as ${JSON.stringify(translated)}`)
    sameValue(
      `${shape.kind} after ${JSON.stringify(operation)} as ${JSON.stringify(translated)}`,
      actual,
      parse(upText(rewriter, shape, JSON.stringify(expected)))
    )
  })

const apply = (rewriter: Rewriter) =>
  fc.property(drafts(), fc.boolean(), (draft, yaml) => {
    const { object, shape } = made(draft, tenantWords)
    const text = JSON.stringify(object)
    const form = yaml ? "application/apply-patch+yaml" : "application/apply-patch+json"
    const result = rewriter.patchToUpstream(shape, form, toBytes(yaml ? asYaml(object) : text))
    if (result instanceof WholeNeeded || !("body" in result)) throw new Broken(`applying ${shape.kind} failed`)
    // Applying says the whole of what one wants: it is the object, with all that is added.
    sameValue(`applied ${shape.kind}`, parse(toText(result.body)), parse(upText(rewriter, shape, text)))
  })

/** JSON in YAML's own style of blocks. */
const asYaml = (value: JsonObject): string =>
  Object.entries(value)
    .map(([key, inner]) => `${JSON.stringify(key)}: ${JSON.stringify(inner)}\n`)
    .join("")

const managed = (rewriter: Rewriter) =>
  fc.property(
    fc.constantFrom("Namespace", "ClusterRole", "Role", "ConfigMap"),
    fc.constantFrom("111111-acme.io/v1", "v1", "222222-acme.io/v1"),
    (kind, apiVersion) => {
      const { shape } = made({ kind: kindAt(kind), name: 0, fills: [] }, tenantWords)
      const entry = {
        manager: "kubectl",
        operation: "Apply",
        apiVersion,
        fieldsType: "FieldsV1",
        fieldsV1: { "f:metadata": { "f:labels": { "f:a": {}, "f:kubezoo.io/tenant": {} } } }
      }
      const metadata = shape.namespaced
        ? { name: "a", namespace: "111111-d" }
        : { name: "111111-a", labels: { a: "b", "kubezoo.io/tenant": cast.tenant } }
      const read = parse(
        downText(rewriter, shape, JSON.stringify({ metadata: { ...metadata, managedFields: [entry] } }))
      )
      const fields = (read["metadata"] as JsonObject)["managedFields"] as ReadonlyArray<JsonObject>
      holds(
        `managed fields of ${apiVersion}: ${JSON.stringify(fields)}`,
        fields.length === (apiVersion.startsWith("222222") ? 0 : 1)
      )
      if (fields[0] === undefined) return
      same("the version of managed fields", wordOf(fields[0]["apiVersion"]), apiVersion.replace("111111-", ""))
      if (!shape.namespaced)
        holds(
          `the mark is owned by somebody: ${JSON.stringify(fields)}`,
          !JSON.stringify(fields).includes("kubezoo.io")
        )
    }
  )

const kindAt = (kind: string): number => {
  const found = drafts(kind)
  return fc.sample(found, { numRuns: 1, seed: 1 })[0]?.kind ?? 0
}

const lastApplied = (rewriter: Rewriter) =>
  fc.property(drafts(), (draft) => {
    const { object, shape } = made(draft, tenantWords)
    if (/Review$|^Scale$|^Binding$|^Eviction$|^TokenRequest$/.test(shape.kind)) return
    const metadata = object["metadata"] as JsonObject
    const annotations = { [LAST_APPLIED_ANNOTATION]: `${JSON.stringify(object)}\n` }
    const text = JSON.stringify({ ...object, metadata: { ...metadata, annotations } })
    const upstream = upText(rewriter, shape, text)
    const inner = ((parse(upstream)["metadata"] as JsonObject)["annotations"] as JsonObject)[LAST_APPLIED_ANNOTATION]
    const bare = made({ ...draft, fills: [] }, tenantWords)
    const own = shape.namespaced ? `"namespace":"${cast.tenant}-` : `"name":"`
    holds(
      `what was last applied of ${bare.shape.kind} is not translated: ${wordOf(inner)}`,
      wordOf(inner).includes(own)
    )
    holds(
      `what was last applied of ${bare.shape.kind} has additions`,
      !wordOf(inner).includes('"labels":{"kubezoo.io/tenant"')
    )
    const back = parse(downText(rewriter, shape, upstream))
    const read = ((back["metadata"] as JsonObject)["annotations"] as JsonObject)[LAST_APPLIED_ANNOTATION]
    sameValue("what was last applied", parse(wordOf(read)), object)
  })

/** The platform's label is nobody's to write, to remove or to select, and stays where a patch clears all others. */
const mark = (rewriter: Rewriter) =>
  fc.property(
    fc.constantFrom("222222", "", "x"),
    fc.constantFrom("Namespace", "ClusterRole", "StorageClass"),
    (value, kind) => {
      const { shape } = made({ kind: kindAt(kind), name: 0, fills: [] }, tenantWords)
      const labels = { "kubezoo.io/tenant": value }
      const body = toBytes({ metadata: { name: "a", labels } })
      holds(`a ${kind} can be given to ${value}`, rewriter.toUpstream(shape, body) instanceof Refused)
      const merge = (patch: JsonObject) =>
        rewriter.patchToUpstream(shape, "application/merge-patch+json", toBytes(patch))
      holds("a patch gives away", merge({ metadata: { labels } }) instanceof Refused)
      holds(
        "a patch takes the label away",
        merge({ metadata: { labels: { "kubezoo.io/tenant": null } } }) instanceof WholeNeeded
      )
      holds("a patch takes all labels away", merge({ metadata: { labels: null } }) instanceof WholeNeeded)
      const replaced = rewriter.patchToUpstream(
        shape,
        "application/strategic-merge-patch+json",
        toBytes({ metadata: { labels: { $patch: "replace", a: "b" } } })
      )
      holds("a patch replaces all labels", replaced instanceof WholeNeeded)
      const json = (operation: JsonObject) =>
        rewriter.patchToUpstream(shape, "application/json-patch+json", toBytes([operation]))
      holds("an operation removes all labels", json({ op: "remove", path: "/metadata/labels" }) instanceof WholeNeeded)
      holds(
        "an operation removes the label",
        !("body" in json({ op: "remove", path: "/metadata/labels/kubezoo.io~1tenant" }))
      )
      holds(
        "an operation moves a name",
        json({ op: "copy", from: "/metadata/name", path: "/metadata/labels/a" }) instanceof WholeNeeded
      )
    }
  )

/** The invariants of patches. */
export const patchProperties: ReadonlyArray<Invariant> = [
  { number: 15, name: "apply", says: "applying translates the whole wish, in JSON and YAML", property: apply },
  { number: 15, name: "merge-patches", says: "merging a patch commutes with translating", property: commutes },
  { number: 15, name: "json-patches", says: "an operation commutes with translating", property: operations },
  {
    number: 15,
    name: "managed-fields",
    says: "managed fields are the tenant's, and the mark is nobody's",
    property: managed
  },
  {
    number: 15,
    name: "last-applied",
    says: "what was last applied is translated and comes back",
    property: lastApplied
  },
  {
    number: 15,
    name: "mark",
    says: "the platform's label can be neither given, taken nor cleared away",
    property: mark
  }
]
