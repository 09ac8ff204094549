// What a CustomResourceDefinition declares of its kinds' references, in an annotation; docs/tenancy-references.md is its manual.
// Owns the annotation's form and its errors; the rules that come of it are compiled with the kind's.
import { Refused } from "../rewrite/Contract.ts"
import type { CustomReference, CustomReferenceKind } from "./TenantView.ts"

/** The annotation: a JSON list of {"path", "is"}. */
export const REFERENCES_ANNOTATION = "tenant.kubezoo.io/references"

/** How many references one definition may declare. */
export const REFERENCES_MAX = 100

const words: ReadonlySet<string> = new Set([
  "namespace",
  "namespaceSelector",
  "group",
  "apiVersion",
  "objectReference",
  "user",
  "userGroup"
])

const isKind = (is: unknown): is is CustomReferenceKind =>
  typeof is === "string" && (words.has(is) || /^name:[a-z][a-z0-9]*(\.[a-z0-9.-]+)?$/.test(is))

const pathPattern = /^[A-Za-z_][\w-]*(\[\])*(\.[A-Za-z_][\w-]*(\[\])*)*$/

const refused = (rule: string): Refused => new Refused(`metadata.annotations.${REFERENCES_ANNOTATION}`, rule)

/** The references that an annotation's text declares; none without one. */
export const customReferences = (text: string | undefined): ReadonlyArray<CustomReference> | Refused => {
  if (text === undefined) return []
  let list: unknown
  try {
    list = JSON.parse(text)
  } catch {
    return refused("must be JSON")
  }
  if (!Array.isArray(list)) return refused("must be a list")
  if (list.length > REFERENCES_MAX) return refused(`must have no more than ${REFERENCES_MAX} items`)
  const found: Array<CustomReference> = []
  for (const [place, item] of list.entries()) {
    const { is, path } = (item ?? {}) as { readonly path?: unknown; readonly is?: unknown }
    if (typeof path !== "string" || !pathPattern.test(path)) {
      return refused(`item ${place}: path must be fields with dots between, "[]" behind those that are lists`)
    }
    if (/^(metadata|apiVersion|kind)\b/.test(path)) return refused(`item ${place}: ${path} has rules already`)
    if (!isKind(is)) return refused(`item ${place}: is must be one of ${[...words].join(", ")} or name:RESOURCE.GROUP`)
    found.push({ path, is })
  }
  return found
}
