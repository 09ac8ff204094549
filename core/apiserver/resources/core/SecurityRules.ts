// The rules of what a pod and its containers may do on their node.
// Owns these checks for Linux; those of Windows' options are left to nodes that run it. Source: kubernetes
// pkg/apis/core/validation.
import { Names } from "#kube"
import { type Fields, fieldsIn, itemsOf, textOf, textsOf } from "../Fields.ts"
import { duplicate, invalid, notSupported, oneOf, optionalOneOf, type Problems, required } from "../Problems.ts"

const checkId = (value: unknown, path: string, problems: Problems): void => {
  if (typeof value !== "number") return
  for (const message of Names.userId(value)) problems.push(invalid(path, value, message))
}

const checkProfile = (
  profile: Fields,
  kinds: ReadonlyArray<string>,
  name: string,
  path: string,
  problems: Problems
) => {
  const type = textOf(profile["type"])
  const local = profile["localhostProfile"]
  if (type === "") problems.push(required(`${path}.type`, `type is required when ${name}Profile is set`))
  else if (!kinds.includes(type)) problems.push(notSupported(`${path}.type`, type, kinds))
  if (type === "Localhost") {
    if (local === undefined)
      problems.push(required(`${path}.localhostProfile`, `must be set when ${name} type is Localhost`))
    return
  }
  if (local !== undefined) {
    const why = `can only be set when ${name} type is Localhost`
    problems.push(invalid(`${path}.localhostProfile`, name === "seccomp" ? { ...profile } : textOf(local), why))
  }
}

const checkProfiles = (security: Fields, path: string, problems: Problems): void => {
  const seccomp = fieldsIn(security["seccompProfile"])
  const kinds = ["Localhost", "RuntimeDefault", "Unconfined"]
  if (seccomp !== undefined) checkProfile(seccomp, kinds, "seccomp", `${path}.seccompProfile`, problems)
  const appArmor = fieldsIn(security["appArmorProfile"])
  if (appArmor !== undefined) checkProfile(appArmor, kinds, "AppArmor", `${path}.appArmorProfile`, problems)
}

/** Checks a container's security context. */
export const checkSecurity = (security: Fields, path: string, problems: Problems): void => {
  checkId(security["runAsUser"], `${path}.runAsUser`, problems)
  checkId(security["runAsGroup"], `${path}.runAsGroup`, problems)
  if (security["procMount"] !== undefined) {
    oneOf(`${path}.procMount`, security["procMount"], ["Default", "Unmasked"], problems)
    if (security["procMount"] === "Unmasked") {
      problems.push(invalid(`${path}.procMount`, "Unmasked", "`hostUsers` must be false to use `Unmasked`"))
    }
  }
  checkProfiles(security, path, problems)
  if (security["allowPrivilegeEscalation"] !== false) return
  if (security["privileged"] === true) {
    const why = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
    problems.push(invalid(path, security, why))
  }
  const added = textsOf(fieldsIn(security["capabilities"])?.["add"])
  if (added.includes("CAP_SYS_ADMIN")) {
    const why = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
    problems.push(invalid(path, security, why))
  }
}

const SYSCTL = /^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$/

const checkSysctls = (spec: Fields, sysctls: ReadonlyArray<Fields>, path: string, problems: Problems): void => {
  const seen = new Set<string>()
  sysctls.forEach((sysctl, at) => {
    const place = `${path}[${at}].name`
    const name = textOf(sysctl["name"])
    if (name === "") problems.push(required(place))
    else if (name.length > 253 || !SYSCTL.test(name)) {
      const shown = String.raw`^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$`
      problems.push(invalid(place, name, `must have at most 253 characters and match regex ${shown}`))
    } else if (seen.has(name)) problems.push(duplicate(place, name))
    seen.add(name)
    const dotted = name.replaceAll("/", ".")
    if (spec["hostNetwork"] === true && dotted.startsWith("net.")) {
      problems.push(invalid(place, name, "may not be specified when 'hostNetwork' is true"))
    }
    if (spec["hostIPC"] === true && /^(kernel\.(shm|msg|sem)|fs\.mqueue\.)/.test(dotted)) {
      problems.push(invalid(place, name, "may not be specified when 'hostIPC' is true"))
    }
  })
}

/** Checks a pod's security context. */
export const checkPodSecurity = (spec: Fields, security: Fields, path: string, problems: Problems): void => {
  for (const name of ["fsGroup", "runAsUser", "runAsGroup"]) checkId(security[name], `${path}.${name}`, problems)
  const groups = security["supplementalGroups"]
  if (Array.isArray(groups)) {
    groups.forEach((group, at) => checkId(group, `${path}.supplementalGroups[${at}]`, problems))
  }
  checkSysctls(spec, itemsOf(security["sysctls"]), `${path}.sysctls`, problems)
  optionalOneOf(`${path}.fsGroupChangePolicy`, security["fsGroupChangePolicy"], ["Always", "OnRootMismatch"], problems)
  checkProfiles(security, path, problems)
  optionalOneOf(`${path}.supplementalGroupsPolicy`, security["supplementalGroupsPolicy"], ["Merge", "Strict"], problems)
  optionalOneOf(`${path}.seLinuxChangePolicy`, security["seLinuxChangePolicy"], ["MountOption", "Recursive"], problems)
}
