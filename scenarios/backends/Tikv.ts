// Our store on TiKV: on the test bed of TiKV's protocol, at rest or with regions that move all the time, or on any cluster by its
// placement driver's address; as one node or as several. Owns the store's key prefix, which bed it stands on, and which node leads;
// OwnStore.ts's flags are the store's. What can be read off the test bed is our nodes' own part.
import { findAsset, ServerFailed } from "#kind"
import { Effect, type Scope } from "effect"
import { join } from "node:path"
import { packageRoot, packageVersion } from "../PackageRoot.ts"
import type { ServerFault } from "../ServerFault.ts"
import { type Backend, type BackendKind, BackendMissing, type RunningServer, type ServerSettings } from "./Backend.ts"
import { askPage, openServer, type OwnServer, storeFlags } from "./ServerProcess.ts"
import { openTestBed } from "./TikvTestBed.ts"

const PREFIX = "wharf/"
/** Where a store's keys lie among the cluster's: its prefix and its Key table. */
const KEYS_UNDER = `${PREFIX}1/registry/benchmark/`
const NODES = 3
/** More are no use on one machine. */
const NODES_MAX = 9

const onCluster = (name: string, cluster: string, open: Backend["open"]): Backend => ({
  name,
  version: packageVersion(),
  durable: true,
  settings: { engine: "tikv", cluster },
  open
})

interface NodeSettings {
  readonly settings: ServerSettings
  readonly pd: string
  readonly prefix: string
  readonly name: string
}

const openNode = ({ name, pd, prefix, settings }: NodeSettings) =>
  openServer({
    backend: "tikv",
    command: join(packageRoot, "bin", "wharf"),
    settings,
    args: (endpoint, peerPort) => [
      "serve",
      "storage",
      "--backend=tikv",
      `--name=${name}`,
      `--pd-endpoints=${pd}`,
      `--tikv-key-prefix=${prefix}`,
      `--peer-urls=http://127.0.0.1:${peerPort}`,
      ...storeFlags(settings, endpoint)
    ]
  })

const leads = ({ endpoint }: RunningServer): Effect.Effect<boolean> =>
  Effect.map(askPage(endpoint, "/metrics"), (text) => text !== undefined && /^etcd_server_is_leader 1$/m.test(text))

/** Does it to the node that leads. */
const inflictOn =
  (nodes: ReadonlyArray<OwnServer>) =>
  (fault: ServerFault): Effect.Effect<string, ServerFailed> =>
    Effect.gen(function* () {
      const leading = yield* Effect.forEach(nodes, leads)
      const at = leading.indexOf(true)
      if (at < 0) return yield* new ServerFailed({ backend: "tikv-nodes", reason: "no node leads", log: "" })
      return `n${at + 1}, the leader: ${yield* nodes[at].inflict(fault)}`
    })

/** Several nodes as one server: clients go to any of them, and faults to the one that leads. */
const openNodes = (
  node: Omit<NodeSettings, "name">,
  count: number
): Effect.Effect<RunningServer, ServerFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const names = Array.from({ length: count }, (_, at) => `n${at + 1}`)
    const nodes = yield* Effect.forEach(names, (name) => openNode({ ...node, name }), { concurrency: "unbounded" })
    const [first, ...others] = nodes
    return {
      ...first,
      restart: undefined,
      endpoints: nodes.map(({ endpoint }) => endpoint),
      inflict: inflictOn(nodes),
      beside: others.map(({ pid }, at) => ({ name: names[at + 1], pid }))
    }
  })

interface Bed {
  readonly stores: number
  readonly unrestUnder?: string
}

/** A backend on a test bed of its own; `open` starts what stands on it. */
const onTestBed = (
  name: string,
  { stores, unrestUnder }: Bed,
  open: (node: Omit<NodeSettings, "name">) => Effect.Effect<RunningServer, ServerFailed, Scope.Scope>
) =>
  Effect.gen(function* () {
    const programs = {
      stores: (yield* findAsset("tikv-testbed")).path,
      placementDriver: (yield* findAsset("pd-server")).path
    }
    const bed = unrestUnder === undefined ? { programs, stores } : { programs, stores, unrestUnder }
    return onCluster(name, `test bed of ${stores}, nothing replicated`, (settings) =>
      Effect.flatMap(openTestBed({ ...bed, settings }), (pd) => open({ settings, pd, prefix: PREFIX }))
    )
  }).pipe(Effect.mapError(({ message }) => new BackendMissing({ backend: name, reason: message })))

const openOne = (node: Omit<NodeSettings, "name">) => openNode({ ...node, name: "n1" })

/** `--backend tikv` (the test bed) or `--backend tikv=PD-ADDRESS`, whose other keys are left alone. */
export const tikv: BackendKind = {
  name: "tikv",
  note: "our store on TiKV: its test bed, or tikv=HOST:PORT of a placement driver",
  find: (argument) =>
    argument === undefined
      ? onTestBed("tikv", { stores: 1 }, openOne)
      : Effect.succeed(
          onCluster("tikv", argument, (settings) =>
            openOne({ settings, pd: argument, prefix: `wharf-run-${process.pid}/` })
          )
        )
}

/** `--backend tikv-nodes` or `--backend tikv-nodes=N`. */
export const tikvNodes: BackendKind = {
  name: "tikv-nodes",
  note: `equal nodes of it on one test bed: ${NODES}, or tikv-nodes=N`,
  find: (argument) => {
    const count = argument === undefined ? NODES : Number(argument)
    if (!Number.isInteger(count) || count < 1 || count > NODES_MAX) {
      const reason = `must be a number of nodes from 1 to ${NODES_MAX}, such as tikv-nodes=3`
      return new BackendMissing({ backend: `tikv-nodes=${argument}`, reason })
    }
    return onTestBed(`tikv-nodes-${count}`, { stores: 1 }, (node) => openNodes(node, count))
  }
}

/** `--backend tikv-unrest`. */
export const tikvUnrest: BackendKind = {
  name: "tikv-unrest",
  note: "the same on the test bed, whose regions split, merge and change their leader all the time",
  find: () => onTestBed("tikv-unrest", { stores: 3, unrestUnder: KEYS_UNDER }, openOne)
}
