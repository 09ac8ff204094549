// The operations of scheduler_perf's workload templates, as their YAML spells them.
// Owns names, kinds and requirements of fields; refuses to run an operation (PerfExecutor.ts) or to fill in parameters (PerfParams.ts).
// Source: kubernetes test/integration/scheduler_perf, operations.go and update.go at 1.37.
import { Schema } from "effect"

const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
/** A parameter of the workload: `$name`. */
const Param = Schema.String.check(
  Schema.isPattern(/^\$\w+$/, { expected: "a parameter of the workload, like $initPods" })
)
const Names = Schema.Record(Schema.String, Schema.String)
const TemplateParams = Schema.Record(Schema.String, Schema.Unknown)
const counted = { count: Schema.optionalKey(Count), countParam: Schema.optionalKey(Param) }

const CreateNodes = Schema.Struct({
  opcode: Schema.Literal("createNodes"),
  ...counted,
  nodeTemplatePath: Schema.optionalKey(Schema.String),
  templateParams: Schema.optionalKey(TemplateParams),
  nodeAllocatableStrategy: Schema.optionalKey(
    Schema.Struct({
      nodeAllocatable: Schema.optionalKey(Names),
      csiNodeAllocatable: Schema.optionalKey(Schema.Record(Schema.String, Schema.Struct({ count: Count }))),
      migratedPlugins: Schema.optionalKey(Schema.Array(Schema.String))
    })
  ),
  labelNodePrepareStrategy: Schema.optionalKey(
    Schema.Struct({ labelKey: Schema.String, labelValues: Schema.NonEmptyArray(Schema.String) })
  ),
  uniqueNodeLabelStrategy: Schema.optionalKey(Schema.Struct({ labelKey: Schema.String }))
})

const CreateNamespaces = Schema.Struct({
  opcode: Schema.Literal("createNamespaces"),
  ...counted,
  prefix: Schema.String,
  namespaceTemplatePath: Schema.optionalKey(Schema.String)
})

const CreatePods = Schema.Struct({
  opcode: Schema.Literal("createPods"),
  ...counted,
  countMultiplierParam: Schema.optionalKey(Param),
  steadyState: Schema.optionalKey(Schema.Boolean),
  steadyStateParam: Schema.optionalKey(Param),
  duration: Schema.optionalKey(Schema.String),
  durationParam: Schema.optionalKey(Param),
  collectMetrics: Schema.optionalKey(Schema.Boolean),
  namespace: Schema.optionalKey(Schema.String),
  podTemplatePath: Schema.optionalKey(Schema.String),
  skipWaitToCompletion: Schema.optionalKey(Schema.Boolean),
  persistentVolumeTemplatePath: Schema.optionalKey(Schema.String),
  persistentVolumeClaimTemplatePath: Schema.optionalKey(Schema.String),
  templateParams: Schema.optionalKey(TemplateParams),
  signatureBatchSize: Schema.optionalKey(Count),
  signatureBatchSizeParam: Schema.optionalKey(Param)
})

const CreatePodSets = Schema.Struct({
  opcode: Schema.Literal("createPodSets"),
  ...counted,
  namespacePrefix: Schema.String,
  createPodsOp: CreatePods
})

const DeletePods = Schema.Struct({
  opcode: Schema.Literal("deletePods"),
  namespace: Schema.String,
  labelSelector: Schema.optionalKey(Names),
  skipWaitToCompletion: Schema.optionalKey(Schema.Boolean),
  deletePodsPerSecond: Schema.optionalKey(Count)
})

const Churn = Schema.Struct({
  opcode: Schema.Literal("churn"),
  mode: Schema.Literals(["create", "recreate"]),
  number: Schema.optionalKey(Count),
  intervalMilliseconds: Schema.optionalKey(Count),
  namespace: Schema.optionalKey(Schema.String),
  templatePaths: Schema.NonEmptyArray(Schema.String)
})

const Barrier = Schema.Struct({
  opcode: Schema.Literal("barrier"),
  namespaces: Schema.optionalKey(Schema.Array(Schema.String)),
  labelSelector: Schema.optionalKey(Names),
  stageRequirement: Schema.optionalKey(Schema.Literals(["Scheduled", "Attempted"]))
})

const Sleep = Schema.Struct({
  opcode: Schema.Literal("sleep"),
  duration: Schema.optionalKey(Schema.String),
  durationParam: Schema.optionalKey(Param)
})

const CreateAny = Schema.Struct({
  opcode: Schema.Literal("createAny"),
  ...counted,
  namespace: Schema.optionalKey(Schema.String),
  templatePath: Schema.String,
  templateParams: Schema.optionalKey(TemplateParams)
})

const UpdateAny = Schema.Struct({
  opcode: Schema.Literal("updateAny"),
  ...counted,
  namespace: Schema.optionalKey(Schema.String),
  templatePath: Schema.String,
  updatePerSecond: Schema.optionalKey(Count),
  subresources: Schema.optionalKey(Schema.Array(Schema.String))
})

const StartCollectingMetrics = Schema.Struct({
  opcode: Schema.Literal("startCollectingMetrics"),
  name: Schema.optionalKey(Schema.String),
  namespaces: Schema.NonEmptyArray(Schema.String),
  labelSelector: Schema.optionalKey(Names)
})

const StopCollectingMetrics = Schema.Struct({ opcode: Schema.Literal("stopCollectingMetrics") })

/** Read, so that whole files can be listed; a workload with one of these is refused when it is to run. */
const CreatePodGroups = Schema.Struct({
  opcode: Schema.Literal("createPodGroups"),
  ...counted,
  namespace: Schema.String,
  templatePath: Schema.String,
  templateParams: Schema.optionalKey(TemplateParams)
})
const AllocResourceClaims = Schema.Struct({
  opcode: Schema.Literal("allocResourceClaims"),
  namespace: Schema.String
})

/** One step of a workload template. */
export const PerfOperation = Schema.Union([
  CreateNodes,
  CreateNamespaces,
  CreatePods,
  CreatePodSets,
  DeletePods,
  Churn,
  Barrier,
  Sleep,
  CreateAny,
  UpdateAny,
  StartCollectingMetrics,
  StopCollectingMetrics,
  CreatePodGroups,
  AllocResourceClaims
])
export type PerfOperation = typeof PerfOperation.Type
export type CreateNodes = typeof CreateNodes.Type
export type CreatePods = typeof CreatePods.Type
export type DeletePods = typeof DeletePods.Type
export type Churn = typeof Churn.Type
export type Barrier = typeof Barrier.Type
export type CreateAny = typeof CreateAny.Type
export type UpdateAny = typeof UpdateAny.Type
