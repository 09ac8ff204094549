// The store on LMDB, the embedded default: every acknowledged write has been flushed.
// Owns the name only; OwnStore.ts starts it.
import type { BackendKind } from "./Backend.ts"
import { ownStore } from "./OwnStore.ts"

/** `--backend lmdb`. */
export const lmdb: BackendKind = {
  name: "lmdb",
  note: "our store on LMDB, flushed to disk",
  find: () => ownStore("lmdb", true)
}
