// /openapi/v2 and /openapi/v3: documents that describe what is served.
// Owns negotiation, caching fields and compression; the documents and their hashes are #kube's to make, when first asked for.
import { gzipSync, constants } from "node:zlib"
import { openApiOf, type OpenApi, type OpenApiDocument, type PublishedResource } from "#kube"
import type { Definition, Definitions } from "../Definition.ts"
import type { Call } from "./Call.ts"
import { subresourcesOf } from "./Discovery.ts"
import { acceptsGzip } from "./GzipAdapter.ts"
import { parseAccept } from "./Negotiation.ts"
import { openApiV2Bytes } from "./OpenApiProtobuf.ts"
import { plainText, textNotFound } from "./PlainAnswers.ts"

const takesJson = (accept: string | undefined): boolean =>
  accept === undefined ||
  accept === "" ||
  parseAccept(accept).some(
    ({ subtype, type }) => type === "*" || (type === "application" && (subtype === "*" || subtype === "json"))
  )

/** How kubectl asks for version 2: its own validation reads no other form. */
const V2_PROTOBUF = "com.github.proto-openapi.spec.v2@v1.0+protobuf"
/** What the answer calls it: a media type has no "@". */
const V2_PROTOBUF_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"

const prefersProtobuf = (accept: string | undefined): boolean =>
  accept !== undefined && parseAccept(accept)[0]?.subtype === V2_PROTOBUF

const published = (definition: Definition): PublishedResource => {
  const { categories, group, kind, listKind, namespaced, resource, schema, shortNames, singular, verbs, version } =
    definition
  // A schema without a name is a custom resource's; Kubernetes' own are known by name.
  const own = definition.custom === true || schema.name === undefined ? { schema } : {}
  const words = definition.published === undefined ? {} : { custom: definition.published }
  const subresources = subresourcesOf(definition)
  return {
    group,
    version,
    kind,
    listKind,
    resource,
    singular,
    namespaced,
    verbs,
    shortNames,
    categories,
    subresources,
    ...own,
    ...words
  }
}

export class OpenApiRoutes {
  private readonly openApi: OpenApi
  private compressed = new WeakMap<object, Uint8Array>()
  private protobuf: { readonly of: OpenApiDocument; readonly bytes: Uint8Array } | undefined

  constructor(definitions: Definitions) {
    this.openApi = openApiOf(() => definitions.all().map(published))
    definitions.onChange(() => this.openApi.changed())
  }

  /** Answers a path below /openapi; false when it is none. */
  answer(call: Call): boolean {
    const { path } = call.url
    const { openApi } = this
    if (path === "/openapi/v2") this.send(call, openApi.v2())
    else if (path === "/openapi/v3" || path === "/openapi/v3/") this.send(call, openApi.index())
    else if (path.startsWith("/openapi/v3/")) this.send(call, openApi.v3(path.slice("/openapi/v3/".length)))
    else return false
    return true
  }

  private send(call: Call, document: OpenApiDocument | undefined): void {
    if (document === undefined) return textNotFound(call)
    const accept = call.exchange.header("accept")
    const protobuf = call.url.path === "/openapi/v2" && prefersProtobuf(accept)
    // Clients that ask for version 3 in protobuf alone ask again for JSON.
    if (!protobuf && !takesJson(accept)) return plainText(call, 406, "")
    const { hash } = document
    const body = protobuf ? this.inProtobuf(document) : document.text
    const etag = `"${hash}"`
    // Whoever asks by hash may keep the answer for good.
    const immutable = call.url.query.get("hash") === hash ? [["cache-control", "public, immutable"] as const] : []
    const fields = [
      ...immutable,
      ["content-type", protobuf ? V2_PROTOBUF_TYPE : "application/json"],
      ["etag", etag],
      ["vary", "Accept, Accept-Encoding"]
    ] as const
    if (call.exchange.header("if-none-match") === etag) return call.respond(304, fields, "")
    if (!acceptsGzip(call.exchange.header("accept-encoding"))) return call.respond(200, fields, body)
    call.respond(
      200,
      [...fields, ["content-encoding", "gzip"]],
      this.gzipped(typeof body === "string" ? document : body, body)
    )
  }

  /** The newest only: there is one version 2. */
  private inProtobuf(document: OpenApiDocument): Uint8Array {
    if (this.protobuf?.of !== document) {
      this.protobuf = { of: document, bytes: openApiV2Bytes(JSON.parse(document.text)) }
    }
    return this.protobuf.bytes
  }

  /** Kept with what it is made of: every client of a version asks for the same few. */
  private gzipped(key: object, body: string | Uint8Array): Uint8Array {
    const known = this.compressed.get(key)
    if (known !== undefined) return known
    const bytes = gzipSync(body, { level: constants.Z_BEST_SPEED })
    this.compressed.set(key, bytes)
    return bytes
  }
}
