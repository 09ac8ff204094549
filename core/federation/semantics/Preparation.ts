// What a template loses before it goes to members: fields that the host's own API server filled in, and that would be wrong there.
// Owns these removals per kind; what every object loses (uid, managed fields, status) the federating step removes.
import { fieldsIn, fieldsOf, type Fields, itemsOf, textOf, withoutField } from "#apiserver"
import type { Json, JsonObject, KubeObject } from "#kube"
import { valueAt, withValueAt } from "./FieldPaths.ts"

type Prepare = (template: KubeObject, source: KubeObject) => KubeObject

export const asItIs: Prepare = (template) => template

/** Keys that the Job controller of the host's API server puts on a Job's selector and pods. */
const JOB_LABELS = ["controller-uid", "batch.kubernetes.io/controller-uid", "job-name", "batch.kubernetes.io/job-name"]

const withoutKeys = (value: Json | undefined, keys: ReadonlyArray<string>): JsonObject | undefined => {
  const fields = fieldsIn(value)
  if (fields === undefined) return undefined
  const left = Object.fromEntries(Object.entries(fields).filter(([key]) => !keys.includes(key)))
  return Object.keys(left).length === 0 ? undefined : left
}

/** A generated selector names the host's Job; each member generates its own. */
export const prepareJob: Prepare = (template) => {
  if (fieldsOf(template.spec)["manualSelector"] === true) return template
  let made = withValueAt(template, ["spec", "selector"], undefined)
  const labels = ["spec", "template", "metadata", "labels"]
  made = withValueAt(made, labels, withoutKeys(valueAt(made, labels), JOB_LABELS))
  return withValueAt(made, ["metadata", "labels"], withoutKeys(made.metadata.labels, JOB_LABELS))
}

/** Whether anybody but the server itself set a field: allocated values have no manager. */
const isManaged = (source: KubeObject, path: ReadonlyArray<string>): boolean =>
  (source.metadata.managedFields ?? []).some(
    ({ fieldsV1 }) =>
      valueAt(
        fieldsV1,
        path.map((field) => `f:${field}`)
      ) !== undefined
  )

const isPortManaged = (source: KubeObject, port: Fields): boolean =>
  (source.metadata.managedFields ?? []).some(({ fieldsV1 }) => {
    const ports = fieldsOf(valueAt(fieldsV1, ["f:spec", "f:ports"]))
    const key = Object.keys(ports).find((item) => {
      if (!item.startsWith("k:")) return false
      const named = fieldsOf(JSON.parse(item.slice(2)))
      return named["port"] === port["port"] && (named["protocol"] ?? "TCP") === (port["protocol"] ?? "TCP")
    })
    return key !== undefined && fieldsOf(ports[key])["f:nodePort"] !== undefined
  })

/** Addresses and node ports are each cluster's own, except those that a user asked for. */
export const prepareService: Prepare = (template, source) => {
  let made = template
  const spec = fieldsOf(template.spec)
  if (spec["clusterIP"] !== "None") {
    made = withValueAt(made, ["spec", "clusterIP"], undefined)
    made = withValueAt(made, ["spec", "clusterIPs"], undefined)
  }
  const known = (source.metadata.managedFields ?? []).length > 0
  if (!known) return made
  if (!isManaged(source, ["spec", "healthCheckNodePort"])) {
    made = withValueAt(made, ["spec", "healthCheckNodePort"], undefined)
  }
  for (const field of ["ipFamilies", "ipFamilyPolicy"]) {
    if (spec["clusterIP"] !== "None" && !isManaged(source, ["spec", field])) {
      made = withValueAt(made, ["spec", field], undefined)
    }
  }
  const ports = itemsOf(spec["ports"])
  if (ports.length === 0) return made
  return withValueAt(
    made,
    ["spec", "ports"],
    ports.map((port) => (isPortManaged(source, port) ? port : withoutField(port, "nodePort")))
  )
}

const isTokenVolume = (name: unknown): boolean => textOf(name).startsWith("kube-api-access-")

const withoutTokenMounts = (spec: Fields): Fields => {
  let made = spec
  for (const list of ["initContainers", "containers"]) {
    const containers = itemsOf(spec[list])
    if (!containers.some((one) => itemsOf(one["volumeMounts"]).some((mount) => isTokenVolume(mount["name"])))) continue
    const left = containers.map((one) => ({
      ...one,
      volumeMounts: itemsOf(one["volumeMounts"]).filter((mount) => !isTokenVolume(mount["name"]))
    }))
    made = withValueAt(made, [list], left)
  }
  const volumes = itemsOf(spec["volumes"])
  const left = volumes.filter((volume) => !isTokenVolume(volume["name"]))
  return left.length === volumes.length ? made : { ...made, volumes: left }
}

/** Debugging containers are added to running pods only; token volumes are made by the member's own admission. */
export const preparePod: Prepare = (template) => {
  const spec = withoutField(fieldsOf(template.spec), "ephemeralContainers")
  const made = withoutTokenMounts(spec)
  return made === template.spec ? template : { ...template, spec: made }
}

/** Which claim is bound is named by place; its uid and version are the host's. */
export const prepareVolume: Prepare = (template) => {
  const claim = fieldsIn(valueAt(template, ["spec", "claimRef"]))
  if (claim === undefined) return template
  return withValueAt(template, ["spec", "claimRef"], withoutField(withoutField(claim, "uid"), "resourceVersion"))
}

/** Token secrets belong to the cluster that signs them. */
export const prepareServiceAccount: Prepare = (template) =>
  template["secrets"] === undefined ? template : withValueAt(template, ["secrets"], undefined)

const SERVICE_ACCOUNT_UID = "kubernetes.io/service-account.uid"

/** A service account's token is signed by each cluster for itself: the data stays here. */
export const prepareSecret: Prepare = (template) => {
  if (template["type"] !== "kubernetes.io/service-account-token") return template
  const annotations = withoutKeys(template.metadata.annotations, [SERVICE_ACCOUNT_UID])
  return withValueAt(withValueAt(template, ["data"], undefined), ["metadata", "annotations"], annotations)
}

/** Who still finalizes a namespace is each cluster's own. */
export const prepareNamespace: Prepare = (template) => withValueAt(template, ["spec"], undefined)

/** The revision that a controller counts is the member's. */
export const prepareRevisioned: Prepare = (template) => {
  const annotations = template.metadata.annotations
  if (annotations?.["deployment.kubernetes.io/revision"] === undefined) return template
  return withValueAt(
    template,
    ["metadata", "annotations"],
    withoutKeys(annotations, ["deployment.kubernetes.io/revision"])
  )
}
