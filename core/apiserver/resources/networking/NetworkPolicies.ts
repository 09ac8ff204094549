// Network policies, and the blocks and addresses of services that the server keeps as objects.
// Owns their rules and columns; refuses to filter any traffic. Source: kubernetes pkg/apis/networking/validation.
import { type KubeObject, Names } from "#kube"
import type { Definition, Draft } from "../../Definition.ts"
import { addressText, checkCidr, contains, NOT_AN_ADDRESS, parseAddress, parseCidr } from "../Addresses.ts"
import { ageColumn, column, nameColumn } from "../Columns.ts"
import { define } from "../Define.ts"
import { type Fields, fieldsIn, fieldsOf, itemsOf, textOf, textsOf, withItems } from "../Fields.ts"
import { checkKept } from "../Meta.ts"
import { forbidden, IMMUTABLE, invalid, invalidEach, notSupported, type Problems, required } from "../Problems.ts"
import { checkSelector, selectorText } from "../Selectors.ts"

const GROUP = "networking.k8s.io"
const PROTOCOLS = ["TCP", "UDP", "SCTP"]
const TYPES = ["Ingress", "Egress"]

/** The two directions of a policy: the field of its rules, and that of their peers. */
const DIRECTIONS: ReadonlyArray<readonly [rules: string, peers: string]> = [
  ["ingress", "from"],
  ["egress", "to"]
]

const portDefaults = (port: Fields): Fields => (port["protocol"] === undefined ? { ...port, protocol: "TCP" } : port)

const policyDefaults = (draft: Draft): void => {
  let spec = fieldsOf(draft.spec)
  for (const [field] of DIRECTIONS) {
    spec = withItems(spec, field, (rule) => withItems(rule, "ports", portDefaults))
  }
  if (textsOf(spec["policyTypes"]).length === 0) {
    spec = { ...spec, policyTypes: itemsOf(spec["egress"]).length > 0 ? TYPES : ["Ingress"] }
  }
  draft.spec = spec
}

const checkEndPort = (port: unknown, end: number, path: string, problems: Problems): void => {
  const refuse = (why: string): number => problems.push(invalid(`${path}.endPort`, end, why))
  if (port === undefined) refuse("may not be specified when `port` is not specified")
  else if (typeof port !== "number") refuse("may not be specified when `port` is non-numeric")
  else {
    if (end < port) refuse("must be greater than or equal to `port`")
    for (const why of Names.portNumber(end)) refuse(why)
  }
}

const checkPort = (port: Fields, path: string, problems: Problems): void => {
  const { endPort, port: number, protocol } = port
  if (typeof protocol === "string" && !PROTOCOLS.includes(protocol)) {
    problems.push(notSupported(`${path}.protocol`, protocol, PROTOCOLS))
  }
  if (typeof number === "number") {
    for (const why of Names.portNumber(number)) problems.push(invalid(`${path}.port`, number, why))
  }
  if (typeof endPort === "number") checkEndPort(number, endPort, path, problems)
  if (typeof number === "string") invalidEach(`${path}.port`, number, Names.portName(number), problems)
}

const checkBlock = (block: Fields, path: string, problems: Problems): void => {
  const text = textOf(block["cidr"])
  if (text === "") return void problems.push(required(`${path}.cidr`))
  checkCidr(text, `${path}.cidr`, problems)
  const cidr = parseCidr(text)
  if (cidr === undefined) return undefined
  textsOf(block["except"]).forEach((one, at) => {
    const place = `${path}.except[${at}]`
    checkCidr(one, place, problems)
    const except = parseCidr(one)
    if (except === undefined) return
    const inside = contains(cidr, { family: except.family, value: except.base }) && cidr.prefix < except.prefix
    if (!inside) problems.push(invalid(place, one, "must be a strict subset of `cidr`"))
  })
  return undefined
}

const checkPeer = (peer: Fields, path: string, problems: Problems): void => {
  const block = fieldsIn(peer["ipBlock"])
  const selectors = ["podSelector", "namespaceSelector"].filter((field) => fieldsIn(peer[field]) !== undefined)
  for (const field of selectors) checkSelector(peer[field], `${path}.${field}`, problems)
  if (block !== undefined) checkBlock(block, `${path}.ipBlock`, problems)
  if (block === undefined && selectors.length === 0) problems.push(required(path, "must specify a peer"))
  else if (block !== undefined && selectors.length > 0) {
    problems.push(forbidden(path, "may not specify both ipBlock and another peer"))
  }
}

const checkPolicy = (policy: KubeObject, problems: Problems): void => {
  const spec = fieldsOf(policy.spec)
  checkSelector(spec["podSelector"], "spec.podSelector", problems)
  for (const [field, peers] of DIRECTIONS) {
    itemsOf(spec[field]).forEach((rule, at) => {
      const path = `spec.${field}[${at}]`
      itemsOf(rule["ports"]).forEach((port, place) => checkPort(port, `${path}.ports[${place}]`, problems))
      itemsOf(rule[peers]).forEach((peer, place) => checkPeer(peer, `${path}.${peers}[${place}]`, problems))
    })
  }
  const types = textsOf(spec["policyTypes"])
  if (types.length > TYPES.length) {
    return void problems.push(invalid("spec.policyTypes", types, "may not specify more than two policyTypes"))
  }
  types.forEach((type, at) => {
    if (!TYPES.includes(type)) problems.push(notSupported(`spec.policyTypes[${at}]`, type, TYPES))
  })
  return undefined
}

/** What is odd about a block that is taken nevertheless. */
const cidrWarning = (text: string, path: string): ReadonlyArray<string> => {
  const cidr = parseCidr(text)
  const address = parseAddress(text.split("/", 1)[0] ?? "")
  if (cidr === undefined || address === undefined) return []
  const block = `${addressText({ family: cidr.family, value: cidr.base })}/${cidr.prefix}`
  if (address.value !== cidr.base) {
    const single = `${addressText(address)}/${cidr.family === "IPv4" ? 32 : 128}`
    return [`${path}: CIDR value "${text}" is ambiguous in this context (should be "${block}" or "${single}"?)`]
  }
  return block === text
    ? []
    : [`${path}: IPv6 CIDR value "${text}" should be in RFC 5952 canonical format ("${block}")`]
}

const policyWarnings = ({ spec }: KubeObject): ReadonlyArray<string> =>
  DIRECTIONS.flatMap(([field, peers]) =>
    itemsOf(fieldsOf(spec)[field]).flatMap((rule, at) =>
      itemsOf(rule[peers]).flatMap((peer, place) => {
        const block = fieldsIn(peer["ipBlock"])
        if (block === undefined) return []
        const path = `spec.${field}[${at}].${peers}[${place}].ipBlock`
        const excepts = textsOf(block["except"]).flatMap((one, index) => cidrWarning(one, `${path}.except[${index}]`))
        return [...cidrWarning(textOf(block["cidr"]), `${path}.cidr`), ...excepts]
      })
    )
  )

/** The definition of network policies. */
export const networkPolicies = (): Definition =>
  define(GROUP, "v1", "NetworkPolicy", {
    defaults: policyDefaults,
    check: checkPolicy,
    generation: ["spec"],
    strategy: { warnings: policyWarnings },
    columns: [
      nameColumn,
      column("Pod-Selector", ({ spec }) => selectorText(fieldsOf(spec)["podSelector"], "<none>")),
      ageColumn
    ]
  })

const parentText = ({ spec }: KubeObject): string => {
  const parent = fieldsIn(fieldsOf(spec)["parentRef"])
  if (parent === undefined) return "<none>"
  const group = textOf(parent["group"])
  const kind = `${textOf(parent["resource"])}${group === "" ? "" : `.${group}`}`.toLowerCase()
  const namespace = textOf(parent["namespace"])
  return [kind, ...(namespace === "" ? [] : [namespace]), textOf(parent["name"])].join("/")
}

const checkParent = (parent: Fields, path: string, problems: Problems): void => {
  const group = textOf(parent["group"])
  if (group !== "") invalidEach(`${path}.group`, group, Names.dnsSubdomain(group), problems)
  for (const field of ["resource", "name", "namespace"]) {
    const text = textOf(parent[field])
    if (text !== "") invalidEach(`${path}.${field}`, text, Names.pathSegment(text), problems)
    else if (field !== "namespace") problems.push(required(`${path}.${field}`))
  }
}

/** The definition of addresses that services hold. */
export const ipAddresses = (): Definition =>
  define(GROUP, "v1", "IPAddress", {
    name: (name) => (parseAddress(name) === undefined ? [NOT_AN_ADDRESS] : []),
    check: ({ spec }, problems) => {
      const parent = fieldsIn(fieldsOf(spec)["parentRef"])
      if (parent === undefined) problems.push(required("spec.parentRef"))
      else checkParent(parent, "spec.parentRef", problems)
    },
    checkUpdate: (now, old, problems) =>
      checkKept("spec.parentRef", fieldsOf(now.spec)["parentRef"], fieldsOf(old.spec)["parentRef"], problems),
    columns: [nameColumn, column("ParentRef", parentText)]
  })

const blocksOf = ({ spec }: KubeObject): ReadonlyArray<string> => textsOf(fieldsOf(spec)["cidrs"])

const ONE_OF_EACH = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"

const checkBlocks = (object: KubeObject, problems: Problems): void => {
  const cidrs = blocksOf(object)
  const path = "spec.cidrs"
  if (cidrs.length === 0) return void problems.push(required(path, "at least one CIDR required"))
  if (cidrs.length > 2) return void problems.push(invalid(path, { CIDRs: cidrs }, "may only hold up to 2 values"))
  cidrs.forEach((one, at) => checkCidr(one, `${path}[${at}]`, problems))
  const [first, second] = cidrs.map((one) => parseCidr(one)?.family)
  if (first !== undefined && first === second) problems.push(invalid(path, cidrs, ONE_OF_EACH))
  return undefined
}

const checkBlocksKept = (now: KubeObject, old: KubeObject, problems: Problems): void => {
  const [cidrs, before] = [blocksOf(now), blocksOf(old)]
  const grows = before.length === 1 && cidrs.length === 2
  if (cidrs.length !== before.length && !grows) return void problems.push(invalid("spec.cidrs", cidrs, IMMUTABLE))
  before.forEach((one, at) => {
    if (cidrs[at] !== one) problems.push(invalid(`spec.cidrs[${at}]`, cidrs[at], IMMUTABLE))
  })
  if (grows) checkBlocks(now, problems)
  return undefined
}

/** The definition of blocks of services' addresses. */
export const serviceCidrs = (): Definition =>
  define(GROUP, "v1", "ServiceCIDR", {
    initialStatus: () => ({}),
    check: (object, problems) => {
      if (object.metadata.resourceVersion === undefined) checkBlocks(object, problems)
    },
    checkUpdate: checkBlocksKept,
    status: { keepsMetadata: true },
    columns: [nameColumn, column("CIDRs", (object) => blocksOf(object).join(",")), ageColumn]
  })
