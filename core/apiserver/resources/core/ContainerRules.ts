// The rules of the containers of a pod: regular ones, those that initialize, those for debugging.
// Owns these checks; source: kubernetes pkg/apis/core/validation.
import { Names } from "#kube"
import { type Fields, fieldsIn, fieldsOf, isZero, itemsOf, numberOf, textOf, textsOf } from "../Fields.ts"
import {
  duplicate,
  forbidden,
  invalid,
  invalidEach,
  notFound,
  notSupported,
  oneOf,
  type Problems,
  required,
  tooMany
} from "../Problems.ts"
import { checkRequirements } from "../Resources.ts"
import { checkEnvironment } from "./EnvironmentRules.ts"
import { checkLifecycle, checkProbes, osOf, refuseHandlers } from "./HandlerRules.ts"
import { checkSecurity } from "./SecurityRules.ts"
import { checkMounts } from "./VolumeRules.ts"

/** What the containers of one pod are checked against. */
interface Surroundings {
  readonly volumes: ReadonlyMap<string, Fields>
  readonly claims: ReadonlySet<string>
  readonly grace: number | undefined
  readonly os: string | undefined
  readonly restartPolicy: string
}

const checkPorts = (ports: ReadonlyArray<Fields>, path: string, problems: Problems): void => {
  const names = new Set<string>()
  ports.forEach((port, at) => {
    const place = `${path}[${at}]`
    const name = textOf(port["name"])
    if (name !== "") {
      const messages = Names.portName(name)
      invalidEach(`${place}.name`, name, messages, problems)
      if (messages.length === 0 && names.has(name)) problems.push(duplicate(`${place}.name`, name))
      names.add(name)
    }
    const number = numberOf(port["containerPort"])
    if (number === 0) problems.push(required(`${place}.containerPort`))
    else
      for (const message of Names.portNumber(number)) problems.push(invalid(`${place}.containerPort`, number, message))
    const host = numberOf(port["hostPort"])
    if (host !== 0)
      for (const message of Names.portNumber(host)) problems.push(invalid(`${place}.hostPort`, host, message))
    oneOf(`${place}.protocol`, port["protocol"], ["SCTP", "TCP", "UDP"], problems)
  })
}

const checkResize = (
  policies: ReadonlyArray<Fields>,
  restartPolicy: string,
  path: string,
  problems: Problems
): void => {
  const seen = new Set<string>()
  policies.forEach((policy, at) => {
    const resource = textOf(policy["resourceName"])
    if (seen.has(resource)) problems.push(duplicate(`${path}[${at}]`, resource))
    seen.add(resource)
    oneOf(path, resource, ["cpu", "memory"], problems)
    oneOf(path, policy["restartPolicy"], ["NotRequired", "RestartContainer"], problems)
    if (restartPolicy === "Never" && policy["restartPolicy"] !== "NotRequired") {
      const why = "must be 'NotRequired' when pod `restartPolicy` is 'Never'"
      problems.push(invalid(path, textOf(policy["restartPolicy"]), why))
    }
  })
}

const checkCommon = (container: Fields, around: Surroundings, path: string, problems: Problems): void => {
  const name = textOf(container["name"])
  if (name === "") problems.push(required(`${path}.name`))
  else invalidEach(`${path}.name`, name, Names.dnsLabel(name), problems)
  if (textOf(container["image"]) === "") problems.push(required(`${path}.image`))
  oneOf(
    `${path}.terminationMessagePolicy`,
    container["terminationMessagePolicy"],
    ["File", "FallbackToLogsOnError"],
    problems
  )
  checkPorts(itemsOf(container["ports"]), `${path}.ports`, problems)
  checkEnvironment(container, path, problems)
  checkMounts(container, around.volumes, path, problems)
  oneOf(`${path}.imagePullPolicy`, container["imagePullPolicy"], ["Always", "IfNotPresent", "Never"], problems)
  checkRequirements(fieldsOf(container["resources"]), around.claims, `${path}.resources`, problems)
  checkResize(itemsOf(container["resizePolicy"]), around.restartPolicy, `${path}.resizePolicy`, problems)
  const security = fieldsIn(container["securityContext"])
  if (security !== undefined) checkSecurity(security, `${path}.securityContext`, problems)
}

const checkRestartRules = (container: Fields, path: string, problems: Problems): void => {
  const rules = itemsOf(container["restartPolicyRules"])
  const policy = container["restartPolicy"]
  if (policy === undefined) {
    if (rules.length > 0) {
      problems.push(required(`${path}.restartPolicy`, "must specify restartPolicy when restart rules are used"))
    }
  } else if (!["Always", "Never", "OnFailure"].includes(textOf(policy))) {
    problems.push(notSupported(`${path}.restartPolicy`, textOf(policy), ["Always", "Never", "OnFailure"]))
  }
  if (rules.length > 20) problems.push(tooMany(`${path}.restartPolicyRules`, rules.length, 20))
  rules.forEach((rule, at) => checkRestartRule(rule, `${path}.restartPolicyRules[${at}]`, problems))
}

const checkRestartRule = (rule: Fields, path: string, problems: Problems): void => {
  const actions = ["Restart", "RestartAllContainers"]
  if (!actions.includes(textOf(rule["action"]))) {
    problems.push(notSupported(`${path}.action`, textOf(rule["action"]), actions))
  }
  const codes = fieldsIn(rule["exitCodes"])
  if (codes === undefined) return void problems.push(required(`${path}.exitCodes`, "must be specified"))
  const operator = textOf(codes["operator"])
  if (operator !== "In" && operator !== "NotIn") {
    problems.push(notSupported(`${path}.exitCodes.operator`, operator, ["In", "NotIn"]))
  }
  const values = textsOf(codes["values"])
  if (values.length > 255) problems.push(tooMany(`${path}.exitCodes.values`, values.length, 255))
}

const checkHostPorts = (containers: ReadonlyArray<Fields>, path: string, problems: Problems): void => {
  const taken = new Set<string>()
  containers.forEach((container, at) => {
    itemsOf(container["ports"]).forEach((port, portAt) => {
      const host = numberOf(port["hostPort"])
      if (host === 0) return
      const key = `${textOf(port["protocol"])}/${textOf(port["hostIP"])}/${host}`
      if (taken.has(key)) problems.push(duplicate(`${path}[${at}].ports[${portAt}].hostPort`, key))
      taken.add(key)
    })
  })
}

const checkRegular = (
  containers: ReadonlyArray<Fields>,
  around: Surroundings,
  path: string,
  problems: Problems
): void => {
  if (containers.length === 0) return void problems.push(required(path))
  const names = new Set<string>()
  containers.forEach((container, at) => {
    const place = `${path}[${at}]`
    checkCommon(container, around, place, problems)
    const name = textOf(container["name"])
    if (names.has(name)) problems.push(duplicate(`${place}.name`, name))
    names.add(name)
    const lifecycle = fieldsIn(container["lifecycle"])
    if (lifecycle !== undefined) checkLifecycle(lifecycle, around.grace, around.os, `${place}.lifecycle`, problems)
    checkProbes(container, around.grace, place, problems)
    checkRestartRules(container, place, problems)
  })
  checkHostPorts(containers, path, problems)
}

const checkInit = (
  spec: Fields,
  containers: ReadonlyArray<Fields>,
  around: Surroundings,
  path: string,
  problems: Problems
): void => {
  const names = new Set(itemsOf(spec["containers"]).map((one) => textOf(one["name"])))
  containers.forEach((container, at) => {
    const place = `${path}[${at}]`
    checkCommon(container, around, place, problems)
    checkRestartRules(container, place, problems)
    const name = textOf(container["name"])
    if (names.has(name)) problems.push(duplicate(`${place}.name`, name))
    else if (name !== "") names.add(name)
    checkHostPorts([container], path, problems)
    if (container["restartPolicy"] !== "Always") return refuseHandlers(container, place, problems)
    const lifecycle = fieldsIn(container["lifecycle"])
    if (lifecycle !== undefined) checkLifecycle(lifecycle, around.grace, around.os, `${place}.lifecycle`, problems)
    return checkProbes(container, around.grace, place, problems)
  })
}

const NOT_EPHEMERAL = [
  "ports",
  "livenessProbe",
  "readinessProbe",
  "startupProbe",
  "lifecycle",
  "resources",
  "resizePolicy"
]

const checkEphemeral = (
  spec: Fields,
  containers: ReadonlyArray<Fields>,
  around: Surroundings,
  path: string,
  problems: Problems
): void => {
  const others = [...itemsOf(spec["containers"]), ...itemsOf(spec["initContainers"])].map((one) => textOf(one["name"]))
  const names = new Set(others)
  const refused = "cannot be set for an Ephemeral Container"
  containers.forEach((container, at) => {
    const place = `${path}[${at}]`
    checkCommon(container, around, place, problems)
    checkImageSpace(container, place, problems)
    const name = textOf(container["name"])
    if (names.has(name)) problems.push(duplicate(`${place}.name`, name))
    names.add(name)
    const target = textOf(container["targetContainerName"])
    if (target !== "" && !others.includes(target)) problems.push(notFound(`${place}.targetContainerName`, target))
    for (const field of NOT_EPHEMERAL) {
      if (!isZero(container[field])) problems.push(forbidden(`${place}.${field}`, refused))
    }
    itemsOf(container["volumeMounts"]).forEach((mount, mountAt) => {
      for (const field of ["subPath", "subPathExpr"]) {
        if (textOf(mount[field]) !== "") problems.push(forbidden(`${place}.volumeMounts[${mountAt}].${field}`, refused))
      }
    })
  })
}

/** Checks that an image has no space around it, which only pods must. */
export const checkImageSpace = (container: Fields, path: string, problems: Problems): void => {
  const image = textOf(container["image"])
  if (image.trim() !== image) {
    problems.push(invalid(`${path}.image`, image, "must not have leading or trailing whitespace"))
  }
}

/** Checks all containers of a pod spec. */
export const checkContainers = (
  spec: Fields,
  volumes: ReadonlyMap<string, Fields>,
  path: string,
  problems: Problems
): void => {
  const grace = spec["terminationGracePeriodSeconds"]
  const around: Surroundings = {
    volumes,
    claims: new Set(itemsOf(spec["resourceClaims"]).map((one) => textOf(one["name"]))),
    grace: typeof grace === "number" ? grace : undefined,
    os: osOf(spec),
    restartPolicy: textOf(spec["restartPolicy"])
  }
  checkRegular(itemsOf(spec["containers"]), around, `${path}.containers`, problems)
  const init = itemsOf(spec["initContainers"])
  if (init.length > 0) checkInit(spec, init, around, `${path}.initContainers`, problems)
  const ephemeral = itemsOf(spec["ephemeralContainers"])
  if (ephemeral.length > 0) checkEphemeral(spec, ephemeral, around, `${path}.ephemeralContainers`, problems)
}
