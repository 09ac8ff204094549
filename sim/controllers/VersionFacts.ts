// What is worked out of a version of an object once, however often it is asked for: a service of a thousand pods is looked at for each
// of them, and all but one are as they were.
// Owns the memory, which goes with the version; refuses to know what is worked out. The same version and the same circumstances give
// the very same answer, so that whoever compares or checks it sees at once that nothing changed.
import type { KubeObject } from "#kube"

interface Known<Circumstance, Fact> {
  readonly given: Circumstance
  readonly and: unknown
  readonly fact: Fact
}

export class VersionFacts<Circumstance, Fact> {
  readonly #known = new WeakMap<KubeObject, Known<Circumstance, Fact>>()

  /** The fact about an object under two circumstances, compared by identity; of others only the last ones are remembered. */
  of(object: KubeObject, given: Circumstance, and: unknown, find: () => Fact): Fact {
    const known = this.#known.get(object)
    if (known !== undefined && known.given === given && known.and === and) return known.fact
    const fact = find()
    this.#known.set(object, { given, and, fact })
    return fact
  }
}
