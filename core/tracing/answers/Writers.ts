// Who writes an object too often, and who write against each other.
// Owns both judgements, from requests alone and from what they changed; refuses reads, failures and trials.
import { Attribute, type Span } from "../model/Span.ts"
import { answer, type Answer, type Asking, evidenceOf, objectWords } from "./Answer.ts"
import { type ObjectLife, subresourceOf, succeeded, verbOf } from "./ObjectLife.ts"

/** So many writes of one writer within a minute, a minute ago at most, are a loop. */
const HOT_WRITES = 30
const MINUTE_US = 60_000_000
/** Turns of one field between two writers, the last one so long ago at most. */
const FIGHT_TURNS = 4
const FIGHT_US = 600_000_000

const writing = new Set(["update", "patch", "create"])

const isWrite = (span: Span): boolean =>
  writing.has(verbOf(span)) && succeeded(span) && !(verbOf(span) === "create" && subresourceOf(span) === "")

/** The field manager, else the user and its program. */
export const writerOf = ({ attributes }: Span): string => {
  const manager = attributes[Attribute.fieldManager] ?? ""
  if (manager !== "") return manager
  const program = (attributes[Attribute.userAgent] ?? "").split("/")[0]
  const user = attributes[Attribute.username] ?? ""
  return program === "" ? user : `${program} (${user})`
}

/** The newest minute in which one writer wrote more often than anything healthy does. */
export const hotLoop = (life: ObjectLife, asking: Asking): Answer | undefined => {
  const { audits, gone, object, uid } = life
  if (gone) return undefined
  const byWriter = Map.groupBy(
    audits.filter((span) => isWrite(span) && span.startUs > asking.nowUs - 2 * MINUTE_US),
    (span) => `${writerOf(span)} ${subresourceOf(span)}`
  )
  for (const writes of Array.from(byWriter.values()).sort((a, b) => b.length - a.length)) {
    const last = writes[writes.length - 1]
    const minute = writes.filter(({ startUs }) => startUs > last.startUs - MINUTE_US)
    if (minute.length < HOT_WRITES || asking.nowUs - last.startUs > MINUTE_US) continue
    const idle = minute.filter(({ events }) => events.some(({ message }) => message === "No-op update")).length
    const what = subresourceOf(last) === "" ? "" : ` its ${subresourceOf(last)}`
    const nothing = idle === 0 ? "" : `, ${idle} of them without any change`
    const reason = `${writerOf(last)} wrote${what} ${minute.length} times within a minute${nothing}`
    const first = startOf(audits, last)
    const evidence = [evidenceOf(first, "the first write"), evidenceOf(last, "the last write")]
    return answer(
      asking,
      { kind: "hotLoop", object, uid, sinceUs: first.startUs, reason, reasonAtUs: last.startUs, evidence },
      (age) => `${objectWords(object)} has been written in a loop for ${age}: ${reason}`
    )
  }
  return undefined
}

/** Where a loop began: the first write before which the writer was quiet for a minute. */
const startOf = (audits: ReadonlyArray<Span>, last: Span): Span => {
  let first = last
  for (const span of audits.filter((one) => isWrite(one) && writerOf(one) === writerOf(last)).toReversed()) {
    if (span.startUs > first.startUs) continue
    if (first.startUs - span.startUs > MINUTE_US) break
    first = span
  }
  return first
}

const bookkeeping = new Set(["metadata.resourceVersion", "metadata.generation", "metadata.managedFields"])

interface Turn {
  readonly span: Span
  readonly writer: string
  readonly value: string | undefined
}

/** A field that two writers set back and forth, each to a value of its own. */
export const fieldFight = (life: ObjectLife, asking: Asking): Answer | undefined => {
  const { audits, gone, object, uid } = life
  if (gone) return undefined
  const turns = new Map<string, Array<Turn>>()
  for (const span of audits) {
    if (!isWrite(span)) continue
    for (const { new: value, path } of span.events.flatMap(({ diff }) => diff)) {
      if (bookkeeping.has(path)) continue
      const turn = { span, writer: writerOf(span), value }
      const known = turns.get(path)
      if (known === undefined) turns.set(path, [turn])
      else known.push(turn)
    }
  }
  for (const [path, all] of Array.from(turns).sort(([a], [b]) => (a < b ? -1 : 1))) {
    const fight = backAndForth(all)
    const last = fight.at(-1)
    const other = fight.at(-2)
    if (fight.length < FIGHT_TURNS || last === undefined || other === undefined) continue
    if (asking.nowUs - last.span.startUs > FIGHT_US) continue
    const values = `${other.value ?? "nothing"} and ${last.value ?? "nothing"}`
    const reason = `${other.writer} and ${last.writer} set ${path} in turns, to ${values}, ${fight.length} times`
    const evidence = fight.slice(-FIGHT_TURNS).map(({ span, writer }) => evidenceOf(span, `set by ${writer}`))
    return answer(
      asking,
      {
        kind: "fieldFight",
        object,
        uid,
        sinceUs: fight[0].span.startUs,
        reason,
        reasonAtUs: last.span.startUs,
        evidence
      },
      (age) => `Two managers have fought over ${objectWords(object)} for ${age}: ${reason}`
    )
  }
  return undefined
}

/** The longest end of a field's history in which two writers take turns, each to the value that it set before. */
const backAndForth = (turns: ReadonlyArray<Turn>): ReadonlyArray<Turn> => {
  let from = turns.length - 1
  for (let place = turns.length - 2; place >= 0; place--) {
    const [turn, next, same] = [turns[place], turns[place + 1], turns[place + 2]]
    if (turn.writer === next.writer || turn.value === next.value) break
    if (same !== undefined && (turn.writer !== same.writer || turn.value !== same.value)) break
    from = place
  }
  return turns.slice(Math.max(from, 0))
}
