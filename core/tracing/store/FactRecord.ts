// A fact as bytes and back: a head of JSON without field names, and a snapshot's body beside it, so that the head is read without it.
// Owns the form on disk, whose order of fields never changes; refuses compression and places, which the store decides.
import type { AuditFact, EventFact, Fact, LinkFact, SnapshotFact } from "../model/Fact.ts"
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

const headOf = (fact: Fact): ReadonlyArray<unknown> => {
  const { atUs, id, kind, object, uid } = fact
  const start = [kindNumbers[kind], id, ...keyParts(object), uid, atUs]
  switch (fact.kind) {
    case "audit":
      return [...start, ...auditFields.map((field) => fact[field])]
    case "event":
      return [
        ...start,
        ...eventFields.map((field) => fact[field]),
        fact.related === undefined ? 0 : keyParts(fact.related)
      ]
    case "snapshot":
      return [...start, ...snapshotFields.map((field) => fact[field])]
    case "link":
      return [...start, fact.class, fact.role, keyParts(fact.other), fact.otherUid, fact.remote ?? 0]
  }
}

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

/** Records one after another in a buffer that grows. */
export class RecordWriter {
  private bytes = Buffer.allocUnsafe(262_144)
  length = 0

  /** Writes one record; answers where it starts. */
  write(fact: Fact): number {
    const start = this.length
    const head = JSON.stringify(headOf(fact))
    const body = fact.kind === "snapshot" ? fact.body : ""
    this.room(start + LENGTHS + (head.length + body.length) * BYTES_PER_UNIT)
    const headBytes = this.bytes.write(head, start + LENGTHS, "utf8")
    const bodyBytes = body === "" ? 0 : this.bytes.write(body, start + LENGTHS + headBytes, "utf8")
    this.bytes.writeUInt32LE(headBytes, start)
    this.bytes.writeUInt32LE(bodyBytes, start + 4)
    this.length = start + LENGTHS + headBytes + bodyBytes
    return start
  }

  /** What was written; valid until the next write. */
  view(): Buffer {
    return this.bytes.subarray(0, this.length)
  }

  private room(needed: number): void {
    if (needed <= this.bytes.length) return
    const grown = Buffer.allocUnsafe(Math.max(needed, this.bytes.length * 2))
    this.bytes.copy(grown, 0, 0, this.length)
    this.bytes = grown
  }
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
