// What there is to say of a federated object beside where it is: conditions that go into its status with the next write of it.
// Owns this short memory; refuses to write. Bound: one entry for each federated object that exists.
import { type Clockwork, type Json, type KubeObject, rfc3339, sameJson } from "#kube"
import { type Condition, federatedStatusOf } from "../api/FederatedObject.ts"

/** A condition without its times. */
export interface Note {
  readonly type: "Scheduled" | "Overridden" | "Propagated"
  readonly status: "True" | "False"
  readonly reason: string
  readonly message: string
}

export class Notes {
  readonly #notes = new Map<string, Map<string, Note>>()
  readonly #listeners = new Set<(key: string) => void>()

  /** Called when something new is to be said of a federated object. */
  onChange(listener: (key: string) => void): void {
    this.#listeners.add(listener)
  }

  note(key: string, note: Note): void {
    let known = this.#notes.get(key)
    if (known === undefined) this.#notes.set(key, (known = new Map()))
    if (sameJson(known.get(note.type) as unknown as Json, note as unknown as Json)) return
    known.set(note.type, note)
    for (const listener of this.#listeners) listener(key)
  }

  has(key: string, type: Note["type"]): boolean {
    return this.#notes.get(key)?.has(type) === true
  }

  forget(key: string): void {
    this.#notes.delete(key)
  }

  /** The conditions of an object with what is noted; those it has where nothing is new. */
  conditions(key: string, federated: KubeObject, clockwork: Clockwork): ReadonlyArray<Condition> {
    let conditions = federatedStatusOf(federated).conditions ?? []
    for (const note of this.#notes.get(key)?.values() ?? []) conditions = withNote(conditions, note, clockwork)
    return conditions
  }
}

const withNote = (conditions: ReadonlyArray<Condition>, note: Note, clockwork: Clockwork): ReadonlyArray<Condition> => {
  const before = conditions.find(({ type }) => type === note.type)
  if (before?.status === note.status && before.reason === note.reason && before.message === note.message)
    return conditions
  const now = rfc3339(clockwork.now())
  const turned = before?.status === note.status ? (before.lastTransitionTime ?? now) : now
  return [
    ...conditions.filter(({ type }) => type !== note.type),
    { ...note, lastTransitionTime: turned, lastUpdateTime: now }
  ]
}
