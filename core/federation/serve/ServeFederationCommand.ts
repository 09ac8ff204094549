// `wharf serve federation`: the command line of the federation as a process.
// Owns its flags; refuses to open anything, which ServeFederation.ts does. What keeps a host of our own is brought by who wires the rooms.
import { Console, Effect, Option } from "effect"
import { CliError, Command, Flag } from "effect/cli"
import { apiServerFlags, apiServerOptions, listenAddress } from "#apiserver"
import { loadAccess, parseDurationMs, parseLabelSelector, SelectorInvalid } from "#kube"
import { stopAtSecondInterrupt } from "#storage"
import { usualClusterTimes } from "../clusters/ClusterController.ts"
import { defaultEvictionOptions } from "../failover/EvictionBudget.ts"
import { typesFile } from "../semantics/TypesFileAdapter.ts"
import { SemanticsTable } from "../semantics/SemanticsTable.ts"
import type { Shard } from "../shards/HashRing.ts"
import { type HostControllers, type HostOptions, serveFederation, type StartAutoscaler } from "./ServeFederation.ts"

const text = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withDescription(description), Flag.optional, Flag.map(Option.getOrUndefined))

/** A time as Go writes it, like "15s" or "1m30s". */
const time = (name: string, description: string, usualMs: number) =>
  Flag.String(name).pipe(Flag.withDescription(description), Flag.withDefault(`${usualMs / 1000}s`))

const flags = {
  ...apiServerFlags,
  hostKubeconfig: text("host-kubeconfig", "Work on this API server instead of one of our own"),
  hostContext: text("host-context", "Context in that kubeconfig; by default its current one"),
  probeEvery: time("cluster-health-check-period", "Between two looks at a member", usualClusterTimes.probeMs),
  lostAfter: time(
    "cluster-lost-after",
    "How long a member is ill before it counts as lost",
    usualClusterTimes.health.downAfterMs
  ),
  backAfter: time(
    "cluster-back-after",
    "How long it is well before it counts as back",
    usualClusterTimes.health.upAfterMs
  ),
  deletionWait: time(
    "deletion-wait",
    "How long a deletion waits for a lost member before it is written down for later",
    120_000
  ),
  evictionRate: Flag.Int("cluster-eviction-rate").pipe(
    Flag.withDescription("Objects that are moved from lost members in a second, all together"),
    Flag.withDefault(defaultEvictionOptions.perSecond)
  ),
  evictionBurst: Flag.Int("cluster-eviction-burst").pipe(
    Flag.withDescription("Objects that are moved at once before that rate counts"),
    Flag.withDefault(defaultEvictionOptions.burst)
  ),
  excludedNamespaces: text(
    "ns-autoprop-exclude-regexp",
    "Namespaces whose names this matches go nowhere by themselves; where one is already, it stays"
  ),
  excludedNodes: Flag.String("resource-aggregation-node-filter").pipe(
    Flag.withDescription("Label selector of nodes that give a member no room; may be given several times"),
    Flag.atLeast(0)
  ),
  mirroredEvents: Flag.Literals("mirror-events", ["none", "warnings", "all"]).pipe(
    Flag.withDescription("Events of members about copies that are told of their sources on the host"),
    Flag.withDefault("warnings" as const)
  ),
  shard: Flag.String("shard").pipe(
    Flag.withDescription("INDEX/COUNT: handle this share of the objects; each share elects its own leader"),
    Flag.withDefault("0/1")
  ),
  semantics: text(
    "type-semantics",
    "A TypeScript module, or YAML of CEL expressions, that describes further kinds, or others than ours"
  )
}

type Given = Command.Command.Config.Infer<typeof flags>

const misused = (userMessage: string) => new CliError.UserError({ cause: new Error(userMessage), userMessage })

const timeOf = Effect.fnUntraced(function* (flag: string, given: string) {
  const ms = parseDurationMs(given)
  if (ms === undefined || ms <= 0) return yield* misused(`--${flag} ${given}: must be a time like 15s or 1m30s`)
  return ms
})

const evictionsOf = Effect.fnUntraced(function* ({ evictionBurst: burst, evictionRate: perSecond }: Given) {
  if (perSecond < 1) return yield* misused(`--cluster-eviction-rate ${perSecond}: must be at least 1`)
  if (burst < 1) return yield* misused(`--cluster-eviction-burst ${burst}: must be at least 1`)
  return { perSecond, burst }
})

const namespacesOf = Effect.fnUntraced(function* (given: string | undefined) {
  if (given === undefined || given === "") return undefined
  try {
    return new RegExp(given)
  } catch {
    return yield* misused(`--ns-autoprop-exclude-regexp ${given}: must be a regular expression`)
  }
})

const nodesOf = (given: ReadonlyArray<string>) =>
  Effect.forEach(given, (one) => {
    const selector = parseLabelSelector(one)
    return selector instanceof SelectorInvalid
      ? misused(`--resource-aggregation-node-filter ${one}: ${selector.message}`)
      : Effect.succeed(selector)
  })

const shardOf = Effect.fnUntraced(function* (given: string) {
  const [, index, count] = /^(\d{1,4})\/(\d{1,4})$/.exec(given) ?? []
  const shard: Shard = { index: Number(index), count: Number(count) }
  if (index === undefined || shard.count < 1 || shard.index >= shard.count)
    return yield* misused(`--shard ${given}: must be INDEX/COUNT with INDEX below COUNT, like 0/4`)
  return shard
})

const hostOf = Effect.fnUntraced(function* (given: Given, controllers: HostControllers) {
  const { hostContext, hostKubeconfig } = given
  if (hostKubeconfig === undefined) {
    const own: HostOptions = { server: { ...(yield* apiServerOptions(given)), clusterName: "federation" }, controllers }
    return own
  }
  const access = yield* loadAccess({ kubeconfig: hostKubeconfig, ...(hostContext && { context: hostContext }) })
  const foreign: HostOptions = { access, listen: yield* listenAddress(given.listen) }
  return foreign
})

const run = (controllers: HostControllers, autoscaler: StartAutoscaler | undefined) =>
  Effect.fn("federation.command")(function* (given: Given) {
    yield* stopAtSecondInterrupt
    const times = {
      ...usualClusterTimes,
      probeMs: yield* timeOf("cluster-health-check-period", given.probeEvery),
      health: {
        ...usualClusterTimes.health,
        downAfterMs: yield* timeOf("cluster-lost-after", given.lostAfter),
        upAfterMs: yield* timeOf("cluster-back-after", given.backAfter)
      }
    }
    const deletionWaitMs = yield* timeOf("deletion-wait", given.deletionWait)
    const evictions = yield* evictionsOf(given)
    const excludedNamespaces = yield* namespacesOf(given.excludedNamespaces)
    const excludedNodes = yield* nodesOf(given.excludedNodes)
    const shard = yield* shardOf(given.shard)
    const host = yield* hostOf(given, controllers)
    const semantics = new SemanticsTable(given.semantics === undefined ? [] : yield* typesFile(given.semantics))
    const { kubeconfig, url } = yield* serveFederation({
      host,
      times,
      shard,
      deletionWaitMs,
      evictions,
      mirroredEvents: given.mirroredEvents,
      ...(excludedNamespaces === undefined ? {} : { excludedNamespaces }),
      excludedNodes,
      semantics,
      ...(autoscaler === undefined ? {} : { autoscaler })
    })
    yield* Console.log(`serving ${url}`)
    if (kubeconfig !== undefined && given.kubeconfig === undefined && !given.insecure)
      yield* Console.log(`no --kubeconfig was given; this is the administrator's:\n${kubeconfig}`)
    else if (given.kubeconfig !== undefined)
      yield* Console.log(`try: wharf federation join NAME --kubeconfig MEMBER --host-kubeconfig ${given.kubeconfig}`)
    return yield* Effect.never
  }, Effect.scoped)

/** `wharf serve federation`. */
export const serveFederationCommand = (controllers: HostControllers, autoscaler?: StartAutoscaler) =>
  Command.make("federation", flags, run(controllers, autoscaler)).pipe(
    Command.withDescription(
      "Serve one API for many clusters: place, override, propagate, watch and heal over its members"
    ),
    Command.withExamples([
      {
        command: "wharf serve federation --data-dir host --kubeconfig host/admin.conf",
        description:
          "a host of its own; then: wharf federation join east --kubeconfig east.conf --host-kubeconfig host/admin.conf"
      },
      {
        command: "wharf serve federation --host-kubeconfig admin.conf --listen 127.0.0.1:11257",
        description: "on any kube-apiserver; health and metrics at the address"
      }
    ])
  )
