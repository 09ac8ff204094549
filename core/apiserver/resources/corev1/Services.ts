// Services: defaults, and the addresses and ports that the server gives them.
// Owns their strategy; refuses to balance any load. Source: kubernetes pkg/registry/core/service.
import { type ApiFailure, Failures, type FieldProblem, type Json, type KubeObject } from "#kube"
import type { Column, Definition, Draft, StrategyContext } from "../../Definition.ts"
import { parseAddress } from "../Addresses.ts"
import { ageColumn, column, labelsText, nameColumn, wide } from "../Columns.ts"
import type { ResourcesContext } from "../Context.ts"
import { define } from "../Define.ts"
import {
  defaulted,
  type Fields,
  fieldsIn,
  fieldsOf,
  itemsOf,
  mapOf,
  numberOf,
  textOf,
  textsOf,
  withItems
} from "../Fields.ts"
import { labelName } from "../Meta.ts"
import { invalid, type Problems } from "../Problems.ts"
import { ServiceAllocation } from "./ServiceAllocation.ts"
import {
  checkClusterIps,
  checkService,
  checkServiceUpdate,
  isExternal,
  isHeadless,
  needsHealthCheck
} from "./ServiceRules.ts"

/** A spec that is being made: fresh, so it is assigned to. */
type Spec = { [field: string]: Json | undefined }

const portDefaults = (port: Fields): Fields => {
  const done = textOf(port["protocol"]) === "" ? { ...port, protocol: "TCP" } : port
  const target = done["targetPort"]
  return target === undefined || target === 0 || target === "" ? { ...done, targetPort: numberOf(port["port"]) } : done
}

const serviceDefaults = (draft: Draft): void => {
  const spec: Spec = { ...withItems(fieldsOf(draft.spec), "ports", portDefaults) }
  if (textOf(spec["sessionAffinity"]) === "") spec["sessionAffinity"] = "None"
  if (spec["sessionAffinity"] === "None") delete spec["sessionAffinityConfig"]
  else if (spec["sessionAffinity"] === "ClientIP") {
    const timeout = fieldsOf(fieldsOf(spec["sessionAffinityConfig"])["clientIP"])["timeoutSeconds"]
    if (timeout === undefined) spec["sessionAffinityConfig"] = { clientIP: { timeoutSeconds: 10_800 } }
  }
  if (textOf(spec["type"]) === "") spec["type"] = "ClusterIP"
  if (isExternal(spec) && textOf(spec["externalTrafficPolicy"]) === "") spec["externalTrafficPolicy"] = "Cluster"
  if (spec["internalTrafficPolicy"] === undefined && spec["type"] !== "ExternalName") {
    spec["internalTrafficPolicy"] = "Cluster"
  }
  if (spec["type"] === "LoadBalancer") spec["allocateLoadBalancerNodePorts"] ??= true
  draft.spec = spec
}

/** Addresses of balancers are virtual unless they say otherwise. */
const balancerDefaults = ({ status }: Draft): void => {
  if (status === undefined) return
  status["loadBalancer"] = withItems(fieldsOf(status["loadBalancer"]), "ingress", (one) =>
    one["ip"] === undefined ? one : defaulted(one, { ipMode: "VIP" })
  )
}

const wantsNodePorts = (spec: Fields): boolean => spec["type"] === "NodePort" || spec["type"] === "LoadBalancer"

/** Takes over what the server gave before and the client left out. */
const keepAllocated = (spec: Spec, before: Fields): void => {
  if (spec["type"] !== "ExternalName" && before["type"] !== "ExternalName") {
    if (textOf(spec["clusterIP"]) === "" && textsOf(spec["clusterIPs"]).length === 0) {
      if (before["clusterIP"] !== undefined) spec["clusterIP"] = before["clusterIP"]
      if (before["clusterIPs"] !== undefined) spec["clusterIPs"] = before["clusterIPs"]
    }
  }
  if (wantsNodePorts(spec) && wantsNodePorts(before)) {
    const old = itemsOf(before["ports"])
    const used = new Set(itemsOf(spec["ports"]).map((port) => numberOf(port["nodePort"])))
    spec["ports"] = itemsOf(spec["ports"]).map((port) => {
      if (numberOf(port["nodePort"]) !== 0) return port
      const match = old.find(
        (one) =>
          one["port"] === port["port"] && one["protocol"] === port["protocol"] && !used.has(numberOf(one["nodePort"]))
      )
      return match === undefined ? port : { ...port, nodePort: match["nodePort"] }
    })
  }
  if (needsHealthCheck(spec) && needsHealthCheck(before) && numberOf(spec["healthCheckNodePort"]) === 0) {
    spec["healthCheckNodePort"] = before["healthCheckNodePort"]
  }
}

const same = (a: Json | undefined, b: Json | undefined): boolean => JSON.stringify(a) === JSON.stringify(b)

/** clusterIP and the first of clusterIPs say the same, whichever the client changed. */
const alignClusterIps = (spec: Spec, before: Fields | undefined): void => {
  const ip = textOf(spec["clusterIP"])
  const ips = textsOf(spec["clusterIPs"])
  if (before === undefined) {
    if (ip !== "" && ips.length === 0) spec["clusterIPs"] = [ip]
    return
  }
  const changedOne = ip !== textOf(before["clusterIP"])
  const changedAll = !same(ips, textsOf(before["clusterIPs"]))
  if (changedOne && !changedAll) {
    if (ip === "") delete spec["clusterIPs"]
    else spec["clusterIPs"] = [ip]
  } else if (changedAll && !changedOne) {
    if (ips.length === 0) delete spec["clusterIP"]
  }
}

/** Drops what only the old type had, where the client merely kept it. */
const dropForType = (spec: Spec, before: Fields): void => {
  if (before["type"] !== "ExternalName" && spec["type"] === "ExternalName") {
    if (spec["clusterIP"] === before["clusterIP"]) {
      delete spec["clusterIP"]
      delete spec["clusterIPs"]
    }
    for (const field of ["ipFamilies", "ipFamilyPolicy"]) if (same(spec[field], before[field])) delete spec[field]
  }
  if (wantsNodePorts(before) && !wantsNodePorts(spec)) {
    const old = new Set(itemsOf(before["ports"]).map((port) => port["nodePort"]))
    const kept = itemsOf(spec["ports"]).every((port) => port["nodePort"] === undefined || old.has(port["nodePort"]))
    if (kept) spec["ports"] = itemsOf(spec["ports"]).map(({ nodePort: _dropped, ...port }) => port)
  }
  if (needsHealthCheck(before) && !needsHealthCheck(spec)) delete spec["healthCheckNodePort"]
  if (before["type"] === "LoadBalancer" && spec["type"] !== "LoadBalancer") {
    for (const field of ["allocateLoadBalancerNodePorts", "loadBalancerClass"]) {
      if (spec[field] === before[field]) delete spec[field]
    }
  }
  if (isExternal(before) && !isExternal(spec) && spec["externalTrafficPolicy"] === before["externalTrafficPolicy"]) {
    delete spec["externalTrafficPolicy"]
  }
}

const refuse = (name: string, problems: ReadonlyArray<FieldProblem>): ApiFailure =>
  Failures.invalid({ group: "", kind: "Service" }, name, problems)

/** Sets the families of the service's addresses; the problems say why they cannot be. */
const setFamilies = (spec: Spec, pool: ServiceAllocation): ReadonlyArray<FieldProblem> => {
  const problems: Problems = []
  const selectorless = isHeadless(spec) && Object.keys(fieldsOf(spec["selector"])).length === 0
  spec["ipFamilyPolicy"] ??= selectorless ? "RequireDualStack" : "SingleStack"
  const policy = textOf(spec["ipFamilyPolicy"])
  checkClusterIps(spec, problems)
  if (problems.length > 0) return problems
  const ips = textsOf(spec["clusterIPs"])
  const families = [...textsOf(spec["ipFamilies"])]
  const many = (what: string): FieldProblem =>
    invalid(
      "spec.ipFamilyPolicy",
      policy,
      `must be 'RequireDualStack' or 'PreferDualStack' when multiple ${what} are specified`
    )
  if (policy === "SingleStack" && ips.length === 2) problems.push(many("cluster IPs"))
  if (policy === "SingleStack" && families.length === 2) problems.push(many("IP families"))
  ips.forEach((ip, at) => {
    const family = parseAddress(ip)?.family
    if (ip === "None" || family === undefined || at < families.length) return
    if (pool.cidrOf(family) !== undefined) families.push(family)
    else problems.push(invalid(`spec.clusterIPs[${at}]`, ips, `${family} is not configured on this cluster`))
  })
  if (problems.length > 0) return problems
  const first = families[0] ?? pool.cidrs[0]?.family ?? "IPv4"
  if (families.length === 0) families.push(first)
  const other = first === "IPv4" ? "IPv6" : "IPv4"
  if (!selectorless) {
    if (policy === "RequireDualStack" && pool.cidrs.length < 2) {
      const why = "this cluster is not configured for dual-stack services"
      problems.push(invalid("spec.ipFamilyPolicy", policy, why))
    }
    families.forEach((family, at) => {
      if (pool.cidrOf(family) === undefined) {
        problems.push(invalid(`spec.ipFamilies[${at}]`, family, "not configured on this cluster"))
      }
    })
  }
  if (policy !== "SingleStack" && families.length === 1 && (selectorless || pool.cidrOf(other) !== undefined)) {
    families.push(other)
  }
  spec["ipFamilies"] = families
  return problems
}

const setAddresses = (spec: Spec, before: Fields, pool: ServiceAllocation, keep: boolean): FieldProblem | undefined => {
  const old = new Set(textsOf(before["clusterIPs"]))
  const asked = textsOf(spec["clusterIPs"])
  const ips: Array<string> = []
  for (const [at, family] of textsOf(spec["ipFamilies"]).entries()) {
    const ip = asked[at] ?? ""
    if (ip === "") {
      const next = pool.nextAddress(family, keep)
      if (next === undefined) return invalid("spec.clusterIPs", asked, "failed to allocate IP: range is full")
      ips.push(next)
    } else {
      const why = old.has(ip) ? undefined : pool.takeAddress(ip, keep)
      if (why !== undefined) return invalid("spec.clusterIPs", asked, `failed to allocate IP ${ip}: ${why}`)
      ips.push(ip)
    }
  }
  spec["clusterIPs"] = ips
  spec["clusterIP"] = ips[0]
  return undefined
}

const setPorts = (spec: Spec, before: Fields, pool: ServiceAllocation, keep: boolean): FieldProblem | undefined => {
  const old = new Set(itemsOf(before["ports"]).map((port) => numberOf(port["nodePort"])))
  const mine = new Map<number, number>()
  const ports: Array<Fields> = []
  for (const [at, port] of itemsOf(spec["ports"]).entries()) {
    const asked = numberOf(port["nodePort"])
    const number = numberOf(port["port"])
    if (asked === 0 && spec["allocateLoadBalancerNodePorts"] === false) ports.push(port)
    else if (asked !== 0) {
      const known = old.has(asked) || [...mine.values()].includes(asked)
      const why = known ? undefined : pool.takePort(asked, keep)
      if (why !== undefined) return invalid(`spec.ports[${at}].nodePort`, asked, why)
      mine.set(number, asked)
      ports.push(port)
    } else {
      const next = mine.get(number) ?? pool.nextPort(keep)
      if (next === undefined) return invalid(`spec.ports[${at}].nodePort`, 0, "range is full")
      mine.set(number, next)
      ports.push({ ...port, nodePort: next })
    }
  }
  spec["ports"] = ports
  return undefined
}

const setHealthPort = (spec: Spec, before: Fields, pool: ServiceAllocation, keep: boolean): ApiFailure | undefined => {
  const asked = numberOf(spec["healthCheckNodePort"])
  if (asked === 0) spec["healthCheckNodePort"] = pool.nextPort(keep)
  else if (asked !== before["healthCheckNodePort"]) {
    const why = pool.takePort(asked, keep)
    if (why !== undefined)
      return Failures.internal(`failed to allocate requested HealthCheck NodePort ${asked}: ${why}`)
  }
  return undefined
}

const allocate =
  (pool: ServiceAllocation) =>
  (draft: Draft, before: Fields | undefined, { api, options }: StrategyContext): ApiFailure | undefined => {
    const spec = (draft.spec ??= {})
    const name = draft.metadata.name ?? ""
    const old = before ?? {}
    const keep = options.dryRun !== true
    pool.follow(api)
    if (before !== undefined) keepAllocated(spec, before)
    alignClusterIps(spec, before)
    const problems: Problems = []
    if (spec["type"] !== "ExternalName") {
      problems.push(...setFamilies(spec, pool))
      if (problems.length === 0 && !isHeadless(spec)) {
        const problem = setAddresses(spec, old, pool, keep)
        if (problem !== undefined) problems.push(problem)
      }
    }
    if (problems.length === 0 && wantsNodePorts(spec)) {
      const problem = setPorts(spec, old, pool, keep)
      if (problem !== undefined) problems.push(problem)
    }
    if (problems.length > 0) {
      pool.forget({ spec })
      return refuse(name, problems)
    }
    return needsHealthCheck(spec) ? setHealthPort(spec, old, pool, keep) : undefined
  }

const externalText = ({ spec, status }: KubeObject): string => {
  const given = fieldsOf(spec)
  const own = textsOf(given["externalIPs"])
  if (given["type"] === "ExternalName") return textOf(given["externalName"])
  if (given["type"] !== "LoadBalancer") return own.join(",") || "<none>"
  const all = [...balancerAddresses(fieldsOf(status)["loadBalancer"]), ...own]
  return all.join(",") || "<pending>"
}

/** The addresses or names that a load balancer got, in order. */
export const balancerAddresses = (balancer: unknown): ReadonlyArray<string> => [
  ...new Set(
    itemsOf(fieldsOf(balancer)["ingress"])
      .map((one) => textOf(one["ip"]) || textOf(one["hostname"]))
      .filter((one) => one !== "")
      .sort()
  )
]

const portText = (port: Fields): string => {
  const nodePort = numberOf(port["nodePort"])
  return `${numberOf(port["port"])}${nodePort > 0 ? `:${nodePort}` : ""}/${textOf(port["protocol"])}`
}

const columns: ReadonlyArray<Column> = [
  nameColumn,
  column("Type", ({ spec }) => textOf(fieldsOf(spec)["type"])),
  column("Cluster-IP", ({ spec }) => textsOf(fieldsOf(spec)["clusterIPs"])[0] ?? "<none>"),
  column("External-IP", externalText),
  column("Port(s)", ({ spec }) => itemsOf(fieldsOf(spec)["ports"]).map(portText).join(",") || "<none>"),
  ageColumn,
  wide("Selector", ({ spec }) => labelsText(mapOf(fieldsOf(spec)["selector"])))
]

/** The definition of services. */
export const services = (context: ResourcesContext): Definition => {
  const give = allocate(new ServiceAllocation(context))
  return define("", "v1", "Service", {
    name: labelName,
    defaults: serviceDefaults,
    initialStatus: () => ({ loadBalancer: {} }),
    prepareForCreate: (draft, strategy) => give(draft, undefined, strategy),
    prepareForUpdate: (draft, old, strategy) => {
      const before = fieldsOf(old.spec)
      const spec = (draft.spec ??= {})
      dropForType(spec, before)
      if (spec["type"] !== "LoadBalancer" && fieldsIn(fieldsOf(old.status)["loadBalancer"]) !== undefined) {
        draft.status = { ...fieldsOf(old.status), loadBalancer: {} }
      }
      return give(draft, before, strategy)
    },
    check: checkService,
    checkUpdate: checkServiceUpdate,
    strategy: {
      createOnUpdate: true,
      returnsDeleted: true,
      warnings: ({ spec }) => {
        const { externalName, type } = fieldsOf(spec)
        return textOf(externalName) !== "" && type !== "ExternalName"
          ? ['spec.externalName is ignored when spec.type is not "ExternalName"']
          : []
      }
    },
    status: { defaults: balancerDefaults },
    columns,
    selectableFields: {
      "spec.clusterIP": ({ spec }) => textOf(fieldsOf(spec)["clusterIP"]),
      "spec.type": ({ spec }) => textOf(fieldsOf(spec)["type"])
    },
    storage: { prefix: "/registry/services/specs/" }
  })
}
