// Drivers of volumes, what each node has of them, and which volume is attached where.
// Owns their rules and columns; refuses to attach anything. Source: kubernetes pkg/apis/storage/validation.
import { type KubeObject, Names, sameJson } from "#kube"
import type { Definition, Draft } from "../../Definition.ts"
import { ageColumn, column, nameColumn } from "../Columns.ts"
import { define } from "../Define.ts"
import {
  defaulted,
  type Fields,
  fieldsIn,
  fieldsOf,
  itemsOf,
  numberIn,
  numberOf,
  textOf,
  textsOf,
  withoutField
} from "../Fields.ts"
import { checkImmutable, checkKept } from "../Meta.ts"
import {
  duplicate,
  forbidden,
  IMMUTABLE,
  invalid,
  invalidEach,
  notNegative,
  notSupported,
  type Problems,
  required,
  tooLong
} from "../Problems.ts"
import { checkAttacher, checkDriverName, specOf } from "./StorageClasses.ts"

const GROUP = "storage.k8s.io"
const MODES = ["Persistent", "Ephemeral"]
const POLICIES = ["File", "None", "ReadWriteOnceWithFSType"]
const TOKEN_SECONDS_MAX = 2 ** 32
const DRIVER: Fields = Object.freeze({
  attachRequired: true,
  podInfoOnMount: false,
  storageCapacity: false,
  fsGroupPolicy: "ReadWriteOnceWithFSType",
  requiresRepublish: false,
  seLinuxMount: false,
  preventPodSchedulingIfMissing: false
})

const driverDefaults = (draft: Draft): void => {
  const spec = defaulted(fieldsOf(draft.spec), DRIVER)
  draft.spec =
    textsOf(spec["volumeLifecycleModes"]).length > 0 ? spec : { ...spec, volumeLifecycleModes: ["Persistent"] }
}

const checkTokens = (tokens: ReadonlyArray<Fields>, problems: Problems): void => {
  const seen = new Set<string>()
  tokens.forEach((token, at) => {
    const path = `spec.tokenRequests[${at}]`
    const audience = textOf(token["audience"])
    if (seen.has(audience)) return void problems.push(duplicate(`${path}.audience`, audience))
    seen.add(audience)
    const seconds = numberIn(token["expirationSeconds"])
    if (seconds === undefined) return undefined
    const refuse = (why: string) => problems.push(invalid(`${path}.expirationSeconds`, seconds, why))
    if (seconds < 600) refuse("may not specify a duration less than 10 minutes")
    if (seconds > TOKEN_SECONDS_MAX) refuse("may not specify a duration larger than 2^32 seconds")
    return undefined
  })
}

const checkDriver = (object: KubeObject, problems: Problems): void => {
  const spec = specOf(object)
  const policy = textOf(spec["fsGroupPolicy"])
  const tokens = itemsOf(spec["tokenRequests"])
  const period = numberIn(spec["nodeAllocatableUpdatePeriodSeconds"])
  const inSecrets = spec["serviceAccountTokenInSecrets"]
  if (!POLICIES.includes(policy)) problems.push(notSupported("spec.fsGroupPolicy", policy, POLICIES))
  checkTokens(tokens, problems)
  for (const mode of textsOf(spec["volumeLifecycleModes"])) {
    if (!MODES.includes(mode)) problems.push(notSupported("spec.volumeLifecycleModes", mode, MODES))
  }
  if (period !== undefined && period < 10) {
    const why = "must be greater than or equal to 10 seconds"
    problems.push(invalid("spec.nodeAllocatableUpdatePeriodSeconds", period, why))
  }
  if (inSecrets !== undefined && tokens.length === 0) {
    const why = "serviceAccountTokenInSecrets is set but no tokenRequests are specified"
    problems.push(invalid("spec.serviceAccountTokenInSecrets", inSecrets, why))
  }
}

const checkDriverUpdate = (now: KubeObject, old: KubeObject, problems: Problems): void => {
  const [spec, before] = [specOf(now), specOf(old)]
  checkImmutable("spec.attachedRequired", spec["attachRequired"], before["attachRequired"], problems)
  checkImmutable("spec.volumeLifecycleModes", spec["volumeLifecycleModes"], before["volumeLifecycleModes"], problems)
}

const IN_SECRETS =
  "spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent possible logging of tokens in volume attributes"

const driverWarnings = (object: KubeObject, old: KubeObject | undefined): ReadonlyArray<string> => {
  const spec = specOf(object)
  const tokens = spec["tokenRequests"]
  const changed = old === undefined || !sameJson(tokens, specOf(old)["tokenRequests"])
  return changed && itemsOf(tokens).length > 0 && spec["serviceAccountTokenInSecrets"] === undefined ? [IN_SECRETS] : []
}

const flag = (name: string, field: string) => column(name, (object) => specOf(object)[field] === true, "boolean")

/** The definition of drivers. */
export const csiDrivers = (): Definition =>
  define(GROUP, "v1", "CSIDriver", {
    defaults: driverDefaults,
    check: checkDriver,
    checkUpdate: checkDriverUpdate,
    // Only changes are counted: a new one has no generation.
    generation: ["spec"],
    prepareForCreate: (draft) => {
      delete (draft.metadata as { generation?: number }).generation
      return undefined
    },
    strategy: { unconditionalUpdate: false, returnsDeleted: true, warnings: driverWarnings },
    columns: [
      nameColumn,
      column("AttachRequired", (object) => specOf(object)["attachRequired"] !== false, "boolean"),
      flag("PodInfoOnMount", "podInfoOnMount"),
      flag("StorageCapacity", "storageCapacity"),
      column("TokenRequests", (object) => {
        const tokens = specOf(object)["tokenRequests"]
        return tokens === undefined
          ? "<unset>"
          : itemsOf(tokens)
              .map((one) => textOf(one["audience"]))
              .join(",")
      }),
      flag("RequiresRepublish", "requiresRepublish"),
      column("Modes", (object) => textsOf(specOf(object)["volumeLifecycleModes"]).join(",") || "<none>"),
      ageColumn
    ]
  })

const NODE_ID_MAX = 256

const checkTopologyKeys = (keys: ReadonlyArray<string>, path: string, problems: Problems): void => {
  const seen = new Set<string>()
  for (const key of keys) {
    if (key === "") problems.push(required(path, key))
    if (seen.has(key)) problems.push(duplicate(path, key))
    seen.add(key)
    invalidEach(path, key, Names.qualifiedName(key), problems)
  }
}

const checkNodeDriver = (driver: Fields, path: string, seen: Set<string>, problems: Problems): void => {
  const name = textOf(driver["name"])
  const id = textOf(driver["nodeID"])
  checkDriverName(name, `${path}.name`, problems)
  if (id === "") problems.push(required(`${path}.nodeID`))
  if (id.length > NODE_ID_MAX) {
    problems.push(invalid(`${path}.nodeID`, id, `must be ${NODE_ID_MAX} characters or less`))
  }
  notNegative(`${path}.allocatable.count`, fieldsOf(driver["allocatable"])["count"], problems)
  if (seen.has(name)) problems.push(duplicate(`${path}.name`, name))
  seen.add(name)
  checkTopologyKeys(textsOf(driver["topologyKeys"]), path, problems)
}

const driversOf = (object: KubeObject): ReadonlyArray<Fields> => itemsOf(specOf(object)["drivers"])

const checkDriversKept = (now: KubeObject, old: KubeObject, problems: Problems): void => {
  for (const before of driversOf(old)) {
    for (const driver of driversOf(now)) {
      if (driver["name"] !== before["name"]) continue
      const kept = withoutField(driver, "allocatable")
      if (!sameJson(kept, withoutField(before, "allocatable"))) problems.push(invalid("spec.drivers", kept, IMMUTABLE))
    }
  }
}

/** The definition of what nodes have of drivers. */
export const csiNodes = (): Definition =>
  define(GROUP, "v1", "CSINode", {
    check: (object, problems) => {
      const seen = new Set<string>()
      driversOf(object).forEach((one, at) => checkNodeDriver(one, `spec.drivers[${at}]`, seen, problems))
    },
    checkUpdate: checkDriversKept,
    strategy: { unconditionalUpdate: false, returnsDeleted: true },
    status: { keepsMetadata: true },
    columns: [nameColumn, column("Drivers", (object) => driversOf(object).length, "integer"), ageColumn]
  })

const EXACTLY_ONE = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"

const checkSource = (source: Fields, problems: Problems): void => {
  const path = "spec.source"
  const inline = fieldsIn(source["inlineVolumeSpec"])
  const name = source["persistentVolumeName"]
  if (inline === undefined && name === undefined) problems.push(required(path, EXACTLY_ONE))
  else if (inline !== undefined && name !== undefined) problems.push(forbidden(path, EXACTLY_ONE))
  else if (name === "")
    problems.push(required(`${path}.persistentVolumeName`, "must specify non empty persistentVolumeName"))
}

const checkError = (error: unknown, path: string, problems: Problems): void => {
  const given = fieldsOf(error)
  if (Buffer.byteLength(textOf(given["message"])) > 1024) problems.push(tooLong(`${path}.message`, 1024))
  const code = numberOf(given["errorCode"])
  if (code < 0) problems.push(invalid(`${path}.errorCode`, code, "must be between 0 and 2147483647, inclusive"))
}

const checkAttachment = (object: KubeObject, problems: Problems): void => {
  const spec = specOf(object)
  const source = fieldsOf(spec["source"])
  const node = textOf(spec["nodeName"])
  checkSource(source, problems)
  invalidEach("spec.nodeName", node, Names.dnsSubdomain(node), problems)
  const name = source["persistentVolumeName"]
  if (typeof name === "string") {
    invalidEach("spec.source.persistentVolumeName", name, Names.dnsSubdomain(name), problems)
  }
  checkAttacher(textOf(spec["attacher"]), object.metadata.resourceVersion === undefined, "spec.attacher", problems)
}

/** The definition of attachments. */
export const volumeAttachments = (): Definition =>
  define(GROUP, "v1", "VolumeAttachment", {
    initialStatus: () => ({ attached: false }),
    check: checkAttachment,
    checkUpdate: (now, old, problems) => checkKept("spec", now.spec, old.spec, problems),
    strategy: { unconditionalUpdate: false, returnsDeleted: true },
    status: {
      keepsMetadata: true,
      check: ({ status }, _old, problems) => {
        for (const field of ["attachError", "detachError"]) {
          checkError(fieldsOf(status)[field], `status.${field}`, problems)
        }
      }
    },
    columns: [
      nameColumn,
      { ...column("Attacher", (object) => textOf(specOf(object)["attacher"])), format: "name" },
      column("PV", (object) => textOf(fieldsOf(specOf(object)["source"])["persistentVolumeName"])),
      column("Node", (object) => textOf(specOf(object)["nodeName"])),
      column("Attached", ({ status }) => fieldsOf(status)["attached"] === true, "boolean"),
      ageColumn
    ]
  })
