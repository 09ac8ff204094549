// Requests for resources: finds the definition, decodes options and body, asks the Api, and writes what it answers.
// Owns these steps in kube-apiserver's order; refuses to know what any resource does.
import {
  ApiFailure,
  Failures,
  type GroupVersionKind,
  type Json,
  type KubeObject,
  type Patch,
  type RequestInfo
} from "#kube"
import type { Api } from "../Api.ts"
import type { Definition, Subresource } from "../Definition.ts"
import type { ApiAnswer, ApiRequest, RequestOptions, Verb } from "../Request.ts"
import type { Call } from "./Call.ts"
import type { FrontMetrics } from "./FrontMetrics.ts"
import { notAcceptable, writeAnswer } from "./ObjectAnswer.ts"
import { methodNotAllowed, resourceNotFound, textNotFound } from "./PlainAnswers.ts"
import { BODY_BYTES_MAX, decodeObject, decodeYaml, objectFormat, patchTypeOf, tooLargeBody } from "./RequestBody.ts"
import { deleteQuery, getQuery, isListing, listQuery, writeQuery } from "./RequestQuery.ts"
import { acceptBody, type Expected } from "./StrictDecoding.ts"
import { connectVerb, noStreams, podProblem, type StreamRequest, type Streams } from "./Streams.ts"
import { answerWatch, type OpenWatches } from "./WatchAnswer.ts"

export interface ResourceRoutesOptions {
  readonly api: Api
  readonly metrics: FrontMetrics
  readonly watches: OpenWatches
  readonly streams: Streams | undefined
  /** Runs a continuation of a call; what it throws becomes the call's 500. */
  readonly guard: (call: Call, run: () => void) => void
}

const verbs: ReadonlySet<string> = new Set<Verb>([
  "get",
  "list",
  "watch",
  "create",
  "update",
  "patch",
  "delete",
  "deletecollection"
])

const isVerb = (verb: string): verb is Verb => verbs.has(verb)

const subresourceTakes = (subresource: Subresource, verb: Verb): boolean =>
  subresource.type === "action" || subresource.type === "part"
    ? subresource.verbs.includes(verb)
    : verb === "get" || verb === "update" || verb === "patch"

const namedVerbs: ReadonlySet<string> = new Set<Verb>(["get", "update", "patch", "delete"])

/** Whether a path has the shape that the definition's scope and the verb ask for. */
const fits = (definition: Definition, { name, namespace, subresource, verb }: RequestInfo): boolean => {
  if (name === "" && (subresource !== "" || namedVerbs.has(verb))) return false
  if (name !== "" && subresource === "" && verb === "create") return false
  if (!definition.namespaced) return namespace === "" || definition.resource === "namespaces"
  if (namespace !== "") return true
  // All namespaces at once can be listed and watched, nothing else.
  return (verb === "list" || verb === "watch") && subresource === "" && (name === "" || verb === "list")
}

export class ResourceRoutes {
  private readonly options: ResourceRoutesOptions

  constructor(options: ResourceRoutesOptions) {
    this.options = options
  }

  /** Answers a resource request that was authorized. */
  answer(call: Call): void {
    const { info } = call
    const definition = this.options.api.definitions.find(info.apiGroup, info.apiVersion, info.resource)
    if (definition === undefined) {
      const known = this.options.api.definitions.all().some(({ group }) => group === info.apiGroup)
      return known ? call.fail(resourceNotFound()) : textNotFound(call)
    }
    const { subresource } = info
    if (subresource !== "") {
      const allowed = connectVerb(definition, subresource, info.verb)
      if (allowed === false) return call.fail(methodNotAllowed())
      if (allowed === true) return this.stream(call, definition)
    }
    const declared = subresource === "" ? undefined : definition.subresources.get(subresource)
    const hidden = declared?.type === "part" && declared.hidden === true
    if (subresource !== "" && (declared === undefined || hidden)) {
      return call.fail(
        definition.custom === true ? Failures.notFound({ ...definition, name: info.name }) : resourceNotFound()
      )
    }
    if (definition.deprecated !== undefined) call.warn(definition.deprecated)
    const { verb } = info
    const takes =
      isVerb(verb) && (declared === undefined ? definition.verbs.includes(verb) : subresourceTakes(declared, verb))
    if (!isVerb(verb) || !takes || !fits(definition, info) || call.exchange.method === "HEAD") {
      return call.fail(methodNotAllowed())
    }
    if (call.wanted === undefined && verb !== "watch") return call.fail(notAcceptable())
    // What is kept nowhere has no columns either.
    if (definition.storage === undefined && call.wanted?.transform === "Table") return call.fail(notAcceptable())
    this.route(call, definition, verb, declared)
  }

  private route(call: Call, definition: Definition, verb: Verb, declared: Subresource | undefined): void {
    const { info, url } = call
    if (verb === "get") return this.execute(call, definition, this.request(call, verb, getQuery(url.query)))
    if (verb === "create" || verb === "update") return this.write(call, definition, verb, declared)
    if (verb === "patch") return this.patch(call, definition)
    if (verb === "delete") return this.delete(call, definition, {})
    // A name in the query's field selector is there already; one in the path of an old watch is not.
    const named = verb === "watch" && info.parts.length > 1 ? (info.parts[1] ?? "") : ""
    const listing = listQuery(url.query, verb === "watch", named)
    if (listing instanceof ApiFailure) return call.fail(listing)
    if (verb === "deletecollection") return this.delete(call, definition, listing.options)
    const request = this.request(call, verb, listing.options)
    if (verb === "list") return this.execute(call, definition, request)
    const { api, metrics, watches } = this.options
    answerWatch(call, definition, request, { api, metrics, open: watches, timeoutSeconds: listing.timeoutSeconds })
  }

  private request(
    call: Call,
    verb: Verb,
    options: RequestOptions,
    content: { readonly body?: KubeObject; readonly patch?: Patch } = {}
  ): ApiRequest {
    const { info, user } = call
    return {
      verb,
      resource: { group: info.apiGroup, version: info.apiVersion, resource: info.resource },
      subresource: info.subresource,
      // A namespace is itself in none, though its path names it as one.
      namespace: info.resource === "namespaces" ? "" : info.namespace,
      name: isListing(verb) ? "" : info.name,
      user,
      options,
      ...content
    }
  }

  private execute(call: Call, definition: Definition, request: ApiRequest): void {
    this.options.api.execute(request, (answer) => {
      this.options.guard(call, () => {
        if (!(answer instanceof ApiFailure)) call.record.responseObject = recorded(answer)
        writeAnswer(call, definition, answer)
      })
    })
  }

  /** Reads the body whole, then goes on; a client that is gone needs no answer. */
  private read(call: Call, next: (bytes: Uint8Array) => void): void {
    const length = Number(call.exchange.header("content-length") ?? 0)
    if (length > BODY_BYTES_MAX) return call.fail(tooLargeBody())
    call.exchange.readBody(BODY_BYTES_MAX, (bytes) => {
      this.options.guard(call, () => {
        if (bytes === undefined) call.fail(tooLargeBody())
        else next(bytes)
      })
    })
  }

  private write(
    call: Call,
    definition: Definition,
    verb: "create" | "update",
    declared: Subresource | undefined
  ): void {
    const options = writeQuery(call.url.query, { verb, applies: false, userAgent: call.exchange.header("user-agent") })
    if (options instanceof ApiFailure) return call.fail(options)
    const format = objectFormat(call.exchange.header("content-type"))
    if (format instanceof ApiFailure) return call.fail(format)
    const expected = this.expected(definition, declared)
    this.read(call, (bytes) => {
      const decoded = decodeObject(bytes, format, expected.kind)
      if (decoded instanceof ApiFailure) return call.fail(decoded)
      const accepted = acceptBody(decoded, expected, options)
      if (accepted instanceof ApiFailure) return call.fail(accepted)
      for (const warning of accepted.warnings) call.warn(warning)
      call.record.requestObject = accepted.object
      this.execute(call, definition, this.request(call, verb, options, { body: accepted.object }))
    })
  }

  private expected(definition: Definition, declared: Subresource | undefined): Expected {
    const isKnown = ({ group, kind, version }: GroupVersionKind): boolean =>
      this.options.api.definitions.byKind(group, version, kind) !== undefined
    if (declared?.type === "scale") {
      return { group: "autoscaling", version: "v1", kind: "Scale", schema: undefined, isKnown }
    }
    if (declared?.type === "action") return { ...declared.kind, schema: undefined, isKnown }
    const { group, kind, schema, version } = definition
    return { group, version, kind, schema, isKnown }
  }

  private patch(call: Call, definition: Definition): void {
    const type = patchTypeOf(call.exchange.header("content-type"))
    if (type instanceof ApiFailure) return call.fail(type)
    const options = writeQuery(call.url.query, {
      verb: "patch",
      applies: type === "apply",
      userAgent: call.exchange.header("user-agent")
    })
    if (options instanceof ApiFailure) return call.fail(options)
    this.read(call, (bytes) => {
      const read = patchBody(bytes, type, definition.kind)
      if (read instanceof ApiFailure) return call.fail(read)
      const { body, complaints } = read
      if (complaints !== undefined) {
        if (options.fieldValidation === "Strict") return call.fail(Failures.badRequest(complaints))
        if (options.fieldValidation !== "Ignore") call.warn(complaints)
      }
      call.record.requestObject = body
      this.execute(call, definition, this.request(call, "patch", options, { patch: { type, body } }))
    })
  }

  private delete(call: Call, definition: Definition, selection: RequestOptions): void {
    this.read(call, (bytes) => {
      const fields = deleteBody(call, bytes)
      if (fields instanceof ApiFailure) return call.fail(fields)
      if (fields !== undefined) call.record.requestObject = fields
      const options = deleteQuery(call.url.query, fields)
      if (options instanceof ApiFailure) return call.fail(options)
      const verb = call.info.verb === "delete" ? "delete" : "deletecollection"
      this.execute(call, definition, this.request(call, verb, { ...selection, ...options }))
    })
  }

  /** Log, exec and their like: the object is read first, then whoever has nodes is asked. */
  private stream(call: Call, definition: Definition): void {
    const { api, guard, streams = noStreams } = this.options
    const { exchange, info, url, user } = call
    const [name = ""] = info.name.split(":")
    const get: ApiRequest = { ...this.request(call, "get", {}), subresource: "", name }
    api.execute(get, (answer) => {
      guard(call, () => {
        if (answer instanceof ApiFailure) return call.fail(answer)
        if (answer.kind !== "object") return call.fail(resourceNotFound())
        const { object } = answer.held
        const path = info.parts.slice(3).join("/")
        const request: StreamRequest = {
          definition,
          object,
          subresource: info.subresource,
          path,
          query: url.query,
          user
        }
        if (definition.resource === "pods") {
          const problem = podProblem(request, exchange.header("upgrade") !== undefined)
          if (problem === "empty") return call.respond(204, [], "")
          if (problem !== undefined) return call.fail(problem)
        }
        const failure = streams.serve(request, exchange, () => call.finish())
        if (failure === undefined) call.taken(200)
        else call.fail(failure)
      })
    })
  }
}

interface PatchBody {
  readonly body: Json
  /** What strict decoding says of an applied configuration; undefined when nothing. */
  readonly complaints?: string
}

const patchBody = (bytes: Uint8Array, type: Patch["type"], kind: string): PatchBody | ApiFailure => {
  if (type === "apply") {
    const decoded = decodeYaml(bytes, kind)
    if (decoded instanceof ApiFailure) return Failures.badRequest(`error decoding YAML: ${decoded.message}`)
    const { duplicates, value } = decoded
    if (duplicates.length === 0) return { body: value }
    const lines = duplicates.map((line) => `  ${line}`).join("\n")
    const head = "error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:"
    return { body: value, complaints: `${head}\n${lines}` }
  }
  try {
    return { body: JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8")) as Json }
  } catch {
    return Failures.badRequest("invalid JSON patch")
  }
}

const deleteBody = (call: Call, bytes: Uint8Array): Record<string, Json> | undefined | ApiFailure => {
  if (bytes.length === 0) return undefined
  const format = objectFormat(call.exchange.header("content-type"))
  if (format instanceof ApiFailure) return format
  const decoded = decodeObject(bytes, format, "DeleteOptions")
  if (decoded instanceof ApiFailure) return decoded
  const { value } = decoded
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return Failures.badRequest("expect DeleteOptions in the body of a delete")
  }
  const { kind } = value as { readonly kind?: Json }
  if (kind !== undefined && kind !== "DeleteOptions") {
    return Failures.badRequest(
      `decoded object cannot be converted to DeleteOptions: it is of kind ${JSON.stringify(kind)}`
    )
  }
  return value as Record<string, Json>
}

/** What the audit trail may record of an answer. */
const recorded = (answer: ApiAnswer): unknown =>
  answer.kind === "object"
    ? answer.held.object
    : {
        kind: answer.definition.listKind,
        metadata: { resourceVersion: answer.resourceVersion },
        get items() {
          return answer.items.map(({ object }) => object)
        }
      }
