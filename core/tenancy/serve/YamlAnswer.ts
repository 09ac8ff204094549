// Answers in YAML, for clients that want nothing else: translated as JSON, which all of this server is about, and written anew at the end.
// Owns when a client wants it, and the bound of what is held for it; refuses streams, which have no form in YAML.
import { parseAccept, yamlText } from "#apiserver"
import { type ApiFailure, Failures } from "#kube"
import type { HttpBody, HttpFields } from "#net"
import { WHOLE_BYTES_MAX } from "../upstream/Upstream.ts"

/** The bytes of a failure as API servers send them, in JSON. */
export const failureBody = (failure: ApiFailure): string => `${JSON.stringify(failure.status)}\n`

/** Whether a client would rather have YAML than JSON. */
export const wantsYaml = (accept: string | undefined): boolean => {
  if (accept === undefined || !accept.includes("yaml")) return false
  const first = parseAccept(accept).find(
    ({ subtype, type }) =>
      type === "*" || (type === "application" && (subtype === "*" || subtype === "json" || subtype === "yaml"))
  )
  return first?.type === "application" && first.subtype === "yaml"
}

const isJson = ([name, value]: readonly [string, string]): boolean =>
  name === "content-type" && value.startsWith("application/json")

const YAML: readonly [string, string] = ["content-type", "application/yaml"]

/** Integers keep all their digits. */
const exact = (_key: string, value: unknown, context?: { readonly source?: string }): unknown =>
  typeof value === "number" && !Number.isSafeInteger(value) && /^-?\d+$/.test(context?.source ?? "")
    ? BigInt(context?.source ?? "0")
    : value

const decoder = new TextDecoder()
const encoder = new TextEncoder()

export interface Written {
  readonly fields: HttpFields
  readonly body: string | Uint8Array
}

/** An answer in YAML; one that is no JSON stays as it is. */
export const asYaml = (fields: HttpFields, body: string | Uint8Array): Written => {
  if (!fields.some(isJson)) return { fields, body }
  const value: unknown = JSON.parse(typeof body === "string" ? body : decoder.decode(body), exact)
  return { fields: fields.map((field) => (isJson(field) ? YAML : field)), body: encoder.encode(yamlText(value)) }
}

/** Where the pieces of an answer are held until its end. */
export class YamlBody implements HttpBody {
  onDrain: (() => void) | undefined
  bufferedBytes = 0
  private chunks: Array<Uint8Array> = []
  private readonly respond: (fields: HttpFields, body: string | Uint8Array, code?: number) => void
  private readonly fields: HttpFields

  constructor(fields: HttpFields, respond: (fields: HttpFields, body: string | Uint8Array, code?: number) => void) {
    this.fields = fields
    this.respond = respond
  }

  write(bytes: Uint8Array): boolean {
    this.bufferedBytes += bytes.length
    if (this.bufferedBytes <= WHOLE_BYTES_MAX) this.chunks.push(bytes)
    else this.chunks = []
    return true
  }

  relay(view: Uint8Array): boolean {
    return this.write(view.slice())
  }

  end(): void {
    if (this.bufferedBytes > WHOLE_BYTES_MAX) {
      const failure = Failures.tooLarge(`the answer is longer than ${WHOLE_BYTES_MAX} bytes: ask for JSON or in pages`)
      const { body, fields } = asYaml([["content-type", "application/json"]], failureBody(failure))
      return this.respond(fields, body, failure.code)
    }
    const { body, fields } = asYaml(this.fields, Buffer.concat(this.chunks))
    this.respond(fields, body)
  }

  /** Nothing was sent yet: the client hears what happened. */
  abort(): void {
    const failure = Failures.unavailable("the answer of the cluster behind this server broke off")
    const { body, fields } = asYaml([["content-type", "application/json"]], failureBody(failure))
    this.respond(fields, body, failure.code)
  }
}
