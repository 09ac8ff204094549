// Deployments and the ReplicaSets they make.
// Owns their strategies; refuses to roll anything out, which controllers do. Source: kubernetes pkg/registry/apps.
import { type KubeObject, sameJson } from "#kube"
import type { Column, Definition, Draft, Subresource } from "../../Definition.ts"
import { ageColumn, column, containerColumns, counted, nameColumn, wide } from "../Columns.ts"
import { withTemplate } from "../corev1/PodDefaults.ts"
import { define } from "../Define.ts"
import { defaulted, type Fields, fieldsIn, fieldsOf, numberOf, withField, zeroDefaulted } from "../Fields.ts"
import { checkImmutable } from "../Meta.ts"
import { forbidden, invalid, notSupported, type Problems } from "../Problems.ts"
import { selectorText } from "../Selectors.ts"
import {
  checkAmountOrPercent,
  checkAtMostAll,
  checkCollisions,
  checkCounts,
  checkLastingTemplate,
  checkReplicaStatus,
  checkWorkloadSelector,
  magnitude,
  type TemplateRule
} from "./WorkloadRules.ts"

const SPEC: Fields = Object.freeze({ replicas: 1, revisionHistoryLimit: 10, progressDeadlineSeconds: 600 })
const ROLLING: Fields = Object.freeze({ maxUnavailable: "25%", maxSurge: "25%" })
const RULE: TemplateRule = { kind: "ReplicaSet", emptyFor: "deployment" }

const setSpec = (draft: Draft, spec: Fields): void => {
  if (spec !== draft.spec) draft.spec = spec
}

const strategyDefaults = (given: unknown): Fields => {
  const strategy = zeroDefaulted(fieldsOf(given), { type: "RollingUpdate" })
  if (strategy["type"] !== "RollingUpdate") return strategy
  return withField(strategy, "rollingUpdate", defaulted(fieldsOf(strategy["rollingUpdate"]), ROLLING))
}

const deploymentDefaults = (draft: Draft): void => {
  const spec = defaulted(fieldsOf(draft.spec), SPEC)
  setSpec(draft, withTemplate(withField(spec, "strategy", strategyDefaults(spec["strategy"]))))
}

const checkRolling = (rolling: Fields, problems: Problems): void => {
  const path = "spec.strategy.rollingUpdate"
  const { maxSurge, maxUnavailable } = rolling
  checkAmountOrPercent(maxUnavailable, `${path}.maxUnavailable`, problems)
  checkAmountOrPercent(maxSurge, `${path}.maxSurge`, problems)
  if (magnitude(maxUnavailable) === 0 && magnitude(maxSurge) === 0) {
    problems.push(invalid(`${path}.maxUnavailable`, maxUnavailable, "may not be 0 when `maxSurge` is 0"))
  }
  checkAtMostAll(maxUnavailable, `${path}.maxUnavailable`, problems)
}

const checkStrategy = (strategy: Fields, problems: Problems): void => {
  const rolling = fieldsIn(strategy["rollingUpdate"])
  if (strategy["type"] === "Recreate") {
    if (rolling === undefined) return
    const why = "may not be specified when strategy `type` is 'Recreate'"
    problems.push(forbidden("spec.strategy.rollingUpdate", why))
  } else if (strategy["type"] === "RollingUpdate") checkRolling(fieldsOf(rolling), problems)
  else problems.push(notSupported("spec.strategy", { ...strategy }, ["Recreate", "RollingUpdate"]))
}

const checkDeployment = (deployment: KubeObject, problems: Problems): void => {
  const spec = fieldsOf(deployment.spec)
  checkCounts(spec, "spec", ["replicas"], problems)
  if (checkWorkloadSelector(spec, RULE, problems)) checkLastingTemplate(spec, RULE, problems)
  checkStrategy(fieldsOf(spec["strategy"]), problems)
  checkCounts(spec, "spec", ["minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"], problems)
  const deadline = numberOf(spec["progressDeadlineSeconds"])
  if (deadline <= numberOf(spec["minReadySeconds"])) {
    problems.push(invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"))
  }
}

/** The selector may not change: pods would be lost. */
export const checkSelectorKept = (object: KubeObject, old: KubeObject, problems: Problems): void =>
  checkImmutable("spec.selector", fieldsOf(object.spec)["selector"], fieldsOf(old.spec)["selector"], problems)

/** Scaling by spec.replicas, whose pods spec.selector selects. */
export const scale: Subresource = {
  type: "scale",
  specReplicasPath: ".spec.replicas",
  statusReplicasPath: ".status.replicas",
  labelSelectorPath: ".spec.selector"
}

const statusOf = ({ status }: KubeObject): unknown => status

const replicas = (part: unknown, field: string): number => numberOf(fieldsOf(part)[field])

/** The columns of the containers that a workload's template has. */
export const templateColumns: ReadonlyArray<Column> = containerColumns(
  ({ spec }) => fieldsOf(fieldsOf(spec)["template"])["spec"]
)

const deploymentColumns: ReadonlyArray<Column> = [
  nameColumn,
  column("Ready", ({ spec, status }) => `${replicas(status, "readyReplicas")}/${replicas(spec, "replicas")}`),
  { ...counted("Up-to-date", statusOf, "updatedReplicas"), type: "string" },
  { ...counted("Available", statusOf, "availableReplicas"), type: "string" },
  ageColumn,
  ...templateColumns,
  wide("Selector", ({ spec }) => selectorText(fieldsOf(spec)["selector"], ""))
]

/** Annotations count as the spec does, because they are copied to the sets that a Deployment makes. */
const raiseForAnnotations = (draft: Draft, old: KubeObject): undefined => {
  const [now, before] = [draft.metadata.annotations ?? {}, old.metadata.annotations ?? {}]
  if (now !== before && !sameJson(now, before)) draft.metadata.generation = (old.metadata.generation ?? 0) + 1
  return undefined
}

/** The definition of deployments. */
export const deployments = (): Definition =>
  define("apps", "v1", "Deployment", {
    defaults: deploymentDefaults,
    check: checkDeployment,
    checkUpdate: checkSelectorKept,
    prepareForUpdate: raiseForAnnotations,
    generation: ["spec"],
    status: {
      prepare: (draft, old) => {
        draft.metadata.labels = old.metadata.labels as NonNullable<typeof old.metadata.labels>
        return undefined
      },
      check: ({ status }, old, problems) => {
        checkReplicaStatus(fieldsOf(status), "readyReplicas", problems)
        checkCollisions(fieldsOf(status), fieldsOf(old.status), problems)
      }
    },
    columns: deploymentColumns,
    subresources: { scale }
  })

const replicaSetDefaults = (draft: Draft): void =>
  setSpec(draft, withTemplate(defaulted(fieldsOf(draft.spec), { replicas: 1 })))

const checkReplicaSet = (set: KubeObject, problems: Problems): void => {
  const spec = fieldsOf(set.spec)
  checkCounts(spec, "spec", ["replicas", "minReadySeconds"], problems)
  if (checkWorkloadSelector(spec, RULE, problems)) checkLastingTemplate(spec, RULE, problems)
}

/** The columns of what keeps a number of pods. */
export const replicaColumns: ReadonlyArray<Column> = [
  nameColumn,
  counted("Desired", ({ spec }) => spec, "replicas"),
  counted("Current", statusOf, "replicas"),
  counted("Ready", statusOf, "readyReplicas"),
  ageColumn,
  ...templateColumns
]

/** The definition of replica sets. */
export const replicaSets = (): Definition =>
  define("apps", "v1", "ReplicaSet", {
    defaults: replicaSetDefaults,
    initialStatus: () => ({ replicas: 0 }),
    check: checkReplicaSet,
    checkUpdate: checkSelectorKept,
    generation: ["spec"],
    status: { check: ({ status }, _old, problems) => checkReplicaStatus(fieldsOf(status), "readyReplicas", problems) },
    columns: [...replicaColumns, wide("Selector", ({ spec }) => selectorText(fieldsOf(spec)["selector"], "<none>"))],
    selectableFields: { "status.replicas": ({ status }) => String(replicas(status, "replicas")) },
    subresources: { scale }
  })
