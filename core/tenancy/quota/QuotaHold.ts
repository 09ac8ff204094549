// What a share holds for a moment for a creation on its way, so that no other division takes it away before it is used.
// Owns the mark on the share, and what each namespace needs with it; refuses to divide, which QuotaShares.ts does.
import { isJsonObject, type Json, type KubeObject } from "#kube"
import { type Amounts, amountsOf, joined, larger, type Share, sum, textOf, zero } from "./QuotaShares.ts"

const HELD = "kubezoo.io/held"
/** How long a share holds what was asked for: while the creation is tried again. */
const HOLD_MS = 2000

/** A namespace whose share had too little for a creation. */
export interface Wanting {
  readonly namespace: string
  /** What the creation needs beyond what is used; empty when that is not known. */
  readonly requested: Amounts
}

export interface Hold {
  readonly amounts: Amounts
  /** Milliseconds since the epoch. */
  readonly untilMs: number
}

export const withHold = (object: KubeObject, hold: Hold | undefined): KubeObject => {
  if (hold === undefined) return object
  const held = JSON.stringify({ untilMs: hold.untilMs, hard: textOf(hold.amounts) })
  const annotations = { ...object.metadata.annotations, [HELD]: held }
  return { ...object, metadata: { ...object.metadata, annotations } }
}

const parsed = (text: string): Json | undefined => {
  try {
    return JSON.parse(text) as Json
  } catch {
    return undefined
  }
}

const heldIn = (object: KubeObject | undefined, nowMs: number): Amounts => {
  const held = parsed(object?.metadata.annotations?.[HELD] ?? "")
  if (!isJsonObject(held)) return new Map()
  const { hard, untilMs } = held
  return typeof untilMs === "number" && nowMs < untilMs ? amountsOf(hard) : new Map()
}

const fits = (hard: Amounts, requested: Amounts, taken: ReadonlyArray<Amounts>): boolean =>
  [...requested].every(([name, amount]) => {
    const whole = hard.get(name)
    return whole === undefined || sum([amount, ...taken.map((each) => each.get(name) ?? zero)]).compare(whole) <= 0
  })

/** What namespaces need at least, and whether what one of them wants is there: at all, and now beside what others hold. */
export const needsOf = (
  hard: Amounts,
  shares: ReadonlyArray<Share>,
  wanting: Wanting | undefined,
  nowMs: number
): {
  readonly needs: ReadonlyArray<{ readonly namespace: string; readonly used: Amounts }>
  readonly hasRoom: boolean
  readonly hold: Hold | undefined
} => {
  const needs = shares.map(({ namespace, object, used }) => ({
    namespace,
    used: namespace === wanting?.namespace ? used : joined(used, heldIn(object, nowMs), larger)
  }))
  if (wanting === undefined) return { needs, hasRoom: true, hold: undefined }
  const { namespace, requested } = wanting
  const hasRoom = fits(
    hard,
    requested,
    shares.map(({ used }) => used)
  )
  const own = needs.findIndex((each) => each.namespace === namespace)
  if (
    requested.size === 0 ||
    own < 0 ||
    !fits(
      hard,
      requested,
      needs.map(({ used }) => used)
    )
  )
    return { needs, hasRoom, hold: undefined }
  const amounts = joined(needs[own].used, requested, (a, b) => a.add(b))
  return { needs: needs.with(own, { namespace, used: amounts }), hasRoom, hold: { amounts, untilMs: nowMs + HOLD_MS } }
}
