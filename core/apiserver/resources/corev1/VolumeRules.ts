// The rules of a pod's volumes and of their mounts in containers.
// Owns these checks for the kinds of volumes in use; of those that only old clusters have, it checks that there is one source.
// Source: kubernetes pkg/apis/core/validation.
import { Names } from "#kube"
import { type Fields, fieldsIn, fieldsOf, itemsOf, textOf } from "../Fields.ts"
import {
  duplicate,
  forbidden,
  invalid,
  invalidEach,
  notFound,
  notSupported,
  type Problems,
  required
} from "../Problems.ts"
import { checkPodCertificateSource, checkTrustBundleSource } from "./CertificateProjections.ts"
import { checkClaimSpec } from "./ClaimRules.ts"
import { checkFieldRef, checkResourceRef, VOLUME_FIELDS } from "./EnvironmentRules.ts"

const MODE = "must be a number between 0 and 0777 (octal), both inclusive"

const checkMode = (mode: unknown, path: string, problems: Problems): void => {
  if (typeof mode === "number" && (mode < 0 || mode > 0o777)) problems.push(invalid(path, mode, MODE))
}

/** Checks a relative path that must stay below its folder. */
const checkDescending = (target: string, path: string, problems: Problems): void => {
  if (target.startsWith("/")) problems.push(invalid(path, target, "must be a relative path"))
  checkNoBacksteps(target, path, problems)
}

const checkNoBacksteps = (target: string, path: string, problems: Problems): void => {
  if (target.split("/").includes("..")) problems.push(invalid(path, target, "must not contain '..'"))
}

const checkProjectedPath = (target: string, path: string, problems: Problems): void => {
  checkDescending(target, path, problems)
  if (target.startsWith("..") && !target.startsWith("../")) {
    problems.push(invalid(path, target, "must not start with '..'"))
  }
}

type Check = (source: Fields, path: string, problems: Problems) => void

const checkKeys: Check = (source, path, problems) => {
  checkMode(source["defaultMode"], `${path}.defaultMode`, problems)
  itemsOf(source["items"]).forEach((item, at) => {
    const place = `${path}.items[${at}]`
    if (textOf(item["key"]) === "") problems.push(required(`${place}.key`))
    const target = textOf(item["path"])
    if (target === "") problems.push(required(`${place}.path`))
    checkProjectedPath(target, `${place}.path`, problems)
    checkMode(item["mode"], `${place}.mode`, problems)
  })
}

const named =
  (field: string, rest?: Check): Check =>
  (source, path, problems) => {
    if (textOf(source[field]) === "") problems.push(required(`${path}.${field}`))
    rest?.(source, path, problems)
  }

const checkDownwardFile: Check = (file, path, problems) => {
  const target = textOf(file["path"])
  if (target === "") problems.push(required(`${path}.path`))
  checkProjectedPath(target, `${path}.path`, problems)
  const fieldRef = fieldsIn(file["fieldRef"])
  const resourceRef = fieldsIn(file["resourceFieldRef"])
  if (fieldRef !== undefined) {
    checkFieldRef(fieldRef, VOLUME_FIELDS, `${path}.fieldRef`, problems)
    if (resourceRef !== undefined) {
      problems.push(invalid(path, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously"))
    }
  } else if (resourceRef !== undefined) checkResourceRef(resourceRef, true, `${path}.resourceFieldRef`, problems)
  else problems.push(required(path, "one of fieldRef and resourceFieldRef is required"))
  checkMode(file["mode"], `${path}.mode`, problems)
}

const checkDownward: Check = (source, path, problems) => {
  checkMode(source["defaultMode"], `${path}.defaultMode`, problems)
  for (const file of itemsOf(source["items"])) checkDownwardFile(file, path, problems)
}

const checkToken: Check = (token, path, problems) => {
  const seconds = token["expirationSeconds"]
  if (typeof seconds === "number") {
    if (seconds < 600)
      problems.push(invalid(`${path}.expirationSeconds`, seconds, "may not specify a duration less than 10 minutes"))
    if (seconds > 4_294_967_296) {
      problems.push(
        invalid(`${path}.expirationSeconds`, seconds, "may not specify a duration larger than 2^32 seconds")
      )
    }
  }
  if (textOf(token["path"]) === "") problems.push(required(`${path}.path`))
  checkProjectedPath(textOf(token["path"]), `${path}.path`, problems)
}

const PROJECTIONS: ReadonlyArray<readonly [string, Check]> = [
  ["secret", named("name", checkKeys)],
  ["configMap", named("name", checkKeys)],
  ["downwardAPI", checkDownward],
  ["serviceAccountToken", checkToken],
  ["clusterTrustBundle", checkTrustBundleSource(checkProjectedPath)],
  ["podCertificate", checkPodCertificateSource(checkProjectedPath)]
]

const checkProjected: Check = (source, path, problems) => {
  checkMode(source["defaultMode"], `${path}.defaultMode`, problems)
  itemsOf(source["sources"]).forEach((projection, at) => {
    const place = `${path}.sources[${at}]`
    const kinds = Object.keys(projection).filter((name) => fieldsIn(projection[name]) !== undefined)
    if (kinds.length === 0) problems.push(required(place, "must specify a volume type"))
    for (const kind of kinds.slice(1)) {
      problems.push(forbidden(`${place}.${kind}`, "may not specify more than 1 volume type"))
    }
    const [first = ""] = kinds
    PROJECTIONS.find(([name]) => name === first)?.[1](fieldsOf(projection[first]), `${place}.${first}`, problems)
  })
}

const HOST_PATH_TYPES = [
  "",
  "BlockDevice",
  "CharDevice",
  "Directory",
  "DirectoryOrCreate",
  "File",
  "FileOrCreate",
  "Socket"
]

/** Checks a hostPath source. */
export const checkHostPath: Check = (source, path, problems) => {
  const target = textOf(source["path"])
  if (target === "") return void problems.push(required(`${path}.path`))
  checkNoBacksteps(target, `${path}.path`, problems)
  const type = textOf(source["type"])
  if (!HOST_PATH_TYPES.includes(type)) problems.push(notSupported(`${path}.type`, type, HOST_PATH_TYPES))
}

/** Checks an NFS source. */
export const checkNfs: Check = (source, path, problems) => {
  if (textOf(source["server"]) === "") problems.push(required(`${path}.server`))
  const target = textOf(source["path"])
  if (target === "") problems.push(required(`${path}.path`))
  if (!target.startsWith("/")) problems.push(invalid(`${path}.path`, target, "must be an absolute path"))
}

const checkEphemeral: Check = (source, path, problems) => {
  const template = fieldsIn(source["volumeClaimTemplate"])
  if (template === undefined) return void problems.push(required(`${path}.volumeClaimTemplate`))
  checkClaimSpec(fieldsOf(template["spec"]), `${path}.volumeClaimTemplate.spec`, problems)
}

/** In the order in which a volume's sources are looked at. */
const SOURCES: ReadonlyMap<string, Check> = new Map<string, Check>([
  ["hostPath", checkHostPath],
  ["gitRepo", named("repository")],
  ["secret", named("secretName", checkKeys)],
  ["nfs", checkNfs],
  ["persistentVolumeClaim", named("claimName")],
  ["downwardAPI", checkDownward],
  ["configMap", named("name", checkKeys)],
  ["projected", checkProjected],
  ["csi", named("driver")],
  ["ephemeral", checkEphemeral]
])

const MORE = "may not specify more than 1 volume type"

const checkSource = (volume: Fields, path: string, problems: Problems): void => {
  let sources = fieldsIn(volume["emptyDir"]) === undefined ? 0 : 1
  for (const name in volume) {
    if (name === "name" || name === "emptyDir") continue
    const source = fieldsIn(volume[name])
    if (source === undefined) continue
    sources++
    if (sources > 1) problems.push(forbidden(`${path}.${name === "downwardAPI" ? "downwarAPI" : name}`, MORE))
    else SOURCES.get(name)?.(source, `${path}.${name}`, problems)
  }
  if (sources === 0) problems.push(required(path, "must specify a volume type"))
}

/** Checks a pod's volumes; answers those that containers may mount, by name. */
export const checkVolumes = (
  volumes: ReadonlyArray<Fields>,
  path: string,
  problems: Problems
): ReadonlyMap<string, Fields> => {
  const good = new Map<string, Fields>()
  volumes.forEach((volume, at) => {
    const before = problems.length
    const place = `${path}[${at}]`
    const name = textOf(volume["name"])
    checkSource(volume, place, problems)
    if (name === "") problems.push(required(`${place}.name`))
    else invalidEach(`${place}.name`, name, Names.dnsLabel(name), problems)
    if (good.has(name)) problems.push(duplicate(`${place}.name`, name))
    if (problems.length === before) good.set(name, volume)
  })
  return good
}

const checkPropagation = (container: Fields, mount: Fields, path: string, problems: Problems): void => {
  const propagation = mount["mountPropagation"]
  if (propagation === undefined) return
  const all = ["Bidirectional", "HostToContainer", "None"]
  if (!all.includes(textOf(propagation))) problems.push(notSupported(path, textOf(propagation), all))
  if (propagation === "Bidirectional" && fieldsOf(container["securityContext"])["privileged"] !== true) {
    problems.push(forbidden(path, "Bidirectional mount propagation is available only to privileged containers"))
  }
}

const RECURSIVE = ["Disabled", "Enabled", "IfPossible"]

const checkRecursive = (mount: Fields, path: string, problems: Problems): void => {
  const mode = mount["recursiveReadOnly"]
  if (typeof mode !== "string" || mode === "Disabled") return
  if (!RECURSIVE.includes(mode)) return void problems.push(notSupported(path, mode, RECURSIVE))
  const { mountPropagation = "None", readOnly } = mount
  if (readOnly !== true) problems.push(forbidden(path, "may only be specified when readOnly is true"))
  if (mountPropagation !== "None") {
    problems.push(forbidden(path, "may only be specified when mountPropagation is None or not specified"))
  }
  return undefined
}

/** Checks the mounts and devices of a container against the pod's volumes. */
export const checkMounts = (
  container: Fields,
  volumes: ReadonlyMap<string, Fields>,
  path: string,
  problems: Problems
): void => {
  const devices = itemsOf(container["volumeDevices"])
  const deviceNames = new Set(devices.map((one) => one["name"]))
  const devicePaths = new Set(devices.map((one) => one["devicePath"]))
  const seen = new Set<string>()
  const mountsPath = `${path}.volumeMounts`
  itemsOf(container["volumeMounts"]).forEach((mount, at) => {
    const place = `${mountsPath}[${at}]`
    const name = textOf(mount["name"])
    const target = textOf(mount["mountPath"])
    if (name === "") problems.push(required(`${place}.name`))
    if (!volumes.has(name)) problems.push(notFound(`${place}.name`, name))
    if (target === "") problems.push(required(`${place}.mountPath`))
    if (seen.has(target)) problems.push(invalid(`${place}.mountPath`, target, "must be unique"))
    seen.add(target)
    if (deviceNames.has(name)) problems.push(invalid(`${place}.name`, name, "must not already exist in volumeDevices"))
    if (devicePaths.has(target)) {
      problems.push(invalid(`${place}.mountPath`, target, "must not already exist as a path in volumeDevices"))
    }
    checkSubPaths(mount, mountsPath, place, problems)
    checkPropagation(container, mount, `${mountsPath}.mountPropagation`, problems)
    checkRecursive(mount, `${mountsPath}.recursiveReadOnly`, problems)
  })
  checkDevices(container, volumes, path, problems)
}

const checkSubPaths = (mount: Fields, mountsPath: string, place: string, problems: Problems): void => {
  const subPath = textOf(mount["subPath"])
  const expression = textOf(mount["subPathExpr"])
  if (subPath !== "") checkDescending(subPath, `${mountsPath}.subPath`, problems)
  if (expression === "") return
  if (subPath !== "") {
    problems.push(invalid(`${place}.subPathExpr`, expression, "subPathExpr and subPath are mutually exclusive"))
  }
  checkDescending(expression, `${mountsPath}.subPathExpr`, problems)
}

const checkDevices = (
  container: Fields,
  volumes: ReadonlyMap<string, Fields>,
  path: string,
  problems: Problems
): void => {
  itemsOf(container["volumeDevices"]).forEach((device, at) => {
    const place = `${path}.volumeDevices[${at}]`
    const name = textOf(device["name"])
    if (name === "") problems.push(required(`${place}.name`))
    if (textOf(device["devicePath"]) === "") problems.push(required(`${place}.devicePath`))
    const volume = volumes.get(name)
    if (volume === undefined) problems.push(notFound(`${place}.name`, name))
    else if (volume["persistentVolumeClaim"] === undefined && volume["ephemeral"] === undefined) {
      const why = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
      problems.push(invalid(`${place}.name`, name, why))
    }
  })
}
