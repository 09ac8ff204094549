// What the clients of a store did and were told: each operation with its call, its answer and what the answer said.
// Owns these shapes and the order of calls and answers; refuses to judge them, which StoreChecker.ts does.

/** A key as an answer showed it. */
export interface SeenKey {
  readonly key: string
  readonly value: string
  readonly createRevision: number
  readonly modRevision: number
  readonly version: number
}

/** What a client asked for. Values are unique: no two writes of a history write the same. */
export type StoreRequest =
  | { readonly kind: "read"; readonly key: string }
  /** A page of a range at a revision; 0: the newest. */
  | {
      readonly kind: "page"
      readonly start: string
      readonly end: string
      readonly limit: number
      readonly revision: number
    }
  | { readonly kind: "write"; readonly key: string; readonly value: string }
  | { readonly kind: "delete"; readonly key: string }
  /** Writes if the key still has the revision that was read, together with the value that was there. */
  | {
      readonly kind: "cas"
      readonly key: string
      readonly value: string
      readonly expectedRevision: number
      readonly expected: string | undefined
    }
  /** Writes one value to several keys at once. */
  | { readonly kind: "write-all"; readonly keys: ReadonlyArray<string>; readonly value: string }
  /** Reads several keys at once. */
  | { readonly kind: "read-all"; readonly keys: ReadonlyArray<string> }

/** What the answer said; each request reads what is its own. */
export interface StoreReply {
  /** Of the answer's header. */
  readonly revision: number
  readonly keys: ReadonlyArray<SeenKey>
  /** Whether a compare-and-set wrote, or a deletion deleted. */
  readonly done?: boolean
  readonly more?: boolean
  readonly count?: number
}

export interface StoreOperation {
  readonly client: string
  readonly request: StoreRequest
  /** Places in the one order of all calls and answers. */
  readonly calledAt: number
  readonly calledMs: number
}

/** How an operation ended: with a reply, certainly without effect, or nobody knows. */
export type StoreEnd = { readonly reply: StoreReply } | "nothing" | "unknown"
