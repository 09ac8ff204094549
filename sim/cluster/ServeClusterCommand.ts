// `wharf serve cluster`: the command line of a simulated cluster in real time.
// Owns its flags and what it prints; refuses to open anything, which ServeCluster.ts does. Flags of the server are those of
// `wharf serve apiserver`.
import { readFileSync } from "node:fs"
import { Console, Effect, Option } from "effect"
import { CliError, Command, Flag } from "effect/cli"
import { apiServerFlags, apiServerOptions, type RunningApiServer } from "#apiserver"
import { stopAtSecondInterrupt } from "#storage"
import { fastPodStages, kubeletPodStages } from "../nodes/PodStages.ts"
import type { Stage } from "../nodes/Stage.ts"
import { parseStages } from "../nodes/StageFile.ts"
import type { PopulationOptions } from "../Population.ts"
import { hollowStreams } from "./HollowStreams.ts"
import { serveCluster } from "./ServeCluster.ts"
import { SERVICE_CIDR } from "./SimulatedCluster.ts"

const NODES_MAX = 100_000

const flags = {
  ...apiServerFlags,
  serviceCidr: Flag.String("service-cluster-ip-range").pipe(
    Flag.withDescription(
      "Blocks of cluster IPs, separated by commas; apart from 172.16.0.0/12 of nodes and 10.0.0.0/8 of pods"
    ),
    Flag.withDefault(SERVICE_CIDR)
  ),
  nodes: Flag.Int("nodes").pipe(Flag.withDescription("Hollow nodes"), Flag.withDefault(5)),
  zones: Flag.Int("zones").pipe(Flag.withDescription("Zones that the nodes are spread over"), Flag.withDefault(3)),
  seed: Flag.Int("seed").pipe(Flag.withDescription("Decides what is left to chance"), Flag.withDefault(1)),
  pods: Flag.Literals("pods", ["fast", "kubelet"]).pipe(
    Flag.withDescription("How pods live: at once, as kwok's; or with a kubelet's delays"),
    Flag.withDefault("fast")
  ),
  stages: Flag.String("stages").pipe(
    Flag.withDescription("File of kwok Stages for pods and nodes, instead"),
    Flag.optional
  ),
  logs: Flag.String("logs").pipe(
    Flag.withDescription("File whose text every container has logged; without it a line says that it is hollow"),
    Flag.optional
  ),
  exec: Flag.String("exec").pipe(
    Flag.withDescription("Program of this machine that answers kubectl exec, given the command as its arguments"),
    Flag.optional
  ),
  noControllers: Flag.Boolean("no-controllers").pipe(
    Flag.withDescription("Leave controllers to a kube-controller-manager of yours"),
    Flag.withDefault(false)
  ),
  noScheduler: Flag.Boolean("no-scheduler").pipe(
    Flag.withDescription("Leave pods to a kube-scheduler of yours"),
    Flag.withDefault(false)
  )
}

const misuse = (userMessage: string): CliError.UserError =>
  new CliError.UserError({ cause: new Error(userMessage), userMessage })

/** The stages of pods and nodes in a file; fails with the file's fault. */
const stagesIn = (path: string) =>
  Effect.try({
    try: () => {
      const all = parseStages(readFileSync(path, "utf8"))
      const of = (kind: string): ReadonlyArray<Stage> =>
        all.filter((one) => one.kind === kind).map(({ stage }) => stage)
      const other = all.find(({ kind }) => kind !== "Pod" && kind !== "Node")
      if (other !== undefined) throw new Error(`stages of ${other.kind} are not carried out, only of Pod and Node`)
      return { pods: of("Pod"), nodes: of("Node") }
    },
    catch: (error) => misuse(`--stages ${path}: ${error instanceof Error ? error.message : String(error)}`)
  })

const logIn = (path: string) =>
  Effect.try({
    try: () => readFileSync(path, "utf8"),
    catch: (error) => misuse(`--logs ${path}: ${error instanceof Error ? error.message : String(error)}`)
  })

interface Given {
  readonly nodes: number
  readonly zones: number
  readonly pods: "fast" | "kubelet"
  readonly stages: string | undefined
  readonly noScheduler: boolean
}

const populationOf = Effect.fnUntraced(function* (given: Given) {
  const { noScheduler, nodes, zones } = given
  if (nodes < 0 || nodes > NODES_MAX) return yield* misuse(`--nodes ${nodes}: must be between 0 and ${NODES_MAX}`)
  if (zones < 1) return yield* misuse(`--zones ${zones}: must be at least 1`)
  const file = given.stages === undefined ? undefined : yield* stagesIn(given.stages)
  const usual = given.pods === "fast" ? fastPodStages : kubeletPodStages
  const population: PopulationOptions = {
    nodeGroups: [
      {
        name: "node",
        count: nodes,
        zones: Array.from(
          { length: zones },
          (_, at) => `zone-${String.fromCharCode(97 + (at % 26))}${at < 26 ? "" : Math.floor(at / 26)}`
        )
      }
    ],
    podStages: file === undefined || file.pods.length === 0 ? usual : file.pods,
    nodeStages: file?.nodes ?? [],
    bindsPods: !noScheduler
  }
  return population
})

const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`

const announce =
  (kubeconfigFile: string | undefined, insecure: boolean) =>
  ({ kubeconfig, url }: RunningApiServer) =>
    Effect.gen(function* () {
      yield* Console.log(`serving ${url}`)
      if (kubeconfigFile === undefined && !insecure) {
        yield* Console.log(`no --kubeconfig was given; this is the administrator's:\n${kubeconfig}`)
      } else if (kubeconfigFile !== undefined) {
        yield* Console.log(`try: kubectl --kubeconfig ${kubeconfigFile} get nodes`)
      }
    })

/** `wharf serve cluster`. */
export const serveClusterCommand = Command.make("cluster", flags, (given) =>
  Effect.gen(function* () {
    yield* stopAtSecondInterrupt
    const logText = Option.isSome(given.logs) ? yield* logIn(given.logs.value) : undefined
    const streams = hollowStreams({
      ...(logText === undefined ? {} : { logText }),
      ...(Option.isSome(given.exec) ? { execProgram: given.exec.value } : {})
    })
    const server = { ...(yield* apiServerOptions(given)), streams }
    const stages = Option.getOrUndefined(given.stages)
    const population = yield* populationOf({ ...given, stages })
    const { readyMs } = yield* serveCluster(
      { server, population, seed: given.seed, runsControllers: !given.noControllers },
      announce(server.kubeconfig, server.insecure)
    )
    yield* Console.log(`${given.nodes} nodes ready after ${seconds(readyMs)}`)
    return yield* Effect.never
  }).pipe(Effect.scoped)
).pipe(
  Command.withDescription("Serve a simulated cluster in real time: hollow nodes and pods, controllers, a scheduler"),
  Command.withExamples([
    {
      command: "wharf serve cluster --nodes 1000 --kubeconfig cluster.conf",
      description:
        "In memory; then: kubectl --kubeconfig cluster.conf create deployment web --image web --replicas 3000"
    },
    {
      command: "wharf serve cluster --nodes 100 --data-dir cluster --no-controllers --no-scheduler",
      description: "Kept on disk, for a kube-controller-manager and a kube-scheduler of yours"
    }
  ])
)
