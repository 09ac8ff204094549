// OpenAPI as one tenant sees it: upstream's documents, less the paths and schemas of others, under the tenant's own group names.
// Owns cutting and renaming; refuses to describe anything by itself.
import { openApiV2Bytes, parseAccept } from "#apiserver"
import { ApiFailure, isJsonObject, type Json, type JsonObject } from "#kube"
import type { HttpFields } from "#net"
import type { TenantCall } from "../serve/TenantCall.ts"
import type { TenantScope } from "../serve/Scopes.ts"
import { isReadOnly, isServed } from "../walls/Routes.ts"
import { ask, fieldOf, jsonOf, type Upstream } from "../upstream/Upstream.ts"
import type { Catalog } from "./Catalog.ts"
import { cutDocument } from "./OpenApiCut.ts"
import { notFound, sendDocument } from "./Documents.ts"

/** How kubectl asks for version 2. */
const V2_PROTOBUF = "com.github.proto-openapi.spec.v2@v1.0+protobuf"
const V2_PROTOBUF_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"

const jsonOnly: HttpFields = [["accept", "application/json"]]

const prefersProtobuf = (accept: string | undefined): boolean =>
  accept !== undefined && parseAccept(accept)[0]?.subtype === V2_PROTOBUF

/** Documents that are kept cut, so that a client which asks again costs nothing. */
const KEPT_MAX = 64

interface Kept {
  readonly etag: string
  readonly value: Json
}

export class TenantOpenApi {
  private readonly upstream: Upstream
  private readonly catalog: Catalog
  /** Upstream's documents by path, parsed. */
  private readonly kept = new Map<string, Kept>()

  constructor(upstream: Upstream, catalog: Catalog) {
    this.upstream = upstream
    this.catalog = catalog
  }

  /** `/version`, as upstream says it. */
  version(call: TenantCall): void {
    const head = { method: "GET", path: "/version", fields: jsonOnly }
    ask(this.upstream, head, undefined, (answer) => {
      const value = jsonOf(answer)
      if (answer instanceof ApiFailure) call.fail(answer)
      else if (value instanceof ApiFailure) call.fail(value)
      else call.respond(200, [["content-type", "application/json"]], answer.body)
    })
  }

  answer(call: TenantCall, segments: ReadonlyArray<string>): void {
    const [, version, ...rest] = segments
    if (version === "v3" && rest.length === 0) return this.index(call)
    if (version === "v3") return this.document(call, rest)
    if (version === "v2" && rest.length === 0) return this.fetch(call, "/openapi/v2", (value) => this.v2(call, value))
    notFound(call)
  }

  /** Upstream's document, of which only a newer one is read. */
  private fetch(call: TenantCall, path: string, use: (value: Json) => void): void {
    const known = this.kept.get(path)
    const fields: HttpFields = known === undefined ? jsonOnly : [...jsonOnly, ["if-none-match", known.etag]]
    ask(this.upstream, { method: "GET", path, fields }, undefined, (answer) => {
      if (call.over) return
      if (answer instanceof ApiFailure) return call.fail(answer)
      if (answer.code === 304 && known !== undefined) return use(known.value)
      if (answer.code === 404) return notFound(call)
      const value = jsonOf(answer)
      if (value instanceof ApiFailure) return call.fail(value)
      const etag = fieldOf(answer.fields, "etag")
      this.kept.delete(path)
      if (etag !== undefined) this.kept.set(path, { etag, value: value as Json })
      const [oldest] = this.kept.keys()
      if (this.kept.size > KEPT_MAX && oldest !== undefined) this.kept.delete(oldest)
      use(value as Json)
    })
  }

  private index(call: TenantCall): void {
    this.fetch(call, "/openapi/v3", (value) => {
      const paths = isJsonObject(value) && isJsonObject(value["paths"]) ? value["paths"] : {}
      const own: Record<string, Json> = {}
      for (const path of Object.keys(paths)) {
        const down = this.pathDown(call.scope, path)
        if (down === undefined) continue
        const entry = paths[path]
        const url = isJsonObject(entry) ? entry["serverRelativeURL"] : undefined
        const hash = typeof url === "string" ? (/[?&]hash=([0-9A-Fa-f]+)/.exec(url)?.[1] ?? "") : ""
        own[down] = { serverRelativeURL: `/openapi/v3/${down}?hash=${hash}` }
      }
      sendDocument(call, `${JSON.stringify({ paths: own })}\n`, "application/json")
    })
  }

  /** "apis/acme.io/v1" of "apis/t-acme.io/v1"; undefined for what is another's or no kind's. */
  private pathDown(scope: TenantScope, path: string): string | undefined {
    const [root, group = "", version] = path.split("/")
    if (root === "api" || path === "version") return path
    if (root !== "apis" || group === "") return path === "apis" ? path : undefined
    const down = scope.names.groupDown(group)
    if (down === undefined || !this.hasAny(group)) return undefined
    return version === undefined ? `apis/${down}` : `apis/${down}/${version}`
  }

  private hasAny(group: string): boolean {
    return this.catalog.group(group)?.versions.some(({ resources }) => resources.some(isServed)) ?? false
  }

  private document(call: TenantCall, rest: ReadonlyArray<string>): void {
    const { names } = call.scope
    const [root = "", group, ...further] = rest
    const up = root === "apis" && group !== undefined ? ["apis", names.groupUp(group), ...further] : rest
    if (this.pathDown(call.scope, up.join("/")) !== rest.join("/")) return notFound(call)
    this.fetch(call, `/openapi/v3/${up.map(encodeURIComponent).join("/")}`, (value) => {
      if (!isJsonObject(value)) return notFound(call)
      sendDocument(call, `${JSON.stringify(this.cut(call.scope, value))}\n`, "application/json")
    })
  }

  private v2(call: TenantCall, value: Json): void {
    if (!isJsonObject(value)) return notFound(call)
    const cut = this.cut(call.scope, value)
    if (prefersProtobuf(call.exchange.header("accept")))
      return sendDocument(call, openApiV2Bytes(cut), V2_PROTOBUF_TYPE)
    sendDocument(call, `${JSON.stringify(cut)}\n`, "application/json")
  }

  private cut(scope: TenantScope, value: JsonObject): JsonObject {
    return cutDocument(value, {
      groupDown: (group) => scope.names.groupDown(group),
      prefix: scope.names.prefix,
      isServed: (group, version, resource) => {
        const served = this.catalog.find(group, version, resource)
        return served !== undefined && isServed(served)
      },
      isReadOnly: (group, version, resource) => {
        const served = this.catalog.find(group, version, resource)
        return served !== undefined && isReadOnly(served)
      }
    })
  }
}
