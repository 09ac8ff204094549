// Every kind of backend by its name on the command line. A new one is its own file and one line here.
// Owns the lookup; finding programs and starting them is each kind's own.
import { Effect } from "effect"
import { nearest } from "../Suggest.ts"
import { type Backend, type BackendKind, BackendMissing, type BackendServices } from "./Backend.ts"
import { etcd } from "./Etcd.ts"
import { lmdb } from "./Lmdb.ts"
import { memory } from "./Memory.ts"
import { tikv, tikvNodes, tikvUnrest } from "./Tikv.ts"

/** Every kind, in the order of the documentation. */
export const backendKinds: ReadonlyArray<BackendKind> = [lmdb, memory, tikv, tikvNodes, tikvUnrest, etcd]

/** Finds the backend that `name` or `name=argument` means. */
export const findBackend = (text: string): Effect.Effect<Backend, BackendMissing, BackendServices> => {
  const cut = text.indexOf("=")
  const name = cut < 0 ? text : text.slice(0, cut)
  const kind = backendKinds.find((candidate) => candidate.name === name)
  if (kind !== undefined) return kind.find(cut < 0 ? undefined : text.slice(cut + 1))
  const names = backendKinds.map((candidate) => candidate.name)
  const near = nearest(name, names)
  const hint = near === undefined ? `known: ${names.join(", ")}` : `did you mean ${near}?`
  return new BackendMissing({ backend: text, reason: `is not known; ${hint}` })
}
