// PersistentVolumes and the claims on them.
// Owns their strategies; refuses to bind one to the other. Source: kubernetes pkg/registry/core/persistentvolume{,claim}.
import { type Json, type KubeObject, Names, rfc3339, sameJson } from "#kube"
import type { Column, Definition, Draft, StrategyContext } from "../../Definition.ts"
import { ageColumn, column, nameColumn, wide } from "../Columns.ts"
import { define } from "../Define.ts"
import { defaulted, type Fields, fieldsIn, fieldsOf, textOf, textsOf, withoutField, zeroDefaulted } from "../Fields.ts"
import { checkImmutable } from "../Meta.ts"
import { forbidden, invalid, invalidEach, notSupported, optionalOneOf, type Problems, required } from "../Problems.ts"
import { amountOf } from "../Resources.ts"
import { checkAccessModes, checkClaimSpec } from "./ClaimRules.ts"
import { checkNodeSelector } from "./SchedulingRules.ts"
import { checkHostPath, checkNfs } from "./VolumeRules.ts"

const volumeDefaults = (draft: Draft): void => {
  const spec = zeroDefaulted(fieldsOf(draft.spec), { persistentVolumeReclaimPolicy: "Retain" })
  const hostPath = fieldsIn(spec["hostPath"])
  const done = hostPath === undefined ? spec : { ...spec, hostPath: defaulted(hostPath, { type: "" }) }
  draft.spec = defaulted(done, { volumeMode: "Filesystem" })
}

const checkLocal = (source: Fields, path: string, problems: Problems): void => {
  const target = textOf(source["path"])
  if (target === "") problems.push(required(`${path}.path`))
  else if (target.split("/").includes("..")) problems.push(invalid(`${path}.path`, target, "must not contain '..'"))
}

const checkCsi = (source: Fields, path: string, problems: Problems): void => {
  const driver = textOf(source["driver"])
  if (driver === "") problems.push(required(`${path}.driver`))
  else invalidEach(`${path}.driver`, driver, Names.dnsSubdomain(driver.toLowerCase()), problems)
  if (textOf(source["volumeHandle"]) === "") problems.push(required(`${path}.volumeHandle`))
}

const SOURCES: ReadonlyMap<string, (source: Fields, path: string, problems: Problems) => void> = new Map([
  ["hostPath", checkHostPath],
  ["nfs", checkNfs],
  ["local", checkLocal],
  ["csi", checkCsi]
])

const NOT_SOURCES: ReadonlySet<string> = new Set(["capacity", "claimRef", "nodeAffinity"])

const sourcesOf = (spec: Fields): Fields =>
  Object.fromEntries(Object.entries(spec).filter(([name, value]) => !NOT_SOURCES.has(name) && fieldsIn(value)))

const checkSource = (spec: Fields, problems: Problems): void => {
  const names = Object.keys(sourcesOf(spec))
  if (names.length === 0) return void problems.push(required("spec", "must specify a volume type"))
  names.forEach((name, at) => {
    if (at > 0) problems.push(forbidden(`spec.${name}`, "may not specify more than 1 volume type"))
    else SOURCES.get(name)?.(fieldsOf(spec[name]), `spec.${name}`, problems)
  })
  if (spec["local"] !== undefined && fieldsIn(spec["nodeAffinity"]) === undefined) {
    problems.push(required("spec.nodeAffinity", "Local volume requires node affinity"))
  }
}

const checkCapacity = (spec: Fields, problems: Problems): void => {
  const capacity = fieldsOf(spec["capacity"])
  const names = Object.keys(capacity)
  if (names.length === 0) problems.push(required("spec.capacity"))
  if (capacity["storage"] === undefined || names.length > 1) {
    problems.push(notSupported("spec.capacity", spec["capacity"] === undefined ? null : { ...capacity }, ["storage"]))
  }
  for (const name of names) {
    const amount = amountOf(capacity[name])
    const path = `spec.capacity[${name}]`
    if (amount.sign < 0) problems.push(invalid(path, Number(amount.value()), "must be a valid resource quantity"))
    if (amount.sign <= 0) problems.push(invalid(path, amount.toString(), "must be greater than zero"))
  }
}

const EMPTY_ATTRIBUTES = "an empty string is disallowed"

const checkVolume = (volume: KubeObject, problems: Problems): void => {
  const spec = fieldsOf(volume.spec)
  if (textsOf(spec["accessModes"]).length === 0) problems.push(required("spec.accessModes"))
  checkAccessModes(spec["accessModes"], "spec.accessModes", problems)
  checkCapacity(spec, problems)
  const policies = ["Delete", "Recycle", "Retain"]
  optionalOneOf("spec.persistentVolumeReclaimPolicy", spec["persistentVolumeReclaimPolicy"], policies, problems)
  const affinity = fieldsIn(fieldsOf(spec["nodeAffinity"])["required"])
  if (affinity !== undefined) checkNodeSelector(affinity, false, "spec.nodeAffinity.required", problems)
  else if (spec["nodeAffinity"] !== undefined) {
    problems.push(required("spec.nodeAffinity.required", "must specify required node constraints"))
  }
  checkSource(spec, problems)
  const name = textOf(spec["storageClassName"])
  if (name !== "") invalidEach("spec.storageClassName", name, Names.dnsSubdomain(name), problems)
  optionalOneOf("spec.volumeMode", spec["volumeMode"], ["Block", "Filesystem"], problems)
  const attributes = spec["volumeAttributesClassName"]
  if (typeof attributes !== "string") return
  if (attributes === "") problems.push(required("spec.volumeAttributesClassName", EMPTY_ATTRIBUTES))
  else invalidEach("spec.volumeAttributesClassName", attributes, Names.dnsSubdomain(attributes), problems)
  if (spec["csi"] === undefined) {
    problems.push(required("spec.csi", "has to be specified when using volumeAttributesClassName"))
  }
}

const checkVolumeUpdate = (volume: KubeObject, old: KubeObject, problems: Problems): void => {
  const now = fieldsOf(volume.spec)
  const before = fieldsOf(old.spec)
  if (!sameJson(sourcesOf(now), sourcesOf(before))) {
    const why = "spec.persistentvolumesource is immutable after creation\n"
    problems.push(forbidden("spec.persistentvolumesource", why))
  }
  checkImmutable("volumeMode", now["volumeMode"], before["volumeMode"], problems)
}

const MODES: ReadonlyArray<readonly [mode: string, short: string]> = [
  ["ReadWriteOnce", "RWO"],
  ["ReadOnlyMany", "ROX"],
  ["ReadWriteMany", "RWX"],
  ["ReadWriteOncePod", "RWOP"]
]

const modesText = (modes: unknown): string =>
  MODES.filter(([mode]) => textsOf(modes).includes(mode))
    .map(([, short]) => short)
    .join(",")

const phaseText = ({ metadata, status }: KubeObject): string =>
  metadata.deletionTimestamp === undefined ? textOf(fieldsOf(status)["phase"]) : "Terminating"

const orUnset = (value: unknown): string => (value === undefined ? "<unset>" : textOf(value))

const classOf = ({ metadata, spec }: KubeObject): string =>
  metadata.annotations?.["volume.beta.kubernetes.io/storage-class"] ?? textOf(fieldsOf(spec)["storageClassName"])

const sizeText = (amounts: unknown): string => amountOf(fieldsOf(amounts)["storage"]).toString()

const claimText = ({ spec }: KubeObject): string => {
  const claim = fieldsIn(fieldsOf(spec)["claimRef"])
  return claim === undefined ? "" : `${textOf(claim["namespace"])}/${textOf(claim["name"])}`
}

const volumeColumns: ReadonlyArray<Column> = [
  nameColumn,
  column("Capacity", ({ spec }) => sizeText(fieldsOf(spec)["capacity"])),
  column("Access Modes", ({ spec }) => modesText(fieldsOf(spec)["accessModes"])),
  column("Reclaim Policy", ({ spec }) => textOf(fieldsOf(spec)["persistentVolumeReclaimPolicy"])),
  column("Status", phaseText),
  column("Claim", claimText),
  column("StorageClass", classOf),
  column("VolumeAttributesClass", ({ spec }) => orUnset(fieldsOf(spec)["volumeAttributesClassName"])),
  column("Reason", ({ status }) => textOf(fieldsOf(status)["reason"])),
  ageColumn,
  wide("VolumeMode", ({ spec }) => orUnset(fieldsOf(spec)["volumeMode"]))
]

const named = { name: ({ metadata }: KubeObject) => metadata.name ?? "" }

/** When the phase last changed: the server's to say, unless the writer says so. */
const keepTransition = (draft: Draft, old: KubeObject, { clockwork }: StrategyContext): undefined => {
  const [now, before] = [fieldsOf(draft.status), fieldsOf(old.status)]
  const given = now["lastPhaseTransitionTime"]
  const had = before["lastPhaseTransitionTime"]
  if (now["phase"] === before["phase"]) {
    if (given === undefined && had !== undefined) draft.status = { ...now, lastPhaseTransitionTime: had }
  } else if (given === undefined || given === had) {
    draft.status = { ...now, lastPhaseTransitionTime: rfc3339(clockwork.now()) }
  }
  return undefined
}

/** The definition of persistent volumes. */
export const persistentVolumes = (): Definition =>
  define("", "v1", "PersistentVolume", {
    defaults: volumeDefaults,
    initialStatus: () => ({ phase: "Pending" }),
    prepareForCreate: (draft, { clockwork }) => {
      draft.status = { ...draft.status, lastPhaseTransitionTime: rfc3339(clockwork.now()) }
      return undefined
    },
    status: { prepare: keepTransition },
    check: checkVolume,
    checkUpdate: checkVolumeUpdate,
    strategy: { returnsDeleted: true },
    columns: volumeColumns,
    selectableFields: named
  })

/** The older field is for claims and snapshots; a source of another kind in it is not kept. */
const isOlderSource = (source: Fields): boolean => {
  const { apiGroup, kind } = source
  if (kind === "PersistentVolumeClaim") return textOf(apiGroup) === ""
  return kind === "VolumeSnapshot" && apiGroup === "snapshot.storage.k8s.io"
}

const claimDefaults = (draft: Draft): void => {
  const given = defaulted(fieldsOf(draft.spec), { volumeMode: "Filesystem" })
  const older = fieldsIn(given["dataSource"])
  const spec = older === undefined || isOlderSource(older) ? given : withoutField(given, "dataSource")
  const source = fieldsIn(spec["dataSource"])
  const reference = fieldsIn(spec["dataSourceRef"])
  // The older field and the newer one say the same.
  if (source !== undefined && reference === undefined) draft.spec = { ...spec, dataSourceRef: source }
  else if (source === undefined && reference !== undefined && textOf(reference["namespace"]) === "") {
    draft.spec = { ...spec, dataSource: reference }
  } else draft.spec = spec
}

const checkClaimUpdate = (claim: KubeObject, old: KubeObject, problems: Problems): void => {
  const now = fieldsOf(claim.spec)
  const before = fieldsOf(old.spec)
  if (now === before) return
  const bound = fieldsOf(claim.status)["phase"] === "Bound"
  const compared: Record<string, Json | undefined> = { ...now }
  if (textOf(before["volumeName"]) === "") compared["volumeName"] = before["volumeName"]
  if (before["storageClassName"] === undefined) compared["storageClassName"] = undefined
  if (bound) {
    const resources = fieldsOf(now["resources"])
    const storage = fieldsOf(fieldsOf(before["resources"])["requests"])["storage"]
    compared["resources"] = { ...resources, requests: { ...fieldsOf(resources["requests"]), storage } }
    compared["volumeAttributesClassName"] = before["volumeAttributesClassName"]
  }
  if (!sameJson(compared, before)) {
    const why =
      "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n"
    problems.push(forbidden("spec", why))
  }
  const size = (spec: Fields) => amountOf(fieldsOf(fieldsOf(spec["resources"])["requests"])["storage"])
  const had = amountOf(fieldsOf(fieldsOf(old.status)["capacity"])["storage"])
  if (size(now).compare(size(before)) < 0 && size(now).compare(had) <= 0) {
    problems.push(forbidden("spec.resources.requests.storage", "field can not be less than status.capacity"))
  }
  checkImmutable("volumeMode", now["volumeMode"], before["volumeMode"], problems)
}

const bound = ({ spec }: KubeObject): boolean => textOf(fieldsOf(spec)["volumeName"]) !== ""

const claimColumns: ReadonlyArray<Column> = [
  nameColumn,
  column("Status", phaseText),
  column("Volume", ({ spec }) => textOf(fieldsOf(spec)["volumeName"])),
  column("Capacity", (claim) => (bound(claim) ? sizeText(fieldsOf(claim.status)["capacity"]) : "")),
  column("Access Modes", (claim) => (bound(claim) ? modesText(fieldsOf(claim.status)["accessModes"]) : "")),
  column("StorageClass", classOf),
  column("VolumeAttributesClass", ({ spec }) => orUnset(fieldsOf(spec)["volumeAttributesClassName"])),
  ageColumn,
  wide("VolumeMode", ({ spec }) => orUnset(fieldsOf(spec)["volumeMode"]))
]

/** The definition of claims. */
export const persistentVolumeClaims = (): Definition =>
  define("", "v1", "PersistentVolumeClaim", {
    defaults: claimDefaults,
    initialStatus: () => ({ phase: "Pending" }),
    check: (claim, problems) => checkClaimSpec(fieldsOf(claim.spec), "spec", problems),
    checkUpdate: checkClaimUpdate,
    strategy: { returnsDeleted: true },
    columns: claimColumns,
    selectableFields: named
  })
