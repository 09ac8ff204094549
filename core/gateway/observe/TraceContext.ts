// W3C Trace Context: the traceparent and tracestate fields, read and written.
// Owns their grammar (https://www.w3.org/TR/trace-context/, level 1); a field that breaks it is as good as none. Refuses sampling.

export interface TraceContext {
  /** 32 lower-case hexadecimal digits, not all zero. */
  readonly traceId: string
  /** 16 of them. */
  readonly parentId: string
  readonly sampled: boolean
}

const pattern = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/

/** Reads a traceparent; a version after 00 may have more at its end. */
export const parseTraceparent = (text: string | undefined): TraceContext | undefined => {
  const match = text === undefined || text.length > 256 ? null : pattern.exec(text.trim())
  if (match === null) return undefined
  const [, version = "", traceId = "", parentId = "", flags = "", rest] = match
  if (version === "ff" || (version === "00" && rest !== undefined)) return undefined
  if (/^0+$/.test(traceId) || /^0+$/.test(parentId)) return undefined
  return { traceId, parentId, sampled: (Number.parseInt(flags, 16) & 1) === 1 }
}

export const formatTraceparent = ({ parentId, sampled, traceId }: TraceContext): string =>
  `00-${traceId}-${parentId}-${sampled ? "01" : "00"}`

/** Characters of a tracestate that are passed on; a longer one is dropped, as the standard allows. */
const TRACESTATE_MAX = 512
const MEMBERS_MAX = 32

/** A tracestate that may go on; undefined when there is none, or it is beyond its bounds or no list of members. */
export const passableTracestate = (text: string | undefined): string | undefined => {
  if (text === undefined || text.length > TRACESTATE_MAX) return undefined
  const members = text
    .split(",")
    .map((member) => member.trim())
    .filter((member) => member !== "")
  if (members.length === 0 || members.length > MEMBERS_MAX) return undefined
  return members.every((member) => /^[a-z0-9][a-z0-9_\-*/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{1,256}$/.test(member))
    ? members.join(",")
    : undefined
}

/** Hexadecimal digits by chance, never all zero. */
export const randomHex = (random: () => number, digits: number): string => {
  let text = ""
  while (text.length < digits) {
    text += Math.floor(random() * 2 ** 32)
      .toString(16)
      .padStart(8, "0")
  }
  const cut = text.slice(0, digits)
  return /^0+$/.test(cut) ? `${cut.slice(1)}1` : cut
}
