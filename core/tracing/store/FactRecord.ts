// A fact as bytes and back: a head of JSON without field names, and a snapshot's body beside it, so that the head is read without it.
// Owns the form on disk, whose order of fields never changes; refuses compression and places, which the store decides.
import type { AuditFact, EventFact, Fact, LinkFact, RawSnapshot, SnapshotFact } from "../model/Fact.ts"
import type { ObjectKey } from "../model/ObjectKey.ts"

/** The kinds by their numbers on disk. */
export const kindNumbers = { audit: 0, event: 1, link: 2, snapshot: 3 } as const
export const kindNames = ["audit", "event", "link", "snapshot"] as const

/** Bytes before the head: its length and the body's. */
const LENGTHS = 8
/** Why the longest JSON text of a character takes this many bytes at most: UTF-16 units of three bytes each. */
const BYTES_PER_UNIT = 3

const keyParts = ({ cluster, group, name, namespace, resource }: ObjectKey) => [
  cluster,
  group,
  resource,
  namespace,
  name
]

/** The heads of audits and versions, which are most of all facts, are written out; their fields are in the order of the lists below. */
const headOf = (fact: Fact | RawSnapshot): ReadonlyArray<unknown> => {
  const { cluster, group, name, namespace, resource } = fact.object
  switch (fact.kind) {
    case "audit":
      return [
        kindNumbers.audit,
        fact.id,
        cluster,
        group,
        resource,
        namespace,
        name,
        fact.uid,
        fact.atUs,
        fact.version,
        fact.subresource,
        fact.verb,
        fact.level,
        fact.stage,
        fact.auditId,
        fact.endUs,
        fact.username,
        fact.impersonator,
        fact.userAgent,
        fact.sourceIps,
        fact.fieldManager,
        fact.code,
        fact.reason,
        fact.message,
        fact.causes,
        fact.resourceVersion,
        fact.newResourceVersion,
        fact.generation,
        fact.truncated,
        fact.dryRun
      ]
    case "snapshot":
      return [
        kindNumbers.snapshot,
        fact.id,
        cluster,
        group,
        resource,
        namespace,
        name,
        fact.uid,
        fact.atUs,
        fact.source,
        fact.version,
        fact.resourceVersion,
        fact.generation,
        fact.state,
        fact.redacted
      ]
    case "event":
      return [
        ...startOf(fact),
        ...eventFields.map((field) => fact[field]),
        fact.related === undefined ? 0 : keyParts(fact.related)
      ]
    case "link":
      return [...startOf(fact), fact.class, fact.role, keyParts(fact.other), fact.otherUid, fact.remote ?? 0]
  }
}

const startOf = ({ atUs, id, kind, object, uid }: Fact): ReadonlyArray<unknown> => [
  kindNumbers[kind],
  id,
  ...keyParts(object),
  uid,
  atUs
]

const auditFields = [
  "version",
  "subresource",
  "verb",
  "level",
  "stage",
  "auditId",
  "endUs",
  "username",
  "impersonator",
  "userAgent",
  "sourceIps",
  "fieldManager",
  "code",
  "reason",
  "message",
  "causes",
  "resourceVersion",
  "newResourceVersion",
  "generation",
  "truncated",
  "dryRun"
] as const satisfies ReadonlyArray<keyof AuditFact>

const eventFields = [
  "eventUid",
  "eventName",
  "reason",
  "type",
  "message",
  "action",
  "controller",
  "instance",
  "count",
  "firstUs"
] as const satisfies ReadonlyArray<keyof EventFact>

const snapshotFields = [
  "source",
  "version",
  "resourceVersion",
  "generation",
  "state",
  "redacted"
] as const satisfies ReadonlyArray<keyof SnapshotFact>

/** First memory for records, and how much of it is kept for the next ones. */
const FIRST_BYTES = 1_048_576
const KEPT_BYTES = 16 * 2 ** 20

/** Records one after another in a buffer that grows. */
export class RecordWriter {
  private bytes = Buffer.allocUnsafeSlow(FIRST_BYTES)
  length = 0

  /** Writes one record at the end. */
  write(fact: Fact | RawSnapshot): void {
    const start = this.length
    const head = JSON.stringify(headOf(fact))
    const text = fact.kind === "snapshot" && "body" in fact ? fact.body : ""
    const raw = fact.kind === "snapshot" && "raw" in fact ? fact.raw : undefined
    this.room(start + LENGTHS + (head.length + text.length) * BYTES_PER_UNIT + (raw?.length ?? 0))
    const headBytes = this.bytes.write(head, start + LENGTHS, "utf8")
    const bodyAt = start + LENGTHS + headBytes
    const bodyBytes = raw === undefined ? this.writeText(text, bodyAt) : raw.copy(this.bytes, bodyAt)
    this.bytes.writeUInt32LE(headBytes, start)
    this.bytes.writeUInt32LE(bodyBytes, start + 4)
    this.length = bodyAt + bodyBytes
  }

  /** What was written there; valid until the reset. */
  view(from: number, to: number): Buffer {
    return this.bytes.subarray(from, to)
  }

  reset(): void {
    this.length = 0
    if (this.bytes.length > KEPT_BYTES) this.bytes = Buffer.allocUnsafeSlow(FIRST_BYTES)
  }

  private writeText(text: string, at: number): number {
    return text === "" ? 0 : this.bytes.write(text, at, "utf8")
  }

  private room(needed: number): void {
    if (needed <= this.bytes.length) return
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.bytes.length * 2))
    this.bytes.copy(grown, 0, 0, this.length)
    this.bytes = grown
  }
}

/** Where the records of a block begin, one after another. */
export const recordStarts = (bytes: Buffer): ReadonlyArray<number> => {
  const starts: Array<number> = []
  for (let at = 0; at < bytes.length; at += LENGTHS + bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4))
    starts.push(at)
  return starts
}

/** The fact whose record starts at `at`. A snapshot's body is read when it is asked for. */
export const readRecord = (bytes: Buffer, at: number): Fact => {
  const headEnd = at + LENGTHS + bytes.readUInt32LE(at)
  // SAFETY: written by RecordWriter, in the same order.
  const head = JSON.parse(bytes.toString("utf8", at + LENGTHS, headEnd)) as ReadonlyArray<never>
  const [number, id, cluster, group, resource, namespace, name, uid, atUs, ...rest] = head
  const kind = kindNames[number]
  const start = { kind, id, object: { cluster, group, resource, namespace, name }, uid, atUs }
  switch (kind) {
    case "audit":
      return named(start, auditFields, rest) as unknown as AuditFact
    case "event":
      return { ...named(start, eventFields, rest), related: keyOf(rest[eventFields.length]) } as unknown as EventFact
    case "link": {
      const [className, role, other, otherUid, remote] = rest
      const end = { class: className, role, other: keyOf(other), otherUid, remote: remote === 0 ? undefined : remote }
      return { ...start, ...end } as unknown as LinkFact
    }
    case "snapshot": {
      const bodyEnd = headEnd + bytes.readUInt32LE(at + 4)
      const fact = named(start, snapshotFields, rest)
      let body: string | undefined
      Object.defineProperty(fact, "body", {
        enumerable: true,
        get: () => (body ??= bytes.toString("utf8", headEnd, bodyEnd))
      })
      return fact as unknown as SnapshotFact
    }
  }
}

const named = (
  start: object,
  fields: ReadonlyArray<string>,
  values: ReadonlyArray<unknown>
): Record<string, unknown> => {
  const fact: Record<string, unknown> = { ...start }
  for (let at = 0; at < fields.length; at++) fact[fields[at]] = values[at]
  return fact
}

const keyOf = (parts: ReadonlyArray<string> | 0): ObjectKey | undefined => {
  if (parts === 0) return undefined
  const [cluster, group, resource, namespace, name] = parts
  return { cluster, group, resource, namespace, name }
}
