// The rewriting of one tenant's bodies: requests up to the shared cluster, answers down to the tenant.
// Owns which rules a body gets and what its failures are; the walk does the work, the table says what it is.
// It keeps no body and no state between calls, so one serves all of a tenant's requests.
import { SelectorRewriting } from "../names/Selectors.ts"
import { textDown } from "../names/FreeText.ts"
import type { KindShape, TenantView } from "../names/TenantView.ts"
import { Translation } from "../names/Translation.ts"
import { fullResource, rulesOf } from "../rules/CompiledRules.ts"
import { ownNamespaceNode } from "../rules/Metadata.ts"
import { answerRules } from "./Answers.ts"
import { AnswerStream } from "./AnswerStream.ts"
import { afterGap, bytesOf, Output, textOf, Truncated } from "./Bytes.ts"
import {
  type AnswerOptions,
  BodyInvalid,
  type Owner,
  type PatchForm,
  Refused,
  type RewriteStream,
  type Rewriting,
  WholeNeeded
} from "./Contract.ts"
import { checkCreation } from "./Creation.ts"
import { EventStream } from "./EventStream.ts"
import { fieldPath } from "./FieldPath.ts"
import { JsonPatchRewriting } from "./JsonPatchRewriting.ts"
import { ownerOf } from "./Ownership.ts"
import { RuleNode } from "./RuleNode.ts"
import { fates, Malformed, NeedsWhole, RuleRefused, Walk, type WalkMode } from "./Walk.ts"
import { yamlToJson } from "./YamlBody.ts"

const withheld = (shape: KindShape): Refused =>
  new Refused(
    "kind",
    `${shape.kind} of ${shape.group === "" ? "the core group" : shape.group} is not served to tenants`
  )

const noAnswer = (shape: KindShape): BodyInvalid =>
  new BodyInvalid(`no rules for ${shape.kind} of ${shape.group === "" ? "the core group" : shape.group}`)

/** Only meta's own group has Tables; a tenant's kind may be called the same. */
const tableStart =
  /^\s*\{\s*(?:"kind":\s*"Table",\s*"apiVersion":\s*"meta\.k8s\.io\/|"apiVersion":\s*"meta\.k8s\.io\/[^"]*",\s*"kind":\s*"Table")/

const isTable = (body: Uint8Array): boolean => tableStart.test(textOf(body.subarray(0, 128)))

export class Rewriter implements Rewriting {
  readonly names: Translation
  readonly #selectors: SelectorRewriting
  #out = new Output()

  constructor(view: TenantView) {
    this.names = new Translation(view)
    this.#selectors = new SelectorRewriting(this.names)
  }

  readonly toUpstream = (
    shape: KindShape,
    body: Uint8Array,
    options?: { readonly creating?: boolean }
  ): Uint8Array | Refused | BodyInvalid => {
    const rules = rulesOf(this.names, shape)
    if (rules === undefined) return withheld(shape)
    const refused = options?.creating === true ? checkCreation(this.names, shape, body) : undefined
    if (refused !== undefined) return refused
    const result = this.walk(rules, body, { direction: "up", patch: false, add: true })
    // SAFETY: only patches need the whole, and only answers are hidden.
    return result as Uint8Array | Refused | BodyInvalid
  }

  readonly toTenant = (
    shape: KindShape,
    body: Uint8Array,
    options?: AnswerOptions
  ): Uint8Array | undefined | BodyInvalid => {
    const rules = answerRules(this.names, shape, options)
    if (rules === undefined) return noAnswer(shape)
    if (options?.collection === true || isTable(body)) {
      const stream = new AnswerStream(this.names, shape, rules, kept(options))
      const first = stream.push(body)
      const last = first instanceof BodyInvalid ? first : stream.end()
      return first instanceof BodyInvalid || last instanceof BodyInvalid ? last : joined(first, last)
    }
    return this.#down(rules.object, body, options)
  }

  #down(rules: RuleNode, body: Uint8Array, options?: AnswerOptions): Uint8Array | undefined | BodyInvalid {
    const result = this.walk(rules, body, { direction: "down", patch: false, add: false, keep: kept(options) })
    // SAFETY: nothing is refused on the way down.
    return result as Uint8Array | undefined | BodyInvalid
  }

  readonly answerToTenant = (shape: KindShape, options?: AnswerOptions): RewriteStream => {
    const rules = answerRules(this.names, shape, options)
    if (rules === undefined) return failedStream(noAnswer(shape))
    if (options?.collection === true) return new AnswerStream(this.names, shape, rules, kept(options))
    return new WholeAnswer((body) => this.toTenant(shape, body, options) ?? bytesOf("{}"))
  }

  readonly watchToTenant = (shape: KindShape, options?: AnswerOptions): RewriteStream => {
    const rules = answerRules(this.names, shape, options)
    return rules === undefined
      ? failedStream(noAnswer(shape))
      : new EventStream(this.names, shape, rules, kept(options))
  }

  readonly eventToTenant = (
    shape: KindShape,
    event: Uint8Array,
    options?: AnswerOptions
  ): Uint8Array | undefined | BodyInvalid => {
    const rules = answerRules(this.names, shape, options)
    if (rules === undefined) return noAnswer(shape)
    return this.#down(new RuleNode().field("object", rules.object), event, options)
  }

  readonly patchToUpstream = (
    shape: KindShape,
    form: PatchForm,
    body: Uint8Array
  ): { readonly body: Uint8Array; readonly form: PatchForm } | WholeNeeded | Refused | BodyInvalid => {
    const rules = rulesOf(this.names, shape)
    if (rules === undefined) return withheld(shape)
    if (form === "application/json-patch+json") {
      const patched = new JsonPatchRewriting(this, rules).rewrite(body)
      return patched instanceof Uint8Array ? { body: patched, form } : patched
    }
    const apply = form.startsWith("application/apply-patch")
    const json = form === "application/apply-patch+yaml" ? yamlToJson(body) : body
    if (json instanceof BodyInvalid) return json
    const result = this.walk(rules, json, { direction: "up", patch: !apply, add: apply })
    if (result === undefined) return new BodyInvalid("the patch is empty")
    return result instanceof Uint8Array ? { body: result, form } : result
  }

  readonly labelSelectorToUpstream = (shape: KindShape, selector: string): string | Refused =>
    this.#selectors.label(shape, selector)

  readonly fieldSelectorToUpstream = (shape: KindShape, selector: string): string | Refused =>
    this.#selectors.field(shape, selector)

  readonly ownerOf = (shape: KindShape, object: Uint8Array): Owner | BodyInvalid => ownerOf(shape, object)

  readonly textToTenant = (text: string): string => textDown(this.names.view, text)

  /** Walks one whole value under rules; undefined when it is not the tenant's to see. */
  walk(
    rules: RuleNode,
    body: Uint8Array,
    mode: WalkMode
  ): Uint8Array | undefined | Refused | BodyInvalid | WholeNeeded {
    if (this.#out.room > OUTPUT_KEPT_MAX) this.#out = new Output()
    const out = this.#out
    out.length = 0
    const walk = new Walk(this.names, mode, out)
    const bytes = ended(body)
    walk.over(bytes, 0, bytes.length)
    try {
      const stop = walk.value(rules, afterGap(bytes, 0, bytes.length))
      if (walk.fate !== fates.kept) return undefined
      for (let at = stop; at < bytes.length; at++) {
        if (bytes[at] > 32) return new BodyInvalid("more follows the object")
      }
      walk.flush(body.length)
      return out.take()
    } catch (error) {
      if (error instanceof RuleRefused) return new Refused(fieldPath(bytes, error.at), error.message)
      if (error instanceof NeedsWhole) return new WholeNeeded(error.message)
      if (error === Truncated) return new BodyInvalid("the body ends inside a value")
      if (error instanceof Malformed) return new BodyInvalid(error.message)
      throw error
    }
  }

  /** The resource as the rules call it, like "roles.rbac.authorization.k8s.io". */
  static resource(shape: KindShape): string {
    return fullResource(shape)
  }
}

/** The output's room that is kept from one body to the next. */
const OUTPUT_KEPT_MAX = 1 << 20

/** The body with a gap behind it where it ends with a number or word, so that its end can be seen. */
const ended = (body: Uint8Array): Uint8Array => {
  const last = body.at(-1) ?? 0
  if (last === 125 || last === 93 || last === 34) return body
  const bytes = new Uint8Array(body.length + 1)
  bytes.set(body)
  bytes[body.length] = 10
  return bytes
}

const kept = (options: AnswerOptions | undefined): RuleNode | undefined =>
  options?.namespaceAsUpstream === true ? ownNamespaceNode : undefined

const joined = (first: Uint8Array, last: Uint8Array): Uint8Array => {
  if (last.length === 0) return first
  const whole = new Uint8Array(first.length + last.length)
  whole.set(first)
  whole.set(last, first.length)
  return whole
}

const failedStream = (error: BodyInvalid): RewriteStream => ({ push: () => error, end: () => error })

/** An answer that is one object: nothing of it is said before all of it is there. */
class WholeAnswer implements RewriteStream {
  readonly #out = new Output(1 << 12)
  readonly #translate: (body: Uint8Array) => Uint8Array | BodyInvalid

  constructor(translate: (body: Uint8Array) => Uint8Array | BodyInvalid) {
    this.#translate = translate
  }

  readonly push = (chunk: Uint8Array): Uint8Array | BodyInvalid => {
    if (this.#out.length + chunk.length > OBJECT_BYTES_MAX) {
      return new BodyInvalid(`the object is longer than ${OBJECT_BYTES_MAX} bytes`)
    }
    this.#out.add(chunk)
    return new Uint8Array(0)
  }

  readonly end = (): Uint8Array | BodyInvalid => this.#translate(this.#out.take())
}

/** The largest answer that is one object, or a Table of one. */
const OBJECT_BYTES_MAX = 64 << 20
