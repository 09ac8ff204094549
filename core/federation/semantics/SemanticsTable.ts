// What is known about each kind: the native table, entries from configuration before it, a convention for all others.
// Owns the look-up; refuses two entries of configuration for one kind.
import { conventionalType, nativeTypes } from "./NativeTypes.ts"
import type { TypeSemantics } from "./TypeSemantics.ts"

const keyOf = (group: string, kind: string): string => `${group}/${kind}`

/** Two entries of configuration claim the same kind. */
export class SemanticsRepeated extends Error {
  readonly _tag = "SemanticsRepeated"

  constructor(group: string, kind: string) {
    super(`typeSemantics: ${kind}${group === "" ? "" : `.${group}`} is described twice`)
  }
}

export class SemanticsTable {
  readonly #entries = new Map<string, TypeSemantics>()
  /** Conventional entries by kind, made once. Bound: the kinds that are asked for, which an API server's discovery bounds. */
  readonly #others = new Map<string, TypeSemantics>()

  /** @throws SemanticsRepeated when two of the custom entries are for one kind. */
  constructor(custom: ReadonlyArray<TypeSemantics> = []) {
    for (const entry of nativeTypes) this.#entries.set(keyOf(entry.group, entry.kind), entry)
    const seen = new Set<string>()
    for (const entry of custom) {
      const key = keyOf(entry.group, entry.kind)
      if (seen.has(key)) throw new SemanticsRepeated(entry.group, entry.kind)
      seen.add(key)
      this.#entries.set(key, entry)
    }
  }

  /** The entry of a kind; of one that nobody described the conventional one. */
  of(group: string, kind: string): TypeSemantics {
    const key = keyOf(group, kind)
    const found = this.#entries.get(key) ?? this.#others.get(key)
    if (found !== undefined) return found
    const made = conventionalType(group, kind)
    this.#others.set(key, made)
    return made
  }

  /** Of an object by its own apiVersion and kind. */
  ofObject({ apiVersion, kind }: { readonly apiVersion: string; readonly kind: string }): TypeSemantics {
    const slash = apiVersion.indexOf("/")
    return this.of(slash < 0 ? "" : apiVersion.slice(0, slash), kind)
  }

  /** Whether somebody described the kind. */
  isDescribed(group: string, kind: string): boolean {
    return this.#entries.has(keyOf(group, kind))
  }
}

/** The table without configuration. */
export const nativeSemantics: SemanticsTable = new SemanticsTable()
