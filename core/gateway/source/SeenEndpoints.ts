// How the servers of a cluster do, as each gateway on the same control plane sees them.
// Owns the entries' form, when one is too old to count, and what all of them together say; refuses to write.
import { fieldsOf, itemsOf, textOf } from "#apiserver"
import { type Json, parseRfc3339, rfc3339, sameJson } from "#kube"

/** How one server does. */
export interface EndpointLine {
  readonly endpoint: string
  readonly healthy: boolean
  readonly reason: string
  readonly message: string
}

/** What one gateway said last. */
export interface SeenBy {
  readonly seenTime: string
  readonly lines: ReadonlyArray<EndpointLine>
}

/** How often a gateway says what it said before. */
export const SAY_AGAIN_MS = 600_000
/** A gateway that was not heard of for so long is gone. */
const GONE_MS = 3 * SAY_AGAIN_MS
/** Gateways that are told apart; the eldest go first. */
const GATEWAYS_MAX = 100

const NOT_CHECKED = "NotChecked"

const read = (value: Json | undefined): SeenBy => ({
  seenTime: textOf(fieldsOf(value)["seenTime"]),
  lines: itemsOf(fieldsOf(value)["endpoints"]).map(({ endpoint, healthy, message, reason }) => ({
    endpoint: textOf(endpoint),
    healthy: healthy === true,
    reason: textOf(reason),
    message: textOf(message)
  }))
})

/** All entries, by name and in the order of their names: those of a status that are young enough, and this gateway's own. */
export const seenEntries = (
  known: Json | undefined,
  own: { readonly gateway: string; readonly lines: ReadonlyArray<EndpointLine>; readonly nowMs: number }
): ReadonlyMap<string, SeenBy> => {
  const { gateway, lines, nowMs } = own
  const ageOf = ({ seenTime }: SeenBy): number => nowMs - (parseRfc3339(seenTime) ?? 0)
  const before = new Map(Object.entries(fieldsOf(known)).map(([name, value]) => [name, read(value)] as const))
  const last = before.get(gateway)
  before.delete(gateway)
  const others = [...before]
    .filter(([, entry]) => ageOf(entry) < GONE_MS)
    .toSorted(([, left], [, right]) => ageOf(left) - ageOf(right))
    .slice(0, GATEWAYS_MAX - 1)
  const same = last !== undefined && ageOf(last) < SAY_AGAIN_MS && sameJson(plain(last.lines), plain(lines))
  const entry: SeenBy = same ? last : { seenTime: rfc3339(nowMs), lines }
  return new Map([...others, [gateway, entry] as const].toSorted(([left], [right]) => (left < right ? -1 : 1)))
}

const plain = (lines: ReadonlyArray<EndpointLine>): Json => lines.map((line): Json => ({ ...line }))

/** What all gateways together say of each server: it does well when it does for everyone who has looked. */
export const seenByAll = (
  lines: ReadonlyArray<EndpointLine>,
  seen: ReadonlyMap<string, SeenBy>
): ReadonlyArray<EndpointLine> =>
  lines.map((own) => {
    const all = [...seen].flatMap(([gateway, entry]) =>
      entry.lines.flatMap((line) => (line.endpoint === own.endpoint ? [{ gateway, line }] : []))
    )
    const looked = all.filter(({ line }) => line.reason !== NOT_CHECKED)
    const bad = looked.find(({ line }) => !line.healthy)
    if (bad !== undefined) {
      const { gateway, line } = bad
      const where = seen.size === 1 || line.message === "" ? line.message : `${gateway}: ${line.message}`
      return { ...line, message: where }
    }
    return looked[0]?.line ?? own
  })
