// Names inside sentences: messages of errors, conditions and events, cells of tables, warnings.
// Owns where a name begins in a text; refuses to guess at anything but prefixes, since a sentence has no grammar to rely on.
import { prefixOf, TENANT_ID_LENGTH } from "./TenantId.ts"
import type { TenantView } from "./TenantView.ts"

/** What stands where another tenant's name stood. */
export const HIDDEN_NAME = "(hidden)"

/** A name can begin where none is going on: "x-111111-y" is one name. A dot may be the start of a group behind a plural. */
const goesOn = (code: number): boolean =>
  (code >= 97 && code <= 122) || (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || code === 45 || code === 95

const nameEnd = (text: string, from: number): number => {
  let at = from
  while (at < text.length && (goesOn(text.charCodeAt(at)) || text[at] === ".")) at++
  return at
}

/** The places of dashes that end a prefix at a name's beginning. */
const prefixAt = (text: string, dash: number): string | undefined => {
  const start = dash - TENANT_ID_LENGTH
  if (start < 0 || (start > 0 && goesOn(text.charCodeAt(start - 1)))) return undefined
  return text.slice(start, dash)
}

/** A text as the tenant may read it: its own prefix is gone from names, other tenants' names are hidden. */
export const textDown = (view: TenantView, text: string): string => {
  let read = ""
  let copied = 0
  for (let dash = text.indexOf("-"); dash >= 0; dash = text.indexOf("-", dash + 1)) {
    const id = prefixAt(text, dash)
    const start = dash - TENANT_ID_LENGTH
    if (id === undefined || start < copied) continue
    if (id === view.tenant) {
      read += text.slice(copied, start)
      copied = dash + 1
    } else if (view.isTenant(id)) {
      read += text.slice(copied, start) + HIDDEN_NAME
      copied = nameEnd(text, dash)
      dash = copied
    }
  }
  return copied === 0 ? text : read + text.slice(copied)
}

/** A text that the tenant wrote, so that reading gives it back: what looks like a prefixed name gets the prefix once more. */
export const textUp = (view: TenantView, text: string): string => {
  let written = ""
  let copied = 0
  for (let dash = text.indexOf("-"); dash >= 0; dash = text.indexOf("-", dash + 1)) {
    if (prefixAt(text, dash) !== view.tenant) continue
    written += text.slice(copied, dash - TENANT_ID_LENGTH) + prefixOf(view.tenant)
    copied = dash - TENANT_ID_LENGTH
  }
  return copied === 0 && written === "" ? text : written + text.slice(copied)
}
