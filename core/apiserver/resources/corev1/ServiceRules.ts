// What a service must satisfy.
// Owns the rules of its ports, addresses and policies; refuses to allocate. Source: kubernetes pkg/apis/core/validation.
import { type Json, type KubeObject, Names } from "#kube"
import { checkAddress, checkCidr, parseAddress } from "../Addresses.ts"
import { type Fields, fieldsIn, fieldsOf, itemsOf, mapOf, numberOf, textOf, textsOf } from "../Fields.ts"
import { checkLabels } from "../Meta.ts"
import {
  duplicate,
  forbidden,
  invalid,
  invalidEach,
  notSupported,
  oneOf,
  type Problems,
  required
} from "../Problems.ts"
import { checkPort } from "./HandlerRules.ts"

/** Whether a service has no address of its own. */
export const isHeadless = (spec: Fields): boolean => {
  const ips = textsOf(spec["clusterIPs"])
  return ips.length === 1 && ips[0] === "None"
}

/** Whether a service can be reached from outside the cluster. */
export const isExternal = (spec: Fields): boolean => {
  const type = spec["type"]
  if (type === "LoadBalancer" || type === "NodePort") return true
  return type === "ClusterIP" && textsOf(spec["externalIPs"]).length > 0
}

/** Whether balancers ask each node if it has pods of the service. */
export const needsHealthCheck = (spec: Fields): boolean =>
  spec["type"] === "LoadBalancer" && spec["externalTrafficPolicy"] === "Local"

const checkServicePort = (port: Fields, many: boolean, names: Set<string>, path: string, problems: Problems): void => {
  const name = textOf(port["name"])
  if (name === "") {
    if (many) problems.push(required(`${path}.name`))
  } else {
    invalidEach(`${path}.name`, name, Names.dnsLabel(name), problems)
    if (names.has(name)) problems.push(duplicate(`${path}.name`, name))
    names.add(name)
  }
  const number = numberOf(port["port"])
  for (const message of Names.portNumber(number)) problems.push(invalid(`${path}.port`, number, message))
  oneOf(`${path}.protocol`, port["protocol"], ["SCTP", "TCP", "UDP"], problems)
  checkPort(port["targetPort"], `${path}.targetPort`, problems)
  const protocol = port["appProtocol"]
  if (typeof protocol === "string")
    invalidEach(`${path}.appProtocol`, protocol, Names.qualifiedName(protocol), problems)
}

const checkType = (spec: Fields, problems: Problems): void => {
  const type = textOf(spec["type"])
  if ((type === "LoadBalancer" || type === "NodePort") && isHeadless(spec)) {
    problems.push(invalid("spec.clusterIPs[0]", "None", `may not be set to 'None' for ${type} services`))
  }
  if (type !== "ExternalName") return
  const refused = "may not be set for ExternalName services"
  for (const field of ["clusterIPs", "ipFamilies"]) {
    if (textsOf(spec[field]).length > 0) problems.push(forbidden(`spec.${field}`, refused))
  }
  if (spec["ipFamilyPolicy"] !== undefined) problems.push(forbidden("spec.ipFamilyPolicy", refused))
  const name = textOf(spec["externalName"]).replace(/\.$/, "")
  if (name === "") problems.push(required("spec.externalName"))
  else invalidEach("spec.externalName", name, Names.dnsSubdomain(name), problems)
}

const checkAffinity = (spec: Fields, problems: Problems): void => {
  const affinity = textOf(spec["sessionAffinity"])
  oneOf("spec.sessionAffinity", affinity, ["ClientIP", "None"], problems)
  const config = fieldsIn(spec["sessionAffinityConfig"])
  if (affinity === "None" && config !== undefined) {
    problems.push(forbidden("spec.sessionAffinityConfig", "must not be set when session affinity is None"))
  }
  if (affinity !== "ClientIP") return
  const timeout = numberOf(fieldsOf(config?.["clientIP"])["timeoutSeconds"])
  if (timeout > 0 && timeout <= 86_400) return
  const path = "spec.sessionAffinityConfig.clientIP.timeoutSeconds"
  problems.push(invalid(path, timeout, "must be greater than 0 and less than 86400"))
}

const FAMILIES = ["IPv4", "IPv6"]
const FAMILY_POLICIES = ["PreferDualStack", "RequireDualStack", "SingleStack"]

/** Checks that the fields about cluster IPs fit together. */
export const checkClusterIps = (spec: Fields, problems: Problems): void => {
  if (spec["type"] === "ExternalName") return
  const ip = textOf(spec["clusterIP"])
  const ips = textsOf(spec["clusterIPs"])
  const families = textsOf(spec["ipFamilies"])
  const path = "spec.clusterIPs"
  if (ip !== "" && ips.length === 0) problems.push(required(path))
  else if (ip !== "" && ips[0] !== ip) problems.push(invalid(path, ips, "first value must match `clusterIP`"))
  else if (ip === "" && ips.length > 0) {
    problems.push(invalid(path, ips, "must be empty when `clusterIP` is not specified"))
  }
  families.forEach((family, at) => {
    if (!FAMILIES.includes(family)) problems.push(notSupported(`spec.ipFamilies[${at}]`, family, FAMILIES))
    if (families.indexOf(family) < at) problems.push(duplicate(`spec.ipFamilies[${at}]`, family))
  })
  const policy = spec["ipFamilyPolicy"]
  if (typeof policy === "string" && !FAMILY_POLICIES.includes(policy)) {
    problems.push(notSupported("spec.ipFamilyPolicy", policy, FAMILY_POLICIES))
  }
  const before = problems.length
  ips.forEach((one, at) => {
    if (at !== 0 || one !== "None") checkAddress(one, `${path}[${at}]`, problems)
    else if (ips.length > 1) problems.push(invalid(path, ips, "'None' must be the first and only value"))
  })
  if (ips.length > 2) problems.push(invalid(path, ips, "may only hold up to 2 values"))
  if (problems.length > before) return
  checkFamilies(spec, ips, families, problems)
}

const checkFamilies = (
  spec: Fields,
  ips: ReadonlyArray<string>,
  families: ReadonlyArray<string>,
  problems: Problems
): void => {
  const found = ips.map((ip) => parseAddress(ip)?.family)
  if (ips.length > 1 && new Set(found).size < 2) {
    problems.push(invalid("spec.clusterIPs", ips, "may specify no more than one IP for each IP family"))
  }
  if (isHeadless(spec)) return
  ips.forEach((ip, at) => {
    const wanted = families[at]
    if (wanted === undefined || wanted === found[at]) return
    const why = `expected an ${wanted} value as indicated by \`ipFamilies[${at}]\``
    problems.push(invalid(`spec.clusterIPs[${at}]`, ip, why))
  })
}

const checkUniquePorts = (spec: Fields, problems: Problems): void => {
  const nodePorts = new Set<string>()
  const ports = new Set<string>()
  const all = itemsOf(spec["ports"])
  all.forEach((port, at) => {
    const nodePort = numberOf(port["nodePort"])
    if (nodePort === 0) return
    if (spec["type"] === "ClusterIP") {
      problems.push(forbidden(`spec.ports[${at}].nodePort`, "may not be used when `type` is 'ClusterIP'"))
    }
    const key = `${textOf(port["protocol"])}/${nodePort}`
    if (nodePorts.has(key)) problems.push(duplicate(`spec.ports[${at}].nodePort`, nodePort))
    nodePorts.add(key)
  })
  all.forEach((port, at) => {
    const key = `${textOf(port["protocol"])}/${numberOf(port["port"])}`
    if (ports.has(key)) {
      const shown = { protocol: textOf(port["protocol"]), port: numberOf(port["port"]), targetPort: 0 }
      problems.push(duplicate(`spec.ports[${at}]`, shown))
    }
    ports.add(key)
  })
}

const checkBalancer = (spec: Fields, problems: Problems): void => {
  const isBalancer = spec["type"] === "LoadBalancer"
  const only = "may only be used when `type` is 'LoadBalancer'"
  const ranges = textsOf(spec["loadBalancerSourceRanges"])
  if (ranges.length > 0 && !isBalancer) problems.push(forbidden("spec.LoadBalancerSourceRanges", only))
  ranges.forEach((range, at) => checkCidr(range.trim(), `spec.LoadBalancerSourceRanges[${at}]`, problems))
  if (spec["allocateLoadBalancerNodePorts"] !== undefined && !isBalancer) {
    problems.push(forbidden("spec.allocateLoadBalancerNodePorts", only))
  }
  const name = spec["loadBalancerClass"]
  if (name === undefined) return
  if (isBalancer) invalidEach("spec.loadBalancerClass", textOf(name), Names.qualifiedName(textOf(name)), problems)
  else problems.push(forbidden("spec.loadBalancerClass", only))
}

const checkTraffic = (spec: Fields, problems: Problems): void => {
  const external = textOf(spec["externalTrafficPolicy"])
  const path = "spec.externalTrafficPolicy"
  if (isExternal(spec)) oneOf(path, external, ["Cluster", "Local"], problems)
  else if (external !== "") problems.push(invalid(path, external, "may only be set for externally-accessible services"))
  const port = numberOf(spec["healthCheckNodePort"])
  if (port !== 0 && !needsHealthCheck(spec)) {
    const why = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
    problems.push(invalid("spec.healthCheckNodePort", port, why))
  }
  const internal = spec["internalTrafficPolicy"]
  if (typeof internal === "string" && internal !== "Cluster" && internal !== "Local") {
    problems.push(notSupported("spec.internalTrafficPolicy", internal, ["Cluster", "Local"]))
  }
  const spread = spec["trafficDistribution"]
  const all = ["PreferClose", "PreferSameZone", "PreferSameNode"]
  if (typeof spread === "string" && !all.includes(spread)) {
    problems.push(notSupported("spec.trafficDistribution", spread, all))
  }
}

const TYPES = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"]

/** Checks a service, new or changed. */
export const checkService = (service: KubeObject, problems: Problems): void => {
  const spec = fieldsOf(service.spec)
  const ports = itemsOf(spec["ports"])
  if (ports.length === 0 && !isHeadless(spec) && spec["type"] !== "ExternalName") {
    problems.push(required("spec.ports"))
  }
  checkType(spec, problems)
  const names = new Set<string>()
  ports.forEach((port, at) => checkServicePort(port, ports.length > 1, names, `spec.ports[${at}]`, problems))
  if (spec["selector"] !== undefined) checkLabels(mapOf(spec["selector"]), "spec.selector", problems)
  checkAffinity(spec, problems)
  checkClusterIps(spec, problems)
  textsOf(spec["externalIPs"]).forEach((ip, at) => checkExternalIp(ip, `spec.externalIPs[${at}]`, problems))
  oneOf("spec.type", spec["type"], TYPES, problems)
  checkUniquePorts(spec, problems)
  checkBalancer(spec, problems)
  checkTraffic(spec, problems)
}

/** Checks an address that pods or machines outside are reached at. */
export const checkExternalIp = (ip: string, path: string, problems: Problems): void => {
  const address = parseAddress(ip)
  if (address === undefined) return checkAddress(ip, path, problems)
  const { family, value } = address
  const high = family === "IPv4" ? value >> 24n : value >> 120n
  if (value === 0n) problems.push(invalid(path, ip, "may not be unspecified (0.0.0.0 or ::)"))
  const isLoopback = family === "IPv4" ? high === 127n : value === 1n
  if (isLoopback) problems.push(invalid(path, ip, "may not be in the loopback range (127.0.0.0/8, ::1/128)"))
  const isLocal = family === "IPv4" ? value >> 16n === 0xa9fen : value >> 118n === 0x3fan
  if (isLocal) problems.push(invalid(path, ip, "may not be in the link-local range (169.254.0.0/16, fe80::/10)"))
  const isGroup = family === "IPv4" ? value >> 8n === 0xe00000n : value >> 112n === 0xff02n
  if (isGroup)
    problems.push(invalid(path, ip, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"))
}

const firstDifference = (
  field: string,
  now: ReadonlyArray<string>,
  before: ReadonlyArray<string>,
  problems: Problems
) => {
  const shown: Json = now.length === 0 ? null : now
  if (now.length === before.length) {
    now.forEach((one, at) => {
      if (one !== before[at]) problems.push(invalid(`spec.${field}[${at}]`, shown, "may not change once set"))
    })
  } else if (before.length > now.length && now.length === 0) {
    const what = field === "clusterIPs" ? "clusterIP" : "ipFamily"
    problems.push(invalid(`spec.${field}[0]`, shown, `primary ${what} can not be unset`))
  } else if (before.length > 0 && now[0] !== before[0]) {
    problems.push(invalid(`spec.${field}[0]`, shown, "may not change once set"))
  }
}

/** Checks what changed of a service. */
export const checkServiceUpdate = (service: KubeObject, old: KubeObject, problems: Problems): void => {
  const now = fieldsOf(service.spec)
  const before = fieldsOf(old.spec)
  if (now === before || now["type"] === "ExternalName" || before["type"] === "ExternalName") return
  if (!(isHeadless(now) && isHeadless(before))) {
    firstDifference("clusterIPs", textsOf(now["clusterIPs"]), textsOf(before["clusterIPs"]), problems)
  }
  if (!isHeadless(now) && !isHeadless(before)) {
    firstDifference("ipFamilies", textsOf(now["ipFamilies"]), textsOf(before["ipFamilies"]), problems)
  }
  const balancers = now["type"] === "LoadBalancer" && before["type"] === "LoadBalancer"
  if (balancers && now["loadBalancerClass"] !== before["loadBalancerClass"]) {
    problems.push(invalid("spec.loadBalancerClass", now["loadBalancerClass"], "may not change once set"))
  }
  if (
    needsHealthCheck(now) &&
    needsHealthCheck(before) &&
    now["healthCheckNodePort"] !== before["healthCheckNodePort"]
  ) {
    problems.push(forbidden("spec.healthCheckNodePort", "field is immutable"))
  }
}
