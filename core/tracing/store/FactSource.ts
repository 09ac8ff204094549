// How the reading side reaches facts, whatever keeps them.
// Owns the contract; refuses to say how facts are found or written.
import type { Fact } from "../model/Fact.ts"
import type { Range } from "./SpanStore.ts"

/** A fact that is there; it is read when it is loaded. */
export interface FactRef {
  readonly kind: Fact["kind"]
  readonly id: string
  readonly atUs: number
  /** Throws FactExpired. */
  readonly load: () => Fact
}

/** A fact was dropped, for age or size, after its reference was handed out. */
export class FactExpired extends Error {
  override readonly name = "FactExpired"
}

export interface FactSource {
  readonly windowSeconds: number
  /** Facts of these kinds of an object (by its id) with a time in the range: each id once, by time and then id. */
  readonly ofObject: (object: string, kinds: ReadonlyArray<Fact["kind"]>, range: Range) => ReadonlyArray<FactRef>
}

/** The order in which facts are read: by time, then by id. */
export const byTime = (a: FactRef, b: FactRef): number => a.atUs - b.atUs || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)

/** Whether a time lies in a half-open range. */
export const inRange = (atUs: number, { fromUs, toUs }: Range): boolean =>
  (fromUs === undefined || atUs >= fromUs) && (toUs === undefined || atUs < toUs)
