// Who must still handle a federated object before it is synced: KubeAdmiral's annotation, groups of controllers in order.
// Owns the protocol: a controller acts when it is in the first group or when none is left, removes itself when it is done, and who
// changed the object puts back everyone behind its own group. Refuses to know what any controller does.
import { federationAnnotations } from "../api/FederationNames.ts"

/** Groups in order, none of them empty. */
export type Pending = ReadonlyArray<ReadonlyArray<string>>

const filled = (groups: Pending): Pending => groups.filter((group) => group.length > 0)

/** Reads the annotation; undefined when there is none, or it is none. */
export const pendingOf = (annotations: Readonly<Record<string, string>> | undefined): Pending | undefined => {
  const text = annotations?.[federationAnnotations.pendingControllers]
  if (text === undefined) return undefined
  try {
    const parsed: unknown = JSON.parse(text)
    if (!Array.isArray(parsed)) return undefined
    // SAFETY: filtered to texts.
    return filled(
      parsed.map((group: unknown) =>
        Array.isArray(group) ? group.filter((one): one is string => typeof one === "string") : []
      )
    )
  } catch {
    return undefined
  }
}

/** Writes the annotation. */
export const pendingText = (pending: Pending): string => JSON.stringify(filled(pending))

/** Whether a controller may act now. */
export const mayAct = (pending: Pending, controller: string): boolean =>
  pending.length === 0 || pending[0]?.includes(controller) === true

/** What is left once a controller of the first group is done; who changed the object puts everyone behind it back. */
export const afterActing = (pending: Pending, controller: string, all: Pending, changed: boolean): Pending => {
  if (changed) {
    const at = all.findIndex((group) => group.includes(controller))
    if (at < 0) return pending
    const rest = (all[at] ?? []).filter((one) => one !== controller && pending[0]?.includes(one) === true)
    return filled([rest, ...all.slice(at + 1)])
  }
  const [first = [], ...behind] = pending
  return filled([first.filter((one) => one !== controller), ...behind])
}

/** Which of some controllers have their turn in one go, and what is left after that: all of a chain that nobody else interrupts. */
export const takeTurns = (
  pending: Pending,
  ours: ReadonlySet<string>
): { readonly acting: ReadonlySet<string>; readonly left: Pending } => {
  const acting = new Set<string>()
  let left = pending
  while (left.length > 0) {
    const [first = [], ...behind] = left
    const mine = first.filter((one) => ours.has(one))
    for (const one of mine) acting.add(one)
    const others = first.filter((one) => !ours.has(one))
    if (others.length > 0) return { acting, left: [others, ...behind] }
    left = behind
  }
  return { acting, left }
}
