// The rules of values that a CustomResourceDefinition's schema names: bounds, lengths, patterns and the combinations of schemas.
// Owns what Schema does not carry; refuses types, required fields and enums at the top, which #kube validates with the shape, and CEL.
// The wording is that of kube-apiserver's validator, which clients show as it is.
import { type FieldProblem, isJsonObject, type Json, type JsonArray, sameJson } from "#kube"
import { propsOf, type SchemaProps } from "./StructuralSchema.ts"

/** Checks one value; `path` is its place, like `spec.replicas`. */
type Rule = (value: Json, path: string, found: Array<FieldProblem>) => void

const invalid = (field: string, value: Json, detail: string): FieldProblem => ({
  type: "FieldValueInvalid",
  field,
  value,
  detail
})

const number = (props: SchemaProps, name: string): number | undefined => {
  const value = props[name]
  return typeof value === "number" ? value : undefined
}

const bound = (
  props: SchemaProps,
  name: "minimum" | "maximum",
  exclusive: "exclusiveMinimum" | "exclusiveMaximum"
): ReadonlyArray<Rule> => {
  const limit = number(props, name)
  if (limit === undefined) return []
  const strict = props[exclusive] === true
  const sign = name === "minimum" ? 1 : -1
  const words = `${name === "minimum" ? "greater" : "less"} than${strict ? "" : " or equal to"} ${limit}`
  return [
    (value, path, found) => {
      if (typeof value !== "number") return
      const over = (value - limit) * sign
      if (over < 0 || (strict && over === 0)) found.push(invalid(path, value, `${path} in body should be ${words}`))
    }
  ]
}

const multiple = (props: SchemaProps): ReadonlyArray<Rule> => {
  const factor = number(props, "multipleOf")
  if (factor === undefined || factor <= 0) return []
  return [
    (value, path, found) => {
      if (typeof value !== "number" || Number.isInteger(Number((value / factor).toPrecision(15)))) return
      found.push(invalid(path, value, `${path} in body should be a multiple of ${factor}`))
    }
  ]
}

/** Code points, as Go counts runes. */
const runes = (text: string): number => [...text].length

const lengths = (props: SchemaProps): ReadonlyArray<Rule> => {
  const least = number(props, "minLength")
  const most = number(props, "maxLength")
  if (least === undefined && most === undefined) return []
  return [
    (value, path, found) => {
      if (typeof value !== "string") return
      if (least !== undefined && runes(value) < least) {
        found.push(invalid(path, value, `${path} in body should be at least ${least} chars long`))
      }
      if (most !== undefined && runes(value) > most) {
        found.push({ type: "FieldValueTooLong", field: path, detail: `may not be more than ${most} bytes` })
      }
    }
  ]
}

/** A pattern that JavaScript cannot read restricts nothing: the definition's own validation has refused it. */
const expression = (pattern: string): RegExp | undefined => {
  try {
    return new RegExp(pattern, "u")
  } catch {
    try {
      return new RegExp(pattern)
    } catch {
      return undefined
    }
  }
}

const patterns = (props: SchemaProps): ReadonlyArray<Rule> => {
  const { pattern } = props
  const compiled = typeof pattern === "string" ? expression(pattern) : undefined
  if (compiled === undefined) return []
  return [
    (value, path, found) => {
      if (typeof value === "string" && !compiled.test(value)) {
        found.push(invalid(path, value, `${path} in body should match '${String(pattern)}'`))
      }
    }
  ]
}

const sizeOf = (value: Json, kind: "Items" | "Properties"): number | undefined =>
  kind === "Items"
    ? Array.isArray(value)
      ? value.length
      : undefined
    : isJsonObject(value)
      ? Object.keys(value).length
      : undefined

const sizes = (props: SchemaProps, kind: "Items" | "Properties"): ReadonlyArray<Rule> => {
  const least = number(props, `min${kind}`)
  const most = number(props, `max${kind}`)
  if (least === undefined && most === undefined) return []
  return [
    (value, path, found) => {
      const size = sizeOf(value, kind)
      if (size === undefined) return
      if (least !== undefined && size < least) {
        found.push(invalid(path, size, `${path} in body should have at least ${least} ${kind.toLowerCase()}`))
      }
      if (most !== undefined && size > most) {
        found.push({ type: "FieldValueTooMany", field: path, value: size, detail: `must have at most ${most} items` })
      }
    }
  ]
}

const unique = (props: SchemaProps): ReadonlyArray<Rule> =>
  props["uniqueItems"] !== true
    ? []
    : [
        (value, path, found) => {
          if (!Array.isArray(value)) return
          const items = value as JsonArray
          if (items.some((item, at) => items.findIndex((other) => sameJson(other, item)) < at)) {
            found.push(invalid(path, value, `${path} in body shouldn't contain duplicates`))
          }
        }
      ]

const branchesOf = (value: Json | undefined): ReadonlyArray<(value: Json, path: string) => boolean> =>
  (Array.isArray(value) ? (value as JsonArray) : []).flatMap((branch) => {
    const props = propsOf(branch)
    return props === undefined ? [] : [matcher(props)]
  })

const combinations = (props: SchemaProps): ReadonlyArray<Rule> => {
  const rules: Array<Rule> = []
  const all = branchesOf(props["allOf"])
  const any = branchesOf(props["anyOf"])
  const one = branchesOf(props["oneOf"])
  const not = propsOf(props["not"])
  const quoted = (path: string): string => JSON.stringify(path)
  const shape = (value: Json): Json => (typeof value === "object" && value !== null ? "" : value)
  if (all.length > 0) {
    rules.push((value, path, found) => {
      if (!all.every((matches) => matches(value, path)))
        found.push(invalid(path, shape(value), `${quoted(path)} must validate all the schemas (allOf)`))
    })
  }
  if (any.length > 0) {
    rules.push((value, path, found) => {
      if (!any.some((matches) => matches(value, path)))
        found.push(invalid(path, shape(value), `${quoted(path)} must validate at least one schema (anyOf)`))
    })
  }
  if (one.length > 0) {
    rules.push((value, path, found) => {
      const matching = one.filter((matches) => matches(value, path)).length
      if (matching === 1) return
      const how = matching === 0 ? "Found none valid" : `Found ${matching} valid alternatives`
      found.push(invalid(path, shape(value), `${quoted(path)} must validate one and only one schema (oneOf). ${how}`))
    })
  }
  if (not !== undefined) {
    const matches = matcher(not)
    rules.push((value, path, found) => {
      if (matches(value, path))
        found.push(invalid(path, shape(value), `${quoted(path)} must not validate the schema (not)`))
    })
  }
  return rules
}

const child = (path: string, name: string): string => (path === "" ? name : `${path}.${name}`)

/** Rules of what lies below: of fields, of a map's values, of a list's items. */
const below = (props: SchemaProps, ruleOf: (props: SchemaProps) => Rule | undefined): ReadonlyArray<Rule> => {
  const rules: Array<Rule> = []
  for (const [name, value] of Object.entries(propsOf(props["properties"]) ?? {})) {
    const inner = propsOf(value)
    const rule = inner && ruleOf(inner)
    if (rule === undefined) continue
    rules.push((object, path, found) => {
      const field = isJsonObject(object) ? object[name] : undefined
      if (field !== undefined && field !== null) rule(field, child(path, name), found)
    })
  }
  const values = propsOf(props["additionalProperties"])
  const each = values && ruleOf(values)
  if (each !== undefined) {
    const known = new Set(Object.keys(propsOf(props["properties"]) ?? {}))
    rules.push((object, path, found) => {
      if (!isJsonObject(object)) return
      for (const [name, value] of Object.entries(object)) {
        if (value !== undefined && value !== null && !known.has(name)) each(value, child(path, name), found)
      }
    })
  }
  const items = propsOf(props["items"])
  const item = items && ruleOf(items)
  if (item !== undefined) {
    rules.push((list, path, found) => {
      if (Array.isArray(list))
        for (const [at, one] of (list as JsonArray).entries()) if (one !== null) item(one, `${path}[${at}]`, found)
    })
  }
  return rules
}

const joined = (rules: ReadonlyArray<Rule>): Rule | undefined =>
  rules.length === 0
    ? undefined
    : (value, path, found) => {
        for (const rule of rules) rule(value, path, found)
      }

/** The rules of a schema and all that lies below it; undefined when it has none. Compiled once for a definition. */
export const valueRules = (props: SchemaProps): Rule | undefined =>
  joined([
    ...bound(props, "minimum", "exclusiveMinimum"),
    ...bound(props, "maximum", "exclusiveMaximum"),
    ...multiple(props),
    ...lengths(props),
    ...patterns(props),
    ...sizes(props, "Items"),
    ...sizes(props, "Properties"),
    ...unique(props),
    ...combinations(props),
    ...below(props, valueRules)
  ])

const typeMatches = (type: Json | undefined, value: Json): boolean => {
  switch (type) {
    case "object":
      return isJsonObject(value)
    case "array":
      return Array.isArray(value)
    case "integer":
      return Number.isInteger(value)
    case "string":
    case "number":
    case "boolean":
      return typeof value === type
    default:
      return true
  }
}

/** Inside a combination all of a schema counts: types, required fields and enums as well. */
const branchRules = (props: SchemaProps): Rule => {
  const own = joined(ownRules(props))
  return (value, path, found) => {
    const { type } = props
    const required = Array.isArray(props["required"]) ? (props["required"] as JsonArray) : []
    const allowed = Array.isArray(props["enum"]) ? (props["enum"] as JsonArray) : undefined
    const missing = isJsonObject(value) && required.some((name) => value[String(name)] === undefined)
    const refused = allowed !== undefined && !allowed.some((one) => sameJson(one, value))
    if (!typeMatches(type, value) || missing || refused) found.push(invalid(path, "", ""))
    own?.(value, path, found)
  }
}

const ownRules = (props: SchemaProps): ReadonlyArray<Rule> => {
  const { properties: _properties, additionalProperties: _values, items: _items, ...alone } = props
  const rule = valueRules(alone)
  return [...(rule === undefined ? [] : [rule]), ...below(props, branchRules)]
}

const matcher = (props: SchemaProps): ((value: Json, path: string) => boolean) => {
  const rule = branchRules(props)
  return (value, path) => {
    const found: Array<FieldProblem> = []
    rule(value, path, found)
    return found.length === 0
  }
}
