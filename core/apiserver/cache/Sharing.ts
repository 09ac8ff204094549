// Structure shared between objects that say the same in parts: a pod and the pods of the same ReplicaSet, an object and its next
// version. 300,000 pods of 100 templates then hold 100 specs, not 300,000.
// Owns the walk; refuses to choose the donor. Values are never changed in place, so sharing is not seen.
import type { Json } from "#kube"

type Value = Json | undefined

/** The donor's value where both say the same, else the value with the donor's parts wherever they say the same. */
export const share = <A>(value: A, donor: unknown): A => shared(value as Value, donor as Value) as A

const shared = (value: Value, donor: Value): Value => {
  if (value === donor) return donor
  if (typeof value !== "object" || typeof donor !== "object" || value === null || donor === null) return value
  if (Array.isArray(value)) return Array.isArray(donor) ? sharedArray(value, donor) : value
  if (Array.isArray(donor)) return value
  return sharedFields(value as Record<string, Value>, donor as Record<string, Value>)
}

const sharedArray = (value: Array<Value>, donor: ReadonlyArray<Value>): Value => {
  let made: Array<Value> | undefined
  let equal = value.length === donor.length
  for (let at = 0; at < value.length; at++) {
    const item = value[at]
    if (at >= donor.length) {
      equal = false
      break
    }
    const taken = shared(item, donor[at])
    if (taken !== donor[at]) equal = false
    if (taken !== item) (made ??= value.slice())[at] = taken
  }
  return (equal ? donor : (made ?? value)) as Value
}

const sharedFields = (value: Record<string, Value>, donor: Record<string, Value>): Value => {
  let made: Record<string, Value> | undefined
  let equal = true
  let fields = 0
  for (const name in value) {
    const item = value[name]
    if (item === undefined) continue
    fields++
    const given = donor[name]
    if (given === undefined) {
      equal = false
      continue
    }
    const taken = shared(item, given)
    if (taken !== given) equal = false
    if (taken !== item) (made ??= { ...value })[name] = taken
  }
  if (equal) for (const name in donor) if (donor[name] !== undefined) fields--
  return equal && fields === 0 ? donor : (made ?? value)
}
