// How the kinds of Kubernetes' own types look in Protocol Buffers, as `npm run protobuf` read them off the Go types.
// Owns the file's reading, once, when the first such body comes, and the meaning of its short texts.
import { readFileSync } from "node:fs"

/** What a field's bytes are: a letter for what is no message of fields, or the number of a message. */
export type ProtoKind = string | number

export interface ProtoField {
  /** As in JSON. */
  readonly name: string
  readonly kind: ProtoKind
  readonly shape: "one" | "list" | "map"
  /** Absent and zero differ: a zero that was sent is kept. */
  readonly pointer: boolean
  /** JSON has it even when it is zero. */
  readonly kept: boolean
  /** Its fields stand among those of its owner. */
  readonly inline: boolean
}

/** By number. */
export type ProtoMessageTable = ReadonlyArray<ProtoField | undefined>

export interface ProtobufTable {
  /** The message of a kind, named like "apps/v1/Deployment". */
  readonly messageOf: (apiVersion: string, kind: string) => number | undefined
  readonly message: (number: number) => ProtoMessageTable
  /** A custom resource's schema, which is several types at once in places. */
  readonly schemaProps: number
}

interface TableFile {
  readonly kinds: Readonly<Record<string, number>>
  readonly types: ReadonlyArray<ReadonlyArray<string>>
  readonly schemaProps: number
}

/** "14 replicas i p": number, name, kind, and flags: list, map, pointer, kept, inline. */
const fieldOf = (text: string): readonly [number, ProtoField] => {
  const [number, name, kind, flags = ""] = text.split(" ")
  return [
    Number(number),
    {
      name,
      kind: /^\d/.test(kind) ? Number(kind) : kind,
      shape: flags.includes("l") ? "list" : flags.includes("m") ? "map" : "one",
      pointer: flags.includes("p"),
      kept: flags.includes("k"),
      inline: flags.includes("n")
    }
  ]
}

const read = (): ProtobufTable => {
  // SAFETY: our own file, which a test compares with what a real client sends.
  const file = JSON.parse(readFileSync(new URL("./gen/protobuf.json", import.meta.url), "utf8")) as TableFile
  const messages = new Map<number, ProtoMessageTable>()
  return {
    schemaProps: file.schemaProps,
    messageOf: (apiVersion, kind) => file.kinds[`${apiVersion}/${kind}`],
    message: (number) => {
      const known = messages.get(number)
      if (known !== undefined) return known
      const fields: Array<ProtoField | undefined> = []
      for (const text of file.types[number]) {
        const [at, field] = fieldOf(text)
        fields[at] = field
      }
      messages.set(number, fields)
      return fields
    }
  }
}

let table: ProtobufTable | undefined

/** The table; read on the first call. */
export const protobufTable = (): ProtobufTable => (table ??= read())
