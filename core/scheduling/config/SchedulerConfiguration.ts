// The scheduler's configuration file, read and completed: profiles ready for use, extenders, back-off, leader election.
// Owns kube-scheduler's defaults and checks across fields; refuses files (a text is given) and flags. A failure names the field and the rule.
import { Result, Schema } from "effect"
import { parse as parseYaml } from "yaml"
import { parseDurationMs } from "#kube"
import { NodeTerms, PreferredNodes } from "../pod/NodeTerms.ts"
import { systemConstraints } from "../pod/SpreadConstraint.ts"
import {
  type ConfigurationFields,
  ConfigurationFile,
  type ExtenderFields,
  PluginArguments
} from "./ConfigurationSchema.ts"
import type { ProfileFields } from "./ConfigurationSchema.ts"
import { isKnownPlugin, pluginsAt, unknownPlugins } from "./PluginSets.ts"
import { cpuAndMemory, defaultProfile, type Profile, type ShapePoint, type WeightedResource } from "./Profile.ts"

/** A configuration that cannot be used. */
export class ConfigurationInvalid extends Error {
  readonly _tag = "ConfigurationInvalid"
  override readonly name = "ConfigurationInvalid"
}

export interface LeaderElectionSettings {
  readonly enabled: boolean
  readonly leaseDurationMs: number
  readonly renewDeadlineMs: number
  readonly retryPeriodMs: number
  readonly name: string
  readonly namespace: string
}

export interface SchedulerConfiguration {
  readonly profiles: ReadonlyArray<Profile>
  readonly extenders: ReadonlyArray<ExtenderFields>
  readonly initialBackoffMs: number
  readonly maxBackoffMs: number
  readonly leaderElection: LeaderElectionSettings
  /** A file named by clientConnection. */
  readonly kubeconfig: string | undefined
}

type PluginName = keyof typeof PluginArguments
type ArgumentsOf<N extends PluginName> = (typeof PluginArguments)[N]["Type"]

const isPluginName = (name: string): name is PluginName => name in PluginArguments

const fail = (field: string, rule: string): never => {
  throw new ConfigurationInvalid(`${field}: ${rule}`)
}

const decode = <A>(schema: Schema.Decoder<A>, value: unknown, path: string): A => {
  const decoded = Schema.decodeUnknownResult(schema)(value, { errors: "all", onExcessProperty: "error" })
  if (Result.isSuccess(decoded)) return decoded.success
  throw new ConfigurationInvalid(`${path}: ${decoded.failure.message.replaceAll("\n", " ")}`)
}

const weighted = (
  resources: ReadonlyArray<{ readonly name: string; readonly weight?: number }> | undefined
): ReadonlyArray<WeightedResource> =>
  resources === undefined || resources.length === 0
    ? cpuAndMemory
    : resources.map(({ name, weight = 0 }) => ({ name, weight: weight === 0 ? 1 : weight }))

const checkedShape = (shape: ReadonlyArray<ShapePoint>, path: string): ReadonlyArray<ShapePoint> => {
  if (shape.length === 0) fail(path, "at least one point must be specified")
  for (let at = 1; at < shape.length; at++)
    if (shape[at].utilization <= shape[at - 1].utilization)
      fail(`${path}[${at}].utilization`, "utilization values must be sorted in increasing order")
  return shape
}

const fitArguments = (args: ArgumentsOf<"NodeResourcesFit">, path: string): Profile["fit"] => {
  const { ignoredResourceGroups = [], ignoredResources = [], scoringStrategy = {} } = args
  for (const group of ignoredResourceGroups)
    if (group.includes("/")) fail(`${path}.ignoredResourceGroups`, "resource group name can't contain '/'")
  const strategy = scoringStrategy.type ?? "LeastAllocated"
  const shape = scoringStrategy.requestedToCapacityRatio?.shape ?? []
  return {
    ignoredResources: new Set(ignoredResources),
    ignoredGroups: new Set(ignoredResourceGroups),
    strategy,
    resources: weighted(scoringStrategy.resources),
    shape:
      strategy === "RequestedToCapacityRatio"
        ? checkedShape(shape, `${path}.scoringStrategy.requestedToCapacityRatio.shape`)
        : shape
  }
}

const spreadArguments = (args: ArgumentsOf<"PodTopologySpread">, path: string): Profile["spread"] => {
  const { defaultConstraints = [], defaultingType = "System" } = args
  if (defaultingType === "List") return { constraints: defaultConstraints, isSystem: false }
  if (defaultConstraints.length > 0)
    fail(`${path}.defaultingType`, "when .defaultConstraints are not empty, it must be List")
  return { constraints: systemConstraints, isSystem: true }
}

const addedAffinity = ({ addedAffinity: added }: ArgumentsOf<"NodeAffinity">): Profile["addedAffinity"] => {
  const required = added?.requiredDuringSchedulingIgnoredDuringExecution
  const preferred = added?.preferredDuringSchedulingIgnoredDuringExecution ?? []
  return {
    required: required === undefined ? undefined : new NodeTerms(required),
    preferred: preferred.length === 0 ? undefined : new PreferredNodes(preferred)
  }
}

const argumentsOf = ({ pluginConfig = [] }: ProfileFields, path: string) => {
  const seen = new Map<string, unknown>()
  for (const [at, { args, name }] of pluginConfig.entries()) {
    const here = `${path}.pluginConfig[${at}]`
    if (seen.has(name)) fail(here, `repeated config for plugin ${name}`)
    if (!isKnownPlugin(name)) fail(`${here}.name`, `there is no plugin ${name}`)
    if (!isPluginName(name)) fail(`${here}.args`, `plugin ${name} has no arguments`)
    seen.set(name, args)
  }
  return <N extends PluginName>(name: N): ArgumentsOf<N> => {
    // SAFETY: the decoder is that of the same name.
    const schema = PluginArguments[name] as unknown as Schema.Decoder<ArgumentsOf<N>>
    return decode(schema, seen.get(name) ?? {}, `${path}.pluginConfig(${name}).args`)
  }
}

const profileOf = (fields: ProfileFields, path: string, schedulerName: string, percent: number): Profile => {
  const unknown = unknownPlugins(fields.plugins)
  if (unknown.length > 0) fail(`${path}.plugins`, `there is no plugin ${unknown.join(", ")}`)
  if (pluginsAt(fields.plugins, "queueSort").size !== 1) fail(`${path}.plugins.queueSort`, "one plugin is required")
  if (pluginsAt(fields.plugins, "bind").size === 0) fail(`${path}.plugins.bind`, "at least one plugin is required")
  const args = argumentsOf(fields, path)
  const preemption = args("DefaultPreemption")
  const affinity = args("InterPodAffinity")
  const candidatesPercent = preemption.minCandidateNodesPercentage ?? 10
  const candidatesMin = preemption.minCandidateNodesAbsolute ?? 100
  if (candidatesPercent === 0 && candidatesMin === 0)
    fail(`${path}.pluginConfig(DefaultPreemption).args`, "both candidates' minimums are zero")
  const own = fields.percentageOfNodesToScore ?? percent
  return {
    schedulerName,
    gates: new Set(pluginsAt(fields.plugins, "preEnqueue").keys()),
    filters: new Set(pluginsAt(fields.plugins, "filter").keys()),
    weights: pluginsAt(fields.plugins, "score"),
    preempts: pluginsAt(fields.plugins, "postFilter").has("DefaultPreemption"),
    asksForClaims: pluginsAt(fields.plugins, "postFilter").has("DynamicResources"),
    fit: fitArguments(args("NodeResourcesFit"), `${path}.pluginConfig(NodeResourcesFit).args`),
    balanced: weighted(args("NodeResourcesBalancedAllocation").resources),
    spread: spreadArguments(args("PodTopologySpread"), `${path}.pluginConfig(PodTopologySpread).args`),
    affinity: {
      hardWeight: affinity.hardPodAffinityWeight ?? 1,
      ignoresExisting: affinity.ignorePreferredTermsOfExistingPods ?? false
    },
    addedAffinity: addedAffinity(args("NodeAffinity")),
    preemption: { candidatesPercent, candidatesMin },
    volumes: { shape: args("VolumeBinding").shape ?? defaultProfile.volumes.shape },
    // 0 leaves the choice to the scheduler, and ours needs no sampling.
    nodesPercent: own === 0 || own === 100 ? undefined : own
  }
}

const profilesOf = (fields: ConfigurationFields): ReadonlyArray<Profile> => {
  const listed = fields.profiles === undefined || fields.profiles.length === 0 ? [{}] : fields.profiles
  const names = new Set<string>()
  return listed.map((profile: ProfileFields, at) => {
    const path = `profiles[${at}]`
    const name = profile.schedulerName ?? (listed.length === 1 ? "default-scheduler" : "")
    if (name === "") fail(`${path}.schedulerName`, "a name is required")
    if (names.has(name)) fail(`${path}.schedulerName`, `there is another profile ${name}`)
    names.add(name)
    return profileOf(profile, path, name, fields.percentageOfNodesToScore ?? 0)
  })
}

const leaderElectionOf = ({ leaderElection = {} }: ConfigurationFields): LeaderElectionSettings => {
  const ms = (field: "leaseDuration" | "renewDeadline" | "retryPeriod", byDefault: string): number =>
    parseDurationMs(leaderElection[field] ?? byDefault) ??
    fail(`leaderElection.${field}`, "a duration like 15s is required")
  return {
    enabled: leaderElection.leaderElect ?? true,
    leaseDurationMs: ms("leaseDuration", "15s"),
    renewDeadlineMs: ms("renewDeadline", "10s"),
    retryPeriodMs: ms("retryPeriod", "2s"),
    name: leaderElection.resourceName ?? "kube-scheduler",
    namespace: leaderElection.resourceNamespace ?? "kube-system"
  }
}

const complete = (value: unknown): SchedulerConfiguration => {
  const fields = decode(ConfigurationFile, value, "configuration")
  const initial = fields.podInitialBackoffSeconds ?? 1
  const most = fields.podMaxBackoffSeconds ?? 10
  if (most < initial) fail("podMaxBackoffSeconds", "must be greater than or equal to PodInitialBackoffSeconds")
  const extenders = fields.extenders ?? []
  for (const [at, extender] of extenders.entries()) {
    if ((extender.prioritizeVerb ?? "") !== "" && (extender.weight ?? 0) <= 0)
      fail(`extenders[${at}].weight`, "must have a positive weight applied to it")
    if (extender.httpTimeout !== undefined && parseDurationMs(extender.httpTimeout) === undefined)
      fail(`extenders[${at}].httpTimeout`, "a duration like 5s is required")
  }
  if (extenders.filter(({ bindVerb = "" }) => bindVerb !== "").length > 1)
    fail("extenders", "only one extender can implement bind")
  return {
    profiles: profilesOf(fields),
    extenders,
    initialBackoffMs: initial * 1000,
    maxBackoffMs: most * 1000,
    leaderElection: leaderElectionOf(fields),
    kubeconfig: fields.clientConnection?.kubeconfig
  }
}

/** Reads a configuration from YAML or JSON text; the failure names the first field that breaks a rule. */
export const parseSchedulerConfiguration = (text: string): SchedulerConfiguration | ConfigurationInvalid => {
  let value: unknown
  try {
    value = parseYaml(text)
  } catch {
    return new ConfigurationInvalid("the configuration is no YAML")
  }
  return decodeSchedulerConfiguration(value)
}

/** Reads a configuration from a value. */
export const decodeSchedulerConfiguration = (value: unknown): SchedulerConfiguration | ConfigurationInvalid => {
  try {
    return complete(value)
  } catch (failure) {
    if (failure instanceof ConfigurationInvalid) return failure
    throw failure
  }
}

/** What applies without a file. */
export const defaultConfiguration: SchedulerConfiguration = complete({
  apiVersion: "kubescheduler.config.k8s.io/v1",
  kind: "KubeSchedulerConfiguration"
})

/** Milliseconds that an extender's call may take; 30 s unless it says otherwise. */
export const extenderTimeoutMs = ({ httpTimeout }: ExtenderFields): number => {
  const ms = httpTimeout === undefined ? 0 : (parseDurationMs(httpTimeout) ?? 0)
  return ms === 0 ? 30_000 : ms
}
