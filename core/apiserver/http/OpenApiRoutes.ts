// /openapi/v2 and /openapi/v3: documents that describe what is served.
// Owns paths, hashes and negotiation; the documents are made by whoever knows the schemas, when first asked for.
import { createHash } from "node:crypto"
import type { Definition, Definitions } from "../Definition.ts"
import type { Call } from "./Call.ts"
import { acceptsGzip, GZIP_MIN_BYTES, sendGzipped } from "./GzipAdapter.ts"
import { parseAccept } from "./Negotiation.ts"
import { plainText, textNotFound } from "./PlainAnswers.ts"

/** Makes the documents from definitions. */
export interface OpenApiEmitter {
  /** Of one group version, for OpenAPI 3.0. */
  readonly v3: (definitions: ReadonlyArray<Definition>) => unknown
  /** Of everything, for OpenAPI 2.0. */
  readonly v2: (definitions: ReadonlyArray<Definition>) => unknown
}

interface OpenApiDocument {
  readonly bytes: Uint8Array
  readonly hash: string
}

const documentOf = (value: unknown): OpenApiDocument => {
  const bytes = Buffer.from(JSON.stringify(value), "utf8")
  return { bytes, hash: createHash("sha512").update(bytes).digest("hex").toUpperCase() }
}

const takesJson = (accept: string | undefined): boolean =>
  accept === undefined ||
  accept === "" ||
  parseAccept(accept).some(
    ({ subtype, type }) => type === "*" || (type === "application" && (subtype === "*" || subtype === "json"))
  )

export class OpenApiRoutes {
  private readonly definitions: Definitions
  private readonly emitter: OpenApiEmitter
  private documents = new Map<string, OpenApiDocument>()

  constructor(definitions: Definitions, emitter: OpenApiEmitter) {
    this.definitions = definitions
    this.emitter = emitter
    definitions.onChange(() => void this.documents.clear())
  }

  private document(path: string, make: () => unknown): OpenApiDocument {
    const known = this.documents.get(path)
    if (known !== undefined) return known
    const made = documentOf(make())
    this.documents.set(path, made)
    return made
  }

  /** "api/v1" or "apis/apps/v1", of each group version with its definitions. */
  private paths(): ReadonlyMap<string, ReadonlyArray<Definition>> {
    const paths = new Map<string, Array<Definition>>()
    for (const definition of this.definitions.all()) {
      const { group, version } = definition
      const path = group === "" ? `api/${version}` : `apis/${group}/${version}`
      const known = paths.get(path)
      if (known === undefined) paths.set(path, [definition])
      else known.push(definition)
    }
    return paths
  }

  /** Answers a path below /openapi; false when it is none. */
  answer(call: Call): boolean {
    const { path } = call.url
    if (path === "/openapi/v2") this.send(call, this.document(path, () => this.emitter.v2(this.definitions.all())))
    else if (path === "/openapi/v3" || path === "/openapi/v3/") this.index(call)
    else if (path.startsWith("/openapi/v3/")) this.groupVersion(call, path.slice("/openapi/v3/".length))
    else return false
    return true
  }

  private index(call: Call): void {
    const paths: Record<string, unknown> = {}
    const ordered = [...this.paths()].sort(([a], [b]) => (a < b ? -1 : 1))
    for (const [path, definitions] of ordered) {
      const { hash } = this.document(path, () => this.emitter.v3(definitions))
      paths[path] = { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` }
    }
    call.respond(200, [["content-type", "application/json"]], JSON.stringify({ paths }))
  }

  private groupVersion(call: Call, path: string): void {
    const definitions = this.paths().get(path)
    if (definitions === undefined) return textNotFound(call)
    this.send(
      call,
      this.document(path, () => this.emitter.v3(definitions))
    )
  }

  private send(call: Call, { bytes, hash }: OpenApiDocument): void {
    if (!takesJson(call.exchange.header("accept"))) return plainText(call, 406, "")
    const etag = `"${hash}"`
    const asked = call.url.query.get("hash")
    // Whoever asks by hash may keep the answer for good.
    const caching = asked === hash ? [["cache-control", "public, immutable"] as const] : []
    const fields = [...caching, ["content-type", "application/json"], ["etag", etag], ["vary", "Accept, Accept-Encoding"]] as const
    if (call.exchange.header("if-none-match") === etag) return call.respond(304, fields, "")
    if (bytes.length < GZIP_MIN_BYTES || !acceptsGzip(call.exchange.header("accept-encoding"))) {
      return call.respond(200, fields, bytes)
    }
    const body = call.start(200, [...fields, ["content-encoding", "gzip"]])
    if (body === undefined) return
    const sending = sendGzipped([bytes].values(), body, (bytesSent) => {
      call.bytesSent = bytesSent
      call.finish()
    })
    call.exchange.onClose = () => {
      sending.stop()
      call.finish()
    }
  }
}
