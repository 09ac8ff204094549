// Storage classes, their attributes and the room that drivers report: what volumes are made from.
// Owns their rules and columns; refuses to make any volume. Source: kubernetes pkg/apis/storage/validation.
import { type KubeObject, Names, sameJson } from "#kube"
import type { Definition, Draft } from "../../Definition.ts"
import { ageColumn, column, nameColumn } from "../Columns.ts"
import { define } from "../Define.ts"
import { type Fields, fieldsOf, itemsOf, mapOf, textOf, textsOf } from "../Fields.ts"
import { checkKept, deprecatedNodeLabel } from "../Meta.ts"
import {
  duplicate,
  forbidden,
  IMMUTABLE,
  invalid,
  invalidEach,
  NOT_NEGATIVE,
  notSupported,
  optionalOneOf,
  type Problems,
  required,
  tooLong
} from "../Problems.ts"
import { amountOf } from "../Resources.ts"
import { checkSelector } from "../Selectors.ts"

const GROUP = "storage.k8s.io"
const PARAMETERS_MAX = 512
const PARAMETERS_BYTES_MAX = 256 * 1024

const checkProvisioner = (provisioner: string, path: string, problems: Problems): void => {
  if (provisioner === "") problems.push(required(path))
  else {
    const lower = provisioner.toLowerCase()
    invalidEach(path, lower, Names.qualifiedName(lower), problems)
  }
}

const checkParameters = (parameters: Readonly<Record<string, string>>, problems: Problems): void => {
  const names = Object.keys(parameters)
  if (names.length > PARAMETERS_MAX) return void problems.push(tooLong("parameters", PARAMETERS_MAX))
  let bytes = 0
  for (const name of names) {
    if (name === "") problems.push(invalid("parameters", name, "field can not be empty."))
    bytes += Buffer.byteLength(name) + Buffer.byteLength(parameters[name] ?? "")
  }
  if (bytes > PARAMETERS_BYTES_MAX) problems.push(tooLong("parameters", PARAMETERS_BYTES_MAX))
  return undefined
}

const checkExpression = (expression: Fields, path: string, problems: Problems): void => {
  const values = textsOf(expression["values"])
  if (values.length === 0) problems.push(required(`${path}.values`))
  const seen = new Set<string>()
  values.forEach((value, at) => {
    if (seen.has(value)) problems.push(duplicate(`${path}.values[${at}]`, value))
    seen.add(value)
  })
  const key = textOf(expression["key"])
  invalidEach(`${path}.key`, key, Names.qualifiedName(key), problems)
}

const checkTopologies = (terms: ReadonlyArray<Fields>, problems: Problems): void => {
  const before: Array<string> = []
  terms.forEach((term, at) => {
    const path = `allowedTopologies[${at}].matchLabelExpressions`
    const wanted = new Map<string, string>()
    itemsOf(term["matchLabelExpressions"]).forEach((one, place) => {
      checkExpression(one, `${path}[${place}]`, problems)
      const key = textOf(one["key"])
      if (wanted.has(key)) problems.push(duplicate(`${path}[${place}].key`, key))
      wanted.set(key, JSON.stringify([...new Set(textsOf(one["values"]))].sort()))
    })
    const said = JSON.stringify([...wanted].sort(([a], [b]) => a.localeCompare(b)))
    // The real server compares with a slot for each term, empty as it is, besides the terms before.
    const alike = before.filter((one) => one === said).length + (wanted.size === 0 ? terms.length : 0)
    for (let count = 0; count < alike; count++) problems.push(duplicate(path, ""))
    before.push(said)
  })
}

const checkClass = (object: KubeObject, problems: Problems): void => {
  const policy = object["reclaimPolicy"]
  const mode = object["volumeBindingMode"]
  checkProvisioner(textOf(object["provisioner"]), "provisioner", problems)
  checkParameters(mapOf(object["parameters"]), problems)
  if (policy !== "") optionalOneOf("reclaimPolicy", policy, ["Delete", "Retain"], problems)
  if (mode === undefined) problems.push(required("volumeBindingMode"))
  else if (mode !== "Immediate" && mode !== "WaitForFirstConsumer") {
    problems.push(notSupported("volumeBindingMode", textOf(mode), ["Immediate", "WaitForFirstConsumer"]))
  }
  checkTopologies(itemsOf(object["allowedTopologies"]), problems)
}

const KEPT = ["parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"]

const classDefaults = (draft: Draft): void => {
  draft["reclaimPolicy"] ??= "Delete"
  draft["volumeBindingMode"] ??= "Immediate"
}

const isDefault = ({ metadata }: KubeObject): boolean =>
  ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"].some(
    (name) => metadata.annotations?.[name] === "true"
  )

const classWarnings = (object: KubeObject): ReadonlyArray<string> =>
  itemsOf(object["allowedTopologies"]).flatMap((term, at) =>
    itemsOf(term["matchLabelExpressions"]).flatMap((one, place) => {
      const why = deprecatedNodeLabel(textOf(one["key"]))
      return why === undefined ? [] : [`allowedTopologies[${at}].matchLabelExpressions[${place}].key: ${why}`]
    })
  )

/** Of several that say so the newest is the default; only a list can tell. */
const defaultOf = (listed: ReadonlyArray<KubeObject>): KubeObject | undefined =>
  listed
    .filter(isDefault)
    .toSorted(
      ({ metadata: a }, { metadata: b }) =>
        (b.creationTimestamp ?? "").localeCompare(a.creationTimestamp ?? "") ||
        (a.name ?? "").localeCompare(b.name ?? "")
    )[0]

/** The definition of storage classes. */
export const storageClasses = (): Definition =>
  define(GROUP, "v1", "StorageClass", {
    defaults: classDefaults,
    check: checkClass,
    checkUpdate: (now, old, problems) => {
      for (const field of KEPT) checkKept(field, now[field], old[field], problems)
    },
    strategy: { warnings: classWarnings, returnsDeleted: true },
    columns: [
      {
        ...nameColumn,
        value: (object, _nowMs, listed = []) =>
          `${object.metadata.name ?? ""}${defaultOf(listed) === object ? " (default)" : ""}`
      },
      column("Provisioner", (object) => textOf(object["provisioner"])),
      column("ReclaimPolicy", (object) => textOf(object["reclaimPolicy"]) || "Delete"),
      column("VolumeBindingMode", (object) => textOf(object["volumeBindingMode"]) || "<unset>"),
      column("AllowVolumeExpansion", (object) => object["allowVolumeExpansion"] === true),
      ageColumn
    ]
  })

/** The definition of classes of volumes' attributes. */
export const volumeAttributesClasses = (): Definition =>
  define(GROUP, "v1", "VolumeAttributesClass", {
    check: (object, problems) => {
      checkProvisioner(textOf(object["driverName"]), "driverName", problems)
      checkParameters(mapOf(object["parameters"]), problems)
      if (Object.keys(mapOf(object["parameters"])).length === 0) {
        problems.push(required("parameters", "must contain at least one key/value pair"))
      }
    },
    checkUpdate: (now, old, problems) => {
      for (const field of ["driverName", "parameters"]) {
        if (!sameJson(now[field] as never, old[field] as never)) {
          problems.push(forbidden(field, `updates to ${field} are forbidden.`))
        }
      }
    },
    columns: [nameColumn, column("DriverName", (object) => textOf(object["driverName"])), ageColumn]
  })

/** The definition of the room that a driver has for a class. */
export const csiStorageCapacities = (): Definition =>
  define(GROUP, "v1", "CSIStorageCapacity", {
    check: (object, problems) => {
      checkSelector(object["nodeTopology"], "nodeTopology", problems)
      const name = textOf(object["storageClassName"])
      invalidEach("storageClassName", name, Names.dnsSubdomain(name), problems)
      const { capacity } = object as { readonly capacity?: string }
      if (capacity !== undefined && amountOf(capacity).sign < 0) {
        problems.push(invalid("capacity", capacity, NOT_NEGATIVE))
      }
    },
    checkUpdate: (now, old, problems) => {
      for (const field of ["nodeTopology", "storageClassName"]) {
        if (!sameJson(now[field] as never, old[field] as never)) {
          problems.push(invalid(field, now[field] as never, IMMUTABLE))
        }
      }
    },
    strategy: { unconditionalUpdate: false },
    columns: []
  })

/** Checks the name of a driver, as nodes have it. */
export const checkDriverName = (name: string, path: string, problems: Problems): void => {
  if (name === "") return void problems.push(required(path))
  if (name.length > 63) problems.push(tooLong(path, 63))
  invalidEach(path, name, Names.dnsSubdomain(name.toLowerCase()), problems)
  return undefined
}

const CASELESS =
  "an RFC 1123 subdomain must consist of alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'Example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"

/** Checks the name of the driver that attaches: the same rule, of a new attachment in other words. */
export const checkAttacher = (name: string, isNew: boolean, path: string, problems: Problems): void => {
  if (!isNew) return checkDriverName(name, path, problems)
  if (name === "") return void problems.push(required(path))
  if (Names.dnsSubdomain(name.toLowerCase()).length > 0) problems.push(invalid(path, name, CASELESS))
  if (name.length > 63) problems.push(tooLong(path, 63))
  return undefined
}

/** The fields of the spec, for columns. */
export const specOf = ({ spec }: KubeObject): Fields => fieldsOf(spec)
