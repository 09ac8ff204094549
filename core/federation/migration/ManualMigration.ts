// Moves that a user asks for: at most so many replicas in a cluster, or none at all until a time.
// Owns reading the annotation, what of it holds now and when that changes by itself; refuses to move anything, which the
// scheduler does. Both annotations have KubeAdmiral's form.
import { textOf } from "#apiserver"
import { isJsonObject, type Json, type JsonObject, parseRfc3339, rfc3339 } from "#kube"

/** A configuration that does not say what it must: the message names the field and the rule. */
export class MigrationInvalid extends Error {
  readonly _tag = "MigrationInvalid"
}

export interface UnavailableCluster {
  readonly cluster: string
  /** RFC 3339. */
  readonly validUntil: string
}

/** What holds now, as `applied-migration-configuration` says it. */
export interface AppliedMigration {
  /** Most replicas by cluster. */
  readonly limitedCapacity?: Readonly<Record<string, number>>
  readonly unavailableClusters?: ReadonlyArray<UnavailableCluster>
}

export interface ManualMigration {
  readonly applied: AppliedMigration
  /** When the next entry ends, in milliseconds since the epoch; undefined when none does. */
  readonly changesAtMs?: number
}

/** Entries that one configuration may have: as many clusters as a fleet has. */
const ENTRIES_MAX = 10_000

const entries = (value: Json | undefined, field: string): ReadonlyArray<JsonObject> => {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) throw new MigrationInvalid(`${field}: must be an array`)
  if (value.length > ENTRIES_MAX) throw new MigrationInvalid(`${field}: must have at most ${ENTRIES_MAX} items`)
  const seen = new Set<string>()
  return value.map((item: Json, at) => {
    if (!isJsonObject(item)) throw new MigrationInvalid(`${field}[${at}]: must be an object`)
    const cluster = item["cluster"]
    if (typeof cluster !== "string" || cluster === "") {
      throw new MigrationInvalid(`${field}[${at}].cluster: must be a cluster's name`)
    }
    if (seen.has(cluster)) throw new MigrationInvalid(`${field}[${at}].cluster: ${cluster} has an entry before`)
    seen.add(cluster)
    return item
  })
}

const limits = (value: Json | undefined): Readonly<Record<string, number>> => {
  const found: Record<string, number> = {}
  for (const [at, item] of entries(value, "replicasMigrations").entries()) {
    const limit = item["limitedCapacity"]
    if (typeof limit !== "number" || !Number.isInteger(limit) || limit < 0) {
      throw new MigrationInvalid(
        `replicasMigrations[${at}].limitedCapacity: must be a whole number that is not negative`
      )
    }
    found[textOf(item["cluster"])] = limit
  }
  return found
}

const unavailable = (value: Json | undefined): ReadonlyArray<readonly [cluster: string, untilMs: number]> =>
  entries(value, "workloadMigrations").map((item, at) => {
    const text = item["validUntil"]
    const until = typeof text === "string" ? parseRfc3339(text) : undefined
    if (until === undefined)
      throw new MigrationInvalid(`workloadMigrations[${at}].validUntil: must be an RFC 3339 time`)
    return [textOf(item["cluster"]), until] as const
  })

const parsed = (text: string): JsonObject => {
  let value: Json
  try {
    value = JSON.parse(text) as Json
  } catch {
    throw new MigrationInvalid("must be JSON")
  }
  if (!isJsonObject(value)) throw new MigrationInvalid("must be a JSON object")
  return value
}

/**
 * What an annotation `migration-configuration` means at a time.
 *
 * @throws MigrationInvalid naming the field that is wrong.
 */
export const manualMigration = (text: string, nowMs: number): ManualMigration => {
  const configuration = parsed(text)
  const limitedCapacity = limits(configuration["replicasMigrations"])
  const holding = unavailable(configuration["workloadMigrations"]).filter(([, until]) => until > nowMs)
  const unavailableClusters = holding
    .map(([cluster, until]) => ({ cluster, validUntil: rfc3339(until) }))
    .sort((a, b) => (a.cluster < b.cluster ? -1 : 1))
  const ends = holding.map(([, until]) => until)
  return {
    applied: {
      ...(Object.keys(limitedCapacity).length === 0 ? {} : { limitedCapacity }),
      ...(unavailableClusters.length === 0 ? {} : { unavailableClusters })
    },
    ...(ends.length === 0 ? {} : { changesAtMs: Math.min(...ends) })
  }
}

/** The text of the annotation `applied-migration-configuration`; undefined when nothing holds: it is removed then. */
export const appliedMigrationText = ({
  limitedCapacity,
  unavailableClusters
}: AppliedMigration): string | undefined => {
  if (limitedCapacity === undefined && unavailableClusters === undefined) return undefined
  const clusters = Object.entries(limitedCapacity ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))
  return JSON.stringify({
    ...(clusters.length === 0 ? {} : { limitedCapacity: Object.fromEntries(clusters) }),
    ...(unavailableClusters === undefined ? {} : { unavailableClusters })
  })
}
