// Members' statuses as numbers: sums, and how far the members have seen the source.
// Owns the arithmetic that all kinds share; refuses conditions, which Conditions.ts merges.
import { fieldsOf, type Fields, numberIn, numberOf, textOf } from "#apiserver"
import type { JsonObject } from "#kube"
import type { AggregationInput, MemberState } from "./TypeSemantics.ts"

/** The members that are known to have the object, by cluster: the order that everything else is computed in. */
export const known = (members: ReadonlyArray<MemberState>): ReadonlyArray<MemberState> =>
  members
    .filter(({ object }) => object !== undefined)
    .sort((a, b) => (a.cluster < b.cluster ? -1 : a.cluster > b.cluster ? 1 : 0))

export const statusOf = (member: MemberState): Fields => fieldsOf(member.object?.["status"])

export const specOf = (member: MemberState): Fields => fieldsOf(member.object?.["spec"])

/** The sums of these fields of the members' statuses; a field that no member has stays absent. */
export const summed = (members: ReadonlyArray<MemberState>, names: ReadonlyArray<string>): JsonObject => {
  const sums: Record<string, number> = {}
  for (const member of members) {
    const status = statusOf(member)
    for (const name of names) {
      const value = numberIn(status[name])
      if (value !== undefined) sums[name] = (sums[name] ?? 0) + value
    }
  }
  return sums
}

/** The value that all members which have one agree on. */
export const agreed = (members: ReadonlyArray<MemberState>, name: string): JsonObject => {
  const values = new Set(members.map((member) => JSON.stringify(statusOf(member)[name])).filter((v) => v !== undefined))
  const [only] = values
  return values.size === 1 && only !== undefined ? { [name]: JSON.parse(only) } : {}
}

/** The earliest or latest of the members' times in a field. */
export const time = (
  members: ReadonlyArray<MemberState>,
  name: string,
  which: "first" | "last"
): string | undefined => {
  let found: string | undefined
  for (const member of members) {
    const value = textOf(statusOf(member)[name])
    if (value === "") continue
    if (found === undefined || (which === "first" ? value < found : value > found)) found = value
  }
  return found
}

/** Whether a member's own controller has seen what the member was last told. */
export const hasObserved = (member: MemberState): boolean => {
  const generation = numberOf(fieldsOf(member.object?.["metadata"])["generation"])
  const observed = numberIn(statusOf(member)["observedGeneration"])
  return observed !== undefined && observed >= generation
}

/** Whether every cluster has the source as it is now and its controller has seen it. */
export const isSettled = ({ members, source }: AggregationInput): boolean => {
  const generation = source.metadata.generation ?? 0
  return (
    members.length > 0 &&
    members.every((member) => (member.sourceGeneration ?? -1) >= generation && hasObserved(member))
  )
}

/** The source's generation where all have seen it; before that an older one, never one ahead of the truth. */
export const observedGeneration = (input: AggregationInput): JsonObject => {
  const generation = input.source.metadata.generation ?? 0
  if (isSettled(input)) return { observedGeneration: generation }
  const before = numberOf(fieldsOf(input.source.status)["observedGeneration"])
  const older = Math.min(before, generation - 1)
  return older > 0 ? { observedGeneration: older } : {}
}

/** A field, or none where there is nothing to say. */
export const given = (name: string, value: string | number | undefined): JsonObject =>
  value === undefined ? {} : { [name]: value }

/** A list, or no field where it is empty. */
export const listed = (name: string, items: ReadonlyArray<JsonObject>): JsonObject =>
  items.length === 0 ? {} : { [name]: items }
