// The surroundings of the checks' tenant, and shorthands over the rewriting that fail loudly.
// Owns these; the cast is the second book's.
import { type Json, type JsonObject, sameJson } from "#kube"
import type { KindShape, TenantView } from "../names/TenantView.ts"
import { BodyInvalid, Refused, WholeNeeded } from "../rewrite/Contract.ts"
import { Rewriter } from "../rewrite/Rewriter.ts"
import { cast } from "./Book.ts"

/** A view of the cast; `knowsCustom` says whether the tenant's definitions are there already. */
export const viewOf = (tenant: string = cast.tenant, knowsCustom = true): TenantView => {
  const tenants: ReadonlySet<string> = new Set([cast.tenant, ...cast.others])
  const published: ReadonlySet<string> = new Set(cast.published)
  return {
    tenant,
    published: (_resource, name) => published.has(name),
    sharedGroup: (group) => group === cast.sharedGroup,
    isTenant: (id) => tenants.has(id),
    custom: (group, word) => {
      if (!knowsCustom || group !== cast.customGroup) return undefined
      if (word === "Widget" || word === "widgets") return { resource: "widgets", namespaced: true }
      return word === "Planet" || word === "planets" ? { resource: "planets", namespaced: false } : undefined
    }
  }
}

/** The rewriting that checks are about. */
export const newRewriter = (): Rewriter => new Rewriter(viewOf())

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export const toBytes = (value: Json | string): Uint8Array =>
  encoder.encode(typeof value === "string" ? value : JSON.stringify(value))
export const toText = (bytes: Uint8Array): string => decoder.decode(bytes)

/** What a property found to be otherwise. */
export class Broken extends Error {}

const shown = (result: unknown): string =>
  result instanceof Refused || result instanceof BodyInvalid
    ? `${result.name}: ${result.message}`
    : result instanceof WholeNeeded
      ? `WholeNeeded: ${result.reason}`
      : "nothing"

/** The text of a result that must be bytes. */
export const textOf = (result: unknown): string => {
  if (result instanceof Uint8Array) return toText(result)
  throw new Broken(`expected a body, got ${shown(result)}`)
}

export const upText = (rewriter: Rewriter, shape: KindShape, body: string): string =>
  textOf(rewriter.toUpstream(shape, toBytes(body)))

export const downText = (rewriter: Rewriter, shape: KindShape, body: string): string =>
  textOf(rewriter.toTenant(shape, toBytes(body)))

/** Fails unless two texts are the same. */
export const same = (what: string, actual: string, expected: string): void => {
  if (actual !== expected) throw new Broken(`${what}\n  is     ${actual}\n  not    ${expected}`)
}

/** Fails unless two values say the same. */
export const sameValue = (what: string, actual: JsonObject, expected: JsonObject): void => {
  if (!sameJson(actual, expected)) {
    throw new Broken(`${what}\n  is     ${JSON.stringify(actual)}\n  not    ${JSON.stringify(expected)}`)
  }
}

export const parse = (text: string): JsonObject => JSON.parse(text) as JsonObject

/** A text, where a value is one. */
export const wordOf = (value: Json | undefined): string => (typeof value === "string" ? value : "")

/** Fails unless something holds. */
export const holds = (what: string, held: boolean): void => {
  if (!held) throw new Broken(what)
}
