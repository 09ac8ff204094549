// Invariants over whole objects of every kind: what they become upstream, and that they come back.
// Owns the comparison with the second book; names and answers have files of their own.
import * as fc from "fast-check"
import type { Json, JsonObject } from "#kube"
import type { Rewriter } from "../rewrite/Rewriter.ts"
import { CONDITION_NAME } from "../rules/Confinement.ts"
import { cast, upstreamByBook } from "./Book.ts"
import type { Invariant } from "./Invariants.ts"
import { type Draft, drafts, made } from "./Objects.ts"
import { tenantWords, upstreamWords } from "./Words.ts"
import { Broken, downText, holds, parse, same, sameValue, toBytes, toText, upText, wordOf } from "./View.ts"

const overObjects = (check: (rewriter: Rewriter, draft: Draft) => void) => (rewriter: Rewriter) =>
  fc.property(drafts(), (draft) => check(rewriter, draft))

const roundTrip = (rewriter: Rewriter, draft: Draft): void => {
  const { object, shape } = made(draft, tenantWords)
  const text = JSON.stringify(object)
  const upstream = upText(rewriter, shape, text)
  if (shape.kind === "TokenReview") return
  const back = downText(rewriter, shape, upstream)
  sameValue(`${shape.kind} came back otherwise (upstream: ${upstream})`, comparable(parse(back)), comparable(object))
  same(
    `${shape.kind} went up otherwise a second time`,
    upText(rewriter, shape, back),
    upText(rewriter, shape, JSON.stringify(parse(back)))
  )
}

/** A webhook without a selector of namespaces has the one that selects all of them, which is what upstream fills in. */
const comparable = (object: JsonObject): JsonObject =>
  Array.isArray(object["webhooks"])
    ? {
        ...object,
        webhooks: object["webhooks"].map((one: Json) => ({ namespaceSelector: {}, ...(one as JsonObject) }))
      }
    : object

const conditionsOf = (part: JsonObject): ReadonlyArray<JsonObject> =>
  Array.isArray(part["matchConditions"]) ? (part["matchConditions"] as ReadonlyArray<JsonObject>) : []

/** Takes out what confines a part, which must be there. */
const unconfined = (part: JsonObject, selects: boolean): JsonObject => {
  const last = conditionsOf(part).at(-1)
  holds("a webhook or policy is not confined by a condition", last?.["name"] === CONDITION_NAME)
  const { matchConditions: _, ...rest } = part
  if (!selects) return rest
  const selector = rest["namespaceSelector"] as JsonObject | undefined
  const labels = selector?.["matchLabels"] as JsonObject | undefined
  holds("a webhook is not confined to namespaces", labels?.["kubezoo.io/tenant"] === cast.tenant)
  const { namespaceSelector: __, ...free } = rest
  return free
}

/** The object without what confines it. */
const stripped = (object: JsonObject): JsonObject => {
  const kind = wordOf(object["kind"])
  if (kind.endsWith("WebhookConfiguration") && Array.isArray(object["webhooks"])) {
    return { ...object, webhooks: object["webhooks"].map((one: Json) => unconfined(one as JsonObject, true)) }
  }
  if (kind.endsWith("AdmissionPolicy") && typeof object["spec"] === "object" && object["spec"] !== null) {
    return { ...object, spec: unconfined(object["spec"] as JsonObject, false) }
  }
  return object
}

const plainSelectors = (object: JsonObject): JsonObject =>
  Array.isArray(object["webhooks"])
    ? {
        ...object,
        webhooks: object["webhooks"].map((one: Json) => {
          const { namespaceSelector: _, ...rest } = one as JsonObject
          return rest
        })
      }
    : object

const asTheBookSays = (rewriter: Rewriter, draft: Draft): void => {
  const { object, shape } = made(draft, tenantWords)
  const upstream = parse(upText(rewriter, shape, JSON.stringify(object)))
  sameValue(
    `${shape.kind} upstream is not what the checklist says`,
    stripped(upstream),
    plainSelectors(upstreamByBook(shape, object))
  )
}

/** Nothing of another's is in what a tenant reads, nor its own prefix, but in names that only look like it. */
const noLeak = (rewriter: Rewriter, draft: Draft): void => {
  const { object, shape } = made(draft, upstreamWords)
  const result = rewriter.toTenant(shape, toBytes(object))
  if (result === undefined) return
  if (!(result instanceof Uint8Array)) throw new Broken(`${shape.kind} could not be read: ${result.message}`)
  const text = toText(result)
  for (const id of [cast.tenant, ...cast.others]) {
    holds(`${shape.kind}: ${id} can be read in ${text}\n  upstream ${JSON.stringify(object)}`, !text.includes(`${id}-`))
  }
  holds(`${shape.kind}: the platform's label can be read in ${text}`, !text.includes("kubezoo.io/"))
}

const totalRead = (rewriter: Rewriter, draft: Draft): void => {
  const { object, shape } = made(draft, upstreamWords)
  const text = JSON.stringify(object)
  const list = `{"kind":"${shape.kind}List","apiVersion":"v1","items":[${text},${text}]}`
  const one = rewriter.toTenant(shape, toBytes(text))
  const all = rewriter.toTenant(shape, toBytes(list), { collection: true })
  if (!(all instanceof Uint8Array)) throw new Broken(`a list of ${shape.kind} could not be read`)
  const items = parse(toText(all))["items"] as ReadonlyArray<Json>
  if (one !== undefined && !(one instanceof Uint8Array))
    throw new Broken(`${shape.kind} could not be read: ${one.message}`)
  holds(`a list has ${items.length} items of ${shape.kind}`, items.length === (one === undefined ? 0 : 2))
  for (const item of items)
    if (one !== undefined) sameValue(`an item of a list of ${shape.kind}`, item as JsonObject, parse(toText(one)))
  const metadata = object["metadata"] as JsonObject
  const ours = wordOf(shape.namespaced ? metadata["namespace"] : metadata["name"])
  const isOwn = ours.startsWith(`${cast.tenant}-`) || ours.includes(`.${cast.tenant}-`)
  if (isOwn) holds(`the tenant's own ${shape.kind} ${ours} is not shown`, one !== undefined)
}

const rawNumbers = ["9007199254740993", "1e400", "-0", "1.0", "0.10", "123456789012345678901234567890", "1E5"]
const rawTexts = ['"\\u0061\\/"', '"\\ud83d\\ude00"', '"é"', "[ ]", "{ }", "null", '{"a":1,"a":2}']

/** Fields that nobody knows, numbers of any spelling, escapes, gaps and doubles: the bytes of what no rule looks at are the same. */
const unknownFields = (rewriter: Rewriter) =>
  fc.property(
    drafts(),
    fc.constantFrom(...rawNumbers, ...rawTexts),
    fc.constantFrom("", " ", "\n  "),
    (draft, raw, gap) => {
      const { object, shape } = made(draft, tenantWords)
      const { metadata, ...rest } = object
      const extra = `"x-extra":${gap}${raw}${gap}`
      const inner = JSON.stringify(metadata).slice(1)
      const body = `{${gap}${extra},${gap}"metadata":{${extra},${inner},${JSON.stringify(rest).slice(1, -1)},${extra}${gap}}`
      const upstream = upText(rewriter, shape, body)
      holds(`${shape.kind} lost an unknown field upwards: ${upstream}`, upstream.split(extra).length === 4)
      const back = downText(rewriter, shape, upstream)
      holds(`${shape.kind} lost an unknown field downwards: ${back}`, back.split(extra).length === 4)
    }
  )

/** Names with escapes in fields' names are the same fields. */
const escapedKeys = (rewriter: Rewriter) =>
  fc.property(drafts(), (draft) => {
    const { object, shape } = made(draft, tenantWords)
    const plain = JSON.stringify(object)
    const escaped = plain.replace(/"([a-z])(\w*)":/gi, (_, first: string, rest: string) => {
      return `"\\u${first.charCodeAt(0).toString(16).padStart(4, "0")}${rest}":`
    })
    sameValue(
      `${shape.kind} with escaped fields`,
      parse(upText(rewriter, shape, escaped)),
      parse(upText(rewriter, shape, plain))
    )
  })

/** The invariants over objects. */
export const objectProperties: ReadonlyArray<Invariant> = [
  {
    number: 1,
    name: "round-trip",
    says: "what a tenant writes it reads back, for every kind",
    property: overObjects(roundTrip)
  },
  {
    number: 4,
    name: "total-read",
    says: "every upstream object and every list of them can be read",
    property: overObjects(totalRead)
  },
  {
    number: 5,
    name: "no-leakage",
    says: "no other's name and no own prefix can be read in an object",
    property: overObjects(noLeak)
  },
  {
    number: 6,
    name: "no-effect-outside",
    says: "every reference that a tenant writes resolves inside it",
    property: overObjects(asTheBookSays)
  },
  {
    number: 6,
    name: "escaped-fields",
    says: "a field's name spelled with escapes escapes no rule",
    property: escapedKeys
  },
  {
    number: 16,
    name: "unknown-fields",
    says: "fields that nobody knows pass byte for byte, both ways",
    property: unknownFields
  }
]
