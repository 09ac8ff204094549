// CEL of admission, as tenants write it: where an expression reads the name of a namespace or of a user, the cluster behind shows its
// own spelling, so a call that takes the prefix away is put behind that field, and taken out again when the expression is read.
// Owns which fields are read so; refuses to translate texts inside an expression, which may mean anything.
import { prefixOf } from "./TenantId.ts"

/** Literals and comments, which hold no fields; longest first, because ''' begins with '. */
const skipped =
  /[rRbB]{0,2}"""(?:[^\\]|\\[\s\S])*?"""|[rRbB]{0,2}'''(?:[^\\]|\\[\s\S])*?'''|[rRbB]{0,2}"(?:[^"\\\n]|\\.)*"|[rRbB]{0,2}'(?:[^'\\\n]|\\.)*'|\/\/[^\n]*/

/** A field that is read: of the request, of its objects, of their namespace. `has(…)` asks about the field itself. */
const read =
  /(?<![\w.?])(?<!\bhas\s*\(\s*)(?:namespaceObject\s*\.\s*metadata\s*\.\s*name|(?:object|oldObject|params)\s*\.\s*metadata\s*\.\s*namespace|request\s*\.\s*(?:namespace|userInfo\s*\.\s*username))(?!\w)/

const places = new RegExp(`(?<skipped>${skipped.source})|(?<read>${read.source})`, "g")

const cut = (tenant: string): string => `.replace('${prefixOf(tenant)}', '', 1)`

/** An expression as the cluster behind must evaluate it. */
export const expressionUp = (tenant: string, text: string): string =>
  text.replaceAll(places, (found: string, ...rest: ReadonlyArray<unknown>) => {
    const groups = rest.at(-1) as { readonly read: string | undefined }
    return groups.read === undefined ? found : found + cut(tenant)
  })

/** An expression as its tenant wrote it. */
export const expressionDown = (tenant: string, text: string): string => {
  const added = cut(tenant)
  let written = ""
  let copied = 0
  for (const found of text.matchAll(places)) {
    const end = found.index + found[0].length
    if (found.groups?.["read"] === undefined || !text.startsWith(added, end)) continue
    written += text.slice(copied, end)
    copied = end + added.length
  }
  return written + text.slice(copied)
}
