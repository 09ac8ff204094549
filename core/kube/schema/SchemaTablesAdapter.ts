// The compact tables of Kubernetes' own types and resources, as `npm run schemas` wrote them from a real kube-apiserver.
// Owns the file and the meaning of its short keys, and reads it when it is first asked for; refuses to interpret types,
// which BuiltIns.ts does.
import { readFileSync } from "node:fs"
import type { Json } from "../Json.ts"

/**
 * A type: the place of a definition; or a letter, perhaps with `:format` (s string, i integer, n number, b boolean, o an object
 * that may hold anything, x integer or string, q quantity, a anything); or one of these with facts.
 */
export type CompactType = number | string | CompactFacts

export interface CompactFacts {
  readonly t?: number | string
  /** Fields of an object. */
  readonly f?: Readonly<Record<string, CompactType>>
  /** Values of a map. */
  readonly m?: CompactType
  /** Items of a list. */
  readonly l?: CompactType
  readonly r?: ReadonlyArray<string>
  readonly d?: Json
  readonly e?: ReadonlyArray<Json>
  readonly lt?: "atomic" | "set" | "map"
  readonly lk?: ReadonlyArray<string>
  readonly mt?: "atomic" | "granular"
  readonly ps?: string
  readonly mk?: string
  readonly pu?: boolean
  readonly er?: boolean
  /** Which kind the definition is. */
  readonly g?: { readonly group: string; readonly version: string; readonly kind: string }
}

/** A resource as discovery names it. */
export interface BuiltInResource {
  readonly group: string
  readonly version: string
  readonly kind: string
  /** The plural, like "pods". */
  readonly resource: string
  readonly singular: string
  readonly namespaced: boolean
  readonly verbs: ReadonlyArray<string>
  readonly shortNames: ReadonlyArray<string>
  readonly categories: ReadonlyArray<string>
  readonly subresources: ReadonlyArray<{
    readonly name: string
    /** The kind that the subresource speaks. */
    readonly group: string
    readonly version: string
    readonly kind: string
    readonly verbs: ReadonlyArray<string>
  }>
}

export interface SchemaTables {
  /** Of Kubernetes, like "1.37". */
  readonly version: string
  readonly definitions: ReadonlyArray<readonly [name: string, type: CompactType]>
  readonly resources: ReadonlyArray<BuiltInResource>
}

let tables: SchemaTables | undefined

/** The tables; the first call reads them, which takes about two milliseconds. */
export const schemaTables = (): SchemaTables => {
  // SAFETY: our own file, which a test compares with the server that it was read from.
  tables ??= JSON.parse(readFileSync(new URL("./gen/tables.json", import.meta.url), "utf8")) as SchemaTables
  return tables
}
