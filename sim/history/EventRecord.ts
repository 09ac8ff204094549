// What the checkers of an API server's clients ask of a record of the store below it.
// Owns that port; StoreRecord.ts fills it with everything, SampledRecord.ts with what a large cluster can afford.

/** An event as these checkers see it. */
export interface KnownEvent {
  readonly revision: number
  readonly key: string
  readonly isPut: boolean
  /** Whether the key was not there before. */
  readonly isCreate: boolean
}

export interface EventRecord {
  /** Whether the events of a key are here. */
  readonly keeps: (key: string) => boolean
  /** Whether the state at a revision can be told; long after, it may not. */
  readonly tells: (revision: number) => boolean
  /** The keys that have events here. */
  readonly keys: () => Iterable<string>
  /** The revision of the version that a key had at a revision; undefined when it was not there. */
  readonly versionAt: (key: string, revision: number) => number | undefined
  /** What happened to a key at exactly a revision. */
  readonly eventOf: (key: string, revision: number) => KnownEvent | undefined
  /** The place of the first event after a revision; places are never used again. */
  readonly placeAfter: (revision: number) => number
  /** The first event that is still known at a place or after it, with its place. */
  readonly from: (place: number) => { readonly event: KnownEvent; readonly place: number } | undefined
}
