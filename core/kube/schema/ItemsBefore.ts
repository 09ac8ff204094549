// The items of a list in the version before, for walks that pass over what is the very same: wherever it stood then.
// Owns that question; refuses to compare values, only identities. One item put into a long list must not cost a walk of all others.
import type { Json, JsonArray } from "../Json.ts"

export class ItemsBefore {
  private readonly items: JsonArray
  private objects: Set<Json> | undefined

  constructor(items: JsonArray) {
    this.items = items
  }

  /** What stood in a place. */
  at(place: number): Json | undefined {
    return this.items[place]
  }

  /** Whether an object was in the list; scalars are compared where they stand. */
  has(item: Json, place: number): boolean {
    if (item === this.items[place]) return true
    if (typeof item !== "object" || item === null) return false
    this.objects ??= new Set(this.items)
    return this.objects.has(item)
  }
}
