// Events as the frames of a watch: `{"type":…,"object":…}` and a line feed.
// Owns encoding an event once for all who watch it plainly; refuses to send, and to know who watches.
import type { ApiFailure, KubeObject } from "#kube"
import type { Definition } from "../Definition.ts"
import type { HeldEvent } from "../Request.ts"
import type { Wanted } from "./Negotiation.ts"
import { bookmarkTable, partialMetadata, type TableForm, tableOf } from "./Tables.ts"

/** Turns an event into the bytes of its frame. */
export type Framer = (event: HeldEvent) => Uint8Array

/** Frames live as long as their events: those are dropped by the watch cache and by the last watcher that sent them. */
const plainFrames = new WeakMap<HeldEvent, Uint8Array>()

const heads: Readonly<Record<HeldEvent["type"], Buffer>> = {
  ADDED: Buffer.from(`{"type":"ADDED","object":`),
  MODIFIED: Buffer.from(`{"type":"MODIFIED","object":`),
  DELETED: Buffer.from(`{"type":"DELETED","object":`),
  BOOKMARK: Buffer.from(`{"type":"BOOKMARK","object":`)
}

const tail = Buffer.from("}\n")

/** The frame of the object as it is held, shared among watchers. */
export const plainFrame: Framer = (event) => {
  const known = plainFrames.get(event)
  if (known !== undefined) return known
  const head = heads[event.type]
  const bytes = event.held.encoded()
  const frame = Buffer.allocUnsafeSlow(head.length + bytes.length + tail.length)
  frame.set(head, 0)
  frame.set(bytes, head.length)
  frame.set(tail, head.length + bytes.length)
  plainFrames.set(event, frame)
  return frame
}

const frameOf = (type: string, object: unknown): Uint8Array =>
  Buffer.from(`${JSON.stringify({ type, object })}\n`, "utf8")

/** The last frame of a watch that failed. */
export const errorFrame = (failure: ApiFailure): Uint8Array => frameOf("ERROR", failure.status)

const withName = ({ metadata }: KubeObject): boolean => metadata.name !== undefined && metadata.name !== ""

/** How the frames of one watch are made: Tables name their columns in the first one only. */
export const framerOf = (definition: Definition, wanted: Wanted, form: () => TableForm): Framer => {
  const { transform } = wanted
  if (transform === undefined) return plainFrame
  const apiVersion = `meta.k8s.io/${wanted.transformVersion}`
  if (transform !== "Table") return ({ held, type }) => frameOf(type, partialMetadata(held.object, apiVersion))
  let columnsSent = false
  return ({ held: { object }, type }) => {
    if (type === "BOOKMARK" && !withName(object)) return frameOf(type, bookmarkTable(definition, object, form()))
    const metadata = { resourceVersion: object.metadata.resourceVersion ?? "" }
    const table = tableOf(definition, [object], metadata, form(), !columnsSent)
    columnsSent = true
    return frameOf(type, table)
  }
}
