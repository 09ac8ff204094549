// An object's life as a short list: what was done to it, by whom, and what that changed.
// Owns the wording of each moment; refuses to choose which are worth telling.
import type { Span } from "../model/Span.ts"
import { messageOf, type ObjectLife, subresourceOf, verbOf } from "./ObjectLife.ts"
import { writerOf } from "./Writers.ts"

export interface Moment {
  readonly atUs: number
  readonly who: string
  readonly what: string
  /** What changed or was said; may be empty. */
  readonly says: string
}

/** Fields of a change that a moment tells. */
const FIELDS_MAX = 4
const bookkeeping = /^metadata\.(resourceVersion|generation|managedFields)/

/** Oldest first. */
export const momentsOf = ({ audits, events }: ObjectLife): ReadonlyArray<Moment> =>
  [...audits.map(auditMoment), ...events.map(eventMoment)].sort((a, b) => a.atUs - b.atUs)

const auditMoment = (span: Span): Moment => {
  const subresource = subresourceOf(span)
  const what = `${verbOf(span)}${subresource === "" ? "" : ` ${subresource}`}${span.failed ? ", refused" : ""}`
  const error = span.events.find(({ type }) => type === "realError")?.message
  return { atUs: span.startUs, who: writerOf(span), what, says: error ?? changesText(span) }
}

const changesText = ({ events }: Span): string => {
  const lines = events.flatMap(({ diff }) => diff).filter(({ path }) => !bookkeeping.test(path))
  const told = lines.slice(0, FIELDS_MAX).map(({ new: after, old, path }) => `${path} ${short(old)} -> ${short(after)}`)
  return lines.length > told.length ? `${told.join("; ")}; and ${lines.length - told.length} more` : told.join("; ")
}

const short = (text: string | undefined): string =>
  text === undefined ? "(none)" : text.length > 60 ? `${text.slice(0, 60)}…` : text

const eventMoment = (span: Span): Moment => ({
  atUs: span.startUs,
  who: span.attributes["source"] ?? "",
  what: span.name,
  says: messageOf(span)
})
