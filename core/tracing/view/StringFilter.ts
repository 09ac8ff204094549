// Filters of texts as transformation files write them: a text, or one of exact, oneOf, caseInsensitive and regex; `negate` turns it round
// and `then` must hold as well. Owns their schema and meaning; refuses to know what they are asked of.
import { Schema } from "effect"

export type StringFilter =
  | string
  | {
      readonly exact?: string
      readonly oneOf?: ReadonlyArray<string>
      readonly caseInsensitive?: string
      readonly regex?: string
      readonly negate?: boolean
      readonly then?: StringFilter
    }

const compiles = (pattern: string): boolean => {
  try {
    return new RegExp(pattern).source !== ""
  } catch {
    return false
  }
}

const optional = Schema.optionalKey

export const StringFilter: Schema.Codec<StringFilter> = Schema.Union([
  Schema.String,
  Schema.Struct({
    exact: optional(Schema.String),
    oneOf: optional(Schema.Array(Schema.String)),
    caseInsensitive: optional(Schema.String),
    regex: optional(
      Schema.String.check(Schema.makeFilter((pattern) => compiles(pattern) || "must be a regular expression"))
    ),
    negate: optional(Schema.Boolean),
    then: optional(Schema.suspend((): Schema.Codec<StringFilter> => StringFilter))
  })
])

/** The test that a filter means; every part that is there must hold. */
export const matcherOf = (filter: StringFilter): ((text: string) => boolean) => {
  if (typeof filter === "string") return (text) => text === filter
  const { caseInsensitive, exact, negate = false, oneOf, regex, then } = filter
  const folded = caseInsensitive?.toLowerCase()
  const pattern = regex === undefined ? undefined : new RegExp(regex)
  const further = then === undefined ? undefined : matcherOf(then)
  const own = (text: string): boolean =>
    (exact === undefined || text === exact) &&
    (oneOf === undefined || oneOf.includes(text)) &&
    (folded === undefined || text.toLowerCase() === folded) &&
    (pattern === undefined || pattern.test(text))
  return (text) => own(text) !== negate && (further === undefined || further(text))
}
