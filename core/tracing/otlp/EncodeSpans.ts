// OpenTelemetry's TracesData on the wire, in chunks of bounded size: a trace of any length goes out piece by piece.
// Owns the encoding, by hand over the wire primitives because a trace has tens of thousands of spans, each with dozens of texts;
// refuses to decode. Source: opentelemetry/proto/trace/v1/trace.proto.
import { ProtoWriter } from "#net"
import { cutSpan, type NextSpans, type OutSpan } from "./OutSpan.ts"

/** gRPC clients refuse messages above 4 MiB unless told otherwise; the rest is room for headers of groups. */
export const CHUNK_BYTES_MAX = 4_194_304 - 65_536

/** Jaeger's attribute for what its page shows as warnings. */
const WARNINGS = "@jaeger@warnings"
const SCOPE = "kubewharf"

const lengthDelimited = (number: number): number => (number << 3) | 2
const [TAG_1, TAG_2, TAG_3, TAG_4, TAG_5] = [1, 2, 3, 4, 5].map(lengthDelimited)
const SPAN_ATTRIBUTES = lengthDelimited(9)
const SPAN_EVENTS = lengthDelimited(11)
const SPAN_LINKS = lengthDelimited(13)
const SPAN_STATUS = lengthDelimited(15)
const SPAN_KIND = 6 << 3
const START = (7 << 3) | 1
const END = (8 << 3) | 1
const EVENT_TIME = (1 << 3) | 1
const INTERNAL = 1
const ERROR = 2

const nanos = (us: number): bigint => BigInt(Math.round(us)) * 1000n

const writeHex = (writer: ProtoWriter, tag: number, hex: string): void => {
  writer.varint(tag)
  writer.varint(hex.length / 2)
  writer.ensure(hex.length / 2)
  writer.position += writer.buffer.write(hex, writer.position, "hex")
}

const writeAttribute = (writer: ProtoWriter, tag: number, key: string, value: string): void => {
  const attribute = writer.open(tag)
  writer.stringField(TAG_1, key)
  const any = writer.open(TAG_2)
  writer.stringField(TAG_1, value)
  writer.close(any)
  writer.close(attribute)
}

const writeTexts = (writer: ProtoWriter, tag: number, key: string, values: ReadonlyArray<string>): void => {
  const attribute = writer.open(tag)
  writer.stringField(TAG_1, key)
  const any = writer.open(TAG_2)
  const array = writer.open(TAG_5)
  for (const value of values) {
    const item = writer.open(TAG_1)
    writer.stringField(TAG_1, value)
    writer.close(item)
  }
  writer.close(array)
  writer.close(any)
  writer.close(attribute)
}

const writeAttributes = (writer: ProtoWriter, tag: number, values: Readonly<Record<string, string>>): void => {
  for (const key in values) writeAttribute(writer, tag, key, values[key] ?? "")
}

/** Appends one Span message, without tag and length. */
export const writeSpan = (writer: ProtoWriter, span: OutSpan): void => {
  writeHex(writer, TAG_1, span.traceId)
  writeHex(writer, TAG_2, span.spanId)
  if (span.parentSpanId !== "") writeHex(writer, TAG_4, span.parentSpanId)
  writer.stringField(TAG_5, span.name)
  writer.varint(SPAN_KIND)
  writer.varint(INTERNAL)
  writer.varint(START)
  writer.fixed64(nanos(span.startUs))
  writer.varint(END)
  writer.fixed64(nanos(span.endUs))
  writeAttributes(writer, SPAN_ATTRIBUTES, span.tags)
  if (span.warnings.length > 0) writeTexts(writer, SPAN_ATTRIBUTES, WARNINGS, span.warnings)
  for (const log of span.logs) {
    const event = writer.open(SPAN_EVENTS)
    writer.varint(EVENT_TIME)
    writer.fixed64(nanos(log.atUs))
    writer.stringField(TAG_2, log.name)
    writeAttributes(writer, TAG_3, log.fields)
    writer.close(event)
  }
  for (const { attributes, spanId, traceId } of span.links) {
    const link = writer.open(SPAN_LINKS)
    writeHex(writer, TAG_1, traceId)
    writeHex(writer, TAG_2, spanId)
    writeAttributes(writer, TAG_4, attributes)
    writer.close(link)
  }
  if (!span.failed) return
  const status = writer.open(SPAN_STATUS)
  writer.varint(3 << 3)
  writer.varint(ERROR)
  writer.close(status)
}

/** Bytes that a group's own headers take at most, beside its service's name. */
const GROUP_BYTES = 128

/** Cuts spans into TracesData messages of at most `bytesMax` bytes; a span that alone is longer loses texts and says so. */
export class SpanChunker {
  private readonly next: NextSpans
  private readonly bytesMax: number
  private readonly scratch = new ProtoWriter(4096)
  private readonly groups = new Map<string, ProtoWriter>()
  private batch: ReadonlyArray<OutSpan> = []
  private at = 0
  private bytes = 0

  constructor(next: NextSpans, bytesMax = CHUNK_BYTES_MAX) {
    this.next = next
    this.bytesMax = bytesMax
  }

  /** The next message; undefined at the end. */
  chunk(): Buffer | undefined {
    for (let span = this.peek(); span !== undefined; span = this.peek()) {
      const size = this.encode(span)
      if (this.bytes > 0 && this.bytes + size > this.bytesMax) return this.finish()
      this.at++
      this.add(span.service, size)
    }
    return this.bytes === 0 ? undefined : this.finish()
  }

  private peek(): OutSpan | undefined {
    if (this.at >= this.batch.length) {
      this.batch = this.next() ?? []
      this.at = 0
    }
    return this.batch[this.at]
  }

  /** Leaves the span's field in the scratch; answers what it adds to the chunk. */
  private encode(span: OutSpan): number {
    const size = this.encodeWhole(span)
    return size <= this.bytesMax ? size : this.encodeWhole(cutSpan(span))
  }

  private encodeWhole(span: OutSpan): number {
    this.scratch.position = 0
    const start = this.scratch.open(TAG_2)
    writeSpan(this.scratch, span)
    this.scratch.close(start)
    const header = this.groups.has(span.service) ? 0 : GROUP_BYTES + Buffer.byteLength(span.service)
    return this.scratch.position + header
  }

  private add(service: string, size: number): void {
    this.bytes += size
    let group = this.groups.get(service)
    if (group === undefined) {
      group = new ProtoWriter(4096)
      this.groups.set(service, group)
    }
    group.raw(this.scratch.view())
  }

  private finish(): Buffer {
    const writer = new ProtoWriter(this.bytes + GROUP_BYTES)
    for (const [service, spans] of this.groups) {
      const group = writer.open(TAG_1)
      const resource = writer.open(TAG_1)
      writeAttribute(writer, TAG_1, "service.name", service)
      writer.close(resource)
      const scoped = writer.open(TAG_2)
      const scope = writer.open(TAG_1)
      writer.stringField(TAG_1, SCOPE)
      writer.close(scope)
      writer.raw(spans.view())
      writer.close(scoped)
      writer.close(group)
    }
    this.groups.clear()
    this.bytes = 0
    return writer.take()
  }
}
