// Sends random objects of every kind to both servers, as creates and as updates, and gathers where the answers differ.
// Owns the order of requests and the seed; refuses to judge, which the test does with KnownDifferences.ts.
import * as fc from "fast-check"
import { parseApiVersion, schemaOfKind } from "#kube"
import type { RealApiServer } from "../../../kube/RealApiServer.ts"
import { type Base, bases } from "./Bases.ts"
import { agree, type Answered, made, stored, tried } from "./Compare.ts"
import { mutations } from "./Mutations.ts"

type Call = RealApiServer["call"]

export interface Calls {
  readonly ours: Call
  readonly real: Call
}

export interface Difference {
  readonly kind: string
  readonly method: "POST" | "PUT"
  /** What was sent. */
  readonly body: object
  readonly ours: Answered
  readonly real: Answered
}

export interface Outcome {
  readonly compared: number
  /** How many the real server took. */
  readonly taken: number
  readonly differences: ReadonlyArray<Difference>
}

const pathOf = ({ apiVersion, namespaced, resource }: Base): string => {
  const root = apiVersion === "v1" ? "/api/v1" : `/apis/${apiVersion}`
  return `${root}${namespaced ? "/namespaces/kinds" : ""}/${resource}`
}

const objectOf = ({ apiVersion, fields, kind, name = "one", namespaced }: Base): object => ({
  apiVersion,
  kind,
  metadata: { name, ...(namespaced ? { namespace: "kinds" } : {}) },
  ...fields
})

const both = async <A>(calls: Calls, each: (call: Call) => Promise<A>): Promise<readonly [ours: A, real: A]> =>
  Promise.all([each(calls.ours), each(calls.real)])

/** Tries so many random changes of one kind. */
const runKind = async (calls: Calls, base: Base, runs: number, seed: number): Promise<Outcome> => {
  const { group, version } = parseApiVersion(base.apiVersion)
  const schema = schemaOfKind(group, version, base.kind)
  if (schema === undefined) throw new Error(`no schema of ${base.kind}`)
  const path = pathOf(base)
  const object = objectOf(base)
  const name = base.name ?? "one"
  await both(calls, (call) => made(call, path, object))
  const [ours, real] = await both(calls, (call) => stored(call, `${path}/${name}`))
  const differences: Array<Difference> = []
  let taken = 0
  const compare = async (method: "POST" | "PUT", sent: readonly [ours: object, real: object]): Promise<void> => {
    const to = method === "POST" ? path : `${path}/${name}`
    const [own, theirs] = await Promise.all([
      tried(calls.ours, method, to, sent[0]),
      tried(calls.real, method, to, sent[1])
    ])
    if (theirs.code < 300) taken++
    if (!agree(own, theirs)) {
      differences.push({ kind: `${base.apiVersion} ${base.kind}`, method, body: sent[0], ours: own, real: theirs })
    }
  }
  const fresh = base.name === undefined ? { ...object, metadata: { ...objectMeta(object), name: "two" } } : object
  const changes = fc.sample(mutations(schema, object), { numRuns: runs, seed })
  for (const change of changes) {
    const created = change(fresh)
    if (base.name === undefined) await compare("POST", [created, created])
    await compare("PUT", [change(ours), change(real)])
  }
  return { compared: changes.length * (base.name === undefined ? 2 : 1), taken, differences }
}

const objectMeta = (object: object): object => (object as { readonly metadata: object }).metadata

/** Tries so many random changes of each kind; the same seed sends the same. */
export const runKinds = async (
  calls: Calls,
  options: { readonly runs: number; readonly seed: number; readonly only?: ReadonlyArray<string> }
): Promise<Outcome> => {
  await both(calls, (call) =>
    made(call, "/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name: "kinds" } })
  )
  const account = { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "default", namespace: "kinds" } }
  await both(calls, (call) => made(call, "/api/v1/namespaces/kinds/serviceaccounts", account))
  const chosen = bases.filter(({ kind }) => options.only === undefined || options.only.includes(kind))
  let [compared, taken] = [0, 0]
  const differences: Array<Difference> = []
  for (const [at, base] of chosen.entries()) {
    const outcome = await runKind(calls, base, options.runs, options.seed + at)
    compared += outcome.compared
    taken += outcome.taken
    differences.push(...outcome.differences)
  }
  return { compared, taken, differences }
}
