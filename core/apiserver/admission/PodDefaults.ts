// What pods and nodes are given on the way in: tolerations of dying nodes, a runtime's overhead, the taint of new nodes.
// Owns these plugins; refuses what the pod's own strategy defaults.
import { type ApiFailure, gvr, type Json, type KubeObject, sameJson } from "#kube"
import type { AdmissionPlugin, AdmissionRequest } from "../Access.ts"
import type { Api } from "../Api.ts"
import { readObject } from "../Loopback.ts"
import { fieldsIn, fieldsOf, itemsOf, mapOf, textOf } from "../resources/Fields.ts"
import { type Fields, isAbout, mutator, refusal, withSpec } from "./Plugin.ts"

const NOT_READY = "node.kubernetes.io/not-ready"
const UNREACHABLE = "node.kubernetes.io/unreachable"
const TOLERATION_SECONDS = 300

const isPodWrite = (admission: AdmissionRequest): boolean =>
  (admission.operation === "CREATE" || admission.operation === "UPDATE") && isAbout(admission, "", "pods")

/** DefaultTolerationSeconds. */
export const defaultTolerationSeconds: AdmissionPlugin = mutator(
  "DefaultTolerationSeconds",
  isPodWrite,
  (_admission, object) => {
    const spec = fieldsOf(object.spec)
    const tolerations = itemsOf(spec["tolerations"])
    const tolerates = (key: string): boolean =>
      tolerations.some(
        (held) =>
          (textOf(held["key"]) === key || textOf(held["key"]) === "") &&
          (held["effect"] === "NoExecute" || textOf(held["effect"]) === "")
      )
    const missing = [NOT_READY, UNREACHABLE].filter((key) => !tolerates(key))
    if (missing.length === 0) return object
    const added = missing.map((key) => ({
      key,
      operator: "Exists",
      effect: "NoExecute",
      tolerationSeconds: TOLERATION_SECONDS
    }))
    return withSpec(object, { ...spec, tolerations: [...tolerations, ...added] as Json })
  }
)

/** TaintNodesByCondition. */
export const taintNodesByCondition: AdmissionPlugin = mutator(
  "TaintNodesByCondition",
  (admission) => admission.operation === "CREATE" && isAbout(admission, "", "nodes"),
  (_admission, object) => {
    const spec = fieldsOf(object.spec)
    const taints = itemsOf(spec["taints"])
    if (taints.some(({ effect, key }) => key === NOT_READY && effect === "NoSchedule")) return object
    return withSpec(object, { ...spec, taints: [...taints, { key: NOT_READY, effect: "NoSchedule" }] as Json })
  }
)

const mergedTolerations = (own: ReadonlyArray<Fields>, added: ReadonlyArray<Fields>): ReadonlyArray<Fields> => [
  ...own,
  ...added.filter((one) => !own.some((held) => sameJson(held, one)))
]

const withRuntime = (admission: AdmissionRequest, object: KubeObject, runtime: KubeObject): KubeObject | ApiFailure => {
  const spec = fieldsOf(object.spec)
  const overhead = fieldsIn(fieldsOf(runtime["overhead"])["podFixed"])
  const given = fieldsIn(spec["overhead"])
  if (overhead !== undefined && given !== undefined && !sameJson(overhead, given))
    return refusal(admission, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead")
  const scheduling = fieldsOf(runtime["scheduling"])
  const selector = mapOf(spec["nodeSelector"])
  const wanted = mapOf(scheduling["nodeSelector"])
  for (const [key, value] of Object.entries(wanted))
    if (selector[key] !== undefined && selector[key] !== value)
      return refusal(
        admission,
        `conflict: runtimeClass.scheduling.nodeSelector[${key}] = ${value}; pod.spec.nodeSelector[${key}] = ${selector[key]}`
      )
  const nodeSelector = { ...selector, ...wanted }
  const tolerations = mergedTolerations(itemsOf(spec["tolerations"]), itemsOf(scheduling["tolerations"]))
  return withSpec(object, {
    ...spec,
    ...(overhead === undefined ? {} : { overhead }),
    ...(Object.keys(nodeSelector).length === 0 ? {} : { nodeSelector }),
    ...(tolerations.length === 0 ? {} : { tolerations: tolerations })
  })
}

/** RuntimeClass. */
export const runtimeClass = (api: Api): AdmissionPlugin => ({
  name: "RuntimeClass",
  handles: (admission) => admission.operation === "CREATE" && isAbout(admission, "", "pods"),
  mutate: (admission, done) => {
    const { object } = admission
    const name = textOf(fieldsOf(object?.spec)["runtimeClassName"])
    if (object === undefined || name === "") return done({ object })
    readObject(api, gvr("node.k8s.io", "v1", "runtimeclasses"), "", name, (runtime) => {
      if (runtime instanceof Error)
        return done(
          runtime.reason === "NotFound"
            ? refusal(admission, `pod rejected: RuntimeClass ${JSON.stringify(name)} not found`)
            : runtime
        )
      const changed = withRuntime(admission, object, runtime)
      done(changed instanceof Error ? changed : { object: changed })
    })
  },
  validate: (admission, done) => {
    const spec = fieldsOf(admission.object?.spec)
    const name = textOf(spec["runtimeClassName"])
    const runtime = name === "" ? undefined : api.view("node.k8s.io", "runtimeclasses").get("", name)
    const defined = fieldsIn(fieldsOf(runtime?.["overhead"])["podFixed"])
    const given = fieldsIn(spec["overhead"])
    if (defined === undefined && given !== undefined)
      return done(
        refusal(admission, "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead")
      )
    done(
      defined !== undefined && !sameJson(defined, given ?? null)
        ? refusal(admission, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead")
        : undefined
    )
  }
})
