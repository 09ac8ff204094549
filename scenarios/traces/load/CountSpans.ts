// How many spans a message of OTLP's TracesData holds, by a walk over its fields.
// Owns the count alone; refuses to read a span.
import { ProtoReader } from "#net"

/** TracesData, ResourceSpans and ScopeSpans: in each the field that leads to spans. */
const PATH = [1, 2, 2] as const

const countIn = (reader: ProtoReader, depth: number): number => {
  let spans = 0
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag >>> 3 !== PATH[depth] || (tag & 7) !== 2) {
      reader.skip(tag)
      continue
    }
    const length = reader.uint32()
    const end = reader.position + length
    spans += depth === PATH.length - 1 ? 1 : countIn(new ProtoReader(reader.buffer, reader.position, end), depth + 1)
    reader.position = end
  }
  return spans
}

/** Counts a message's spans. */
export const countSpans = (message: Uint8Array): number => countIn(new ProtoReader(message), 0)
