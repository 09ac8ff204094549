// Which links a display mode follows, and how far: the arguments of a modifier, and the choice at each hop.
// Owns the choice; refuses to walk, which FollowLinks.ts does.
import { Schema } from "effect"
import type { ObjectKey } from "../model/ObjectKey.ts"
import { matcherOf, StringFilter } from "./StringFilter.ts"

const optional = Schema.optionalKey
const Distance = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 100 }))
const ObjectFilter = Schema.Struct({
  cluster: optional(StringFilter),
  group: optional(StringFilter),
  resource: optional(StringFilter),
  namespace: optional(StringFilter),
  name: optional(StringFilter)
})

export const LinkSelectorArgs = Schema.Struct({
  /** Modifiers of one class exclude each other. */
  modifierClass: Schema.String,
  /** Whether a walk that went up may go down again. */
  includeSiblings: optional(Schema.Boolean),
  /** Every pattern must hold; a direction that is false is not gone. */
  ifAll: optional(
    Schema.Array(
      Schema.Struct({
        parent: optional(ObjectFilter),
        child: optional(ObjectFilter),
        fromParent: optional(Schema.Boolean),
        fromChild: optional(Schema.Boolean),
        linkClass: optional(StringFilter)
      })
    )
  ),
  upwardDistance: optional(Distance),
  downwardDistance: optional(Distance)
})
export type LinkSelectorArgs = typeof LinkSelectorArgs.Type

/** One link as a selector sees it. */
export interface Hop {
  readonly parent: ObjectKey
  readonly child: ObjectKey
  /** Whether the walk comes from the parent. */
  readonly fromParent: boolean
  readonly class: string
}

/** Where a walk stands: how far it may still go, and whether it may turn. Undefined: it goes nowhere. */
export interface LinkSelector {
  /** What to go on with at the other end; undefined when the link is not followed. */
  readonly admit: (hop: Hop) => LinkSelector | undefined
}

/** What no modifier asks for. */
export const exclusive: LinkSelector = { admit: () => undefined }

/** A walk by one modifier. */
export const linkSelector = (args: LinkSelectorArgs): LinkSelector => {
  const patterns = (args.ifAll ?? []).map((pattern) => {
    const { fromChild = true, fromParent = true, linkClass } = pattern
    const parent = objectMatcher(pattern.parent)
    const child = objectMatcher(pattern.child)
    const matches = linkClass === undefined ? undefined : matcherOf(linkClass)
    return (hop: Hop): boolean =>
      (hop.fromParent ? fromParent : fromChild) &&
      (matches === undefined || matches(hop.class)) &&
      parent(hop.parent) &&
      child(hop.child)
  })
  const { downwardDistance = Number.POSITIVE_INFINITY, includeSiblings = false, upwardDistance } = args
  const at = (up: number, down: number): LinkSelector => ({
    admit: (hop) => {
      if ((hop.fromParent ? down : up) <= 0 || !patterns.every((holds) => holds(hop))) return undefined
      if (includeSiblings) return hop.fromParent ? at(up, down - 1) : at(up - 1, down)
      return hop.fromParent ? at(0, down - 1) : at(up - 1, 0)
    }
  })
  return at(upwardDistance ?? Number.POSITIVE_INFINITY, downwardDistance)
}

/** A walk that follows what any of some walks would. */
export const unionOf = (selectors: ReadonlyArray<LinkSelector>): LinkSelector => {
  const [only] = selectors
  if (only === undefined) return exclusive
  if (selectors.length === 1) return only
  return {
    admit: (hop) => {
      const further = selectors.map((selector) => selector.admit(hop)).filter((next) => next !== undefined)
      return further.length === 0 ? undefined : unionOf(further)
    }
  }
}

const objectMatcher = (filter: typeof ObjectFilter.Type | undefined): ((object: ObjectKey) => boolean) => {
  if (filter === undefined) return () => true
  // SAFETY: the filter's fields are an object's.
  const tests = (Object.keys(filter) as ReadonlyArray<keyof ObjectKey>).flatMap((part) => {
    const wanted = filter[part]
    return wanted === undefined ? [] : [[part, matcherOf(wanted)] as const]
  })
  return (object) => tests.every(([part, matches]) => matches(object[part]))
}
