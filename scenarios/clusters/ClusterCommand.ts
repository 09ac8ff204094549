// `wharf cluster up|list|down`: real control planes on this machine with hollow nodes, kept until they are taken down.
// Owns flags and words; a cluster is kept by a process of its own (`up --foreground`), which this command starts, waits for and ends.
import { openControlPlane } from "#kind"
import { loadAccess } from "#kube"
import { stopAtSecondInterrupt } from "#storage"
import { Clock, Console, DateTime, Effect, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { spawn } from "node:child_process"
import { mkdirSync, openSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { findBackend } from "../backends/Registry.ts"
import { packageRoot } from "../PackageRoot.ts"
import { Count } from "../Quantity.ts"
import { hollowMachines } from "./HollowMachines.ts"
import {
  clusterFolder,
  ClusterRefused,
  forgetCluster,
  isAlive,
  keeperLog,
  keepCluster,
  type KeptCluster,
  keptCluster,
  keptClusters
} from "./KeptClusters.ts"

const QUOTA_BYTES = 8 * 2 ** 30
const LOOK_MS = 100
const UP_WITHIN_MS = 180_000
const DOWN_WITHIN_MS = 60_000
const LOG_SHOWN = 2000

const name = Argument.String("name").pipe(Argument.withDescription("The cluster's name"))

const flags = {
  name,
  nodes: Flag.Int("nodes").pipe(
    Flag.withSchema(Count(100_000)),
    Flag.withDescription("Hollow nodes"),
    Flag.withDefault(10)
  ),
  backend: Flag.String("backend").pipe(
    Flag.withDescription("The store: lmdb, memory, etcd, etcd=VERSION or etcd=PATH"),
    Flag.withDefault("lmdb")
  ),
  seed: Flag.Int("seed").pipe(Flag.withDescription("Of the nodes' times"), Flag.withDefault(1)),
  foreground: Flag.Boolean("foreground").pipe(
    Flag.withDescription("Keep the cluster here, until Ctrl-C, instead of in a process of its own"),
    Flag.withDefault(false)
  )
}

type Given = Command.Command.Config.Infer<typeof flags>

const zones = ["zone-a", "zone-b", "zone-c"]

/** Opens the cluster, writes down that it is up, and keeps it until it is interrupted. */
const keep = (given: Given, folder: string) =>
  Effect.gen(function* () {
    yield* stopAtSecondInterrupt
    // What a keeper said is read by the command that started it.
    yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(folder, { recursive: true, force: true })))
    const backend = yield* findBackend(given.backend)
    const store = yield* backend.open({ dataDir: join(folder, "store"), quotaBytes: QUOTA_BYTES, fsync: true })
    const { host, port } = store.endpoint
    const plane = yield* openControlPlane({
      name: given.name,
      directory: join(folder, "plane"),
      storeUrl: `http://${host}:${port}`
    })
    const access = yield* loadAccess({ kubeconfig: plane.kubeconfig })
    yield* hollowMachines({ access, groups: [{ name: "node", count: given.nodes, zones }], seed: given.seed })
    const startedAt = DateTime.formatIso(yield* DateTime.now)
    const { pid } = process
    const kept = { target: "process" as const, store: backend.name, pid, kubeconfig: plane.kubeconfig, startedAt }
    keepCluster(folder, { name: given.name, nodes: given.nodes, ...kept })
    yield* Console.log(`${given.nodes} nodes ready; try: kubectl --kubeconfig ${plane.kubeconfig} get nodes`)
    return yield* Effect.never
  }).pipe(Effect.scoped)

const waitFor = <A>(withinMs: number, look: () => A | undefined) =>
  Effect.gen(function* () {
    const untilMs = (yield* Clock.currentTimeMillis) + withinMs
    for (;;) {
      const found = look()
      if (found !== undefined || (yield* Clock.currentTimeMillis) > untilMs) return Option.fromUndefinedOr(found)
      yield* Effect.sleep(LOOK_MS)
    }
  })

/** Starts a keeper that outlives this command. */
const startKeeper = ({ backend, name: cluster, nodes, seed }: Given, folder: string) => {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const log = openSync(keeperLog(folder), "w", 0o600)
  const words = ["cluster", "up", cluster, "--nodes", `${nodes}`, "--backend", backend, "--seed", `${seed}`]
  const keeper = spawn(join(packageRoot, "bin", "wharf"), [...words, "--foreground"], {
    detached: true,
    stdio: ["ignore", log, log]
  })
  keeper.unref()
  return keeper
}

const up = Effect.fn("wharf.cluster.up")(function* (given: Given) {
  const folder = yield* clusterFolder(given.name)
  const known = keptCluster(folder)
  if (known !== undefined && isAlive(known))
    return yield* new ClusterRefused({ reason: `a cluster named ${given.name} is up; take it down first` })
  if (given.foreground) return yield* keep(given, folder)
  forgetCluster(folder)
  const keeper = startKeeper(given, folder)
  const log = (): string => readFileSync(keeperLog(folder), "utf8").slice(-LOG_SHOWN).trim()
  const result = yield* waitFor(UP_WITHIN_MS, () => (keeper.exitCode === null ? keptCluster(folder) : "ended"))
  const cluster = Option.getOrUndefined(result)
  if (cluster === undefined || cluster === "ended") {
    keeper.kill("SIGTERM")
    const reason = `${given.name} did not come up: ${log()}`
    forgetCluster(folder)
    return yield* new ClusterRefused({ reason })
  }
  yield* Console.log(
    `${given.name}: ${cluster.nodes} nodes ready\nexport KUBECONFIG=${cluster.kubeconfig}\nend it with: wharf cluster down ${given.name}`
  )
})

const row = (cluster: KeptCluster): ReadonlyArray<string> => [
  cluster.name,
  isAlive(cluster) ? "up" : "gone",
  cluster.target,
  cluster.store,
  `${cluster.nodes}`,
  cluster.startedAt,
  cluster.kubeconfig
]

const list = Effect.fn("wharf.cluster.list")(function* ({ json }: { readonly json: boolean }) {
  const clusters = keptClusters()
  if (json) return yield* Console.log(JSON.stringify(clusters.map((one) => ({ ...one, up: isAlive(one) }))))
  if (clusters.length === 0) return yield* Console.log("no clusters; bring one up with: wharf cluster up NAME")
  const rows = [["NAME", "STATE", "TARGET", "STORE", "NODES", "SINCE", "KUBECONFIG"], ...clusters.map(row)]
  const widths = rows[0].map((_, at) => Math.max(...rows.map((cells) => cells[at].length)))
  for (const cells of rows)
    yield* Console.log(
      cells
        .map((cell, at) => cell.padEnd(widths[at]))
        .join("  ")
        .trimEnd()
    )
})

const downOne = Effect.fnUntraced(function* (cluster: KeptCluster) {
  const folder = yield* clusterFolder(cluster.name)
  if (cluster.pid !== null && isAlive(cluster)) {
    process.kill(cluster.pid, "SIGTERM")
    const ended = yield* waitFor(DOWN_WITHIN_MS, () => (isAlive(cluster) ? undefined : true))
    // Its reapers take what it leaves behind.
    if (Option.isNone(ended)) process.kill(cluster.pid, "SIGKILL")
  }
  forgetCluster(folder)
  yield* Console.log(`${cluster.name} is down`)
})

const down = Effect.fn("wharf.cluster.down")(function* (given: {
  readonly name: Option.Option<string>
  readonly all: boolean
}) {
  if (given.all) return yield* Effect.forEach(keptClusters(), downOne, { discard: true })
  if (Option.isNone(given.name)) return yield* new ClusterRefused({ reason: "which cluster? name it, or say --all" })
  const cluster = keptCluster(yield* clusterFolder(given.name.value))
  if (cluster === undefined)
    return yield* new ClusterRefused({ reason: `there is no cluster named ${given.name.value}` })
  yield* downOne(cluster)
})

/** `wharf cluster`. */
export const clusterCommand = Command.make("cluster").pipe(
  Command.withDescription("Real control planes on this machine, with hollow nodes"),
  Command.withExamples([
    { command: "wharf cluster up dev --nodes 100", description: "One to keep; then: wharf cluster list" },
    { command: "wharf cluster down dev", description: "Everything of it is gone" }
  ]),
  Command.withSubcommands([
    Command.make("up", flags, up).pipe(
      Command.withDescription("Bring a cluster up: store, kube-apiserver, controllers, scheduler, hollow nodes"),
      Command.withExamples([
        { command: "wharf cluster up dev --nodes 100", description: "On our store; kubectl's KUBECONFIG is printed" }
      ])
    ),
    Command.make(
      "list",
      { json: Flag.Boolean("json").pipe(Flag.withDescription("For programs"), Flag.withDefault(false)) },
      list
    ).pipe(
      Command.withDescription("The clusters that are up"),
      Command.withExamples([{ command: "wharf cluster list --json", description: "For programs" }])
    ),
    Command.make(
      "down",
      {
        name: Argument.optional(name),
        all: Flag.Boolean("all").pipe(Flag.withDescription("Every cluster"), Flag.withDefault(false))
      },
      down
    ).pipe(
      Command.withDescription("Take a cluster down, with everything that belongs to it"),
      Command.withExamples([{ command: "wharf cluster down --all", description: "Every cluster" }])
    )
  ])
)
