// Informers of @kubernetes/client-node, and a record of every event that they tell.
// Owns the record and what may be asked of it: order, losses, doubles, and the state that was rebuilt.
import { KubeConfig, type KubernetesListObject, type KubernetesObject, makeInformer } from "@kubernetes/client-node"
import type { RealApiServer } from "../../../kube/RealApiServer.ts"

type Call = RealApiServer["call"]
type Happening = "add" | "update" | "delete"

interface Told {
  readonly happening: Happening
  readonly version: number
}

export interface Witness {
  /** What went wrong: events out of order, told twice, or of objects that are gone. */
  readonly problems: () => ReadonlyArray<string>
  /** Versions that were told of an object, in order. */
  readonly versionsOf: (name: string) => ReadonlyArray<number>
  readonly events: () => number
  /** The state as rebuilt from the events: versions by namespace and name. */
  readonly state: () => ReadonlyMap<string, string>
  /** The state as a fresh list tells it. */
  readonly fresh: () => Promise<ReadonlyMap<string, string>>
  readonly stop: () => Promise<void>
}

const keyOf = ({ metadata }: KubernetesObject): string => `${metadata?.namespace ?? ""}/${metadata?.name ?? ""}`

const versionOf = ({ metadata }: KubernetesObject): string => metadata?.resourceVersion ?? ""

const stateOf = (objects: ReadonlyArray<KubernetesObject>): ReadonlyMap<string, string> =>
  new Map(objects.map((one) => [keyOf(one), versionOf(one)] as const).toSorted(([a], [b]) => (a < b ? -1 : 1)))

/** What is wrong with the events of one object, by its uid. */
const misorder = (name: string, events: ReadonlyArray<Told>): ReadonlyArray<string> =>
  events.flatMap((event, at) => {
    const before = events[at - 1]
    if (before === undefined) return event.happening === "add" ? [] : [`${name}: ${event.happening} before add`]
    if (before.happening === "delete") return [`${name}: ${event.happening} after delete`]
    if (event.happening === "add") return [`${name}: added twice`]
    return event.version > before.version ? [] : [`${name}: ${event.version} after ${before.version}`]
  })

/** Watches a path of an API server from now on. */
export const witness = async (kubeconfig: string, call: Call, path: string): Promise<Witness> => {
  const config = new KubeConfig()
  config.loadFromFile(kubeconfig)
  const list = async (): Promise<KubernetesListObject<KubernetesObject>> => {
    const { body, code } = await call("GET", path)
    if (code !== 200) throw new Error(`${path}: ${body}`)
    return JSON.parse(body) as KubernetesListObject<KubernetesObject>
  }
  const told = new Map<string, Array<Told>>()
  const names = new Map<string, string>()
  const failures: Array<string> = []
  let count = 0
  let stopped = false
  const informer = makeInformer(config, path, list)
  const record = (happening: Happening) => (object: KubernetesObject) => {
    count++
    const uid = object.metadata?.uid ?? ""
    const events = told.get(uid) ?? []
    const version = Number(versionOf(object))
    events.push({ happening, version })
    told.set(uid, events)
    names.set(uid, keyOf(object))
  }
  for (const happening of ["add", "update", "delete"] as const) informer.on(happening, record(happening))
  informer.on("error", (error: unknown) => {
    if (!stopped) failures.push(`${path}: ${String(error)}`)
  })
  await informer.start()
  return {
    problems: () => [...failures, ...[...told].flatMap(([uid, events]) => misorder(names.get(uid) ?? uid, events))],
    versionsOf: (name) =>
      [...told].flatMap(([uid, events]) => (names.get(uid) === name ? events.map(({ version }) => version) : [])),
    events: () => count,
    state: () => stateOf(informer.list()),
    fresh: async () => stateOf((await list()).items),
    stop: async () => {
      stopped = true
      await informer.stop()
    }
  }
}
