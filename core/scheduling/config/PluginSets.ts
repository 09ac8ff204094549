// Which plugins a profile runs at a point: the defaults, what the file enables, disables and weighs differently.
// Owns kube-scheduler's merging of sets and its expansion of multiPoint; refuses plugins that it does not know.
import type { PluginSetFields, PluginsFields } from "./ConfigurationSchema.ts"

interface Enabled {
  readonly name: string
  readonly weight?: number
}

/** The default profile of 1.37 in its order; plugins with a gate that is off by default are not in it. */
const defaults: ReadonlyArray<Enabled> = [
  { name: "SchedulingGates" },
  { name: "PrioritySort" },
  { name: "NodeName" },
  { name: "NodeUnschedulable" },
  { name: "TaintToleration", weight: 3 },
  { name: "NodeAffinity", weight: 2 },
  { name: "NodePorts" },
  { name: "NodeResourcesFit", weight: 1 },
  { name: "VolumeRestrictions" },
  { name: "NodeVolumeLimits" },
  { name: "VolumeBinding" },
  { name: "VolumeZone" },
  { name: "PodTopologySpread", weight: 2 },
  { name: "InterPodAffinity", weight: 2 },
  { name: "DynamicResources", weight: 2 },
  { name: "DefaultPreemption" },
  { name: "NodeResourcesBalancedAllocation", weight: 1 },
  { name: "ImageLocality", weight: 1 },
  { name: "DefaultBinder" },
  { name: "NodeDeclaredFeatures" }
]

/** Points that ours has, and the plugins that have something to do there. */
const pointsOf = {
  preEnqueue: ["SchedulingGates", "DefaultPreemption"],
  queueSort: ["PrioritySort"],
  filter: [
    "NodeName",
    "NodeUnschedulable",
    "TaintToleration",
    "NodeAffinity",
    "NodePorts",
    "NodeResourcesFit",
    "VolumeRestrictions",
    "NodeVolumeLimits",
    "VolumeBinding",
    "VolumeZone",
    "PodTopologySpread",
    "InterPodAffinity"
  ],
  postFilter: ["DynamicResources", "DefaultPreemption"],
  score: [
    "TaintToleration",
    "NodeAffinity",
    "NodeResourcesFit",
    "VolumeBinding",
    "PodTopologySpread",
    "InterPodAffinity",
    "NodeResourcesBalancedAllocation",
    "ImageLocality"
  ],
  bind: ["DefaultBinder"]
} as const

export type Point = keyof typeof pointsOf

export const isKnownPlugin = (name: string): boolean => defaults.some((one) => one.name === name)

/** The names in a file's plugins that no plugin has. */
export const unknownPlugins = (plugins: PluginsFields = {}): ReadonlyArray<string> =>
  Object.values(plugins).flatMap(({ disabled = [], enabled = [] }: PluginSetFields) =>
    [...enabled, ...disabled].flatMap(({ name }) => (name === "*" || isKnownPlugin(name) ? [] : [name]))
  )

const merged = ({ disabled = [], enabled = [] }: PluginSetFields = {}): ReadonlyArray<Enabled> => {
  const off = new Set(disabled.map(({ name }) => name))
  const own = new Map(enabled.map((one) => [one.name, one]))
  const kept = off.has("*") ? [] : defaults.filter(({ name }) => !off.has(name)).map((one) => own.get(one.name) ?? one)
  return [...kept, ...enabled.filter(({ name }) => !kept.some((one) => one.name === name))]
}

/** The plugins of a point in order, with their weights. */
export const pluginsAt = (plugins: PluginsFields = {}, point: Point): ReadonlyMap<string, number> => {
  const able: ReadonlyArray<string> = pointsOf[point]
  const own = plugins[point] ?? {}
  const off = new Set((own.disabled ?? []).map(({ name }) => name))
  const multi = off.has("*")
    ? []
    : merged(plugins.multiPoint).filter(({ name }) => able.includes(name) && !off.has(name))
  const explicit = (own.enabled ?? []).filter(({ name }) => able.includes(name))
  const overriding = explicit.filter(({ name }) => multi.some((one) => one.name === name))
  const rest = multi.filter(({ name }) => !overriding.some((one) => one.name === name))
  const added = explicit.filter((one) => !overriding.includes(one))
  const weightOf = ({ name, weight = 0 }: Enabled): number => {
    const inherited = multi.find((one) => one.name === name)?.weight ?? 0
    return weight > 0 ? weight : inherited > 0 ? inherited : 1
  }
  return new Map([...overriding, ...rest, ...added].map((one) => [one.name, weightOf(one)]))
}
