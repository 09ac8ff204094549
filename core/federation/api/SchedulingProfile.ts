// A SchedulingProfile and a SchedulerPluginWebhookConfiguration as code reads them.
// Owns reading and which plugins are on by default; refuses to know what they do.
import { type KubeObject, parseDurationMs } from "#kube"
import { type Fields, fieldsOf, invalid, itemsOf, numberIn, type Problems, textOf, textsOf } from "#apiserver"

/** Where plugins stand. */
export type PluginPoint = "filter" | "score" | "select" | "replicas"

/** A plugin of a profile at one point. */
export interface ProfilePlugin {
  readonly webhook: boolean
  readonly name: string
  /** Of scores; 1 elsewhere. */
  readonly weight: number
}

/** The plugins that place objects, in order. */
export interface SchedulingProfile {
  readonly name: string
  readonly plugins: Readonly<Record<PluginPoint, ReadonlyArray<ProfilePlugin>>>
  readonly arguments: ReadonlyMap<string, Fields>
  readonly problems: Problems
}

/** The plugins that are on when no profile says otherwise. */
export const DEFAULT_PLUGINS: Readonly<Record<PluginPoint, ReadonlyArray<string>>> = {
  filter: [
    "APIResources",
    "TaintToleration",
    "ClusterReady",
    "ClusterTerminating",
    "PlacementFilter",
    "ClusterAffinity",
    "ClusterEvicted"
  ],
  score: ["TaintToleration", "ClusterAffinity", "ClusterResourcesBalancedAllocation", "ClusterResourcesLeastAllocated"],
  select: ["FailoverGroups", "PrioritySort", "TopologySpread", "MaxCluster"],
  replicas: ["ClusterCapacityWeight", "PreferenceBinPack"]
}

/** Every plugin of ours, by point: the default ones, and those that a profile may add. */
export const KNOWN_PLUGINS: Readonly<Record<PluginPoint, ReadonlyArray<string>>> = {
  filter: [...DEFAULT_PLUGINS.filter, "ClusterResourcesFit", "KatalystResourcesExist"],
  score: [...DEFAULT_PLUGINS.score, "ClusterResourcesMostAllocated"],
  select: DEFAULT_PLUGINS.select,
  replicas: DEFAULT_PLUGINS.replicas
}

const POINTS: ReadonlyArray<PluginPoint> = ["filter", "score", "select", "replicas"]

const usual = (point: PluginPoint): ReadonlyArray<ProfilePlugin> =>
  DEFAULT_PLUGINS[point].map((name) => ({ webhook: false, name, weight: 1 }))

/** The profile of objects whose policy names none. */
export const defaultSchedulingProfile: SchedulingProfile = {
  name: "",
  plugins: {
    filter: usual("filter"),
    score: usual("score"),
    select: usual("select"),
    replicas: usual("replicas")
  },
  arguments: new Map(),
  problems: []
}

const pluginOf = (fields: Fields): ProfilePlugin => ({
  webhook: fields["type"] === "Webhook",
  name: textOf(fields["name"]),
  weight: numberIn(fields["weight"]) ?? numberIn(fields["wait"]) ?? 1
})

const pluginsAt = (point: PluginPoint, set: Fields, problems: Problems): ReadonlyArray<ProfilePlugin> => {
  const disabled = new Set(itemsOf(set["disabled"]).map(({ name }) => textOf(name)))
  const kept = disabled.has("*") ? [] : usual(point).filter(({ name }) => !disabled.has(name))
  const added: Array<ProfilePlugin> = []
  itemsOf(set["enabled"]).forEach((fields, at) => {
    const plugin = pluginOf(fields)
    const field = `spec.plugins.${point}.enabled[${at}].name`
    if (point === "replicas" && plugin.webhook)
      problems.push(invalid(field, plugin.name, "no webhook divides replicas"))
    else if (!plugin.webhook && !KNOWN_PLUGINS[point].includes(plugin.name)) {
      problems.push(invalid(field, plugin.name, `must be one of ${KNOWN_PLUGINS[point].join(", ")}`))
    } else added.push(plugin)
  })
  // Enabling a default plugin again gives it another weight and the last place.
  const again = new Set(added.map(({ name, webhook }) => `${webhook}/${name}`))
  return [...kept.filter(({ name, webhook }) => !again.has(`${webhook}/${name}`)), ...added]
}

const readProfile = (object: KubeObject): SchedulingProfile => {
  const spec = fieldsOf(object.spec)
  const sets = fieldsOf(spec["plugins"])
  const problems: Problems = []
  const [filter = [], score = [], select = [], replicas = []] = POINTS.map((point) =>
    pluginsAt(point, fieldsOf(sets[point]), problems)
  )
  return {
    name: object.metadata.name ?? "",
    plugins: { filter, score, select, replicas },
    arguments: new Map(itemsOf(spec["pluginConfig"]).map(({ args, name }) => [textOf(name), fieldsOf(args)])),
    problems
  }
}

const known = new WeakMap<KubeObject, SchedulingProfile>()

/** Reads a SchedulingProfile, once per object. */
export const schedulingProfileOf = (object: KubeObject): SchedulingProfile => {
  const found = known.get(object)
  if (found !== undefined) return found
  const fresh = readProfile(object)
  known.set(object, fresh)
  return fresh
}

/** A plugin that answers over HTTP. */
export interface PluginWebhook {
  readonly name: string
  /** Asks for all clusters in one call; else in one call for each. */
  readonly batch: boolean
  readonly urlPrefix: string
  /** Undefined: it does nothing there. */
  readonly paths: Readonly<Record<"filter" | "score" | "select", string | undefined>>
  readonly timeoutMs: number
  readonly tls: Fields
  readonly problems: Problems
}

/** Payload versions that are spoken: KubeAdmiral's, and ours for all clusters at once. */
export const PAYLOAD_VERSIONS = { each: "v1alpha1", batch: "v1beta1" } as const

const pathOf = (value: unknown): string | undefined => (textOf(value) === "" ? undefined : textOf(value))

/** Reads a SchedulerPluginWebhookConfiguration. */
export const pluginWebhookOf = (object: KubeObject): PluginWebhook => {
  const spec = fieldsOf(object.spec)
  const problems: Problems = []
  const versions = textsOf(spec["payloadVersions"])
  const spoken = versions.find((version) => version === PAYLOAD_VERSIONS.batch || version === PAYLOAD_VERSIONS.each)
  if (spoken === undefined) {
    problems.push(invalid("spec.payloadVersions", [...versions], "must have one of v1alpha1, v1beta1"))
  }
  const timeoutMs = parseDurationMs(textOf(spec["httpTimeout"]) || "5s")
  if (timeoutMs === undefined)
    problems.push(invalid("spec.httpTimeout", spec["httpTimeout"], "must be a duration like 5s"))
  const urlPrefix = textOf(spec["urlPrefix"])
  if (!/^https?:\/\//.test(urlPrefix))
    problems.push(invalid("spec.urlPrefix", urlPrefix, "must start with http:// or https://"))
  return {
    name: object.metadata.name ?? "",
    batch: versions.includes(PAYLOAD_VERSIONS.batch),
    urlPrefix,
    paths: { filter: pathOf(spec["filterPath"]), score: pathOf(spec["scorePath"]), select: pathOf(spec["selectPath"]) },
    timeoutMs: timeoutMs ?? 5000,
    tls: fieldsOf(spec["tlsConfig"]),
    problems
  }
}
