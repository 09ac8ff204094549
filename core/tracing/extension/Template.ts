// Texts with places for an object's and a request's fields, in the form of Go's templates that the original's files carry: {{.name}} and
// {{unixMicro .start}}. Owns that much of the language; anything more of it is refused when a file is read.

import { rfc3339Micro } from "#kube"

/** Fields by name; times are in microseconds. */
export type TemplateData = Readonly<Record<string, string | number>>

/** Fills a template. A field that is not there is empty. */
export type Template = (data: TemplateData) => string

const PLACE = /\{\{-?\s*(?:(unixMicro)\s+)?\.([A-Za-z][\w-]*)\s*-?\}\}/g

/** Compiles a template; undefined when it uses more of the language than fields. */
export const template = (text: string): Template | undefined => {
  if (text.replaceAll(PLACE, "").includes("{{")) return undefined
  return (data) =>
    text.replaceAll(PLACE, (_, micro: string | undefined, name: string) => {
      const value = data[name] ?? ""
      return typeof value === "number" && micro === undefined ? rfc3339Micro(value / 1000) : String(value)
    })
}
