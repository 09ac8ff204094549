// Binding a pod to a node: the one way to set spec.nodeName of a pod that exists.
// Owns the action of `pods/binding` and `bindings`, and the hidden part that it writes. Source: kubernetes
// pkg/registry/core/pod/storage.
import {
  ApiFailure,
  describeProblem,
  Failures,
  type FieldProblem,
  gvr,
  type Json,
  type KubeObject,
  Names,
  rfc3339
} from "#kube"
import type { Action, Draft, StrategyContext, Subresource } from "../../Definition.ts"
import { done201 } from "../Answers.ts"
import { partStrategy } from "../Define.ts"
import { type Fields, fieldsOf, itemsOf, textOf } from "../Fields.ts"
import { invalid, notSupported, required } from "../Problems.ts"

/** The hidden part of pods that the action updates. */
export const ASSIGNMENT = "assignment"

const PODS = gvr("", "v1", "pods")

/** The conditions with one of them set; its transition time moves only when its status does. */
export const withCondition = (
  conditions: ReadonlyArray<Fields>,
  condition: Fields,
  nowMs: number
): ReadonlyArray<Fields> => {
  const at = conditions.findIndex((one) => one["type"] === condition["type"])
  const old = conditions[at]
  const lastTransitionTime =
    old !== undefined && old["status"] === condition["status"] ? old["lastTransitionTime"] : rfc3339(nowMs)
  const next: Fields = { lastProbeTime: null, lastTransitionTime, ...condition }
  return at < 0 ? [...conditions, next] : conditions.map((one, place) => (place === at ? next : one))
}

const target = (name: string) => ({ group: "", resource: "pods/binding", name })

const refusal = (old: KubeObject): string | undefined => {
  const name = old.metadata.name ?? ""
  const spec = fieldsOf(old.spec)
  if (old.metadata.deletionTimestamp !== undefined) return `pod ${name} is being deleted, cannot be assigned to a host`
  const node = textOf(spec["nodeName"])
  if (node !== "") return `pod ${name} is already assigned to node ${JSON.stringify(node)}`
  return itemsOf(spec["schedulingGates"]).length > 0 ? `pod ${name} has non-empty .spec.schedulingGates` : undefined
}

/** Makes the bound pod of the stored one; the update's body only names the node and what is added to metadata. */
const assign = (draft: Draft, old: KubeObject, { clockwork }: StrategyContext): ApiFailure | undefined => {
  const why = refusal(old)
  if (why !== undefined) return Failures.conflict(target(old.metadata.name ?? ""), why)
  const { annotations, labels } = draft.metadata
  const { nominatedNodeName: _nominated, ...status } = fieldsOf(old.status)
  const scheduled = { type: "PodScheduled", status: "True" }
  draft.spec = { ...fieldsOf(old.spec), nodeName: textOf(fieldsOf(draft.spec)["nodeName"]) }
  draft.status = {
    ...status,
    conditions: withCondition(itemsOf(status["conditions"]), scheduled, clockwork.now()) as Json
  }
  draft.metadata = {
    ...old.metadata,
    ...(annotations === undefined ? {} : { annotations: { ...old.metadata.annotations, ...annotations } }),
    ...(labels === undefined ? {} : { labels: { ...old.metadata.labels, ...labels } })
  }
  return undefined
}

/** The hidden part. */
export const assignmentPart: Subresource = {
  type: "part",
  verbs: ["update"],
  hidden: true,
  strategy: partStrategy(assign, () => {})
}

const bindingProblems = (to: Fields): ReadonlyArray<FieldProblem> => {
  const kind = textOf(to["kind"])
  const name = textOf(to["name"])
  const kinds = kind !== "" && kind !== "Node" ? [notSupported("target.kind", kind, ["Node", "<empty>"])] : []
  if (name === "") return [...kinds, required("target.name")]
  if (kinds.length > 0) return kinds
  return Names.dnsSubdomain(name).map((message) => invalid("target.name", name, message))
}

const aggregate = (problems: ReadonlyArray<FieldProblem>): string => {
  const lines = problems.map((problem) => `${problem.field}: ${describeProblem(problem)}`)
  return lines.length === 1 ? (lines[0] ?? "") : `[${lines.join(", ")}]`
}

/** Binds the pod that the binding names to the node that it names. */
export const bind: Action = ({ api }, request, done) => {
  const binding = request.body
  if (binding === undefined) return done(Failures.badRequest("not a Binding object: nil"))
  const name = request.name === "" ? (binding.metadata.name ?? "") : request.name
  if (name !== (binding.metadata.name ?? name)) {
    return done(Failures.badRequest("name in URL does not match name in Binding object"))
  }
  const to = fieldsOf(binding["target"])
  const problems = bindingProblems(to)
  if (problems.length > 0) return done(Failures.generic(500, "", aggregate(problems)))
  const { annotations, labels, resourceVersion, uid } = binding.metadata
  const body: KubeObject = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace: request.namespace,
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      ...(annotations === undefined ? {} : { annotations }),
      ...(labels === undefined ? {} : { labels })
    },
    spec: { nodeName: textOf(to["name"]) }
  }
  const { dryRun } = request.options
  api.execute(
    {
      verb: "update",
      resource: PODS,
      subresource: ASSIGNMENT,
      namespace: request.namespace,
      name,
      user: request.user,
      options: dryRun === undefined ? {} : { dryRun },
      body
    },
    (answer) => done(answer instanceof ApiFailure ? answer : done201)
  )
}
