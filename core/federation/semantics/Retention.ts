// What a member has decided about an object stays as it is when the object is updated: addresses, bindings, generated selectors.
// Owns these fields per kind; finalizers and foreign labels are every object's, and the writer's own business.
import { fieldsIn, fieldsOf, type Fields, itemsOf, numberOf, textOf } from "#apiserver"
import { isJsonObject, type Json, type JsonObject, type KubeObject } from "#kube"
import { valueAt, withValueAt } from "./FieldPaths.ts"
import type { FieldPath } from "./TypeSemantics.ts"

type Retain = (desired: KubeObject, member: KubeObject) => KubeObject

export const nothing: Retain = (desired) => desired

/** Members' values of fields that the template leaves open. */
export const unlessGiven =
  (...paths: ReadonlyArray<FieldPath>): Retain =>
  (desired, member) => {
    let made = desired
    for (const path of paths) {
      const value = valueAt(member, path)
      if (value !== undefined && valueAt(desired, path) === undefined) made = withValueAt(made, path, value)
    }
    return made
  }

/** Members' values of fields, whatever the template says. */
export const always =
  (...paths: ReadonlyArray<FieldPath>): Retain =>
  (desired, member) => {
    let made = desired
    for (const path of paths) {
      const value = valueAt(member, path)
      if (value !== undefined) made = withValueAt(made, path, value)
    }
    return made
  }

/** One after another. */
export const both =
  (first: Retain, second: Retain): Retain =>
  (desired, member) =>
    second(first(desired, member), member)

// --- Service ---

const portKey = (port: Fields): string =>
  `${textOf(port["name"])}/${textOf(port["protocol"]) || "TCP"}/${numberOf(port["port"])}`

/** Cluster addresses and allocated node ports; a port is known by name, protocol and number. */
export const retainService: Retain = (desired, member) => {
  const headless = valueAt(desired, ["spec", "clusterIP"]) === "None"
  const paths = [["clusterIP"], ["clusterIPs"], ["ipFamilies"], ["ipFamilyPolicy"], ["healthCheckNodePort"]]
  const kept = headless ? desired : unlessGiven(...paths.map((path) => ["spec", ...path]))(desired, member)
  const ports = itemsOf(valueAt(kept, ["spec", "ports"]))
  const type = textOf(valueAt(kept, ["spec", "type"]))
  if (type !== "NodePort" && type !== "LoadBalancer") return kept
  const allocated = new Map(
    itemsOf(valueAt(member, ["spec", "ports"])).map((port) => [portKey(port), port["nodePort"]] as const)
  )
  const made = ports.map((port) => {
    const nodePort = allocated.get(portKey(port))
    return port["nodePort"] === undefined && nodePort !== undefined ? { ...port, nodePort } : port
  })
  return made.every((port, at) => port === ports[at]) ? kept : withValueAt(kept, ["spec", "ports"], made)
}

// --- Job ---

/** The selector and pod labels that the member generated. */
export const retainJob: Retain = (desired, member) => {
  if (valueAt(desired, ["spec", "manualSelector"]) === true) return desired
  const made = unlessGiven(["spec", "selector"])(desired, member)
  const labels = ["spec", "template", "metadata", "labels"]
  const own = fieldsIn(valueAt(member, labels))
  if (own === undefined) return made
  return withValueAt(made, labels, { ...own, ...fieldsOf(valueAt(made, labels)) })
}

// --- Pod ---

const POD_DEFAULTS = [
  "serviceAccountName",
  "serviceAccount",
  "nodeName",
  "priority",
  "dnsConfig",
  "preemptionPolicy",
  "runtimeClassName",
  "schedulerName",
  "resourceClaims",
  "overhead",
  "enableServiceLinks",
  "imagePullSecrets"
]

/** Items of the member that the template lacks, by what names them; the template's order and items stay. */
const withMissing = (
  desired: ReadonlyArray<Fields>,
  member: ReadonlyArray<Fields>,
  key: (item: Fields) => Json | undefined
): ReadonlyArray<Fields> => {
  const names = new Set(desired.map(key))
  const missing = member.filter((item) => !names.has(key(item)))
  return missing.length === 0 ? desired : [...desired, ...missing]
}

const tolerationKey = ({ effect, key, operator, value }: Fields): string =>
  JSON.stringify([key ?? "", operator ?? "Equal", value ?? "", effect ?? ""])

const pathOf = (mount: Fields): Json | undefined => mount["mountPath"]

const retainContainers = (desired: Json | undefined, member: Json | undefined): ReadonlyArray<Fields> => {
  const own = new Map(itemsOf(member).map((container) => [container["name"], container]))
  return itemsOf(desired).map((container) => {
    const there = own.get(container["name"])
    if (there === undefined) return container
    const mounts = withMissing(itemsOf(container["volumeMounts"]), itemsOf(there["volumeMounts"]), pathOf)
    return {
      ...container,
      ...(there["resources"] === undefined ? {} : { resources: there["resources"] }),
      ...(mounts.length === 0 ? {} : { volumeMounts: mounts })
    }
  })
}

/** What admission, scheduling and debugging made of a pod: most of it may not change any more. */
export const retainPod: Retain = (desired, member) => {
  const kept = unlessGiven(...POD_DEFAULTS.map((field) => ["spec", field]))(desired, member)
  const [spec, own] = [fieldsOf(kept.spec), fieldsOf(member.spec)]
  const made: Record<string, Json | undefined> = { ...spec }
  const nameOf = (item: Fields): Json | undefined => item["name"]
  const volumes = withMissing(itemsOf(spec["volumes"]), itemsOf(own["volumes"]), nameOf)
  if (volumes.length > 0) made["volumes"] = volumes
  const tolerations = withMissing(itemsOf(spec["tolerations"]), itemsOf(own["tolerations"]), tolerationKey)
  if (tolerations.length > 0) made["tolerations"] = tolerations
  for (const list of ["containers", "initContainers"]) {
    if (spec[list] !== undefined) made[list] = retainContainers(spec[list], own[list])
  }
  if (own["ephemeralContainers"] !== undefined) made["ephemeralContainers"] = own["ephemeralContainers"]
  return { ...kept, spec: made }
}

// --- Certificates that members put into webhooks ---

const clientConfig = (desired: JsonObject, member: JsonObject): JsonObject => {
  const bundle = fieldsOf(member["clientConfig"])["caBundle"]
  const config = fieldsIn(desired["clientConfig"])
  if (bundle === undefined || config === undefined || config["caBundle"] !== undefined) return desired
  return { ...desired, clientConfig: { ...config, caBundle: bundle } }
}

/** A certificate authority that the member's own operator injected. */
export const retainWebhooks: Retain = (desired, member) => {
  const own = new Map(itemsOf(member["webhooks"]).map((webhook) => [webhook["name"], webhook]))
  const webhooks = itemsOf(desired["webhooks"])
  const made = webhooks.map((webhook) => {
    const there = own.get(webhook["name"])
    return there === undefined ? webhook : clientConfig(webhook, there)
  })
  return made.every((webhook, at) => webhook === webhooks[at]) ? desired : { ...desired, webhooks: made }
}

const CONVERSION = ["spec", "conversion", "webhook"]

export const retainDefinition: Retain = (desired, member) => {
  const [webhook, own] = [valueAt(desired, CONVERSION), valueAt(member, CONVERSION)]
  if (!isJsonObject(webhook) || !isJsonObject(own)) return desired
  return withValueAt(desired, CONVERSION, clientConfig(webhook, own))
}

// --- Secrets and service accounts ---

/** Token secrets that the member made. */
export const retainServiceAccount: Retain = (desired, member) =>
  itemsOf(desired["secrets"]).length > 0 || member["secrets"] === undefined
    ? desired
    : { ...desired, secrets: member["secrets"] }

/** The token that the member signed. */
export const retainSecret: Retain = (desired, member) => {
  if (desired["type"] !== "kubernetes.io/service-account-token") return desired
  const uid = member.metadata.annotations?.["kubernetes.io/service-account.uid"]
  const made = member["data"] === undefined ? desired : { ...desired, data: member["data"] }
  if (uid === undefined) return made
  return withValueAt(made, ["metadata", "annotations", "kubernetes.io/service-account.uid"], uid)
}
