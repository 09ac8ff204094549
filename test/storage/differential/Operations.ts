// What a sequence is made of: operations as plain data, with revisions and leases named relatively, so that a sequence
// means the same after shrinking.
// Owns the shapes and how names become numbers; refuses to generate (Generators.ts) or to send (Driver.ts).
import type { Fields, MethodName } from "../GrpcDriver.ts"

/** A number that is known when the sequence runs. */
export type Named =
  | { readonly named: "revision"; readonly delta: number }
  | { readonly named: "compacted"; readonly delta: number }
  | { readonly named: "fill"; readonly byte: number; readonly size: number }

export type Operation =
  /** A unary call. */
  | { readonly kind: "call"; readonly method: MethodName; readonly request: Fields }
  /** A call whose answers are a stream. */
  | { readonly kind: "stream"; readonly method: MethodName; readonly requests: ReadonlyArray<Fields> }
  /** Writes sent to ours at once, in one batch, and to etcd one after the other: the answers are the same. */
  | {
      readonly kind: "burst"
      readonly writes: ReadonlyArray<{ readonly method: MethodName; readonly request: Fields }>
    }
  /** A request on a watch stream, which is opened by its first request. */
  | { readonly kind: "watch"; readonly stream: number; readonly request: Fields }
  /** Ends our half of a watch stream, or the stream. */
  | { readonly kind: "endWatch"; readonly stream: number; readonly how: "half" | "cancel" }
  /** Grants a lease of the shortest time, attaches a key and waits until it has gone. */
  | { readonly kind: "expire"; readonly id: number; readonly key: Uint8Array }
  /** Grants a lease with an id of the server's choice, or with an odd time to live, and revokes it. */
  | { readonly kind: "passing"; readonly id: number; readonly ttl: number | bigint }

/** What names stand for at one moment. */
export interface Moment {
  readonly revision: number
  readonly compacted: number
}

const isNamed = (value: unknown): value is Named => typeof value === "object" && value !== null && "named" in value

/** Replaces every name in a request by what it stands for. */
export const resolve = (value: unknown, moment: Moment): unknown => {
  if (value instanceof Uint8Array || typeof value !== "object" || value === null) return value
  if (Array.isArray(value)) return value.map((item) => resolve(item, moment))
  if (isNamed(value)) {
    return value.named === "fill" ? Buffer.alloc(value.size, value.byte) : moment[value.named] + value.delta
  }
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, resolve(field, moment)]))
}

/** Bytes as text that shows each of them, long ones shortened. */
export const showBytes = (bytes: Uint8Array): string => {
  const head = Buffer.from(bytes.subarray(0, 40)).toString("latin1")
  const text = JSON.stringify(head).replace(
    /[\u007f-\u00ff]/g,
    (letter) => `\\x${letter.charCodeAt(0).toString(16).padStart(2, "0")}`
  )
  if (bytes.length <= 40) return text
  let sum = 0
  for (const byte of bytes) sum = (sum * 31 + byte) | 0
  return `${text}…${bytes.length}#${(sum >>> 0).toString(16)}`
}

/** An operation on one line. */
export const show = (value: unknown): string => {
  if (value instanceof Uint8Array) return showBytes(value)
  if (typeof value === "bigint") return `${value}n`
  if (Array.isArray(value)) return `[${value.map(show).join(", ")}]`
  if (isNamed(value)) {
    return value.named === "fill" ? `fill(${value.size})` : `${value.named}${value.delta < 0 ? "" : "+"}${value.delta}`
  }
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "undefined"
  const fields = Object.entries(value).filter(([, field]) => field !== undefined)
  return `{${fields.map(([name, field]) => `${name}: ${show(field)}`).join(", ")}}`
}
