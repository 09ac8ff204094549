// One audit event read in its bytes, member by member, without making JSON of it: its head, and where the answer's body lies.
// Owns that reading of what is written plainly; what is not (escapes, a key twice, an unexpected kind of value) it leaves to a parser.
// Refuses to judge fields, which AuditEvent.ts does.
import { isJsonObject, type Json, parseRfc3339 } from "#kube"
import { type Found, findAnswer } from "./AnswerBytes.ts"
import { type AuditHead, causesOf } from "./AuditEvent.ts"
import { ByteTexts } from "./ByteTexts.ts"
import { eachItem, eachMember, isKey, skipValue } from "./JsonBytes.ts"
import { checkValue } from "./JsonCheck.ts"

const OPEN_OBJECT = 0x7b
const OPEN_LIST = 0x5b
const LETTER_N = 0x6e
const BACKSLASH = 0x5c
const SPACE = 0x20

const NONE: ReadonlyArray<string> = []
const topNames = [
  "level",
  "auditID",
  "stage",
  "requestURI",
  "verb",
  "userAgent",
  "requestReceivedTimestamp",
  "stageTimestamp"
] as const
const refNames = [
  "apiGroup",
  "apiVersion",
  "resource",
  "subresource",
  "namespace",
  "name",
  "uid",
  "resourceVersion"
] as const
const partNames = ["user", "impersonatedUser", "objectRef", "responseStatus", "annotations"] as const
const [LEVEL, AUDIT_ID, STAGE, URI, VERB, AGENT, RECEIVED, STAGED] = topNames.keys()
const [GROUP, VERSION, RESOURCE, SUBRESOURCE, NAMESPACE, NAME, UID, RESOURCE_VERSION] = refNames.keys()
const [, IMPERSONATED, REF, STATUS, ANNOTATIONS] = partNames.keys()

export class EventBytes {
  /** Where the answer's body lies; undefined where there is none. */
  answer: Found | undefined
  /** Whether the answer's body was being read. */
  isInAnswer = false
  /** Begin and end of each body, in order: they are no part of the head. */
  readonly bodies: Array<number> = []
  private readonly texts = new ByteTexts()
  private bytes: Buffer = Buffer.alloc(0)
  private isPlain = true
  /** Bits of the members that were seen of the event, and of the part that is being read. */
  private seen = 0
  private seenInPart = 0
  private part = 0
  private readonly top: Array<string> = []
  private readonly ref: Array<string> = []
  private readonly users: Array<string> = ["", ""]
  private hasRef = false
  private hasImpersonated = false
  private sourceIps: Array<string> | undefined
  private reason = ""
  private message = ""
  private code = 0
  private details: Json | undefined
  private truncated = false

  /** Walks the event that starts at `start`; answers the byte after it. Throws JsonBroken. */
  read(bytes: Buffer, start: number): number {
    this.bytes = bytes
    this.isPlain = true
    this.seen = 0
    this.answer = undefined
    this.isInAnswer = false
    this.bodies.length = 0
    for (let at = 0; at < topNames.length; at++) this.top[at] = ""
    for (let at = 0; at < refNames.length; at++) this.ref[at] = ""
    this.users[0] = ""
    this.users[1] = ""
    this.hasRef = false
    this.hasImpersonated = false
    this.sourceIps = undefined
    this.reason = ""
    this.message = ""
    this.code = 0
    this.details = undefined
    this.truncated = false
    return eachMember(bytes, start, this.member)
  }

  /** The head of the event that was read; undefined when a parser has to say what it is. */
  head(): AuditHead | undefined {
    const { details, ref, top, users } = this
    if (!this.isPlain || top[AUDIT_ID] === "" || top[STAGE] === "" || top[VERB] === "") return undefined
    const receivedMs = parseRfc3339(top[RECEIVED])
    const stageMs = parseRfc3339(top[STAGED])
    if (receivedMs === undefined || stageMs === undefined) return undefined
    const known = isJsonObject(details) ? details : undefined
    return {
      level: top[LEVEL],
      auditId: top[AUDIT_ID],
      stage: top[STAGE],
      requestUri: top[URI],
      verb: top[VERB],
      username: this.hasImpersonated ? users[1] : users[0],
      impersonator: this.hasImpersonated ? users[0] : "",
      sourceIps: this.sourceIps ?? NONE,
      userAgent: top[AGENT],
      objectRef: this.hasRef
        ? {
            group: ref[GROUP],
            version: ref[VERSION],
            resource: ref[RESOURCE],
            subresource: ref[SUBRESOURCE],
            namespace: ref[NAMESPACE],
            name: ref[NAME],
            uid: ref[UID],
            resourceVersion: ref[RESOURCE_VERSION]
          }
        : undefined,
      code: this.code,
      reason: this.reason,
      message: this.message,
      causes: known === undefined ? NONE : causesOf(known["causes"]),
      detailsUid: typeof known?.["uid"] === "string" ? known["uid"] : "",
      receivedUs: Math.round(receivedMs * 1000),
      stageUs: Math.round(stageMs * 1000),
      truncated: this.truncated
    }
  }

  private readonly member = (keyStart: number, keyEnd: number, valueStart: number): number => {
    const { bytes } = this
    this.look(keyStart, keyEnd)
    for (let at = 0; at < topNames.length; at++) {
      if (!isKey(bytes, keyStart, keyEnd, topNames[at])) continue
      this.once(at)
      // Ids, paths and times hardly come again.
      const isNew = at === AUDIT_ID || at === URI || at >= RECEIVED
      return this.text(
        isNew ? this.texts.readOnce(bytes, valueStart) : this.texts.read(bytes, valueStart),
        valueStart,
        this.top,
        at
      )
    }
    for (let at = 0; at < partNames.length; at++) {
      if (!isKey(bytes, keyStart, keyEnd, partNames[at])) continue
      this.once(topNames.length + at)
      return this.readPart(at, valueStart)
    }
    if (isKey(bytes, keyStart, keyEnd, "responseObject")) return this.body(valueStart, true)
    if (isKey(bytes, keyStart, keyEnd, "requestObject")) return this.body(valueStart, false)
    if (isKey(bytes, keyStart, keyEnd, "sourceIPs") && bytes[valueStart] === OPEN_LIST) {
      this.once(20)
      this.sourceIps = []
      return eachItem(bytes, valueStart, this.address)
    }
    return checkValue(bytes, valueStart)
  }

  private body(valueStart: number, isAnswer: boolean): number {
    const { bytes } = this
    this.once(isAnswer ? 21 : 22)
    let end: number
    if (isAnswer && bytes[valueStart] === OPEN_OBJECT) {
      this.isInAnswer = true
      this.answer = findAnswer(bytes, valueStart)
      this.isInAnswer = false
      end = this.answer.end
    } else end = skipValue(bytes, valueStart)
    this.bodies.push(valueStart, end)
    return end
  }

  private readPart(part: number, valueStart: number): number {
    const { bytes } = this
    if (bytes[valueStart] !== OPEN_OBJECT) {
      if (bytes[valueStart] !== LETTER_N) this.isPlain = false
      return checkValue(bytes, valueStart)
    }
    if (part === REF) this.hasRef = true
    else if (part === IMPERSONATED) this.hasImpersonated = true
    this.part = part
    this.seenInPart = 0
    return eachMember(bytes, valueStart, this.inPart)
  }

  private readonly inPart = (keyStart: number, keyEnd: number, valueStart: number): number => {
    this.look(keyStart, keyEnd)
    if (this.part === REF) return this.inRef(keyStart, keyEnd, valueStart)
    if (this.part === STATUS) return this.inStatus(keyStart, keyEnd, valueStart)
    const { bytes } = this
    if (this.part === ANNOTATIONS) {
      const isIt = isKey(bytes, keyStart, keyEnd, "audit.k8s.io/truncated")
      const end = checkValue(bytes, valueStart)
      if (isIt) {
        this.onceInPart(0)
        this.truncated = bytes.toString("latin1", valueStart, end) === '"true"'
      }
      return end
    }
    if (!isKey(bytes, keyStart, keyEnd, "username")) return checkValue(bytes, valueStart)
    this.onceInPart(0)
    return this.text(this.texts.read(bytes, valueStart), valueStart, this.users, this.part)
  }

  private inRef(keyStart: number, keyEnd: number, valueStart: number): number {
    const { bytes } = this
    for (let at = 0; at < refNames.length; at++) {
      if (!isKey(bytes, keyStart, keyEnd, refNames[at])) continue
      this.onceInPart(at)
      return this.text(this.texts.read(bytes, valueStart), valueStart, this.ref, at)
    }
    return checkValue(bytes, valueStart)
  }

  private inStatus(keyStart: number, keyEnd: number, valueStart: number): number {
    const { bytes } = this
    const end = checkValue(bytes, valueStart)
    // SAFETY: it was checked to be JSON.
    const value = (): Json => JSON.parse(bytes.toString("utf8", valueStart, end)) as Json
    if (isKey(bytes, keyStart, keyEnd, "code")) {
      this.onceInPart(0)
      const code = (end - valueStart === 3 ? smallNumber(bytes, valueStart) : undefined) ?? value()
      this.code = typeof code === "number" ? code : 0
    } else if (isKey(bytes, keyStart, keyEnd, "reason")) {
      this.onceInPart(1)
      const reason = value()
      this.reason = typeof reason === "string" ? reason : ""
    } else if (isKey(bytes, keyStart, keyEnd, "message")) {
      this.onceInPart(2)
      const message = value()
      this.message = typeof message === "string" ? message : ""
    } else if (isKey(bytes, keyStart, keyEnd, "details")) {
      this.onceInPart(3)
      this.details = value()
    }
    return end
  }

  private readonly address = (start: number): number => {
    const text = this.texts.read(this.bytes, start)
    if (text === undefined) {
      this.isPlain = false
      return checkValue(this.bytes, start)
    }
    this.sourceIps?.push(text)
    return this.texts.end
  }

  /** Keeps a text that was read; what is none is left to a parser. */
  private text(text: string | undefined, valueStart: number, into: Array<string>, at: number): number {
    if (text === undefined) {
      this.isPlain = false
      return checkValue(this.bytes, valueStart)
    }
    into[at] = text
    return this.texts.end
  }

  private once(bit: number): void {
    if ((this.seen & (1 << bit)) !== 0) this.isPlain = false
    this.seen |= 1 << bit
  }

  private onceInPart(bit: number): void {
    if ((this.seenInPart & (1 << bit)) !== 0) this.isPlain = false
    this.seenInPart |= 1 << bit
  }

  /** A key may be written with escapes, which a comparison of bytes does not see. */
  private look(keyStart: number, keyEnd: number): void {
    for (let at = keyStart; at < keyEnd; at++) {
      if (this.bytes[at] === BACKSLASH || this.bytes[at] < SPACE) this.isPlain = false
    }
  }
}

/** A number of three digits; undefined for anything else. */
const smallNumber = (bytes: Uint8Array, at: number): number | undefined => {
  const [a, b, c] = [bytes[at] - 0x30, bytes[at + 1] - 0x30, bytes[at + 2] - 0x30]
  return a > 0 && a < 10 && b >= 0 && b < 10 && c >= 0 && c < 10 ? a * 100 + b * 10 + c : undefined
}
