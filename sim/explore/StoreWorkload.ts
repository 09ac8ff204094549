// What the clients of a simulated store do, as data: a list of steps drawn from the seed, each of which can be left out.
// Owns the steps and the draw; refuses to carry them out, which StoreClient.ts does.
import type { RandomStream } from "../time/RandomStream.ts"

interface At {
  /** Names the step, and the value that it writes; stays when others are left out. */
  readonly id: number
  /** Milliseconds since the world began. */
  readonly atMs: number
  readonly client: number
}

export type StoreStep = At &
  (
    | { readonly kind: "read" | "write" | "delete" | "cas"; readonly key: string }
    | { readonly kind: "write-all" | "read-all"; readonly keys: ReadonlyArray<string> }
    /** All keys, page by page. */
    | { readonly kind: "list"; readonly limit: number }
    /** All keys as they were some revisions before. */
    | { readonly kind: "past"; readonly back: number }
    /** Compacts to some revisions before the newest that the client knows. */
    | { readonly kind: "compact"; readonly keep: number }
    /** A key that lives as long as its lease is renewed. */
    | { readonly kind: "lease"; readonly ttlSeconds: number; readonly renewals: number }
    /** Follows a key, or all; from now on, or from some revisions back (ahead, when negative). Goes on after breaks. */
    | {
        readonly kind: "watch"
        readonly key: string | undefined
        readonly back: number | undefined
        readonly previous: boolean
        readonly puts: boolean
        readonly deletes: boolean
      }
  )

export const KEY_PREFIX = "/k/"
export const LEASE_PREFIX = "/l/"

export interface StoreWorkloadOptions {
  readonly clients: number
  readonly keys: number
  readonly steps: number
  readonly durationMs: number
}

const kinds: ReadonlyArray<readonly [StoreStep["kind"], number]> = [
  ["read", 22],
  ["write", 24],
  ["delete", 9],
  ["cas", 12],
  ["write-all", 8],
  ["read-all", 6],
  ["list", 6],
  ["past", 4],
  ["compact", 2],
  ["lease", 3],
  ["watch", 6]
]
const TOTAL = kinds.reduce((sum, [, weight]) => sum + weight, 0)

const drawKind = (random: RandomStream): StoreStep["kind"] => {
  let left = random.below(TOTAL)
  for (const [kind, weight] of kinds) {
    left -= weight
    if (left < 0) return kind
  }
  return "read"
}

/** Draws a workload: the same stream gives the same one. It begins with watches, so that every run has some. */
export const drawStoreWorkload = (random: RandomStream, options: StoreWorkloadOptions): ReadonlyArray<StoreStep> => {
  const { clients, durationMs, keys, steps } = options
  const key = (): string => `${KEY_PREFIX}${random.below(keys)}`
  const pair = (): ReadonlyArray<string> => {
    const first = random.below(keys)
    return [`${KEY_PREFIX}${first}`, `${KEY_PREFIX}${(first + 1 + random.below(keys - 1)) % keys}`]
  }
  return Array.from({ length: steps }, (_, id): StoreStep => {
    const at = { id, atMs: Math.floor((durationMs * id) / steps + random.float() * 20), client: random.below(clients) }
    const kind = id < 2 ? "watch" : drawKind(random)
    switch (kind) {
      case "write-all":
      case "read-all":
        return { ...at, kind, keys: pair() }
      case "list":
        return { ...at, kind, limit: 1 + random.below(4) }
      case "past":
        return { ...at, kind, back: 1 + random.below(8) }
      case "compact":
        return { ...at, kind, keep: random.below(5) }
      case "lease":
        return { ...at, kind, ttlSeconds: 2 + random.below(3), renewals: random.below(6) }
      case "watch":
        return {
          ...at,
          kind,
          key: random.chance(0.3) ? key() : undefined,
          back: random.chance(0.4) ? undefined : random.below(12) - 4,
          previous: random.chance(0.7),
          puts: !random.chance(0.1),
          deletes: !random.chance(0.1)
        }
      default:
        return { ...at, kind, key: key() }
    }
  })
}
