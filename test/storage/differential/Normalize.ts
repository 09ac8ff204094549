// Answers as data that compares with ===: bytes as text, headers by what must agree.
// Owns that form only; what may differ and why is Accepted.ts.
import { isDeepStrictEqual } from "node:util"
import { showBytes } from "./Operations.ts"

/** Turns bytes into text, deep, and drops fields that are absent. */
export const normalize = (value: unknown): unknown => {
  if (value instanceof Uint8Array) return showBytes(value)
  if (Array.isArray(value)) return value.map(normalize)
  if (typeof value !== "object" || value === null) return value
  const fields = Object.entries(value).filter(([, field]) => field !== undefined)
  return Object.fromEntries(fields.map(([name, field]) => [name, normalize(field)]))
}

export const same = (a: unknown, b: unknown): boolean => isDeepStrictEqual(a, b)

/** Which cluster answers, and in which term: a node on a shared engine has its own. */
const ownFields = new Set(["clusterId", "raftTerm"])
/** Of several nodes each is a member of its own, and another may lead. */
const ownFieldsOfSeveral = new Set([...ownFields, "memberId", "leader"])

/** A normal form without what a node on a shared engine says of itself in its own way. */
export const withoutCluster = (value: unknown, nodes: number): unknown => {
  if (Array.isArray(value)) return value.map((inner) => withoutCluster(inner, nodes))
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value
  const own = nodes > 1 ? ownFieldsOfSeveral : ownFields
  // As in etcd, a follower says of a watch's beginning and progress what it has been told itself, which may be less than is there.
  const isOfWatch = nodes > 1 && "created" in value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => !own.has(name) && !(isOfWatch && name === "revision"))
      .map(([name, inner]) => [name, withoutCluster(inner, nodes)])
  )
}
