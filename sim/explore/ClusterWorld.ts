// A small cluster with faults and checkers, as a case that can be repeated and shrunk: what Explore.ts runs beside the store's worlds.
// Owns the draw, the run and its checks; refuses to know which resources and controllers there are, which it is handed.
import type { AdmissionPlugin, Definitions } from "#apiserver"
import type { Client } from "#kube"
import type { ChurnStep } from "../churn/ChurnStep.ts"
import { loadTestPodSpec } from "../churn/LoadTest.ts"
import { CheckedClients } from "../checkers/CheckedClient.ts"
import { ClusterChecker } from "../checkers/ClusterChecker.ts"
import { Violations } from "../checkers/Violations.ts"
import { drawPlan, type FaultPlan, type FaultStep, planEndMs } from "../faults/FaultPlan.ts"
import { defaultNetwork } from "../faults/Network.ts"
import { StoreRecord } from "../history/StoreRecord.ts"
import type { Kernel } from "../time/Kernel.ts"
import { RandomStream } from "../time/RandomStream.ts"
import type { SimProcess } from "../time/SimProcess.ts"
import { type ControllerStart, World } from "../World.ts"
import { AUDITORS, startAuditor } from "./Auditor.ts"
import type { RunResult } from "./StoreWorld.ts"

export interface ClusterCase {
  readonly kind: "cluster"
  readonly seed: number
  readonly nodes: number
  readonly plan: FaultPlan
  readonly steps: ReadonlyArray<ChurnStep>
}

/** What a cluster is made of; tests plant bugs in the clients. */
export interface ClusterParts {
  readonly definitions: () => Definitions
  readonly admission?: () => ReadonlyArray<AdmissionPlugin>
  readonly controllers?: ReadonlyArray<ControllerStart>
  /** Between a process and the network, below the checks. */
  readonly wrapClient?: (client: Client, process: SimProcess) => Client
  /** Sees the kernel before anything happens: to write its log down. */
  readonly onKernel?: (kernel: Kernel) => void
}

const DURATION_MS = 30_000
const SETTLE_MS = 90_000
const NAMESPACES = 2
const ZONES = ["a", "b", "c"]

const kinds: ReadonlyArray<FaultStep["kind"]> = [
  "crash",
  "pause",
  "partition",
  "one-way",
  "bad-link",
  "disk-stall",
  "disk-full",
  "compact",
  "slow-watcher",
  "nodes-die",
  "zone-cut",
  "noisy-tenant"
]

/** Draws a case from a seed. */
export const drawClusterCase = (
  seed: number,
  size: { readonly steps?: number; readonly faults?: number } = {}
): ClusterCase => {
  const random = new RandomStream(seed).split("cluster case")
  const clients = ["kubelets", "scheduler", "users", ...AUDITORS]
  const draw = {
    fromMs: 0,
    toMs: DURATION_MS,
    steps: size.faults ?? 4,
    servers: ["apiserver"],
    clients,
    kinds,
    zones: ZONES
  }
  return {
    kind: "cluster",
    seed,
    nodes: 6,
    plan: drawPlan(random.split("plan"), draw),
    steps: drawSteps(random.split("work"), size.steps ?? 60)
  }
}

const drawSteps = (random: RandomStream, count: number): ReadonlyArray<ChurnStep> =>
  Array.from({ length: count }, (_, id): ChurnStep => {
    const atMs = Math.floor((DURATION_MS * id) / count + random.float() * 100)
    const namespace = `n${random.below(NAMESPACES)}`
    const isPod = random.chance(0.6)
    const resource = isPod ? "pods" : "configmaps"
    // Fewer names than steps, so that names come back.
    const of = { apiVersion: "v1", resource, namespace, name: `x${random.below(12)}` }
    const metadata = { name: of.name, namespace }
    const roll = random.float()
    if (roll < 0.25) return { atMs, verb: "delete", of }
    if (roll < 0.4) return { atMs, verb: "patch", of, patch: { metadata: { annotations: { step: String(id) } } } }
    const object = isPod
      ? { apiVersion: "v1", kind: "Pod", metadata, spec: loadTestPodSpec("x") }
      : { apiVersion: "v1", kind: "ConfigMap", metadata, data: { step: String(id) } }
    return { atMs, verb: "create", of, object }
  })

/** Runs a case to its end, or to its first violation. */
export const runClusterCase = (run: ClusterCase, parts: ClusterParts): RunResult => {
  const clock = { nowMs: 0 }
  const violations = new Violations(() => clock.nowMs)
  const record = new StoreRecord(() => clock.nowMs, violations)
  const sums = new ClusterChecker(violations)
  const definitions = parts.definitions()
  const clients = new CheckedClients({
    record,
    violations,
    prefixOf: ({ resource: { group, resource, version } }) =>
      definitions.find(group, version, resource)?.storage?.prefix
  })
  const world = new World({
    seed: run.seed,
    definitions: parts.definitions,
    nodeGroups: [{ name: "node", count: run.nodes, zones: ZONES }],
    registerOverMs: 500,
    network: defaultNetwork,
    faults: run.plan,
    ...(parts.admission && { admission: parts.admission }),
    ...(parts.controllers && { controllers: parts.controllers }),
    wrapClient: (client, process) => clients.wrap(parts.wrapClient?.(client, process) ?? client, process)
  })
  const { kernel } = world
  parts.onKernel?.(kernel)
  violations.onViolation = () => kernel.stop()
  Object.defineProperty(clock, "nowMs", { get: () => kernel.nowMs })
  world.onServerStart = (storage) => {
    record.follow(storage)
    if (world.api.server !== undefined) sums.follow(world.api.server)
  }
  for (const name of AUDITORS) startAuditor(kernel.process(name), world.client(name))
  world.start()
  world.play(run.steps)
  if (kernel.run({ untilMs: Math.max(DURATION_MS, planEndMs(run.plan)) + SETTLE_MS }) === "time") {
    clients.finished()
    sums.finished()
  }
  return {
    eventLogHash: kernel.log.hash(),
    events: kernel.log.count,
    virtualMs: kernel.nowMs,
    violations: violations.list,
    counts: {
      ...clients.stats,
      storeEvents: record.events.length,
      leases: world.nodes.renewals.stats.renewed,
      podStages: world.pods.stats.stagesDone,
      bound: world.bindings.stats.bound
    }
  }
}
