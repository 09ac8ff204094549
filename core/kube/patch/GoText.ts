// JSON values as Go's fmt prints them (%v), for messages that quote them.
// Owns this form alone; what is said with it, the callers know.
import type { Json } from "../Json.ts"

/** `map[a:1 b:[x y]]`, with fields in alphabetical order. */
export const goText = (value: Json | undefined): string => {
  if (value === null || value === undefined) return "<nil>"
  if (Array.isArray(value)) return `[${value.map((item: Json) => goText(item)).join(" ")}]`
  if (typeof value !== "object") return String(value)
  const fields = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return `map[${fields.map(([name, field]) => `${name}:${goText(field)}`).join(" ")}]`
}

/** The Go type of a decoded JSON value. */
export const goType = (value: Json | undefined): string =>
  value === null || value === undefined
    ? "<nil>"
    : Array.isArray(value)
      ? "[]interface {}"
      : typeof value === "object"
        ? "map[string]interface {}"
        : typeof value === "boolean"
          ? "bool"
          : typeof value === "string"
            ? "string"
            : Number.isInteger(value)
              ? "int64"
              : "float64"
