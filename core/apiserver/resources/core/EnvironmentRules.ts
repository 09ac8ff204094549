// The rules of environment variables and of what they and volumes may show of the pod itself.
// Owns these checks; source: kubernetes pkg/apis/core/validation.
import { Names } from "#kube"
import { type Fields, fieldsIn, itemsOf, textOf } from "../Fields.ts"
import { amountOf } from "../Resources.ts"
import { invalid, invalidEach, notSupported, type Problems, required } from "../Problems.ts"

/** Fields of the pod that an environment variable may show. */
const ENVIRONMENT_FIELDS = [
  "metadata.name",
  "metadata.namespace",
  "metadata.uid",
  "spec.nodeName",
  "spec.serviceAccountName",
  "status.hostIP",
  "status.hostIPs",
  "status.podIP",
  "status.podIPs"
]

/** Fields of the pod that a downward API volume may show. */
export const VOLUME_FIELDS: ReadonlyArray<string> = [
  "metadata.annotations",
  "metadata.labels",
  "metadata.name",
  "metadata.namespace",
  "metadata.uid"
]

const RESOURCE_FIELDS = [
  "limits.cpu",
  "limits.ephemeral-storage",
  "limits.memory",
  "requests.cpu",
  "requests.ephemeral-storage",
  "requests.memory"
]

const CONVERTIBLE: ReadonlySet<string> = new Set([...ENVIRONMENT_FIELDS, ...VOLUME_FIELDS])

const BYTE_DIVISORS = ["1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"]

const subscripted = /^(.+)\['(.*)'\]$/

/** Checks a reference to a field of the pod. */
export const checkFieldRef = (
  reference: Fields,
  supported: ReadonlyArray<string>,
  path: string,
  problems: Problems
): void => {
  const field = textOf(reference["fieldPath"])
  if (textOf(reference["apiVersion"]) === "") problems.push(required(`${path}.apiVersion`))
  if (field === "") return void problems.push(required(`${path}.fieldPath`))
  const parts = subscripted.exec(field)
  if (parts !== null) {
    const [, base = "", key = ""] = parts
    if (base === "metadata.annotations")
      invalidEach(path, key.toLowerCase(), Names.qualifiedName(key.toLowerCase()), problems)
    else if (base === "metadata.labels") invalidEach(path, key, Names.qualifiedName(key), problems)
    else {
      problems.push(
        invalid(`${path}.fieldPath`, field, `error converting fieldPath: field label does not support subscript`)
      )
    }
    return
  }
  if (!CONVERTIBLE.has(field)) {
    problems.push(
      invalid(`${path}.fieldPath`, field, `error converting fieldPath: field label not supported: ${field}`)
    )
  } else if (!supported.includes(field)) {
    problems.push(notSupported(`${path}.fieldPath`, field, [...supported].sort()))
  }
}

const KINDS_OF_BYTES: ReadonlyArray<readonly [suffix: string, name: string]> = [
  [".memory", "memory"],
  [".ephemeral-storage", "local ephemeral storage"]
]

const checkDivisor = (resource: string, divisor: unknown, path: string, problems: Problems): void => {
  if (divisor === undefined || amountOf(divisor).isZero) return
  const text = amountOf(divisor).toString()
  if (resource.endsWith(".cpu")) {
    if (text === "1m" || text === "1") return
    const why = "only divisor's values 1m and 1 are supported with the cpu resource"
    return void problems.push(invalid(`${path}.divisor`, resource, why))
  }
  const kind = resource.includes(".hugepages-")
    ? "hugepages"
    : KINDS_OF_BYTES.find(([suffix]) => resource.endsWith(suffix))?.[1]
  if (kind === undefined || BYTE_DIVISORS.includes(text)) return
  const why = `only divisor's values ${BYTE_DIVISORS.join(", ")} are supported with the ${kind} resource`
  problems.push(invalid(`${path}.divisor`, resource, why))
}

/** Checks a reference to a resource of a container; volumes must name the container. */
export const checkResourceRef = (reference: Fields, ofVolume: boolean, path: string, problems: Problems): void => {
  const resource = textOf(reference["resource"])
  if (ofVolume && textOf(reference["containerName"]) === "") problems.push(required(`${path}.containerName`))
  else if (resource === "") problems.push(required(`${path}.resource`))
  else if (!RESOURCE_FIELDS.includes(resource) && !/^(requests|limits)\.hugepages-/.test(resource)) {
    problems.push(notSupported(`${path}.resource`, resource, RESOURCE_FIELDS))
  }
  checkDivisor(resource, reference["divisor"], path, problems)
}

/** Checks a reference to a key of a ConfigMap or Secret. */
const checkKeyRef = (reference: Fields, path: string, problems: Problems): void => {
  const name = textOf(reference["name"])
  invalidEach(`${path}.name`, name, Names.dnsSubdomain(name), problems)
  const key = textOf(reference["key"])
  if (key === "") problems.push(required(`${path}.key`))
  else invalidEach(`${path}.key`, key, Names.configKey(key), problems)
}

const SOURCES: ReadonlyArray<readonly [string, (reference: Fields, path: string, problems: Problems) => void]> = [
  ["fieldRef", (reference, path, problems) => checkFieldRef(reference, ENVIRONMENT_FIELDS, path, problems)],
  ["resourceFieldRef", (reference, path, problems) => checkResourceRef(reference, false, path, problems)],
  ["configMapKeyRef", checkKeyRef],
  ["secretKeyRef", checkKeyRef]
]

const checkValueFrom = (variable: Fields, path: string, problems: Problems): void => {
  const from = fieldsIn(variable["valueFrom"])
  if (from === undefined) return
  let sources = from["fileKeyRef"] === undefined ? 0 : 1
  for (const [name, check] of SOURCES) {
    const source = fieldsIn(from[name])
    if (source === undefined) continue
    sources++
    check(source, `${path}.${name}`, problems)
  }
  if (sources === 0) {
    const all = "`fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
    problems.push(invalid(path, "", `must specify one of: ${all}`))
  } else if (textOf(variable["value"]) !== "") {
    problems.push(invalid(path, "", "may not be specified when `value` is not empty"))
  } else if (sources > 1) problems.push(invalid(path, "", "may not have more than one field specified at a time"))
}

/** Checks the environment variables of a container. */
export const checkEnvironment = (container: Fields, path: string, problems: Problems): void => {
  itemsOf(container["env"]).forEach((variable, at) => {
    const place = `${path}.env[${at}]`
    const name = textOf(variable["name"])
    if (name === "") problems.push(required(`${place}.name`))
    else invalidEach(`${place}.name`, name, Names.relaxedEnvironmentName(name), problems)
    checkValueFrom(variable, `${place}.valueFrom`, problems)
  })
  itemsOf(container["envFrom"]).forEach((source, at) => checkEnvFrom(source, `${path}.envFrom`, at, problems))
}

const checkEnvFrom = (source: Fields, path: string, at: number, problems: Problems): void => {
  const prefix = textOf(source["prefix"])
  if (prefix !== "") invalidEach(`${path}[${at}].prefix`, prefix, Names.relaxedEnvironmentName(prefix), problems)
  let sources = 0
  for (const kind of ["configMapRef", "secretRef"]) {
    const reference = fieldsIn(source[kind])
    if (reference === undefined) continue
    sources++
    const name = textOf(reference["name"])
    const place = `${path}[${at}].${kind}.name`
    if (name === "") problems.push(required(place))
    else invalidEach(place, name, Names.dnsSubdomain(Names.asPrefix(name)), problems)
  }
  if (sources === 0) problems.push(invalid(path, "", "must specify one of: `configMapRef` or `secretRef`"))
  else if (sources > 1) problems.push(invalid(path, "", "may not have more than one field specified at a time"))
}
