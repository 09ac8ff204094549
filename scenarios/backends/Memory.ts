// The store in memory: nothing outlives its process, nothing waits for a disk.
// Owns the name only; OwnStore.ts starts it.
import type { BackendKind } from "./Backend.ts"
import { ownStore } from "./OwnStore.ts"

/** `--backend memory`. */
export const memory: BackendKind = {
  name: "memory",
  note: "our store in memory",
  find: () => ownStore("memory", false)
}
