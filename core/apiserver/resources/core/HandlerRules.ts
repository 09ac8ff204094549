// The rules of probes and lifecycle hooks.
// Owns what a handler may be; refuses what containers need besides. Source: kubernetes pkg/apis/core/validation.
import { Names } from "#kube"
import { type Fields, fieldsIn, fieldsOf, itemsOf, numberOf, textOf, textsOf } from "../Fields.ts"
import {
  forbidden,
  invalid,
  invalidEach,
  notNegative,
  notSupported,
  optionalOneOf,
  type Problems,
  required
} from "../Problems.ts"

/** Checks a port given as a number or as a name. */
export const checkPort = (port: unknown, path: string, problems: Problems): void => {
  if (typeof port === "string") invalidEach(path, port, Names.portName(port), problems)
  else {
    for (const message of Names.portNumber(numberOf(port))) problems.push(invalid(path, numberOf(port), message))
  }
}

const checkHttpGet = (action: Fields, path: string, problems: Problems): void => {
  if (textOf(action["path"]) === "") problems.push(required(`${path}.path`))
  checkPort(action["port"], `${path}.port`, problems)
  const scheme = textOf(action["scheme"])
  if (scheme !== "HTTP" && scheme !== "HTTPS") {
    problems.push(notSupported(`${path}.scheme`, scheme, ["HTTP", "HTTPS"]))
  }
  for (const header of itemsOf(action["httpHeaders"])) {
    const name = textOf(header["name"])
    invalidEach(`${path}.httpHeaders`, name, Names.httpHeader(name), problems)
  }
}

type Check = (action: Fields, path: string, problems: Problems, grace: number | undefined) => void

const checkExec: Check = (action, path, problems) => {
  if (textsOf(action["command"]).length === 0) problems.push(required(`${path}.command`))
}

const checkTcp: Check = (action, path, problems) => checkPort(action["port"], `${path}.port`, problems)

const checkSleep: Check = (action, path, problems, grace) => {
  const seconds = numberOf(action["seconds"])
  if (grace !== undefined && (seconds < 0 || seconds > grace)) {
    const why = `must be non-negative and less than terminationGracePeriodSeconds (${grace})`
    problems.push(invalid(path, seconds, why))
  }
}

const HANDLERS: ReadonlyArray<readonly [name: string, check: Check]> = [
  ["exec", checkExec],
  ["httpGet", checkHttpGet],
  ["tcpSocket", checkTcp],
  ["grpc", checkTcp],
  ["sleep", checkSleep]
]

const checkHandler = (handler: Fields, grace: number | undefined, path: string, problems: Problems): void => {
  let handlers = 0
  for (const [name, check] of HANDLERS) {
    const action = fieldsIn(handler[name])
    if (action === undefined) continue
    handlers++
    if (handlers > 1) problems.push(forbidden(`${path}.${name}`, "may not specify more than 1 handler type"))
    else check(action, `${path}.${name}`, problems, grace)
  }
  if (handlers === 0) problems.push(required(path, "must specify a handler type"))
}

const COUNTS = ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"]

const checkProbe = (probe: Fields, grace: number | undefined, path: string, problems: Problems): void => {
  checkHandler(probe, grace, path, problems)
  for (const name of COUNTS) notNegative(`${path}.${name}`, probe[name], problems)
  const own = probe["terminationGracePeriodSeconds"]
  if (typeof own === "number" && own <= 0) {
    problems.push(invalid(`${path}.terminationGracePeriodSeconds`, own, "must be greater than 0"))
  }
}

const checkOnce = (probe: Fields, path: string, problems: Problems): void => {
  if (probe["successThreshold"] !== 1) {
    problems.push(invalid(`${path}.successThreshold`, numberOf(probe["successThreshold"]), "must be 1"))
  }
}

/** Checks the probes of a container. */
export const checkProbes = (container: Fields, grace: number | undefined, path: string, problems: Problems): void => {
  for (const name of ["livenessProbe", "readinessProbe", "startupProbe"]) {
    const probe = fieldsIn(container[name])
    if (probe === undefined) continue
    checkProbe(probe, grace, `${path}.${name}`, problems)
    if (name !== "readinessProbe") checkOnce(probe, `${path}.${name}`, problems)
    else if (probe["terminationGracePeriodSeconds"] !== undefined) {
      const at = `${path}.readinessProbe.terminationGracePeriodSeconds`
      problems.push(invalid(at, probe["terminationGracePeriodSeconds"], "must not be set for readinessProbes"))
    }
  }
}

/** Checks the hooks of a container. */
export const checkLifecycle = (
  lifecycle: Fields,
  grace: number | undefined,
  os: string | undefined,
  path: string,
  problems: Problems
): void => {
  for (const name of ["postStart", "preStop"]) {
    const hook = fieldsIn(lifecycle[name])
    if (hook !== undefined) checkHandler(hook, grace, `${path}.${name}`, problems)
  }
  if (lifecycle["stopSignal"] === undefined) return
  const at = `${path}.stopSignal`
  if (os === undefined) {
    problems.push(forbidden(at, "may not be set for containers with empty `spec.os.name`"))
  } else if (os === "windows") optionalOneOf(at, lifecycle["stopSignal"], ["SIGKILL", "SIGTERM"], problems)
}

/** Whether a container has probes or hooks that only long-running containers may have. */
export const refuseHandlers = (container: Fields, path: string, problems: Problems): void => {
  for (const name of ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"]) {
    if (fieldsIn(container[name]) === undefined) continue
    problems.push(forbidden(`${path}.${name}`, "may not be set for init containers without restartPolicy=Always"))
  }
}

/** The name of a pod's operating system, where it says one. */
export const osOf = (spec: Fields): string | undefined =>
  spec["os"] === undefined ? undefined : textOf(fieldsOf(spec["os"])["name"])
