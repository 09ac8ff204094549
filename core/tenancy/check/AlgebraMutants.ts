// Planted mistakes in the prefix algebra and in what surrounds it, many of them the original's own.
// Owns these; mistakes in rules are Mutants.ts's.
import type { RewriteStream } from "../rewrite/Contract.ts"
import type { Rewriter } from "../rewrite/Rewriter.ts"
import { cast } from "./Book.ts"
import type { Mutant } from "./Mutants.ts"
import { toBytes, toText } from "./View.ts"

/** Puts other methods over an object's own. */
const over = <A extends object>(object: A, methods: Partial<A>): (() => void) => {
  const before = Object.entries(Object.getOwnPropertyDescriptors(object)).filter(([key]) => key in methods)
  Object.assign(object, methods)
  return () => {
    for (const key of Object.keys(methods)) Reflect.deleteProperty(object, key)
    for (const [key, descriptor] of before) Object.defineProperty(object, key, descriptor)
  }
}

const { tenant } = cast
const prefix = `${tenant}-`
const trimmed = (text: string): string => (text.startsWith(prefix) ? text.slice(prefix.length) : text)

/** A watch that passes some lines as they came. */
const rawLines = (rewriter: Rewriter, raw: RegExp): Partial<Rewriter> => {
  const { watchToTenant } = rewriter
  return {
    watchToTenant: (shape, options): RewriteStream => {
      let line = ""
      const inner = watchToTenant(shape, options)
      return {
        push: (chunk) => {
          line += toText(chunk)
          const lines = line.split("\n")
          line = lines.pop() ?? ""
          const told = lines.map((one) => (raw.test(one) ? toBytes(`${one}\n`) : inner.push(toBytes(`${one}\n`))))
          return toBytes(told.map((piece) => (piece instanceof Uint8Array ? toText(piece) : "")).join(""))
        },
        end: inner.end
      }
    }
  }
}

const named = (name: string, methods: (rewriter: Rewriter) => Partial<Rewriter>): Mutant => ({
  name,
  plant: (rewriter) => over(rewriter, methods(rewriter))
})

const algebra = (name: string, methods: (rewriter: Rewriter) => Partial<Rewriter["names"]>): Mutant => ({
  name,
  plant: (rewriter) => over(rewriter.names, methods(rewriter))
})

const surroundings = (name: string, methods: (rewriter: Rewriter) => Partial<Rewriter["names"]["view"]>): Mutant => ({
  name,
  plant: (rewriter) => over(rewriter.names.view, methods(rewriter))
})

/** The mistakes. */
export const algebraMutants: ReadonlyArray<Mutant> = [
  algebra("namespace-without-separator", () => ({ namespaceUp: (name) => tenant + name })),
  algebra("namespace-owned-by-id-alone", () => ({
    namespaceDown: (name) => (name.startsWith(tenant) ? name.slice(prefix.length) : undefined)
  })),
  algebra("namespace-trim-never-fails", () => ({ namespaceDown: trimmed })),
  algebra("namespace-prefixed-twice", () => ({ namespaceUp: (name) => (name === "" ? name : prefix + name) })),
  algebra("namespace-of-alias-free", () => ({ reserved: () => false })),
  algebra("name-trim-never-fails", () => ({ nameDown: (_resource, name) => trimmed(name) })),
  algebra("name-unprefixed-when-it-looks-prefixed", ({ names }) => {
    const up = names.nameUp.bind(names)
    return { nameUp: (resource, name) => (name.startsWith(prefix) ? name : up(resource, name)) }
  }),
  algebra("classes-verbatim", ({ names }) => {
    const up = names.nameUp.bind(names)
    return { nameUp: (resource, name) => (resource.startsWith("storageclasses") ? name : up(resource, name)) }
  }),
  algebra("group-only-once-defined", ({ names }) => ({
    groupUp: (group) => (names.view.custom(group, "widgets") === undefined ? group : prefix + group)
  })),
  algebra("group-trim-never-fails", () => ({ groupDown: trimmed })),
  algebra("versions-verbatim", () => ({ apiVersionUp: (text) => text })),
  algebra("accounts-as-users", () => ({ userUp: (user) => (user === "" ? user : prefix + user) })),
  algebra("groups-of-everyone-verbatim", ({ names }) => {
    const up = names.userGroupUp.bind(names)
    return { userGroupUp: (group) => (/^system:(?!serviceaccounts:)/.test(group) ? group : up(group)) }
  }),
  algebra("users-of-others-shown", () => ({ userDown: (user) => trimmed(user) })),
  surroundings("others-in-sentences", () => ({ isTenant: () => false })),
  surroundings("everything-published", () => ({ published: () => true })),
  named("bookmark-raw", (rewriter) => rawLines(rewriter, /"type":"BOOKMARK"/)),
  named("error-event-raw", (rewriter) => rawLines(rewriter, /"type":"ERROR"/)),
  named("cursor-raw", ({ toTenant }) => ({
    toTenant: (shape, body, options) => toTenant(shape, body, { ...options, continueToken: (token) => token })
  })),
  named("field-selector-verbatim", () => ({ fieldSelectorToUpstream: (_shape, selector) => selector })),
  named("label-selector-verbatim", () => ({ labelSelectorToUpstream: (_shape, selector) => selector })),
  named("numbers-parsed", ({ toUpstream }) => ({
    toUpstream: (shape, body, options) => toUpstream(shape, toBytes(JSON.stringify(JSON.parse(toText(body)))), options)
  })),
  named("every-prefix-in-text", ({ textToTenant }) => ({
    textToTenant: (text) => textToTenant(text).replaceAll(prefix, "")
  })),
  named("creation-unchecked", ({ toUpstream }) => ({ toUpstream: (shape, body) => toUpstream(shape, body) })),
  named("patches-verbatim", () => ({ patchToUpstream: (_shape, form, body) => ({ body, form }) })),
  named("items-unfiltered", ({ toTenant }) => ({
    toTenant: (shape, body, options) => (options?.collection === true ? body : (toTenant(shape, body, options) ?? body))
  })),
  named("status-raw", ({ toTenant }) => ({
    toTenant: (shape, body, options) =>
      toText(body).includes('"kind":"Status"') ? body : toTenant(shape, body, options)
  }))
]
