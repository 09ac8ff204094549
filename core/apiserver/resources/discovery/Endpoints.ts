// Endpoints and EndpointSlices: where the pods of services are.
// Owns their rules and columns; refuses to fill them, which controllers do. Source: kubernetes pkg/apis/discovery/validation.
import { type KubeObject, Names } from "#kube"
import type { Definition, Draft } from "../../Definition.ts"
import { checkAddress, parseAddress } from "../Addresses.ts"
import { ageColumn, column, nameColumn, withMore } from "../Columns.ts"
import { checkExternalIp } from "../corev1/ServiceRules.ts"
import { define } from "../Define.ts"
import {
  defaulted,
  type Fields,
  itemsOf,
  numberOf,
  rewriteItems,
  textOf,
  textsOf,
  withItems,
  zeroDefaulted
} from "../Fields.ts"
import { checkKept } from "../Meta.ts"
import { duplicate, invalid, invalidEach, notSupported, oneOf, type Problems, required, tooMany } from "../Problems.ts"

const PROTOCOLS = ["SCTP", "TCP", "UDP"]
const PORT: Fields = Object.freeze({ name: "", protocol: "TCP" })

const sliceDefaults = (draft: Draft): void => {
  const ports = draft["ports"]
  if (Array.isArray(ports)) {
    draft["ports"] = rewriteItems(ports as ReadonlyArray<Fields>, (port) => defaulted(port, PORT))
  }
}

const checkSlicePorts = (ports: ReadonlyArray<Fields>, problems: Problems): void => {
  if (ports.length > 20_000) problems.push(tooMany("ports", ports.length, 20_000))
  const names = new Set<string>()
  ports.forEach((port, at) => {
    const name = textOf(port["name"])
    if (name !== "") invalidEach(`ports[${at}].name`, name, Names.dnsLabel(name), problems)
    if (names.has(name)) problems.push(duplicate(`ports[${at}].name`, name))
    names.add(name)
    const protocol = textOf(port["protocol"])
    if (!PROTOCOLS.includes(protocol)) problems.push(notSupported(`ports[${at}].protocol`, protocol, PROTOCOLS))
    const application = port["appProtocol"]
    if (typeof application === "string") {
      invalidEach(`ports[${at}].appProtocol`, application, Names.qualifiedName(application), problems)
    }
  })
}

const checkEndpoint = (endpoint: Fields, type: string, path: string, problems: Problems): void => {
  const addresses = textsOf(endpoint["addresses"])
  const place = `${path}.addresses`
  if (addresses.length === 0) problems.push(required(place))
  else if (addresses.length > 100) problems.push(tooMany(place, addresses.length, 100))
  addresses.forEach((address, at) => {
    if (type === "FQDN") return invalidEach(`${place}[${at}]`, address, Names.dnsSubdomain(address), problems)
    const family = parseAddress(address)?.family
    if (family === undefined) return checkAddress(address, `${place}[${at}]`, problems)
    if (family !== type) problems.push(invalid(place, address, `must be an ${type} address`))
    return checkExternalIp(address, `${place}[${at}]`, problems)
  })
  const node = endpoint["nodeName"]
  if (typeof node === "string") invalidEach(`${path}.nodeName`, node, Names.dnsSubdomain(node), problems)
  const host = textOf(endpoint["hostname"])
  if (host !== "") invalidEach(`${path}.hostname`, host, Names.dnsLabel(host), problems)
}

const checkSlice = (slice: KubeObject, problems: Problems): void => {
  const type = textOf(slice["addressType"])
  oneOf("addressType", type, ["FQDN", "IPv4", "IPv6"], problems)
  checkSlicePorts(itemsOf(slice["ports"]), problems)
  const endpoints = itemsOf(slice["endpoints"])
  if (endpoints.length > 1000) problems.push(tooMany("endpoints", endpoints.length, 1000))
  endpoints.forEach((endpoint, at) => checkEndpoint(endpoint, type, `endpoints[${at}]`, problems))
}

const portText = (port: Fields): string => {
  const number = port["port"]
  return number === undefined || number === null ? textOf(port["name"]) : String(numberOf(number))
}

const limited = (all: ReadonlyArray<string>): string => withMore(all.slice(0, 3), all.length, 3, "<unset>") || "<unset>"

/** The definition of endpoint slices. */
export const endpointSlices = (): Definition =>
  define("discovery.k8s.io", "v1", "EndpointSlice", {
    defaults: sliceDefaults,
    check: checkSlice,
    checkUpdate: (slice, old, problems) => checkKept("addressType", slice["addressType"], old["addressType"], problems),
    strategy: {
      warnings: (slice, old) =>
        old === undefined && slice["addressType"] === "FQDN" ? ["spec.addressType: FQDN endpoints are deprecated"] : []
    },
    generation: ["endpoints", "ports", "addressType"],
    columns: [
      nameColumn,
      column("AddressType", (slice) => textOf(slice["addressType"])),
      column("Ports", (slice) => limited(itemsOf(slice["ports"]).map(portText))),
      column("Endpoints", (slice) => limited(itemsOf(slice["endpoints"]).flatMap((one) => textsOf(one["addresses"])))),
      ageColumn
    ]
  })

const endpointsDefaults = (draft: Draft): void => {
  const subsets = draft["subsets"]
  if (!Array.isArray(subsets)) return
  draft["subsets"] = rewriteItems(subsets as ReadonlyArray<Fields>, (subset) =>
    withItems(subset, "ports", (port) => zeroDefaulted(port, { protocol: "TCP" }))
  )
}

const checkPlace = (address: Fields, path: string, problems: Problems): void => {
  const ip = textOf(address["ip"])
  if (parseAddress(ip) === undefined) {
    checkAddress(ip, `${path}.ip`, problems)
    problems.push(invalid(`${path}.ip`, ip, "must be a valid IP address"))
  } else checkExternalIp(ip, `${path}.ip`, problems)
  const host = textOf(address["hostname"])
  if (host !== "") invalidEach(`${path}.hostname`, host, Names.dnsLabel(host), problems)
  const node = address["nodeName"]
  if (typeof node === "string") invalidEach(`${path}.nodeName`, node, Names.dnsSubdomain(node), problems)
}

const checkEndpoints = (endpoints: KubeObject, problems: Problems): void => {
  itemsOf(endpoints["subsets"]).forEach((subset, at) => {
    const path = `subsets[${at}]`
    const addresses = itemsOf(subset["addresses"])
    const waiting = itemsOf(subset["notReadyAddresses"])
    if (addresses.length + waiting.length === 0) {
      problems.push(required(path, "must specify `addresses` or `notReadyAddresses`"))
    }
    addresses.forEach((one, place) => checkPlace(one, `${path}.addresses[${place}]`, problems))
    waiting.forEach((one, place) => checkPlace(one, `${path}.notReadyAddresses[${place}]`, problems))
    const ports = itemsOf(subset["ports"])
    ports.forEach((port, place) => {
      const name = textOf(port["name"])
      const where = `${path}.ports[${place}]`
      if (name !== "") invalidEach(`${where}.name`, name, Names.dnsLabel(name), problems)
      else if (ports.length > 1) problems.push(required(`${where}.name`))
      const number = numberOf(port["port"])
      for (const message of Names.portNumber(number)) problems.push(invalid(`${where}.port`, number, message))
      oneOf(`${where}.protocol`, port["protocol"], PROTOCOLS, problems)
      const application = port["appProtocol"]
      if (typeof application === "string") {
        invalidEach(`${where}.appProtocol`, application, Names.qualifiedName(application), problems)
      }
    })
  })
}

const joined = (ip: string, port: number): string => (ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`)

const endpointsText = (endpoints: KubeObject): string => {
  const subsets = itemsOf(endpoints["subsets"])
  if (subsets.length === 0) return "<none>"
  const all = subsets.flatMap((subset) => {
    const ips = itemsOf(subset["addresses"]).map((one) => textOf(one["ip"]))
    const ports = itemsOf(subset["ports"]).map((port) => numberOf(port["port"]))
    return ports.length === 0 ? ips : ports.flatMap((port) => ips.map((ip) => joined(ip, port)))
  })
  return withMore(all.slice(0, 3), all.length, 3, "")
}

/** The definition of endpoints. */
export const endpoints = (): Definition =>
  define("", "v1", "Endpoints", {
    defaults: endpointsDefaults,
    deprecated: "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
    check: checkEndpoints,
    strategy: { createOnUpdate: true },
    columns: [nameColumn, column("Endpoints", endpointsText), ageColumn],
    storage: { prefix: "/registry/services/endpoints/" }
  })
