// Writes what the Api answered in the form that the client asked for.
// Owns the choice between the held bytes (nothing is decoded or encoded again), Tables, metadata and YAML; refuses watches.
import { ApiFailure, Failures, type KubeObject } from "#kube"
import type { HttpFields } from "#net"
import type { Definition } from "../Definition.ts"
import type { ApiAnswer, HeldObject } from "../Request.ts"
import type { Call } from "./Call.ts"
import { acceptsGzip, GZIP_MIN_BYTES, sendGzipped } from "./GzipAdapter.ts"
import { heldOf, type ListAnswer, listChunks, listMeta, listSize, versionOf } from "./ListBytes.ts"
import { objectMediaTypes, type Wanted } from "./Negotiation.ts"
import { encodeValue } from "./StatusBody.ts"
import { includeObjectOf, partialMetadata, statusTable, type TableForm, tableOf } from "./Tables.ts"

const json: HttpFields = [["content-type", "application/json"]]
const gzipJson: HttpFields = [...json, ["content-encoding", "gzip"], ["vary", "Accept-Encoding"]]

/** Answers of more bytes go out in chunks as the client takes them. */
const WHOLE_BYTES_MAX = 1_048_576

/** The 406 of a request whose Accept field names nothing that is written here. */
export const notAcceptable = (): ApiFailure =>
  Failures.generic(406, "NotAcceptable", `only the following media types are accepted: ${objectMediaTypes.join(", ")}`)

/** Writes an answer; a failure as its Status. */
export const writeAnswer = (call: Call, definition: Definition, answer: ApiAnswer | ApiFailure): void => {
  if (call.answered) return
  if (answer instanceof ApiFailure) return call.fail(answer)
  const { wanted } = call
  if (wanted === undefined) return call.fail(notAcceptable())
  const code = answer.kind === "object" ? answer.code : 200
  if (answer.kind === "object") for (const text of answer.warnings) call.warn(text)
  if (wanted.transform === undefined && wanted.format === "json" && !wanted.pretty) {
    if (answer.kind === "list") writeList(call, answer)
    else writeHeld(call, code, answer.held)
    return
  }
  const value = transformed(call, wanted, definition, answer)
  if (value instanceof ApiFailure) return call.fail(value)
  const { body, contentType } = encodeValue(value, wanted)
  writeBytes(call, code, contentType, Buffer.from(body, "utf8"))
}

const writeHeld = (call: Call, code: number, held: HeldObject): void => {
  const bytes = held.encoded()
  if (bytes.length < GZIP_MIN_BYTES) call.respond(code, json, bytes)
  else writeBytes(call, code, "application/json", bytes)
}

const writeBytes = (call: Call, code: number, contentType: string, bytes: Uint8Array): void => {
  const gzip = bytes.length >= GZIP_MIN_BYTES && acceptsGzip(call.exchange.header("accept-encoding"))
  if (!gzip) return call.respond(code, [["content-type", contentType]], bytes)
  writeGzipped(call, code, [["content-type", contentType], ...gzipJson.slice(1)], [bytes].values())
}

const writeGzipped = (call: Call, code: number, fields: HttpFields, chunks: Iterator<Uint8Array>): void => {
  const body = call.start(code, fields)
  if (body === undefined) return
  const sending = sendGzipped(chunks, body, (bytesSent) => {
    call.bytesSent = bytesSent
    call.finish()
  })
  call.exchange.onClose = () => {
    sending.stop()
    call.finish()
  }
}

const writeList = (call: Call, answer: ListAnswer): void => {
  const size = listSize(answer)
  const gzip = size >= GZIP_MIN_BYTES && acceptsGzip(call.exchange.header("accept-encoding"))
  if (gzip) return writeGzipped(call, 200, gzipJson, listChunks(answer, size))
  if (size <= WHOLE_BYTES_MAX) return call.respond(200, json, Buffer.concat([...listChunks(answer, size)]))
  const body = call.start(200, json)
  if (body === undefined) return
  const chunks = listChunks(answer, size)
  const send = (): void => {
    for (let next = chunks.next(); ; next = chunks.next()) {
      if (next.done === true) {
        body.onDrain = undefined
        body.end()
        call.bytesSent = size
        return call.finish()
      }
      if (!body.write(next.value)) return
    }
  }
  body.onDrain = send
  call.exchange.onClose = () => call.finish()
  send()
}

/** How Tables of this request look; a failure when the query asks for an impossible one. */
export const tableForm = (call: Call, wanted: Wanted): TableForm | ApiFailure => {
  const includeObject = includeObjectOf(call.url.query.get("includeObject"))
  if (includeObject instanceof ApiFailure) return includeObject
  return { includeObject, apiVersion: `meta.k8s.io/${wanted.transformVersion}`, nowMs: call.clockwork.now() }
}

const isStatus = (object: KubeObject): boolean => object.kind === "Status" && object.apiVersion === "v1"

const transformed = (call: Call, wanted: Wanted, definition: Definition, answer: ApiAnswer): unknown => {
  const { transform } = wanted
  if (transform === undefined) return answer.kind === "list" ? plainList(answer) : answer.held.object
  const objects = heldOf(answer).map(({ object }) => object)
  const [first] = objects
  if (transform === "Table") {
    const form = tableForm(call, wanted)
    if (form instanceof ApiFailure) return form
    if (answer.kind === "list") return tableOf(definition, objects, listMeta(answer), { ...form, listed: objects })
    if (first !== undefined && isStatus(first)) return statusTable(first, form)
    return tableOf(definition, objects, { resourceVersion: first?.metadata.resourceVersion ?? "" }, form)
  }
  if (answer.kind === "object" && first !== undefined && isStatus(first)) return first
  if ((transform === "PartialObjectMetadataList") !== (answer.kind === "list")) {
    const kind = answer.kind === "list" ? definition.listKind : definition.kind
    return Failures.generic(
      406,
      "NotAcceptable",
      answer.kind === "list"
        ? `you requested PartialObjectMetadata, but the requested object is a list (*${kind})`
        : `you requested PartialObjectMetadataList, but the requested object is not a list (*${kind})`
    )
  }
  const apiVersion = `meta.k8s.io/${wanted.transformVersion}`
  if (answer.kind === "object") return partialMetadata(answer.held.object, apiVersion)
  const items = objects.map((object) => partialMetadata(object, apiVersion))
  return { kind: "PartialObjectMetadataList", apiVersion, metadata: listMeta(answer), items }
}

const plainList = (answer: ListAnswer): unknown => ({
  kind: answer.definition.listKind,
  apiVersion: versionOf(answer),
  metadata: listMeta(answer),
  items: answer.items.map(({ object }) => object)
})
