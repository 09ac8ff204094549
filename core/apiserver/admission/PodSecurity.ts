// The levels that a namespace's labels ask of its pods: refused where they are enforced, told where they are only warned of.
// Owns labels and what is checked when; refuses the standards themselves (PodSecurityChecks.ts).
import type { KubeObject } from "#kube"
import type { AdmissionPlugin } from "../Access.ts"
import type { Api } from "../Api.ts"
import { fieldsIn, fieldsOf, itemsOf, textOf } from "../resources/Fields.ts"
import { refusal } from "./Plugin.ts"
import { type Level, type PodLike, podSecurityProblems } from "./PodSecurityChecks.ts"

const PREFIX = "pod-security.kubernetes.io/"
/** Pods of a namespace that are looked at when its enforced level changes. */
const MAX_CHECKED_PODS = 3000

/** A level as it is asked for; `shown` is like "restricted:latest". */
interface Policy {
  readonly level: Level
  readonly shown: string
}

const policyOf = (namespace: KubeObject | undefined, mode: "enforce" | "warn"): Policy => {
  const labels = namespace?.metadata.labels ?? {}
  const level = labels[`${PREFIX}${mode}`]
  if (level === undefined) return { level: "privileged", shown: "privileged:latest" }
  const version = labels[`${PREFIX}${mode}-version`] ?? "latest"
  // A level that nobody knows is enforced as the strictest, and warned of not at all.
  const known: Level =
    level === "privileged" || level === "baseline" || level === "restricted"
      ? level
      : mode === "enforce"
        ? "restricted"
        : "privileged"
  return { level: known, shown: `${known}:${version}` }
}

/** The pod of a pod or of what makes pods; undefined when there is none. */
const podOf = (resource: string, object: KubeObject): PodLike | undefined => {
  const spec = fieldsOf(object.spec)
  if (resource === "pods") return { metadata: object.metadata, spec }
  const holder =
    resource === "podtemplates"
      ? fieldsOf(object)
      : resource === "cronjobs"
        ? fieldsOf(fieldsOf(spec["jobTemplate"])["spec"])
        : spec
  const template = fieldsIn(holder["template"])
  if (template === undefined) return undefined
  return { metadata: fieldsOf(template["metadata"]), spec: fieldsOf(template["spec"]) }
}

/** What makes pods, by resource, with its group. */
const WITH_TEMPLATES: ReadonlyMap<string, string> = new Map([
  ["podtemplates", ""],
  ["replicationcontrollers", ""],
  ["deployments", "apps"],
  ["replicasets", "apps"],
  ["daemonsets", "apps"],
  ["statefulsets", "apps"],
  ["jobs", "batch"],
  ["cronjobs", "batch"]
])

/** Whether an update of a pod changes what the standards look at: images and containers. */
const isSignificant = (pod: KubeObject, old: KubeObject): boolean => {
  const images = (object: KubeObject): string => {
    const spec = fieldsOf(object.spec)
    return ["initContainers", "containers", "ephemeralContainers"]
      .map((field) =>
        itemsOf(spec[field])
          .map(({ image }) => textOf(image))
          .join()
      )
      .join(";")
  }
  return images(pod) !== images(old)
}

/** PodSecurity. */
export const podSecurity = (api: Api): AdmissionPlugin => {
  const namespaces = api.view("", "namespaces")

  const violation = (policy: Policy, pod: PodLike): string | undefined => {
    const problems = podSecurityProblems(policy.level, pod)
    return problems.length === 0 ? undefined : `PodSecurity ${JSON.stringify(policy.shown)}: ${problems.join(", ")}`
  }

  /** Pods that are there already and would be refused from now on. */
  const namespaceWarnings = (object: KubeObject, old: KubeObject | undefined): ReadonlyArray<string> => {
    const policy = policyOf(object, "enforce")
    if (policy.level === "privileged" || policy.shown === policyOf(old, "enforce").shown) return []
    const { name = "" } = object.metadata
    const counts = new Map<string, { readonly first: string; readonly count: number }>()
    for (const pod of api.view("", "pods").list(name).slice(0, MAX_CHECKED_PODS)) {
      const problems = podSecurityProblems(policy.level, { metadata: pod.metadata, spec: fieldsOf(pod.spec) })
      if (problems.length === 0) continue
      const titles = problems.map((problem) => problem.slice(0, problem.indexOf(" ("))).join(", ")
      const held = counts.get(titles)
      counts.set(titles, { first: held?.first ?? pod.metadata.name ?? "", count: (held?.count ?? 0) + 1 })
    }
    if (counts.size === 0) return []
    const head = `existing pods in namespace ${JSON.stringify(name)} violate the new PodSecurity enforce level ${JSON.stringify(policy.shown)}`
    const others = (count: number): string =>
      count === 1 ? "" : count === 2 ? " (and 1 other pod)" : ` (and ${count - 1} other pods)`
    return [head, ...[...counts].map(([titles, { count, first }]) => `${first}${others(count)}: ${titles}`).sort()]
  }

  return {
    name: "PodSecurity",
    handles: ({ object, operation, request }) => {
      if (object === undefined || (operation !== "CREATE" && operation !== "UPDATE")) return false
      const { resource, subresource } = request
      if (resource.resource === "pods" && resource.group === "")
        return subresource === "" || subresource === "ephemeralcontainers"
      if (subresource !== "") return false
      return resource.resource === "namespaces" && resource.group === ""
        ? operation === "UPDATE"
        : WITH_TEMPLATES.get(resource.resource) === resource.group
    },
    validate: (admission, done) => {
      const { object, oldObject, request } = admission
      if (object === undefined) return done(undefined)
      const { resource } = request.resource
      if (resource === "namespaces") return done(undefined, namespaceWarnings(object, oldObject))
      if (resource === "pods" && oldObject !== undefined && !isSignificant(object, oldObject)) return done(undefined)
      const namespace = namespaces.get("", request.namespace)
      const [enforced, warned] = [policyOf(namespace, "enforce"), policyOf(namespace, "warn")]
      if (enforced.level === "privileged" && warned.level === "privileged") return done(undefined)
      const pod = podOf(resource, object)
      if (pod === undefined) return done(undefined)
      const refused = resource === "pods" ? violation(enforced, pod) : undefined
      if (refused !== undefined) return done(refusal(admission, `violates ${refused}`))
      const warning = violation(warned, pod)
      done(undefined, warning === undefined ? undefined : [`would violate ${warning}`])
    }
  }
}
