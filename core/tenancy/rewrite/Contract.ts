// What the server asks of the rewriting, and the ways in which it refuses.
// Owns the shapes of requests, answers and errors; the work is Rewriter's.
import type { KindShape } from "../names/TenantView.ts"

/** A request that names what no tenant may name, with the field and the rule: becomes a 403 or 422 of the server. */
export class Refused extends Error {
  readonly _tag = "Refused"
  override readonly name = "Refused"
  /** Where in the object, like "spec.rules[0].apiGroups". */
  readonly field: string
  readonly rule: string

  constructor(field: string, rule: string) {
    super(`${field}: ${rule}`)
    this.field = field
    this.rule = rule
  }
}

/** A body that is no JSON or YAML of the announced form, or holds one object above the bound. */
export class BodyInvalid extends Error {
  readonly _tag = "BodyInvalid"
  override readonly name = "BodyInvalid"
}

/**
 * A patch that cannot be translated by itself, because it reaches into what the translation adds or needs to know: the server
 * gets the object, patches it in the tenant's view, and writes it back under its resource version.
 */
export class WholeNeeded {
  readonly _tag = "WholeNeeded"
  readonly reason: string

  constructor(reason: string) {
    this.reason = reason
  }
}

/** The bytes of a translated stream, piece by piece; both may answer an empty array. */
export interface RewriteStream {
  readonly push: (chunk: Uint8Array) => Uint8Array | BodyInvalid
  /** Whatever is left; an error when the stream ended inside a value. */
  readonly end: () => Uint8Array | BodyInvalid
}

/** What else an answer's translation may be told. */
export interface AnswerOptions {
  /** The namespace as the request spelled it, when that was upstream's spelling: the answer's own metadata.namespace keeps it. */
  readonly namespaceAsUpstream?: boolean
  /** The request was a list: only then are `items` the answer's items, and not a custom resource's own field. */
  readonly collection?: boolean
  /** Everything that upstream would still list is the tenant's, so that how much it is may be told. */
  readonly countsOwn?: boolean
  /** Instead of upstream's `metadata.continue` of a list, which is left out when there is none; upstream's never passes. */
  readonly continueToken?: (upstream: string) => string
}

/** Whose an upstream object is: a tenant's by its prefix, everybody's, or nobody's that may be told. */
export type Owner =
  | { readonly of: "tenant"; readonly id: string }
  | { readonly of: "all"; readonly resource: string; readonly name: string }
  | { readonly of: "platform" }

/** The content types of patches. */
export type PatchForm =
  | "application/json-patch+json"
  | "application/merge-patch+json"
  | "application/strategic-merge-patch+json"
  | "application/apply-patch+yaml"
  | "application/apply-patch+json"

/** The rewriting of one tenant's bodies: between its view and the shared cluster. Bodies are JSON in UTF-8 unless said otherwise. */
export interface Rewriting {
  /**
   * A request's body: an object of the kind, DeleteOptions, or a subresource's own kind; which it is, its apiVersion and kind say.
   * `creating` refuses names that are kept back.
   */
  readonly toUpstream: (
    shape: KindShape,
    body: Uint8Array,
    options?: { readonly creating?: boolean }
  ) => Uint8Array | Refused | BodyInvalid
  /** A whole answer: an object, list, Table, PartialObjectMetadata or Status; undefined when the object is not the tenant's to see. */
  readonly toTenant: (
    shape: KindShape,
    body: Uint8Array,
    options?: AnswerOptions
  ) => Uint8Array | undefined | BodyInvalid
  /** The same for an answer in pieces of any size; holds at most one item. */
  readonly answerToTenant: (shape: KindShape, options?: AnswerOptions) => RewriteStream
  /** A watch's body in pieces: foreign events are left out, bookmarks and errors translated. */
  readonly watchToTenant: (shape: KindShape, options?: AnswerOptions) => RewriteStream
  /** One event of a watch; undefined when it is not the tenant's. */
  readonly eventToTenant: (
    shape: KindShape,
    event: Uint8Array,
    options?: AnswerOptions
  ) => Uint8Array | undefined | BodyInvalid
  readonly patchToUpstream: (
    shape: KindShape,
    form: PatchForm,
    body: Uint8Array
  ) => { readonly body: Uint8Array; readonly form: PatchForm } | WholeNeeded | Refused | BodyInvalid
  /** The value of ?labelSelector=, decoded. */
  readonly labelSelectorToUpstream: (shape: KindShape, selector: string) => string | Refused
  /** The value of ?fieldSelector=, decoded. */
  readonly fieldSelectorToUpstream: (shape: KindShape, selector: string) => string | Refused
  /** Whose an upstream object of the kind is, from its bytes. */
  readonly ownerOf: (shape: KindShape, object: Uint8Array) => Owner | BodyInvalid
  /** Free text: a message or a Warning header. */
  readonly textToTenant: (text: string) => string
}
