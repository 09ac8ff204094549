// KubeSchedulerConfiguration (kubescheduler.config.k8s.io/v1) as a schema: what may stand in the file.
// Owns names, kinds and bounds of fields; refuses defaults and meaning, which SchedulerConfiguration.ts gives them.
import { Schema } from "effect"

const optional = Schema.optionalKey
const Text = Schema.String
const Texts = Schema.Array(Schema.String)
const between = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))
const Natural = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
const Positive = Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))
const typeMeta = { apiVersion: optional(Text), kind: optional(Text) }

const Requirements = Schema.Array(Schema.Struct({ key: Text, operator: Text, values: optional(Texts) }))
const NodeTerm = Schema.Struct({ matchExpressions: optional(Requirements), matchFields: optional(Requirements) })

const NodeAffinity = Schema.Struct({
  requiredDuringSchedulingIgnoredDuringExecution: optional(
    Schema.Struct({ nodeSelectorTerms: Schema.Array(NodeTerm) })
  ),
  preferredDuringSchedulingIgnoredDuringExecution: optional(
    Schema.Array(Schema.Struct({ weight: between(1, 100), preference: NodeTerm }))
  )
})

const SpreadConstraint = Schema.Struct({
  maxSkew: Positive,
  topologyKey: Schema.NonEmptyString,
  whenUnsatisfiable: Schema.Literals(["DoNotSchedule", "ScheduleAnyway"])
})

const Resources = Schema.Array(Schema.Struct({ name: Schema.NonEmptyString, weight: optional(between(0, 100)) }))
const Shape = Schema.Array(Schema.Struct({ utilization: between(0, 100), score: between(0, 10) }))

/** Arguments by plugin; a plugin that is not here has none. */
export const PluginArguments = {
  DefaultPreemption: Schema.Struct({
    ...typeMeta,
    minCandidateNodesPercentage: optional(between(0, 100)),
    minCandidateNodesAbsolute: optional(Natural)
  }),
  InterPodAffinity: Schema.Struct({
    ...typeMeta,
    hardPodAffinityWeight: optional(between(0, 100)),
    ignorePreferredTermsOfExistingPods: optional(Schema.Boolean)
  }),
  NodeAffinity: Schema.Struct({ ...typeMeta, addedAffinity: optional(NodeAffinity) }),
  NodeResourcesBalancedAllocation: Schema.Struct({ ...typeMeta, resources: optional(Resources) }),
  NodeResourcesFit: Schema.Struct({
    ...typeMeta,
    ignoredResources: optional(Texts),
    ignoredResourceGroups: optional(Texts),
    scoringStrategy: optional(
      Schema.Struct({
        type: optional(Schema.Literals(["LeastAllocated", "MostAllocated", "RequestedToCapacityRatio"])),
        resources: optional(Resources),
        requestedToCapacityRatio: optional(Schema.Struct({ shape: optional(Shape) }))
      })
    )
  }),
  PodTopologySpread: Schema.Struct({
    ...typeMeta,
    defaultConstraints: optional(Schema.Array(SpreadConstraint)),
    defaultingType: optional(Schema.Literals(["System", "List"]))
  }),
  VolumeBinding: Schema.Struct({
    ...typeMeta,
    bindTimeoutSeconds: optional(Natural),
    shape: optional(Shape)
  }),
  DynamicResources: Schema.Struct({ ...typeMeta, filterTimeout: optional(Text), bindingTimeout: optional(Text) })
}

const PluginSet = Schema.Struct({
  enabled: optional(Schema.Array(Schema.Struct({ name: Schema.NonEmptyString, weight: optional(Natural) }))),
  disabled: optional(Schema.Array(Schema.Struct({ name: Schema.NonEmptyString })))
})

const set = optional(PluginSet)
const Plugins = Schema.Struct({
  preEnqueue: set,
  queueSort: set,
  preFilter: set,
  filter: set,
  postFilter: set,
  preScore: set,
  score: set,
  reserve: set,
  permit: set,
  preBind: set,
  bind: set,
  postBind: set,
  multiPoint: set
})

const Extender = Schema.Struct({
  urlPrefix: Schema.NonEmptyString,
  filterVerb: optional(Text),
  preemptVerb: optional(Text),
  prioritizeVerb: optional(Text),
  weight: optional(Natural),
  bindVerb: optional(Text),
  enableHTTPS: optional(Schema.Boolean),
  tlsConfig: optional(
    Schema.Struct({
      insecure: optional(Schema.Boolean),
      serverName: optional(Text),
      certFile: optional(Text),
      keyFile: optional(Text),
      caFile: optional(Text),
      certData: optional(Text),
      keyData: optional(Text),
      caData: optional(Text)
    })
  ),
  httpTimeout: optional(Text),
  nodeCacheCapable: optional(Schema.Boolean),
  managedResources: optional(
    Schema.Array(Schema.Struct({ name: Schema.NonEmptyString, ignoredByScheduler: optional(Schema.Boolean) }))
  ),
  ignorable: optional(Schema.Boolean)
})

/** An extender as the file has it. */
export type ExtenderFields = typeof Extender.Type

const Profile = Schema.Struct({
  schedulerName: optional(Schema.NonEmptyString),
  percentageOfNodesToScore: optional(between(0, 100)),
  plugins: optional(Plugins),
  pluginConfig: optional(Schema.Array(Schema.Struct({ name: Schema.NonEmptyString, args: optional(Schema.Unknown) })))
})

export type ProfileFields = typeof Profile.Type
export type PluginsFields = typeof Plugins.Type
export type PluginSetFields = typeof PluginSet.Type

/** The whole file. */
export const ConfigurationFile = Schema.Struct({
  apiVersion: Schema.Literals(["kubescheduler.config.k8s.io/v1"]),
  kind: Schema.Literals(["KubeSchedulerConfiguration"]),
  parallelism: optional(Positive),
  leaderElection: optional(
    Schema.Struct({
      leaderElect: optional(Schema.Boolean),
      leaseDuration: optional(Text),
      renewDeadline: optional(Text),
      retryPeriod: optional(Text),
      resourceLock: optional(Schema.Literals(["leases"])),
      resourceName: optional(Text),
      resourceNamespace: optional(Text)
    })
  ),
  clientConnection: optional(
    Schema.Struct({
      kubeconfig: optional(Text),
      acceptContentTypes: optional(Text),
      contentType: optional(Text),
      qps: optional(Schema.Finite),
      burst: optional(Schema.Int)
    })
  ),
  enableProfiling: optional(Schema.Boolean),
  enableContentionProfiling: optional(Schema.Boolean),
  percentageOfNodesToScore: optional(between(0, 100)),
  podInitialBackoffSeconds: optional(Positive),
  podMaxBackoffSeconds: optional(Positive),
  profiles: optional(Schema.Array(Profile)),
  extenders: optional(Schema.Array(Extender)),
  delayCacheUntilActive: optional(Schema.Boolean)
})

export type ConfigurationFields = typeof ConfigurationFile.Type
