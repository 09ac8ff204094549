// A list as bytes: a head, the encoded items joined by commas, and a tail, without looking into an item.
// Owns the layout and the size of chunks; refuses to send them.
import type { ApiAnswer, HeldObject } from "../Request.ts"

export type ListAnswer = Extract<ApiAnswer, { readonly kind: "list" }>

/** Bytes gathered into one write. */
const CHUNK_BYTES = 262_144

/** The ListMeta of an answer. */
export const listMeta = (answer: ListAnswer): Record<string, unknown> => ({
  resourceVersion: answer.resourceVersion,
  ...(answer.continue === undefined || answer.continue === "" ? {} : { continue: answer.continue }),
  ...(answer.remainingItemCount === undefined ? {} : { remainingItemCount: answer.remainingItemCount })
})

/** The apiVersion of a definition's objects. */
export const versionOf = ({ definition: { group, version } }: ListAnswer): string =>
  group === "" ? version : `${group}/${version}`

/** Everything up to the first item. */
const headOf = (answer: ListAnswer): string =>
  `{"kind":${JSON.stringify(answer.definition.listKind)},"apiVersion":${JSON.stringify(versionOf(answer))},` +
  `"metadata":${JSON.stringify(listMeta(answer))},"items":[`

const tail = Buffer.from("]}\n")
const COMMA = 0x2c

/** The bytes of the whole list. */
export const listSize = (answer: ListAnswer): number => {
  let size = Buffer.byteLength(headOf(answer)) + tail.length + Math.max(0, answer.items.length - 1)
  for (const item of answer.items) size += item.encoded().length
  return size
}

/** The list in chunks of at least a quarter of a MiB, each of fresh memory; the last one is shorter. */
export function* listChunks(answer: ListAnswer, size: number): Generator<Uint8Array> {
  let left = size
  let chunk = Buffer.allocUnsafe(Math.min(left, CHUNK_BYTES))
  let used = chunk.write(headOf(answer))
  let first = true
  for (const item of answer.items) {
    const bytes = item.encoded()
    const needed = bytes.length + (first ? 0 : 1)
    if (used + needed > chunk.length) {
      yield chunk.subarray(0, used)
      left -= used
      chunk = Buffer.allocUnsafe(Math.min(left, Math.max(CHUNK_BYTES, needed)))
      used = 0
    }
    if (!first) chunk[used++] = COMMA
    first = false
    chunk.set(bytes, used)
    used += bytes.length
  }
  if (used + tail.length > chunk.length) {
    yield chunk.subarray(0, used)
    yield tail
    return
  }
  chunk.set(tail, used)
  yield chunk.subarray(0, used + tail.length)
}

/** The objects of an answer. */
export const heldOf = (answer: ApiAnswer): ReadonlyArray<HeldObject> =>
  answer.kind === "list" ? answer.items : [answer.held]
