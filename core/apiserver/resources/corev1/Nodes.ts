// Nodes: what they have, what keeps pods away, how they are shown.
// Owns their strategy; refuses to judge their health. Source: kubernetes pkg/registry/core/node.
import type { KubeObject } from "#kube"
import type { Column, Definition, Draft } from "../../Definition.ts"
import { checkCidr, parseCidr } from "../Addresses.ts"
import { ageColumn, column, nameColumn, wide } from "../Columns.ts"
import { define } from "../Define.ts"
import { fieldsOf, itemsOf, textOf, textsOf } from "../Fields.ts"
import { duplicate, forbidden, invalid, type Problems } from "../Problems.ts"
import { checkAmount } from "../Resources.ts"
import { checkTaints } from "./SchedulingRules.ts"

/** A node can use all that it has unless it says otherwise. */
const defaults = ({ status }: Draft): void => {
  if (status?.["capacity"] !== undefined && status["allocatable"] === undefined) {
    status["allocatable"] = status["capacity"]
  }
}

/** The older field is the first of the newer ones. */
const alignCidrs = ({ spec }: Draft): void => {
  if (spec === undefined) return
  const all = textsOf(spec["podCIDRs"])
  const one = textOf(spec["podCIDR"])
  if (one !== "" && all[0] !== one) spec["podCIDRs"] = [one]
  else if (one === "" && all[0] !== undefined) spec["podCIDR"] = all[0]
}

const checkAmounts = (node: KubeObject, problems: Problems): void => {
  const status = fieldsOf(node.status)
  for (const kind of ["capacity", "allocatable"]) {
    const amounts = fieldsOf(status[kind])
    for (const name in amounts) checkAmount(name, amounts[name], `status.${kind}.${name}`, problems)
  }
}

const checkNode = (node: KubeObject, problems: Problems): void => {
  const spec = fieldsOf(node.spec)
  if (spec["taints"] !== undefined) checkTaints(itemsOf(spec["taints"]), "metadata.taints", problems)
  checkAmounts(node, problems)
  const cidrs = textsOf(spec["podCIDRs"])
  cidrs.forEach((cidr, at) => checkCidr(cidr, `spec.podCIDRs[${at}]`, problems))
  if (cidrs.length < 2) return
  const families = new Set(cidrs.map((cidr) => parseCidr(cidr)?.family))
  if (cidrs.length > 2 || families.size < 2) {
    problems.push(invalid("spec.podCIDRs", cidrs, "may specify no more than one CIDR for each IP family"))
  }
}

const checkUpdate = (node: KubeObject, old: KubeObject, problems: Problems): void => {
  const now = fieldsOf(node.spec)
  const before = fieldsOf(old.spec)
  if (now === before) return
  const cidrs = textsOf(now["podCIDRs"])
  const had = textsOf(before["podCIDRs"])
  if (had.length > 0 && (had.length !== cidrs.length || had.some((one, at) => one !== cidrs[at]))) {
    const why = 'node updates may not change podCIDR except from "" to valid'
    problems.push(forbidden("spec.podCIDRs", why))
  }
  if (textOf(now["externalID"]) !== textOf(before["externalID"])) {
    problems.push(forbidden("spec.externalID", "may not be updated"))
  }
  const provider = textOf(before["providerID"])
  if (provider === "" || now["providerID"] === provider) return
  const why =
    textOf(now["providerID"]) === "" ? "field cannot be cleared once set" : "field cannot be modified once set"
  problems.push(invalid("spec.providerID", null, why))
}

const checkStatus = (node: KubeObject, old: KubeObject, problems: Problems): void => {
  const now = fieldsOf(node.status)
  const before = fieldsOf(old.status)
  if (now["capacity"] !== before["capacity"] || now["allocatable"] !== before["allocatable"]) {
    checkAmounts(node, problems)
  }
  if (now["addresses"] === before["addresses"]) return
  const seen = new Set<string>()
  itemsOf(now["addresses"]).forEach((address, at) => {
    const key = `${textOf(address["type"])}/${textOf(address["address"])}`
    if (seen.has(key)) problems.push(duplicate(`status.addresses[${at}]`, { ...address }))
    seen.add(key)
  })
}

const ROLE = "node-role.kubernetes.io/"
const OLD_ROLE = "kubernetes.io/role"

const rolesText = ({ metadata: { labels = {} } }: KubeObject): string => {
  const roles = new Set<string>()
  for (const label in labels) {
    if (label.startsWith(ROLE) && label.length > ROLE.length) roles.add(label.slice(ROLE.length))
    else if (label === OLD_ROLE && labels[label] !== "") roles.add(labels[label] ?? "")
  }
  return [...roles].sort().join(",") || "<none>"
}

const statusText = ({ spec, status }: KubeObject): string => {
  const ready = itemsOf(fieldsOf(status)["conditions"]).findLast((one) => one["type"] === "Ready")
  const state = ready === undefined ? "Unknown" : ready["status"] === "True" ? "Ready" : "NotReady"
  return fieldsOf(spec)["unschedulable"] === true ? `${state},SchedulingDisabled` : state
}

const addressOf =
  (type: string) =>
  ({ status }: KubeObject) =>
    textOf(itemsOf(fieldsOf(status)["addresses"]).find((one) => one["type"] === type)?.["address"]) || "<none>"

const info = (node: KubeObject, field: string): string => textOf(fieldsOf(fieldsOf(node.status)["nodeInfo"])[field])

const kernelText = (node: KubeObject): string => {
  const kernel = info(node, "kernelVersion") || "<unknown>"
  const architecture = info(node, "architecture")
  return architecture === "" ? kernel : `${kernel} (${architecture})`
}

const columns: ReadonlyArray<Column> = [
  nameColumn,
  column("Status", statusText),
  column("Roles", rolesText),
  ageColumn,
  column("Version", (node) => info(node, "kubeletVersion")),
  wide("Internal-IP", addressOf("InternalIP")),
  wide("External-IP", addressOf("ExternalIP")),
  wide("OS-Image", (node) => info(node, "osImage") || "<unknown>"),
  wide("Kernel-Version", kernelText),
  wide("Container-Runtime", (node) => info(node, "containerRuntimeVersion") || "<unknown>")
]

const nodeWarnings = ({ spec }: KubeObject): ReadonlyArray<string> =>
  textOf(fieldsOf(spec)["externalID"]) === ""
    ? []
    : ["spec.externalID: this field is deprecated, and is unused by Kubernetes"]

/** The definition of nodes. */
export const nodes = (): Definition =>
  define("", "v1", "Node", {
    defaults: (draft) => {
      defaults(draft)
      alignCidrs(draft)
    },
    // Nodes register themselves with their status: it is taken on create.
    initialStatus: (draft) => draft.status,
    check: checkNode,
    checkUpdate,
    status: { defaults, check: checkStatus },
    strategy: { warnings: nodeWarnings },
    columns,
    selectableFields: { "spec.unschedulable": ({ spec }) => String(fieldsOf(spec)["unschedulable"] === true) },
    storage: { prefix: "/registry/minions/" }
  })
