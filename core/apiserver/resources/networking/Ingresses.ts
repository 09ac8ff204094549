// Ingresses and their classes: routes from outside to services.
// Owns their rules and columns; refuses to route anything. Source: kubernetes pkg/apis/networking/validation.
import { type KubeObject, Names } from "#kube"
import type { Definition, Draft } from "../../Definition.ts"
import { checkAddress, parseAddress } from "../Addresses.ts"
import { ageColumn, column, nameColumn } from "../Columns.ts"
import { balancerAddresses } from "../corev1/Services.ts"
import { define } from "../Define.ts"
import { type Fields, fieldsIn, fieldsOf, itemsOf, numberOf, textOf, textsOf, withPart } from "../Fields.ts"
import { checkImmutable } from "../Meta.ts"
import { forbidden, invalid, invalidEach, notSupported, type Problems, required, tooLong } from "../Problems.ts"

const GROUP = "networking.k8s.io"
const CLASS_ANNOTATION = "kubernetes.io/ingress.class"
const PATH_TYPES = ["Exact", "ImplementationSpecific", "Prefix"]
const CONTROLLER_BYTES_MAX = 250

const checkPart = (reference: Fields, field: string, path: string, problems: Problems): void => {
  const text = textOf(reference[field])
  if (text === "") problems.push(required(`${path}.${field}`))
  else invalidEach(`${path}.${field}`, text, Names.pathSegment(text), problems)
}

const checkReference = (reference: Fields, path: string, problems: Problems): void => {
  const group = reference["apiGroup"]
  if (typeof group === "string") invalidEach(`${path}.apiGroup`, group, Names.dnsSubdomain(group), problems)
  for (const field of ["kind", "name"]) checkPart(reference, field, path, problems)
}

const checkServicePort = (port: Fields, path: string, problems: Problems): void => {
  const name = textOf(port["name"])
  const number = numberOf(port["number"])
  if (name !== "" && number !== 0) problems.push(invalid(path, "", "cannot set both port name & port number"))
  else if (name !== "") invalidEach(`${path}.service.port.name`, name, Names.portName(name), problems)
  else if (number === 0) problems.push(required(path, "port name or number is required"))
  else for (const why of Names.portNumber(number)) problems.push(invalid(`${path}.service.port.number`, number, why))
}

const checkBackend = (backend: Fields, path: string, problems: Problems): void => {
  const resource = fieldsIn(backend["resource"])
  const service = fieldsIn(backend["service"])
  if (resource !== undefined && service !== undefined) {
    problems.push(invalid(path, "", "cannot set both resource and service backends"))
  } else if (resource !== undefined) checkReference(resource, `${path}.resource`, problems)
  else if (service === undefined) problems.push(invalid(path, "", "resource or service backend is required"))
  else {
    const name = textOf(service["name"])
    if (name === "") problems.push(required(`${path}.service.name`))
    else invalidEach(`${path}.service.name`, name, Names.dnsLabel(name), problems)
    checkServicePort(fieldsOf(service["port"]), path, problems)
  }
}

const absolute = (path: string, at: string, problems: Problems): void => {
  if (!path.startsWith("/")) problems.push(invalid(`${at}.path`, path, "must be an absolute path"))
}

const checkPath = (route: Fields, at: string, problems: Problems): void => {
  const type = route["pathType"]
  const path = textOf(route["path"])
  if (typeof type !== "string") return void problems.push(required(`${at}.pathType`, "pathType must be specified"))
  if (type === "Exact" || type === "Prefix") {
    absolute(path, at, problems)
    for (const part of ["//", "/./", "/../", "%2f", "%2F"]) {
      if (path.includes(part)) problems.push(invalid(`${at}.path`, path, `must not contain '${part}'`))
    }
    for (const end of ["/..", "/."]) {
      if (path.endsWith(end)) problems.push(invalid(`${at}.path`, path, `cannot end with '${end}'`))
    }
  } else if (type === "ImplementationSpecific") {
    if (path !== "") absolute(path, at, problems)
  } else problems.push(notSupported(`${at}.pathType`, type, PATH_TYPES))
  checkBackend(fieldsOf(route["backend"]), `${at}.backend`, problems)
}

const hostProblems = (host: string) => (host.includes("*") ? Names.wildcardSubdomain(host) : Names.dnsSubdomain(host))

const NOT_AN_IP = "must be a DNS name, not an IP address"

const checkRule = (rule: Fields, path: string, problems: Problems): void => {
  const host = textOf(rule["host"])
  if (host !== "") {
    if (parseAddress(host) !== undefined) problems.push(invalid(`${path}.host`, host, NOT_AN_IP))
    invalidEach(`${path}.host`, host, hostProblems(host), problems)
  }
  const http = fieldsIn(rule["http"])
  if (http === undefined) return
  const paths = itemsOf(http["paths"])
  if (paths.length === 0) problems.push(required(`${path}.http.paths`))
  paths.forEach((one, at) => checkPath(one, `${path}.http.paths[${at}]`, problems))
}

const checkTls = (tls: Fields, path: string, problems: Problems): void => {
  textsOf(tls["hosts"]).forEach((host, at) => invalidEach(`${path}.hosts[${at}]`, host, hostProblems(host), problems))
  const secret = textOf(tls["secretName"])
  if (secret !== "") invalidEach(`${path}.secretName`, secret, Names.dnsSubdomain(secret), problems)
}

const checkIngress = (ingress: KubeObject, problems: Problems): void => {
  const spec = fieldsOf(ingress.spec)
  const rules = itemsOf(spec["rules"])
  const backend = fieldsIn(spec["defaultBackend"])
  if (rules.length === 0 && backend === undefined) {
    problems.push(invalid("spec", spec["rules"], "either `defaultBackend` or `rules` must be specified"))
  }
  if (backend !== undefined) checkBackend(backend, "spec.defaultBackend", problems)
  rules.forEach((rule, at) => checkRule(rule, `spec.rules[${at}]`, problems))
  itemsOf(spec["tls"]).forEach((tls, at) => checkTls(tls, `spec.tls[${at}]`, problems))
  const name = spec["ingressClassName"]
  if (typeof name !== "string") return
  invalidEach("spec.ingressClassName", name, Names.dnsSubdomain(name), problems)
  const annotated = ingress.metadata.annotations?.[CLASS_ANNOTATION]
  if (ingress.metadata.resourceVersion === undefined && annotated !== undefined && annotated !== name) {
    const why = "must match `ingressClassName` when both are specified"
    problems.push(invalid(`annotations.${CLASS_ANNOTATION}`, annotated, why))
  }
}

const checkBalancer = (status: unknown, problems: Problems): void => {
  itemsOf(fieldsOf(fieldsOf(status)["loadBalancer"])["ingress"]).forEach((one, at) => {
    const path = `status.loadBalancer.ingress[${at}]`
    const ip = textOf(one["ip"])
    if (ip !== "") checkAddress(ip, `${path}.ip`, problems)
    const host = textOf(one["hostname"])
    if (host === "") return
    invalidEach(`${path}.hostname`, host, Names.dnsSubdomain(host), problems)
    if (parseAddress(host) !== undefined) problems.push(invalid(`${path}.hostname`, host, NOT_AN_IP))
  })
}

const hostsText = ({ spec }: KubeObject): string => {
  const rules = itemsOf(fieldsOf(spec)["rules"])
  const hosts = rules.map((rule) => textOf(rule["host"])).filter((host) => host !== "")
  if (hosts.length === 0) return "*"
  // One more rule after three named hosts is what makes the list too long, whatever that rule names.
  let named = 0
  const full = rules.some((rule) => {
    if (named === 3) return true
    if (textOf(rule["host"]) !== "") named++
    return false
  })
  const shown = hosts.slice(0, 3).join(",")
  return full ? `${shown} + ${rules.length - 3} more...` : shown
}

const addressesText = ({ status }: KubeObject): string => balancerAddresses(fieldsOf(status)["loadBalancer"]).join(",")

/** The definition of ingresses. */
export const ingresses = (): Definition =>
  define(GROUP, "v1", "Ingress", {
    initialStatus: () => ({ loadBalancer: {} }),
    check: checkIngress,
    generation: ["spec"],
    strategy: {
      warnings: ({ metadata, spec }, old) =>
        old === undefined &&
        metadata.annotations?.[CLASS_ANNOTATION] !== undefined &&
        fieldsOf(spec)["ingressClassName"] === undefined
          ? [`annotation "${CLASS_ANNOTATION}" is deprecated, please use 'spec.ingressClassName' instead`]
          : []
    },
    status: { check: ({ status }, _old, problems) => checkBalancer(status, problems) },
    columns: [
      nameColumn,
      column("Class", ({ spec }) => {
        const name = fieldsOf(spec)["ingressClassName"]
        return typeof name === "string" ? name : "<none>"
      }),
      column("Hosts", hostsText),
      column("Address", addressesText),
      column("Ports", ({ spec }) => (itemsOf(fieldsOf(spec)["tls"]).length > 0 ? "80, 443" : "80")),
      ageColumn
    ]
  })

const classDefaults = (draft: Draft): void => {
  const spec = fieldsIn(draft.spec)
  if (spec === undefined) return
  draft.spec = withPart(spec, "parameters", (given) =>
    given["scope"] === undefined ? { ...given, scope: "Cluster" } : given
  )
}

const HTTP_PATH = /^[A-Za-z0-9/\-._~%!$&'()*+,;=:]+$/

const checkController = (controller: string, problems: Problems): void => {
  const path = "spec.controller"
  if (Buffer.byteLength(controller) > CONTROLLER_BYTES_MAX) problems.push(tooLong(path, CONTROLLER_BYTES_MAX))
  if (controller === "") return void problems.push(required(path))
  const slash = controller.indexOf("/")
  const [host, rest] = [controller.slice(0, Math.max(slash, 0)), controller.slice(slash + 1)]
  if (slash <= 0 || rest === "") {
    return void problems.push(invalid(path, controller, 'must be a domain-prefixed path (such as "acme.io/foo")'))
  }
  invalidEach(path, host, Names.dnsSubdomain(host), problems)
  if (HTTP_PATH.test(rest)) return
  const why = "Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')"
  problems.push(invalid(path, rest, why))
}

const checkParameters = (given: Fields, path: string, problems: Problems): void => {
  checkReference(given, path, problems)
  const scope = textOf(given["scope"])
  const namespace = given["namespace"]
  if (scope !== "Cluster" && scope !== "Namespace") {
    problems.push(notSupported(`${path}.scope`, scope, ["Cluster", "Namespace"]))
  } else if (scope === "Cluster") {
    if (namespace !== undefined) {
      problems.push(forbidden(`${path}.namespace`, "`parameters.scope` is set to 'Cluster'"))
    }
  } else if (typeof namespace !== "string") {
    problems.push(required(`${path}.namespace`, "`parameters.scope` is set to 'Namespace'"))
  } else invalidEach(`${path}.namespace`, namespace, Names.dnsLabel(namespace), problems)
}

const checkClass = (object: KubeObject, problems: Problems): void => {
  const spec = fieldsOf(object.spec)
  checkController(textOf(spec["controller"]), problems)
  const parameters = fieldsIn(spec["parameters"])
  if (parameters !== undefined) checkParameters(parameters, "spec.parameters", problems)
}

const parametersText = ({ spec }: KubeObject): string => {
  const given = fieldsIn(fieldsOf(spec)["parameters"])
  if (given === undefined) return "<none>"
  const group = given["apiGroup"]
  return `${textOf(given["kind"])}${typeof group === "string" ? `.${group}` : ""}/${textOf(given["name"])}`
}

const isDefault = ({ metadata }: KubeObject): boolean =>
  metadata.annotations?.["ingressclass.kubernetes.io/is-default-class"] === "true"

/** The definition of ingress classes. */
export const ingressClasses = (): Definition =>
  define(GROUP, "v1", "IngressClass", {
    defaults: classDefaults,
    check: checkClass,
    checkUpdate: (now, old, problems) =>
      checkImmutable(
        "spec.controller",
        textOf(fieldsOf(now.spec)["controller"]),
        textOf(fieldsOf(old.spec)["controller"]),
        problems
      ),
    generation: ["spec"],
    columns: [
      { ...nameColumn, value: (object) => `${object.metadata.name ?? ""}${isDefault(object) ? " (default)" : ""}` },
      column("Controller", ({ spec }) => textOf(fieldsOf(spec)["controller"])),
      column("Parameters", parametersText),
      ageColumn
    ]
  })
