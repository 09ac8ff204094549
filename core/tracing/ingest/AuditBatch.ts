// A batch of audit events from its bytes: heads are parsed, of bodies only the answers of events that are taken, and those without what
// redaction takes out. Owns the split into events and what is told of each; refuses the batch whole when any of it is not what it must be,
// so that nothing is half taken.
import type { Fact } from "../model/Fact.ts"
import { type AuditHead, auditHead, AuditInvalid, type ObjectRef } from "./AuditEvent.ts"
import { auditFacts, type AuditSetting, dropReason, type DropReason } from "./AuditFacts.ts"
import { eachItem, eachMember, isKey, JsonBroken, skipSpace } from "./JsonBytes.ts"
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
  let items = -1
  guarded(() => {
    const start = skipSpace(bytes, 0)
    const end = eachMember(bytes, start, (keyStart, keyEnd, valueStart, valueEnd) => {
      if (isKey(bytes, keyStart, keyEnd, "items")) items = valueStart
      else if (isKey(bytes, keyStart, keyEnd, "kind")) kind = bytes.toString("latin1", valueStart, valueEnd)
      else if (isKey(bytes, keyStart, keyEnd, "apiVersion")) version = bytes.toString("latin1", valueStart, valueEnd)
    })
    if (skipSpace(bytes, end) !== bytes.length) throw new JsonBroken(end)
  })
  if (kind !== '"EventList"') throw new AuditInvalid("kind", "must be EventList")
  if (version !== '"audit.k8s.io/v1"') throw new AuditInvalid("apiVersion", "must be audit.k8s.io/v1")
  if (items < 0 || bytes.toString("latin1", items, items + 4) === "null") return { facts, events }
  if (bytes[items] !== 0x5b) throw new AuditInvalid("items", "must be a list")
  guarded(() =>
    eachItem(bytes, items, (start) => {
      const end = eventFacts(walk, start, `items[${events}]`)
      events++
      return end
    })
  )
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
  let answerStart = 0
  let answerEnd = 0
  let headFrom = start
  let headText = ""
  const end = eachMember(bytes, start, (keyStart, keyEnd, valueStart, valueEnd) => {
    const isAnswer = isKey(bytes, keyStart, keyEnd, "responseObject")
    if (!isAnswer && !isKey(bytes, keyStart, keyEnd, "requestObject")) return
    headText += `${bytes.toString("utf8", headFrom, valueStart)}null`
    headFrom = valueEnd
    if (isAnswer) [answerStart, answerEnd] = [valueStart, valueEnd]
  })
  const head = auditHead(parse(headText + bytes.toString("utf8", headFrom, end), at), at)
  const { objectRef } = head
  const reason = dropReason(head, setting)
  if (reason !== undefined || objectRef === undefined) {
    observe(head, reason ?? "no-object")
    return end
  }
  const answered = answerStart > 0 && bytes[answerStart] === 0x7b
  const answer = answered
    ? answerOf(bytes, answerStart, answerEnd, `${at}.responseObject`, objectRef, setting)
    : undefined
  const made = auditFacts(cluster, head, objectRef, answer, setting)
  if (typeof made === "string") observe(head, made)
  else {
    observe(head, undefined)
    for (const fact of made) facts.push(fact)
  }
  return end
}

const answerOf = (
  bytes: Buffer,
  start: number,
  end: number,
  at: string,
  { group, name, namespace, resource, subresource, version }: ObjectRef,
  setting: AuditSetting
): Kept => {
  const secret = isSensitive(resource, subresource)
  const redacts = (found: string): boolean =>
    secret || setting.redacts({ cluster: "", group, resource, namespace, name: name === "" ? found : name }, version)
  try {
    return redactBytes(bytes, start, end, redacts)
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof JsonBroken) throw new AuditInvalid(at, "must be JSON")
    throw error
  }
}
