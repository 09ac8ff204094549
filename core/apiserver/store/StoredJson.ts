// How objects lie in the store: JSON in the stored version without resourceVersion, as a kube-apiserver with JSON storage reads it.
// Owns the layout: kind, apiVersion and metadata come first, so that a served text is the stored bytes with another head.
// Refuses to choose versions; whatever does not have this layout (others may write too) is decoded and encoded anew.
import { apiVersionOf, type GroupVersion, isJsonObject, type JsonObject, type KubeObject, type ObjectMeta } from "#kube"

/** How the objects of one resource begin, in the store and in the version that is served. */
export interface TextLayout {
  readonly kind: string
  readonly apiVersion: string
  /** The head of stored texts, up to metadata's first field. */
  readonly storedHead: Buffer
  /** The head of served texts, up to the revision's digits. */
  readonly servedHead: Buffer
}

const headOf = (kind: string, apiVersion: string): string =>
  `{"kind":${JSON.stringify(kind)},"apiVersion":${JSON.stringify(apiVersion)},"metadata":{`

/** The layout of a kind that is stored in one version and served in another (or the same). */
export const textLayout = (kind: string, stored: GroupVersion, served: GroupVersion): TextLayout => ({
  kind,
  apiVersion: apiVersionOf(served),
  storedHead: Buffer.from(headOf(kind, apiVersionOf(stored))),
  servedHead: Buffer.from(`${headOf(kind, apiVersionOf(served))}"resourceVersion":"`)
})

/** The text that is stored: the object must come from `ordered` and have no resourceVersion yet. */
export const storedText = (object: KubeObject): string => JSON.stringify(object)

/** An object with the fields in the order of the layout; fresh at the top and in metadata. */
export const ordered = <Field>(
  kind: string,
  apiVersion: string,
  object: { readonly metadata?: ObjectMeta; readonly [field: string]: Field | ObjectMeta | undefined }
): KubeObject => {
  const made: Record<string, unknown> = {
    kind,
    apiVersion,
    metadata: { resourceVersion: undefined, ...object.metadata }
  }
  for (const field in object) if (!(field in made)) made[field] = object[field]
  return made as unknown as KubeObject
}

/** Whether bytes begin as the layout says, so that `served` may splice them. */
export const hasLayout = ({ storedHead }: TextLayout, bytes: Uint8Array): boolean =>
  bytes.length > storedHead.length &&
  Buffer.compare(bytes.subarray(0, storedHead.length), storedHead) === 0 &&
  // Something else follows: the splice ends with a comma.
  bytes[storedHead.length] === QUOTE

const QUOTE = 0x22
const AFTER_REVISION = Buffer.from('",')

/** The served text of stored bytes that have the layout. */
export const served = ({ servedHead, storedHead }: TextLayout, bytes: Uint8Array, revision: number): Uint8Array => {
  const digits = String(revision)
  const rest = bytes.length - storedHead.length
  const text = Buffer.allocUnsafeSlow(servedHead.length + digits.length + AFTER_REVISION.length + rest)
  text.set(servedHead)
  let at = servedHead.length
  at += text.write(digits, at, "latin1")
  text.set(AFTER_REVISION, at)
  text.set(bytes.subarray(storedHead.length), at + AFTER_REVISION.length)
  return text
}

/** The object that stored bytes say, with its resourceVersion; undefined when they are no object with metadata. */
export const decodeStored = (bytes: Uint8Array, revision: number): KubeObject | undefined => {
  const value = parse(bytes)
  if (!isJsonObject(value) || !isJsonObject(value["metadata"])) return undefined
  const object = value as unknown as KubeObject
  const made = ordered(object.kind, object.apiVersion, object) as { metadata: { resourceVersion?: string } }
  made.metadata.resourceVersion = String(revision)
  return made as unknown as KubeObject
}

const parse = (bytes: Uint8Array): JsonObject | undefined => {
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString()) as JsonObject
  } catch {
    // Not JSON: protobuf that a kube-apiserver wrote, or damage; the caller says which key it was.
    return undefined
  }
}
