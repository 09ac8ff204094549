// Which resource a kind is, for references that name kinds: Kubernetes' own from its tables, others as configured or discovered, the rest
// by the rule that kubectl's library guesses by. No answer depends on what was seen before.
// Owns the mapping; refuses versions, because a reference's version is no part of an object's key.
import { builtInResources } from "#kube"

/** A kind that the tables do not have. */
export interface ExtraKind {
  readonly group: string
  readonly kind: string
  /** Plural. */
  readonly resource: string
  readonly namespaced: boolean
}

export interface KnownKind {
  readonly resource: string
  /** Undefined when nobody said: then it is taken to be where its referrer is. */
  readonly namespaced: boolean | undefined
}

export class Kinds {
  private readonly byKind = new Map<string, KnownKind>()
  private readonly byResource = new Map<string, string>()

  constructor(extra: ReadonlyArray<ExtraKind> = []) {
    for (const { group, kind, namespaced, resource } of [...builtInResources(), ...extra]) {
      this.byKind.set(`${group}/${kind}`, { resource, namespaced })
      this.byResource.set(`${group}/${resource}`, kind)
    }
  }

  /** Adds what a cluster's discovery says; Kubernetes' own stay as they are. */
  learn({ group, kind, namespaced, resource }: ExtraKind): void {
    if (this.byResource.has(`${group}/${resource}`) || this.byKind.size >= KINDS_MAX) return
    this.byKind.set(`${group}/${kind}`, { resource, namespaced })
    this.byResource.set(`${group}/${resource}`, kind)
  }

  /** How many kinds are known; it changes with every one that is learned. */
  get count(): number {
    return this.byKind.size
  }

  of(group: string, kind: string): KnownKind {
    return this.byKind.get(`${group}/${kind}`) ?? { resource: guess(kind), namespaced: undefined }
  }

  /** The kind of a resource's objects; undefined when nobody said. */
  kindOf(group: string, resource: string): string | undefined {
    return this.byResource.get(`${group}/${resource}`)
  }
}

/** Kinds that are known at a time; further ones are guessed. */
const KINDS_MAX = 20_000

const guess = (kind: string): string => {
  const lower = kind.toLowerCase()
  if (lower.endsWith("s")) return `${lower}es`
  return lower.endsWith("y") ? `${lower.slice(0, -1)}ies` : `${lower}s`
}
