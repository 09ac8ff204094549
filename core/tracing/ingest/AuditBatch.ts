// A batch of audit events from its bytes: heads are parsed, of bodies only the answers of events that are taken, and those without what
// redaction takes out. Owns the split into events and what is told of each; refuses the batch whole when any of it is not what it must be,
// so that nothing is half taken.
import type { Fact } from "../model/Fact.ts"
import { type AuditHead, auditHead, AuditInvalid, type ObjectRef } from "./AuditEvent.ts"
import { auditFacts, type AuditSetting, dropReason, type DropReason } from "./AuditFacts.ts"
import { eachItem, eachMember, isKey, JsonBroken, skipSpace, skipValue } from "./JsonBytes.ts"
import { findAnswer, type Found } from "./AnswerBytes.ts"
import { isSensitive, type Kept, redactBytes } from "./Redaction.ts"

/** Hears of every event, taken or not, for counting. */
export type AuditObserver = (head: AuditHead, dropped: DropReason | undefined) => void

interface Walk {
  readonly cluster: string
  readonly bytes: Buffer
  readonly setting: AuditSetting
  readonly observe: AuditObserver
  readonly facts: Array<Fact>
}

export interface BatchFacts {
  readonly facts: ReadonlyArray<Fact>
  readonly events: number
}

/** Facts of an `audit.k8s.io/v1` EventList; throws AuditInvalid. */
export const eventListFacts = (
  cluster: string,
  bytes: Buffer,
  setting: AuditSetting,
  observe: AuditObserver
): BatchFacts => {
  const facts: Array<Fact> = []
  const walk = { cluster, bytes, setting, observe, facts }
  let events = 0
  let kind = ""
  let version = ""
  let items = 0
  guarded(() => {
    const start = skipSpace(bytes, 0)
    const end = eachMember(bytes, start, (keyStart, keyEnd, valueStart) => {
      if (isKey(bytes, keyStart, keyEnd, "items") && bytes[valueStart] === 0x5b) {
        items = 1
        return eachItem(bytes, valueStart, (at) => eventFacts(walk, at, `items[${events++}]`))
      }
      const valueEnd = skipValue(bytes, valueStart)
      if (isKey(bytes, keyStart, keyEnd, "items")) items = bytes[valueStart] === 0x6e ? 1 : -1
      else if (isKey(bytes, keyStart, keyEnd, "kind")) kind = bytes.toString("latin1", valueStart, valueEnd)
      else if (isKey(bytes, keyStart, keyEnd, "apiVersion")) version = bytes.toString("latin1", valueStart, valueEnd)
      return valueEnd
    })
    if (skipSpace(bytes, end) !== bytes.length) throw new JsonBroken(end)
  })
  if (kind !== '"EventList"') throw new AuditInvalid("kind", "must be EventList")
  if (version !== '"audit.k8s.io/v1"') throw new AuditInvalid("apiVersion", "must be audit.k8s.io/v1")
  if (items < 0) throw new AuditInvalid("items", "must be a list")
  return { facts, events }
}

/** Facts of one event, as a line of an audit log is; throws AuditInvalid. */
export const eventLineFacts = (
  cluster: string,
  line: Buffer,
  setting: AuditSetting,
  observe: AuditObserver
): ReadonlyArray<Fact> => {
  const facts: Array<Fact> = []
  guarded(() => {
    const end = eventFacts({ cluster, bytes: line, setting, observe, facts }, skipSpace(line, 0), "event")
    if (skipSpace(line, end) !== line.length) throw new JsonBroken(end)
  })
  return facts
}

const guarded = (walk: () => void): void => {
  try {
    walk()
  } catch (error) {
    if (error instanceof JsonBroken) throw new AuditInvalid("body", `must be JSON, and is not at byte ${error.at}`)
    throw error
  }
}

const parse = (text: string, at: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    // The parser's message shows the text, which may be a secret's.
    throw new AuditInvalid(at, "must be JSON")
  }
}

/** Adds an event's facts; answers the byte after it. */
const eventFacts = ({ bytes, cluster, facts, observe, setting }: Walk, start: number, at: string): number => {
  if (bytes[start] !== 0x7b) throw new AuditInvalid(at, "must be an object")
  let answer: Found | undefined
  let headFrom = start
  let headText = ""
  const end = eachMember(bytes, start, (keyStart, keyEnd, valueStart) => {
    const isAnswer = isKey(bytes, keyStart, keyEnd, "responseObject")
    if (!isAnswer && !isKey(bytes, keyStart, keyEnd, "requestObject")) return skipValue(bytes, valueStart)
    headText += `${bytes.toString("utf8", headFrom, valueStart)}null`
    if (isAnswer && bytes[valueStart] === 0x7b) {
      answer = answerAt(bytes, valueStart, at)
      headFrom = answer.end
    } else headFrom = skipValue(bytes, valueStart)
    return headFrom
  })
  const head = auditHead(parse(headText + bytes.toString("utf8", headFrom, end), at), at)
  const { objectRef } = head
  const reason = dropReason(head, setting)
  if (reason !== undefined || objectRef === undefined) {
    observe(head, reason ?? "no-object")
    return end
  }
  const kept = answer === undefined ? undefined : answerOf(bytes, answer, at, head.verb, objectRef, setting)
  const made = auditFacts(cluster, head, objectRef, kept, setting)
  if (typeof made === "string") observe(head, made)
  else {
    observe(head, undefined)
    for (const fact of made) facts.push(fact)
  }
  return end
}

const answerAt = (bytes: Buffer, start: number, at: string): Found => {
  try {
    return findAnswer(bytes, start)
  } catch (error) {
    if (error instanceof JsonBroken) throw new AuditInvalid(`${at}.responseObject`, "must be JSON")
    throw error
  }
}

const answerOf = (
  bytes: Buffer,
  found: Found,
  at: string,
  verb: string,
  { group, name, namespace, resource, subresource, version }: ObjectRef,
  setting: AuditSetting
): Kept => {
  const secret = isSensitive(resource, subresource)
  const redacts = (own: string): boolean =>
    secret || setting.redacts({ cluster: "", group, resource, namespace, name: name === "" ? own : name }, version)
  try {
    const picks = secret || verb === "deletecollection" ? undefined : setting.links.picks(group, resource)
    return redactBytes(bytes, found, redacts, picks)
  } catch (error) {
    if (error instanceof SyntaxError) throw new AuditInvalid(`${at}.responseObject`, "must be JSON")
    throw error
  }
}
