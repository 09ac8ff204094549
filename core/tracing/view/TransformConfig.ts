// The transformation file: display modes as lists of steps, batches of steps, and modifiers that a mode may be combined with.
// Owns its schema, its reading and the steps' meaning by name; refuses to know how each step works.
import { Result, Schema } from "effect"
import { parseDocument } from "yaml"
import { ExtensionArgs } from "../extension/ExtensionArgs.ts"
import { LinkSelectorArgs } from "./LinkSelector.ts"
import { clusterName, objectTags, replaceName, serviceOperationReplace } from "./NameSteps.ts"
import { collapseNesting, extractNesting, groupByTraceSource, pruneLogFields } from "./NestSteps.ts"
import { compactDuration, pruneChildless, pruneTags } from "./PruneSteps.ts"
import { matcherOf, StringFilter } from "./StringFilter.ts"
import { TransformInvalid } from "./TransformInvalid.ts"
import type { ViewNode } from "./ViewNode.ts"

/** Reshapes one tree in place. */
export type Step = (root: ViewNode) => void

const optional = Schema.optionalKey
const Texts = Schema.Array(Schema.String)
const ModeId = Schema.String.check(Schema.isPattern(/^[0-9a-f]{8}$/, { message: "must be 8 hex digits" }))
const DiffClassSchema = Schema.Struct({
  shouldDisplay: Schema.Boolean,
  name: optional(Schema.String),
  priority: optional(Schema.Int)
})
const kind = <const Name extends string>(name: Name) => Schema.Literals([name, `${name}Visitor`])

const StepSchema = Schema.Union([
  Schema.Struct({ kind: Schema.Literal("Batch"), batchName: Schema.NonEmptyString }),
  Schema.Struct({ kind: kind("PruneChildless") }),
  Schema.Struct({ kind: kind("ReplaceName") }),
  Schema.Struct({ kind: kind("ObjectTags"), resourceTags: Texts }),
  Schema.Struct({
    kind: kind("ServiceOperationReplace"),
    traceSource: Schema.String,
    dest: Schema.Literals(["service", "operation"]),
    source: Texts
  }),
  Schema.Struct({ kind: kind("ClusterName") }),
  Schema.Struct({
    kind: kind("CollapseNesting"),
    shouldCollapse: StringFilter,
    tagMappings: optional(
      Schema.Record(
        Schema.String,
        Schema.Array(Schema.Struct({ fromSpanTag: Schema.String, toLogField: Schema.String }))
      )
    ),
    auditDiffClasses: optional(
      Schema.Struct({
        default: DiffClassSchema,
        fields: optional(Schema.Array(Schema.Struct({ fields: Texts, class: DiffClassSchema })))
      })
    ),
    logTypeMapping: optional(Schema.Record(Schema.String, Schema.String))
  }),
  Schema.Struct({ kind: kind("ExtractNesting"), matchesPseudoType: StringFilter }),
  Schema.Struct({ kind: kind("GroupByTraceSource"), shouldBeGrouped: StringFilter }),
  Schema.Struct({ kind: kind("CompactDuration") }),
  Schema.Struct({ kind: kind("PruneTags") })
])
type StepSchema = typeof StepSchema.Type

const Steps = Schema.Array(StepSchema)

const TransformFile = Schema.Struct({
  configs: Schema.NonEmptyArray(Schema.Struct({ id: ModeId, name: Schema.NonEmptyString, steps: Steps })),
  batches: optional(Schema.Array(Schema.Struct({ name: Schema.NonEmptyString, steps: Steps }))),
  modifiers: optional(
    Schema.Record(
      ModeId,
      Schema.Union([
        Schema.Struct({
          displayName: Schema.NonEmptyString,
          modifierName: Schema.Literal("link-selector"),
          args: LinkSelectorArgs,
          priority: optional(Schema.Int)
        }),
        Schema.Struct({
          displayName: Schema.NonEmptyString,
          modifierName: Schema.Literal("extension"),
          args: ExtensionArgs,
          priority: optional(Schema.Int)
        })
      ])
    )
  ),
  defaultConfig: ModeId
})
export type TransformFile = typeof TransformFile.Type
export type Modifier = NonNullable<TransformFile["modifiers"]>[string]

/** Reads YAML or JSON; throws TransformInvalid. */
export const parseTransformFile = (text: string): TransformFile => {
  const document = parseDocument(text)
  const [error] = document.errors
  if (error !== undefined) throw new TransformInvalid({ field: "file", rule: error.message.split("\n")[0] })
  const decoded = Schema.decodeUnknownResult(TransformFile)(document.toJS(), {
    errors: "all",
    onExcessProperty: "error"
  })
  if (Result.isSuccess(decoded)) return decoded.success
  throw new TransformInvalid({ field: "file", rule: decoded.failure.message.replaceAll("\n", " ") })
}

/** A mode's steps with batches put in; throws TransformInvalid for a batch that does not stand before. */
export const stepsOf = (
  steps: ReadonlyArray<StepSchema>,
  batches: ReadonlyMap<string, ReadonlyArray<Step>>,
  field: string
): ReadonlyArray<Step> =>
  steps.flatMap((step, at) => {
    if (step.kind !== "Batch") return stepOf(step)
    const batch = batches.get(step.batchName)
    if (batch !== undefined) return batch
    throw new TransformInvalid({ field: `${field}[${at}].batchName`, rule: `no batch ${step.batchName} stands before` })
  })

const stepOf = (step: Exclude<StepSchema, { readonly kind: "Batch" }>): ReadonlyArray<Step> => {
  switch (step.kind) {
    case "PruneChildless":
    case "PruneChildlessVisitor":
      return [pruneChildless]
    case "ReplaceName":
    case "ReplaceNameVisitor":
      return [replaceName]
    case "ObjectTags":
    case "ObjectTagsVisitor":
      return [objectTags(step.resourceTags)]
    case "ServiceOperationReplace":
    case "ServiceOperationReplaceVisitor":
      return [serviceOperationReplace(step.traceSource, step.dest, step.source)]
    case "ClusterName":
    case "ClusterNameVisitor":
      return [clusterName]
    case "CollapseNesting":
    case "CollapseNestingVisitor":
      return [collapseOf(step)]
    case "ExtractNesting":
    case "ExtractNestingVisitor":
      return [extractNesting(matcherOf(step.matchesPseudoType))]
    case "GroupByTraceSource":
    case "GroupByTraceSourceVisitor":
      return [groupByTraceSource(matcherOf(step.shouldBeGrouped))]
    case "CompactDuration":
    case "CompactDurationVisitor":
      return [compactDuration]
    case "PruneTags":
    case "PruneTagsVisitor":
      return [pruneLogFields, pruneTags]
  }
}

const collapseOf = (step: Extract<StepSchema, { readonly auditDiffClasses?: unknown }>): Step => {
  const { auditDiffClasses, logTypeMapping = {}, shouldCollapse, tagMappings = {} } = step
  const classOf = ({ name = "", priority = 0, shouldDisplay }: typeof DiffClassSchema.Type) => ({
    shouldDisplay,
    name,
    priority
  })
  const fallback = classOf(auditDiffClasses?.default ?? { shouldDisplay: true, name: "diff" })
  const byPath = new Map(
    (auditDiffClasses?.fields ?? []).flatMap(({ class: found, fields }) => {
      const shared = classOf(found)
      return fields.map((path) => [path, shared] as const)
    })
  )
  const diffClassOf = (path: string) => byPath.get(path) ?? fallback
  return collapseNesting({ shouldCollapse: matcherOf(shouldCollapse), tagMappings, diffClassOf, logTypeMapping })
}
