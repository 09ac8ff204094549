// /openapi/v2 and /openapi/v3: documents that describe what is served.
// Owns negotiation, caching fields and compression; the documents and their hashes are #kube's to make, when first asked for.
import { gzipSync, constants } from "node:zlib"
import { openApiOf, type OpenApi, type OpenApiDocument, type PublishedResource } from "#kube"
import type { Definition, Definitions } from "../Definition.ts"
import type { Call } from "./Call.ts"
import { subresourcesOf } from "./Discovery.ts"
import { acceptsGzip } from "./GzipAdapter.ts"
import { parseAccept } from "./Negotiation.ts"
import { plainText, textNotFound } from "./PlainAnswers.ts"

const takesJson = (accept: string | undefined): boolean =>
  accept === undefined ||
  accept === "" ||
  parseAccept(accept).some(
    ({ subtype, type }) => type === "*" || (type === "application" && (subtype === "*" || subtype === "json"))
  )

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
  private compressed = new WeakMap<OpenApiDocument, Uint8Array>()

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
    // Clients that ask for protobuf alone ask again for JSON.
    if (!takesJson(call.exchange.header("accept"))) return plainText(call, 406, "")
    const { hash, text } = document
    const etag = `"${hash}"`
    // Whoever asks by hash may keep the answer for good.
    const immutable = call.url.query.get("hash") === hash ? [["cache-control", "public, immutable"] as const] : []
    const fields = [
      ...immutable,
      ["content-type", "application/json"],
      ["etag", etag],
      ["vary", "Accept, Accept-Encoding"]
    ] as const
    if (call.exchange.header("if-none-match") === etag) return call.respond(304, fields, "")
    if (!acceptsGzip(call.exchange.header("accept-encoding"))) return call.respond(200, fields, text)
    call.respond(200, [...fields, ["content-encoding", "gzip"]], this.gzipped(document))
  }

  /** Kept with the document: every client of a version asks for the same few. */
  private gzipped(document: OpenApiDocument): Uint8Array {
    const known = this.compressed.get(document)
    if (known !== undefined) return known
    const bytes = gzipSync(document.text, { level: constants.Z_BEST_SPEED })
    this.compressed.set(document, bytes)
    return bytes
  }
}
