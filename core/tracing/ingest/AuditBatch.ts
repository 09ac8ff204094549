// A batch of audit events from its bytes: heads are parsed, of bodies only the answers of events that are taken, and those without what
// redaction takes out. Owns the split into events and what is told of each; refuses the batch whole when any of it is not what it must be,
// so that nothing is half taken.
import { type Fact, keptFact, type Take } from "../model/Fact.ts"
import type { JsonObject } from "#kube"
import type { Found } from "./AnswerBytes.ts"
import { dumpLine } from "./AuditDump.ts"
import { type AuditHead, auditHead, AuditInvalid, type ObjectRef } from "./AuditEvent.ts"
import { auditFacts, type AuditSetting, dropReason, type DropReason } from "./AuditFacts.ts"
import { EventBytes } from "./EventBytes.ts"
import { eachItem, eachMember, isKey, JsonBroken, skipSpace, skipValue } from "./JsonBytes.ts"
import { isSensitive, type Kept, redactBytes } from "./Redaction.ts"

/** Hears of every event, taken or not, for counting. */
export type AuditObserver = (head: AuditHead, dropped: DropReason | undefined) => void

interface Walk {
  readonly cluster: string
  readonly bytes: Buffer
  readonly setting: AuditSetting
  readonly observe: AuditObserver
  readonly take: Take
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
  const take: Take = (fact) => void facts.push(keptFact(fact))
  return { facts, events: takeEventList(cluster, bytes, setting, observe, take) }
}

/** Hands over the facts of an EventList one by one; answers how many events there were. Throws AuditInvalid, wherever it is then. */
export const takeEventList = (
  cluster: string,
  bytes: Buffer,
  setting: AuditSetting,
  observe: AuditObserver,
  take: Take
): number => {
  const walk = { cluster, bytes, setting, observe, take }
  let events = 0
  let kind = ""
  let version = ""
  let items = 0
  guarded(() => {
    const start = skipSpace(bytes, 0)
    const end = eachMember(bytes, start, (keyStart, keyEnd, valueStart) => {
      if (isKey(bytes, keyStart, keyEnd, "items") && bytes[valueStart] === 0x5b) {
        items = 1
        return eachItem(bytes, valueStart, (at) => eventFacts(walk, at, events++))
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
  return events
}

/** Facts of one event, as a line of an audit log is; throws AuditInvalid. */
export const eventLineFacts = (
  cluster: string,
  line: Buffer,
  setting: AuditSetting,
  observe: AuditObserver
): ReadonlyArray<Fact> => {
  const facts: Array<Fact> = []
  const take: Take = (fact) => void facts.push(keptFact(fact))
  guarded(() => {
    const end = eventFacts({ cluster, bytes: line, setting, observe, take }, skipSpace(line, 0), undefined)
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

/** What reads events; one is enough, since each is read before the next. */
const event = new EventBytes()

/** What an event is called in complaints: its number in its batch, if it has one. */
const placeOf = (number: number | undefined): string => (number === undefined ? "event" : `items[${number}]`)

/** Hands over an event's facts; answers the byte after it. */
const eventFacts = (walk: Walk, start: number, number: number | undefined): number => {
  const { bytes, cluster, observe, setting, take } = walk
  if (bytes[start] !== 0x7b) throw new AuditInvalid(placeOf(number), "must be an object")
  const end = walked(bytes, start, number)
  const head = event.head() ?? parsedHead(bytes, start, end, placeOf(number))
  const { objectRef: reference } = head
  const reason = dropReason(head, setting)
  if (reason !== undefined || reference === undefined) {
    setting.dump?.(cluster, dumped(bytes, start, end, head, undefined))
    observe(head, reason ?? "no-object")
    return end
  }
  const found = event.answer
  const answer = found === undefined ? undefined : answerOf(bytes, found, number, head.verb, reference, setting)
  setting.dump?.(cluster, dumped(bytes, start, end, head, answer))
  observe(head, auditFacts({ cluster, head, reference, answer, bytes }, setting, take))
  return end
}

const walked = (bytes: Buffer, start: number, number: number | undefined): number => {
  try {
    return event.read(bytes, start)
  } catch (error) {
    if (!(error instanceof JsonBroken) || !event.isInAnswer) throw error
    throw new AuditInvalid(`${placeOf(number)}.responseObject`, "must be JSON")
  }
}

/** The head of the event that was just walked, by a parser. */
const parsedHead = (bytes: Buffer, start: number, end: number, at: string): AuditHead =>
  auditHead(parse(headText(bytes, start, end), at), at)

/** The JSON of the event that was just walked, without its bodies. */
const headText = (bytes: Buffer, start: number, end: number): string => {
  let text = ""
  let from = start
  for (let body = 0; body < event.bodies.length; body += 2) {
    text += `${bytes.toString("utf8", from, event.bodies[body])}null`
    from = event.bodies[body + 1]
  }
  return text + bytes.toString("utf8", from, end)
}

const dumped = (bytes: Buffer, start: number, end: number, head: AuditHead, answer: Kept | undefined): string =>
  // SAFETY: it was read as an event.
  dumpLine(parse(headText(bytes, start, end), "event") as JsonObject, head, answer, bytes)

const answerOf = (
  bytes: Buffer,
  found: Found,
  number: number | undefined,
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
    if (error instanceof SyntaxError) throw new AuditInvalid(`${placeOf(number)}.responseObject`, "must be JSON")
    throw error
  }
}
