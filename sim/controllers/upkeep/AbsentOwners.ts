// Owners that the server is known not to have: their dependents need not ask for them one by one.
// Owns the memory of them. Bound: REMEMBERED; the one unused longest is forgotten, and is asked for again.
import type { Identity } from "./GraphNode.ts"

const REMEMBERED = 500

const keyOf = ({ apiVersion, kind, name, namespace, uid }: Identity): string =>
  `${apiVersion}\n${kind}\n${namespace}\n${name}\n${uid}`

export class AbsentOwners {
  readonly #keys = new Set<string>()

  add(identity: Identity): void {
    const key = keyOf(identity)
    this.#keys.delete(key)
    this.#keys.add(key)
    if (this.#keys.size <= REMEMBERED) return
    for (const oldest of this.#keys) {
      this.#keys.delete(oldest)
      return
    }
  }

  has(identity: Identity): boolean {
    const key = keyOf(identity)
    if (!this.#keys.delete(key)) return false
    this.#keys.add(key)
    return true
  }
}
