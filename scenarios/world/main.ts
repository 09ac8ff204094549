// The world's process: lives through one cluster, or measures what one size costs, tells of it over the IPC channel and ends with it,
// so that a runner that dies leaves no world behind. Owns the process; the work is WorldRun.ts's and Cost.ts's.
import { loadAccess } from "#kube"
import { Effect, Scope } from "effect"
import { machineCount } from "../cluster/Capacity.ts"
import { faultPlan } from "../cluster/ClusterFault.ts"
import { keepRoom } from "../cluster/WorldMemory.ts"
import { measureCost } from "./Cost.ts"
import type { WorldCommand, WorldReport } from "./Protocol.ts"
import { RealWorld } from "./RealWorld.ts"
import { openWays } from "./RelayedWays.ts"
import { type MakeWorld, simulatedWorld, WorldRun } from "./WorldRun.ts"

type RealCommand = Extract<WorldCommand, { readonly type: "real" }>

const say = (report: WorldReport): void => {
  process.send?.(report)
}

/** Who knows the cluster itself, where users know one of their own or a federation. */
const BEHIND: ReadonlySet<string> = new Set(["kubelets", "observer", "operators", "scheduler"])

/** A cluster on the control plane of a kubeconfig. */
const realWorldOf = async ({
  binds,
  cluster,
  context,
  folder,
  front,
  kubeconfig,
  run,
  seed
}: RealCommand): Promise<MakeWorld> => {
  const access = await Effect.runPromise(loadAccess({ kubeconfig, ...(context === undefined ? {} : { context }) }))
  const before = front === undefined ? access : await Effect.runPromise(loadAccess({ kubeconfig: front.kubeconfig }))
  const isBehind = (name: string): boolean => front?.clients === "users" && BEHIND.has(name)
  const plan = faultPlan(cluster.faults, cluster.watchers)
  // The process ends with its run, and the relays with it.
  const ways = await Effect.runPromise(
    openWays(plan, (name) => (isBehind(name) ? access : before)).pipe(
      Effect.provideService(Scope.Scope, Scope.makeUnsafe())
    )
  )
  return (_command, { clock, hooks }) =>
    new RealWorld({
      cluster,
      seed,
      folder,
      plan,
      clock,
      hooks,
      ways,
      binds,
      ...(run === undefined ? {} : { run }),
      command: (given) => say({ type: "plane", command: given })
    })
}

const obey = async (command: WorldCommand): Promise<void> => {
  keepRoom(command.type === "cost" ? command.nodes : machineCount(command.cluster))
  try {
    if (command.type === "cost") say({ type: "cost", point: measureCost(command) })
    else if (command.type === "real") say(await new WorldRun(command, say, await realWorldOf(command)).run())
    else say(await new WorldRun(command, say, simulatedWorld).run())
  } catch (cause) {
    say({ type: "failed", reason: cause instanceof Error ? cause.message : String(cause) })
  }
}

process.on("message", (command: WorldCommand) => void obey(command))
process.on("disconnect", () => process.exit(0))
process.on("SIGINT", () => {})
