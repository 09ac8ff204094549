// The name of a pod template: a short hash that tells the pods of two templates apart, and the question whether two are the same.
// Owns hash and comparison. Upstream hashes Go's own print of the struct, which nobody else can make; any stable hash does, because
// a set is found by its template and never by its hash.
import { type Json, type JsonObject, sameJson } from "#kube"
import type { PodTemplate } from "../PodControl.ts"

export const TEMPLATE_HASH = "pod-template-hash"

/** No vowels and nothing that looks like something else: no hash is a word. */
const ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
const FNV_START = 0x811c9dc5
const FNV_PRIME = 0x01000193

const mixText = (hash: number, text: string): number => {
  let mixed = hash
  for (let at = 0; at < text.length; at++) mixed = Math.imul(mixed ^ text.charCodeAt(at), FNV_PRIME)
  return mixed
}

/** Fields by name, so that their order says nothing. */
const mixJson = (hash: number, value: Json | undefined): number => {
  if (typeof value !== "object" || value === null) return mixText(hash, JSON.stringify(value ?? null))
  if (Array.isArray(value)) {
    let mixed = mixText(hash, "[")
    for (const item of value) mixed = mixJson(mixText(mixed, ","), item)
    return mixText(mixed, "]")
  }
  const fields = value as JsonObject
  let mixed = mixText(hash, "{")
  for (const name of Object.keys(fields).sort())
    if (fields[name] !== undefined) mixed = mixJson(mixText(mixed, `${name}:`), fields[name])
  return mixText(mixed, "}")
}

/** A number as text that Kubernetes' tools take for a hash. */
export const safeText = (hash: number): string =>
  Array.from(String(hash >>> 0), (digit) => ALPHABET[digit.charCodeAt(0) % ALPHABET.length]).join("")

/** The hash of a value; another count of collisions gives another one. */
export const hashOf = (value: Json, collisions: number | undefined): string => {
  const hash = mixJson(FNV_START, value)
  return safeText(collisions === undefined ? hash : mixText(hash, `#${collisions}`))
}

/** Labels without the hash. */
export const withoutHash = (
  labels: Readonly<Record<string, string>> | undefined
): Readonly<Record<string, string>> | undefined => {
  if (labels?.[TEMPLATE_HASH] === undefined) return labels
  const { [TEMPLATE_HASH]: _, ...others } = labels
  return others
}

const noMetadata: NonNullable<PodTemplate["metadata"]> = {}
const noLabels = {}

/** Whether two templates are the same but for the hash in their labels. */
export const isSameTemplate = (a: PodTemplate, b: PodTemplate): boolean => {
  if (!sameJson(a.spec, b.spec)) return false
  const { labels: x, ...m } = a.metadata ?? noMetadata
  const { labels: y, ...n } = b.metadata ?? noMetadata
  return sameJson(m, n) && sameJson(withoutHash(x) ?? noLabels, withoutHash(y) ?? noLabels)
}
