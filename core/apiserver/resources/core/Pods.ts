// Pods: their life from Pending on, what may change, and how long they have to end.
// Owns the strategy of pods and of their parts; refuses to run or place them. Source: kubernetes pkg/registry/core/pod.
import { type ApiFailure, type Json, type KubeObject, rfc3339, sameJson } from "#kube"
import type { Definition, Draft, StrategyContext } from "../../Definition.ts"
import { define, partStrategy } from "../Define.ts"
import {
  type Fields,
  fieldsOf,
  itemsOf,
  mapOf,
  rewriteItems,
  textOf,
  textsOf,
  withField,
  withItems,
  withPart
} from "../Fields.ts"
import { forbidden, type Problems } from "../Problems.ts"
import { qosClassOf } from "../Resources.ts"
import { ASSIGNMENT, assignmentPart, bind } from "./Assignment.ts"
import { evictPod } from "./Eviction.ts"
import { podColumns } from "./PodColumns.ts"
import { podDefaults, podStatusDefaults } from "./PodDefaults.ts"
import { checkPod, checkPodStatus, checkPodUpdate } from "./PodRules.ts"

const GATED: Fields = Object.freeze({
  type: "PodScheduled",
  status: "False",
  reason: "SchedulingGated",
  message: "Scheduling is blocked due to non-empty scheduling gates"
})

const requirements = (
  keys: unknown,
  operator: string,
  labels: Readonly<Record<string, string>>
): ReadonlyArray<Fields> =>
  textsOf(keys).flatMap((key) => (labels[key] === undefined ? [] : [{ key, operator, values: [labels[key]] }]))

/** A term whose selector takes the pod's own values of the keys that it names. */
const withLabelKeys = (term: Fields, labels: Readonly<Record<string, string>>): Fields => {
  const added = [
    ...requirements(term["matchLabelKeys"], "In", labels),
    ...requirements(term["mismatchLabelKeys"], "NotIn", labels)
  ]
  if (added.length === 0) return term
  return withPart(term, "labelSelector", (selector) => ({
    ...selector,
    matchExpressions: [...itemsOf(selector["matchExpressions"]), ...added]
  }))
}

const REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
const PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"

const applyLabelKeys = (spec: Fields, labels: Readonly<Record<string, string>>): Fields => {
  let done = spec
  if (spec["topologySpreadConstraints"] !== undefined) {
    done = withItems(done, "topologySpreadConstraints", (one) => withLabelKeys(one, labels))
  }
  if (spec["affinity"] === undefined) return done
  const terms = (affinity: Fields): Fields =>
    withItems(
      withItems(affinity, REQUIRED, (term) => withLabelKeys(term, labels)),
      PREFERRED,
      (weighted) => withPart(weighted, "podAffinityTerm", (term) => withLabelKeys(term, labels))
    )
  return withPart(done, "affinity", (affinity) =>
    withPart(withPart(affinity, "podAffinity", terms), "podAntiAffinity", terms)
  )
}

const prepareForCreate = (draft: Draft, { clockwork }: StrategyContext): ApiFailure | undefined => {
  const spec = applyLabelKeys(fieldsOf(draft.spec), mapOf(draft.metadata.labels))
  if (spec !== draft.spec) draft.spec = spec as { [field: string]: Json | undefined }
  const gated = itemsOf(spec["schedulingGates"]).length > 0
  draft.metadata.generation = 1
  draft.status = {
    phase: "Pending",
    ...(gated ? { conditions: [{ ...GATED, lastProbeTime: null, lastTransitionTime: rfc3339(clockwork.now()) }] } : {}),
    qosClass: qosClassOf(spec)
  }
  return undefined
}

const prepareStatus = (draft: Draft, old: KubeObject): undefined => {
  const before = fieldsOf(old.status)
  const now = fieldsOf(draft.status)
  const kept = ["qosClass", "resourceClaimStatuses", "extendedResourceClaimStatus", "observedGeneration"]
  for (const field of kept) {
    if (now[field] === undefined && before[field] !== undefined) {
      draft.status = { ...fieldsOf(draft.status), [field]: before[field] }
    }
  }
  if (draft.metadata.ownerReferences === old.metadata.ownerReferences) return undefined
  draft.metadata.ownerReferences = old.metadata.ownerReferences ?? []
  if (old.metadata.ownerReferences === undefined) delete draft.metadata.ownerReferences
  return undefined
}

/** Keeps all of the stored pod but one part of its spec. */
const onlyPart = (draft: Draft, old: KubeObject, spec: Fields): undefined => {
  draft.spec = spec as { [field: string]: Json | undefined }
  if (old.status === undefined) delete draft.status
  else draft.status = old.status as { [field: string]: Json | undefined }
  return undefined
}

const prepareEphemeral = (draft: Draft, old: KubeObject): undefined =>
  onlyPart(
    draft,
    old,
    withField(fieldsOf(old.spec), "ephemeralContainers", fieldsOf(draft.spec)["ephemeralContainers"])
  )

const checkEphemeral = (pod: KubeObject, old: KubeObject, problems: Problems): void => {
  checkPod(pod, problems)
  const now = new Map(itemsOf(fieldsOf(pod.spec)["ephemeralContainers"]).map((one) => [one["name"], one]))
  for (const before of itemsOf(fieldsOf(old.spec)["ephemeralContainers"])) {
    const name = JSON.stringify(textOf(before["name"]))
    const same = now.get(before["name"])
    const path = "spec.ephemeralContainers"
    if (same === undefined) problems.push(forbidden(path, `existing ephemeral containers ${name} may not be removed\n`))
    else if (!sameJson(same, before)) {
      problems.push(forbidden(path, `existing ephemeral containers ${name} may not be changed\n`))
    }
  }
}

const resized = (containers: unknown, asked: unknown): ReadonlyArray<Fields> => {
  const wanted = itemsOf(asked)
  return rewriteItems(itemsOf(containers), (one) => {
    const other = wanted.find(({ name }) => name === one["name"])
    if (other === undefined) return one
    return withField(withField(one, "resources", other["resources"]), "resizePolicy", other["resizePolicy"])
  })
}

const prepareResize = (draft: Draft, old: KubeObject): undefined => {
  const before = fieldsOf(old.spec)
  const asked = fieldsOf(draft.spec)
  let spec = withField(before, "containers", resized(before["containers"], asked["containers"]) as Json)
  if (before["initContainers"] !== undefined) {
    spec = withField(spec, "initContainers", resized(before["initContainers"], asked["initContainers"]) as Json)
  }
  return onlyPart(draft, old, spec)
}

const RESIZABLE: ReadonlySet<string> = new Set(["cpu", "memory"])

const checkResize = (pod: KubeObject, old: KubeObject, problems: Problems): void => {
  checkPod(pod, problems)
  if (qosClassOf(fieldsOf(pod.spec)) !== fieldsOf(old.status)["qosClass"]) {
    const why = "Pod QOS Class may not change as a result of resizing"
    problems.push({ type: "FieldValueInvalid", field: "spec", value: qosClassOf(fieldsOf(pod.spec)), detail: why })
  }
  itemsOf(fieldsOf(pod.spec)["containers"]).forEach((one, at) => {
    const before = fieldsOf(itemsOf(fieldsOf(old.spec)["containers"])[at])
    for (const kind of ["limits", "requests"]) {
      const now = fieldsOf(fieldsOf(one["resources"])[kind])
      const had = fieldsOf(fieldsOf(before["resources"])[kind])
      const other = [...new Set([...Object.keys(now), ...Object.keys(had)])].filter((name) => !RESIZABLE.has(name))
      if (other.some((name) => now[name] !== had[name])) {
        problems.push(forbidden("spec", "only cpu and memory resources are mutable"))
      }
      for (const name of RESIZABLE) {
        if (had[name] !== undefined && now[name] === undefined) {
          problems.push(forbidden(`spec.containers[${at}].resources.${kind}`, `resource ${kind} cannot be removed`))
        }
      }
    }
  })
}

/** Seconds that a pod has to end: none when it runs nowhere or ended already. */
const graceSeconds = (pod: KubeObject, asked: number | undefined): number => {
  const spec = fieldsOf(pod.spec)
  const phase = fieldsOf(pod.status)["phase"]
  if (textOf(spec["nodeName"]) === "" || phase === "Failed" || phase === "Succeeded") return 0
  const own = spec["terminationGracePeriodSeconds"]
  const seconds = asked ?? (typeof own === "number" ? own : 0)
  return seconds < 0 ? 1 : seconds
}

const at = (part: "spec" | "status", field: string) => (pod: KubeObject) => textOf(fieldsOf(pod[part])[field])

const BINDING = { group: "", version: "v1", kind: "Binding" }
const EVICTION = { group: "policy", version: "v1", kind: "Eviction" }

/** The definition of pods. */
export const pods = (): Definition =>
  define("", "v1", "Pod", {
    defaults: podDefaults,
    prepareForCreate,
    check: checkPod,
    checkUpdate: checkPodUpdate,
    generation: ["spec"],
    status: { defaults: podStatusDefaults, prepare: prepareStatus, check: checkPodStatus },
    strategy: { graceSeconds, returnsDeleted: true },
    columns: podColumns,
    selectableFields: {
      "spec.nodeName": at("spec", "nodeName"),
      "spec.restartPolicy": at("spec", "restartPolicy"),
      "spec.schedulerName": at("spec", "schedulerName"),
      "spec.serviceAccountName": at("spec", "serviceAccountName"),
      "spec.hostNetwork": (pod) => String(fieldsOf(pod.spec)["hostNetwork"] === true),
      "status.phase": at("status", "phase"),
      "status.podIP": (pod) => textOf(itemsOf(fieldsOf(pod.status)["podIPs"])[0]?.["ip"]),
      "status.nominatedNodeName": at("status", "nominatedNodeName")
    },
    subresources: {
      binding: { type: "action", kind: BINDING, verbs: ["create"], run: bind },
      eviction: { type: "action", kind: EVICTION, verbs: ["create"], run: evictPod },
      ephemeralcontainers: {
        type: "part",
        verbs: ["get", "update", "patch"],
        strategy: partStrategy(prepareEphemeral, checkEphemeral, { defaults: podDefaults, generation: ["spec"] })
      },
      resize: {
        type: "part",
        verbs: ["get", "update", "patch"],
        strategy: partStrategy(prepareResize, checkResize, { defaults: podDefaults, generation: ["spec"] })
      },
      [ASSIGNMENT]: assignmentPart
    }
  })

/** The definition of bindings: what is created there binds a pod and is kept nowhere. */
export const bindings = (): Definition => {
  const { storage: _none, ...definition } = define("", "v1", "Binding")
  return { ...definition, action: bind }
}
