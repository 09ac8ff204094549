// What webhook plugins are sent and what they answer: v1alpha1 is KubeAdmiral's payload, one cluster in each call; v1beta1 is the same
// with all clusters in one call.
// Owns both forms and the checks of answers; refuses to call anyone.
import type { Json, JsonObject } from "#kube"
import { type Fields, fieldsIn, itemsOf, numberIn, textOf, textsOf } from "#apiserver"
import { type MemberCluster } from "../api/FederatedCluster.ts"
import { FEDERATION_API_VERSION } from "../api/FederationNames.ts"
import { PluginFailed } from "../FederationError.ts"
import type { PluginAnswer, PluginQuestion } from "./Outcome.ts"

const optional = (name: string, value: Json | undefined): JsonObject => (value === undefined ? {} : { [name]: value })

const filled = (name: string, value: Json | undefined): JsonObject =>
  value === undefined || (typeof value === "object" && value !== null && Object.keys(value).length === 0)
    ? {}
    : { [name]: value }

const amountsJson = ({ unit }: PluginQuestion): JsonObject =>
  Object.fromEntries(
    Array.from(unit.request, ([name, amount]) => [name, name === "cpu" ? `${amount}m` : String(amount)])
  )

const distribution = ({ previous }: PluginQuestion): JsonObject =>
  Object.fromEntries(Array.from(previous.clusters).filter(([, replicas]) => replicas !== undefined))

/** The object as plugins see it. */
export const unitPayload = (question: PluginQuestion): JsonObject => {
  const { policy, previous, unit } = question
  const { spec } = policy
  return {
    apiVersion: unit.apiVersion,
    kind: unit.kind,
    resource: unit.resource.resource,
    ...filled("namespace", unit.namespace === "" ? undefined : unit.namespace),
    name: unit.name,
    ...filled("labels", unit.labels),
    ...filled("annotations", unit.annotations),
    schedulingMode: unit.replicas === undefined ? "Duplicate" : policy.mode,
    ...optional("desiredReplicas", unit.replicas),
    ...filled("resourceRequest", amountsJson(question)),
    currentClusters: Array.from(previous.clusters.keys()),
    ...filled("currentReplicaDistribution", distribution(question)),
    ...filled("clusterSelector", spec["clusterSelector"]),
    ...filled("clusterAffinity", spec["clusterAffinity"]),
    ...filled("tolerations", spec["tolerations"]),
    ...optional("maxClusters", spec["maxClusters"]),
    ...filled("placements", spec["placement"])
  }
}

/** The cluster as its FederatedCluster, without what is stored of who wrote which field. */
export const clusterPayload = ({ labels, name, source, uid }: MemberCluster): JsonObject => {
  const { managedFields: _managed, ...metadata } = source?.metadata ?? { name, uid, labels }
  // SAFETY: objects are JSON values.
  return {
    apiVersion: FEDERATION_API_VERSION,
    kind: "FederatedCluster",
    metadata,
    spec: source?.spec,
    status: source?.status
  } as unknown as JsonObject
}

/** The body of one call about all clusters of a question. */
export const batchBody = (question: PluginQuestion): JsonObject => {
  const schedulingUnit = unitPayload(question)
  const { clusters, point, scores } = question
  if (point !== "select") return { schedulingUnit, clusters: clusters.map(clusterPayload) }
  const clusterScores = clusters.map((cluster, at) => ({ cluster: clusterPayload(cluster), score: scores?.[at] ?? 0 }))
  return { schedulingUnit, clusterScores }
}

/** The body of a call about one cluster, and what is the same in all of them. */
export const eachBody = (unit: JsonObject, cluster: MemberCluster): JsonObject => ({
  schedulingUnit: unit,
  cluster: clusterPayload(cluster)
})

const failed = ({ plugin, point }: PluginQuestion, reason: string): PluginFailed =>
  new PluginFailed({ plugin, point, reason })

/** One cluster's part of an answer; undefined: it says nothing that counts. */
export interface Verdict {
  readonly selected?: boolean
  readonly score?: number
  readonly why?: string
}

/** Reads one cluster's part. An error is no verdict. */
export const verdictOf = (answer: unknown, point: PluginQuestion["point"]): Verdict | undefined => {
  const fields = fieldsIn(answer)
  if (fields === undefined) return undefined
  const error = textOf(fields["error"])
  if (point === "filter") {
    const { selected } = fields
    // KubeAdmiral's plugins tell why in `error` when they have not selected.
    return typeof selected === "boolean" && (error === "" || !selected) ? { selected, why: error } : undefined
  }
  const score = numberIn(fields["score"])
  return error !== "" || score === undefined ? undefined : { score: Math.max(0, Math.min(100, score)) }
}

/** The answer made of verdicts, in the order of the question's clusters. */
export const answerOf = ({ point }: PluginQuestion, verdicts: ReadonlyArray<Verdict | undefined>): PluginAnswer =>
  point === "score"
    ? { point, scores: verdicts.map((verdict) => verdict?.score) }
    : {
        point: "filter",
        fits: verdicts.map((verdict) => verdict?.selected),
        why: verdicts.map((verdict) => verdict?.why ?? "")
      }

const selectionOf = (question: PluginQuestion, fields: Fields): PluginAnswer | PluginFailed => {
  const error = textOf(fields["error"])
  if (error !== "") return failed(question, error)
  if (!Array.isArray(fields["selectedClusterNames"])) return failed(question, "the answer has no selectedClusterNames")
  const names = textsOf(fields["selectedClusterNames"])
  const known = new Set(question.clusters.map(({ name }) => name))
  const stranger = names.find((name) => !known.has(name))
  if (stranger !== undefined) return failed(question, `the answer selects ${stranger}, which was not asked about`)
  return { point: "select", selected: new Set(names) }
}

/** Reads the answer to a call about all clusters. */
export const batchAnswer = (question: PluginQuestion, answer: unknown): PluginAnswer | PluginFailed => {
  const fields = fieldsIn(answer)
  if (fields === undefined) return failed(question, "the answer is no object")
  if (question.point === "select") return selectionOf(question, fields)
  const error = textOf(fields["error"])
  if (error !== "") return failed(question, error)
  if (!Array.isArray(fields["results"])) return failed(question, "the answer has no results")
  const byCluster = new Map(itemsOf(fields["results"]).map((one) => [textOf(one["cluster"]), one]))
  return answerOf(
    question,
    question.clusters.map(({ name }) => verdictOf(byCluster.get(name), question.point))
  )
}
