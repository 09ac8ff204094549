// Configurations of admission webhooks: whom the server asks before it lets a request in.
// Owns their rules and columns; refuses to call anybody. Source: kubernetes pkg/apis/admissionregistration/validation.
import { type KubeObject, Names } from "#kube"
import type { Definition, Draft } from "../../Definition.ts"
import { ageColumn, column, nameColumn } from "../Columns.ts"
import { define } from "../Define.ts"
import {
  defaulted,
  type Fields,
  fieldsIn,
  fieldsOf,
  itemsOf,
  numberOf,
  rewriteItems,
  textOf,
  textsOf,
  withItems,
  withPart
} from "../Fields.ts"
import {
  duplicate,
  invalid,
  invalidEach,
  notSupported,
  optionalOneOf,
  type Problems,
  required,
  tooMany
} from "../Problems.ts"
import { checkSelector } from "../Selectors.ts"
import { admissionFault } from "../../admission/AdmissionCel.ts"

const GROUP = "admissionregistration.k8s.io"
const OPERATIONS = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"]
const SIDE_EFFECTS = ["None", "NoneOnDryRun"]
const VERSIONS = ["v1", "v1beta1"]
const HOOK: Fields = Object.freeze({
  failurePolicy: "Fail",
  matchPolicy: "Equivalent",
  namespaceSelector: {},
  objectSelector: {},
  timeoutSeconds: 10
})

const hookDefaults =
  (defaults: Fields) =>
  (draft: Draft): void => {
    const hooks = draft["webhooks"]
    if (!Array.isArray(hooks)) return
    draft["webhooks"] = rewriteItems(hooks as ReadonlyArray<Fields>, (hook) => {
      const scoped = withItems(hook, "rules", (rule) => defaulted(rule, { scope: "*" }))
      return defaulted(
        withPart(scoped, "clientConfig", (client) =>
          withPart(client, "service", (one) => defaulted(one, { port: 443 }))
        ),
        defaults
      )
    })
  }

const alone = (list: ReadonlyArray<string>, what: string, path: string, problems: Problems): void => {
  if (list.length > 1 && list.includes("*")) {
    problems.push(invalid(path, list, `if '*' is present, must not specify other ${what}`))
  }
}

const checkResources = (resources: ReadonlyArray<string>, path: string, problems: Problems): void => {
  const [allOf, everywhere] = [new Set<string>(), new Set<string>()]
  if (resources.length === 0) problems.push(required(path))
  let bare = false
  resources.forEach((one, at) => {
    if (one === "") return void problems.push(required(`${path}[${at}]`))
    const slash = one.indexOf("/")
    if (slash < 0) return void (bare = one !== "*")
    const [resource, part] = [one.slice(0, slash), one.slice(slash + 1)]
    const refuse = (what: string) =>
      problems.push(invalid(`${path}[${at}]`, one, `if '${what}' is present, must not specify ${one}`))
    if (allOf.has(resource)) refuse(`${resource}/*`)
    if (everywhere.has(part)) refuse(`*/${part}`)
    if (part === "*") allOf.add(resource)
    if (resource === "*") everywhere.add(part)
    return undefined
  })
  if (resources.length > 1 && resources.includes("*/*")) {
    problems.push(invalid(path, resources, "if '*/*' is present, must not specify other resources"))
  }
  if (bare && resources.includes("*")) {
    problems.push(invalid(path, resources, "if '*' is present, must not specify other resources without subresources"))
  }
}

const checkRule = (rule: Fields, path: string, problems: Problems): void => {
  const operations = textsOf(rule["operations"])
  const groups = textsOf(rule["apiGroups"])
  const versions = textsOf(rule["apiVersions"])
  if (operations.length === 0) problems.push(required(`${path}.operations`))
  alone(operations, "operations", `${path}.operations`, problems)
  operations.forEach((one, at) => {
    if (!OPERATIONS.includes(one)) problems.push(notSupported(`${path}.operations[${at}]`, one, OPERATIONS))
  })
  if (groups.length === 0) problems.push(required(`${path}.apiGroups`))
  alone(groups, "API groups", `${path}.apiGroups`, problems)
  if (versions.length === 0) problems.push(required(`${path}.apiVersions`))
  alone(versions, "API versions", `${path}.apiVersions`, problems)
  versions.forEach((one, at) => {
    if (one === "") problems.push(required(`${path}.apiVersions[${at}]`))
  })
  checkResources(textsOf(rule["resources"]), `${path}.resources`, problems)
  optionalOneOf(`${path}.scope`, rule["scope"], ["*", "Cluster", "Namespaced"], problems)
}

const FORM = "; desired format: https://host[/path]"

const checkUrl = (text: string, path: string, problems: Problems): void => {
  const match = /^(?:([a-zA-Z][-+.a-zA-Z0-9]*):)?(?:\/\/([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/.exec(text)
  const [, scheme = "", authority = "", , query = "", fragment = ""] = match ?? []
  const at = authority.lastIndexOf("@")
  const refuse = (value: string, why: string): number => problems.push(invalid(path, value, why))
  if (scheme.toLowerCase() !== "https") refuse(scheme.toLowerCase(), `'https' is the only allowed URL scheme${FORM}`)
  if (authority.slice(at + 1) === "") refuse("", `host must be specified${FORM}`)
  if (at >= 0) refuse(authority.slice(0, at), "user information is not permitted in the URL")
  if (fragment !== "") refuse(fragment, "fragments are not permitted in the URL")
  if (query !== "") refuse(query, "query parameters are not permitted in the URL")
}

const checkServicePath = (path: string, field: string, problems: Problems): void => {
  const refuse = (why: string): number => problems.push(invalid(field, path, why))
  if (path === "/" || path === "") return
  if (path === "//") return void refuse("segment[0] may not be empty")
  if (!path.startsWith("/")) refuse("must start with a '/'")
  path
    .slice(1)
    .replace(/\/$/, "")
    .split("/")
    .forEach((step, at) => {
      if (step === "") refuse(`segment[${at}] may not be empty`)
      else for (const why of Names.dnsSubdomain(step)) refuse(`segment[${at}]: ${why}`)
    })
}

const checkService = (service: Fields, path: string, problems: Problems): void => {
  // The real server hands over name and namespace the wrong way round, and so do its messages.
  if (textOf(service["namespace"]) === "") problems.push(required(`${path}.name`))
  if (textOf(service["name"]) === "") problems.push(required(`${path}.namespace`))
  const port = numberOf(service["port"])
  const why = Names.portNumber(port)
  if (why.length > 0) problems.push(invalid(`${path}.port`, port, `port is not valid: ${why.join(", ")}`))
  checkServicePath(textOf(service["path"]), `${path}.path`, problems)
}

const checkClient = (client: Fields, path: string, problems: Problems): void => {
  const url = client["url"]
  const service = fieldsIn(client["service"])
  if ((url === undefined) === (service === undefined)) {
    problems.push(required(path, "exactly one of url or service is required"))
  } else if (typeof url === "string") checkUrl(url, `${path}.url`, problems)
  else if (service !== undefined) checkService(service, `${path}.service`, problems)
}

const checkVersions = (versions: ReadonlyArray<string>, path: string, problems: Problems): void => {
  if (versions.length === 0) return void problems.push(required(path, `must specify one of ${VERSIONS.join(", ")}`))
  versions.forEach((one, at) => {
    if (versions.indexOf(one) < at) problems.push(invalid(`${path}[${at}]`, one, "duplicate version"))
    else invalidEach(`${path}[${at}]`, one, Names.dns1035Label(one), problems)
  })
  if (!versions.some((one) => VERSIONS.includes(one))) {
    problems.push(invalid(path, versions, `must include at least one of ${VERSIONS.join(", ")}`))
  }
  return undefined
}

const checkMatchConditions = (conditions: ReadonlyArray<Fields>, path: string, problems: Problems): void => {
  const names = new Set<string>()
  if (conditions.length > 64) problems.push(tooMany(path, conditions.length, 64))
  conditions.forEach((one, at) => {
    const name = textOf(one["name"])
    const expression = textOf(one["expression"])
    if (expression.trim() === "") problems.push(required(`${path}[${at}].expression`))
    else {
      const fault = admissionFault(expression)
      if (fault !== undefined) {
        problems.push(invalid(`${path}[${at}].expression`, expression, `compilation failed: ${fault}`))
      }
    }
    if (name === "") return void problems.push(required(`${path}[${at}].name`))
    invalidEach(`${path}[${at}].name`, name, Names.qualifiedName(name), problems)
    if (names.has(name)) problems.push(duplicate(`${path}[${at}].name`, name))
    names.add(name)
    return undefined
  })
}

const checkHookName = (name: string, path: string, problems: Problems): void => {
  const messages = Names.dnsSubdomain(name)
  if (name === "") problems.push(required(path))
  else if (messages.length > 0) problems.push(invalid(path, name, messages.join(",")))
  else if (name.split(".").length < 3) {
    problems.push(invalid(path, name, "should be a domain with at least three segments separated by dots"))
  }
}

const checkHook = (hook: Fields, path: string, problems: Problems): void => {
  const effects = hook["sideEffects"]
  const seconds = hook["timeoutSeconds"]
  checkHookName(textOf(hook["name"]), `${path}.name`, problems)
  itemsOf(hook["rules"]).forEach((rule, at) => checkRule(rule, `${path}.rules[${at}]`, problems))
  optionalOneOf(`${path}.failurePolicy`, hook["failurePolicy"], ["Fail", "Ignore"], problems)
  optionalOneOf(`${path}.matchPolicy`, hook["matchPolicy"], ["Equivalent", "Exact"], problems)
  if (typeof effects !== "string") {
    problems.push(required(`${path}.sideEffects`, `must specify one of ${SIDE_EFFECTS.join(", ")}`))
  } else if (!SIDE_EFFECTS.includes(effects)) problems.push(notSupported(`${path}.sideEffects`, effects, SIDE_EFFECTS))
  if (typeof seconds === "number" && (seconds > 30 || seconds < 1)) {
    const why = "the timeout value must be between 1 and 30 seconds"
    problems.push(invalid(`${path}.timeoutSeconds`, seconds, why))
  }
  for (const field of ["namespaceSelector", "objectSelector"]) checkSelector(hook[field], `${path}.${field}`, problems)
  optionalOneOf(`${path}.reinvocationPolicy`, hook["reinvocationPolicy"], ["IfNeeded", "Never"], problems)
  checkClient(fieldsOf(hook["clientConfig"]), `${path}.clientConfig`, problems)
  checkMatchConditions(itemsOf(hook["matchConditions"]), `${path}.matchConditions`, problems)
  checkVersions(textsOf(hook["admissionReviewVersions"]), `${path}.admissionReviewVersions`, problems)
}

const check = (object: KubeObject, problems: Problems): void => {
  const names = new Set<string>()
  itemsOf(object["webhooks"]).forEach((hook, at) => {
    const name = textOf(hook["name"])
    checkHook(hook, `webhooks[${at}]`, problems)
    if (name !== "" && names.has(name)) problems.push(duplicate(`webhooks[${at}].name`, name))
    names.add(name)
  })
}

const RESERVED = ".static.k8s.io"

/** Names that configurations in files of the server will have. */
export const reservedNameWarnings = ({ metadata }: KubeObject): ReadonlyArray<string> =>
  (metadata.name ?? "").endsWith(RESERVED)
    ? [
        `metadata.name: names ending with "${RESERVED}" are reserved for static manifest-based configurations and cannot be managed via the API`
      ]
    : []

const configurations = (kind: string, defaults: Fields): Definition =>
  define(GROUP, "v1", kind, {
    defaults: hookDefaults(defaults),
    check,
    generation: ["webhooks"],
    strategy: { warnings: reservedNameWarnings, unconditionalUpdate: false },
    columns: [nameColumn, column("Webhooks", (object) => itemsOf(object["webhooks"]).length, "integer"), ageColumn]
  })

/** The definition of validating webhooks' configurations. */
export const validatingWebhookConfigurations = (): Definition => configurations("ValidatingWebhookConfiguration", HOOK)

/** The definition of mutating webhooks' configurations. */
export const mutatingWebhookConfigurations = (): Definition =>
  configurations("MutatingWebhookConfiguration", { ...HOOK, reinvocationPolicy: "Never" })
