// Devices that pods claim, where they are, and what taints them (resource.k8s.io).
// Owns their columns; refuses to allocate any device.
import type { KubeObject } from "#kube"
import type { Definition } from "../../Definition.ts"
import { ageColumn, column, nameColumn, sinceText } from "../Columns.ts"
import { define } from "../Define.ts"
import { type Fields, fieldsOf, itemsOf, textOf } from "../Fields.ts"

const GROUP = "resource.k8s.io"

const specOf = ({ spec }: KubeObject): Fields => fieldsOf(spec)

const stateOf = ({ metadata, status }: KubeObject): string => {
  const given = fieldsOf(status)
  const deleted = metadata.deletionTimestamp !== undefined
  const states = deleted ? ["deleted"] : []
  if (given["allocation"] === undefined) return [...states, ...(deleted ? [] : ["pending"])].join(",")
  const reserved = itemsOf(given["reservedFor"]).length > 0
  return [...states, "allocated", ...(reserved ? ["reserved"] : [])].join(",")
}

const taintOf = (object: KubeObject): Fields => fieldsOf(specOf(object)["taint"])

/** The definitions of claims, slices and taint rules. */
export const devices = (): ReadonlyArray<Definition> => [
  define(GROUP, "v1", "ResourceClaim", {
    status: { keepsMetadata: true },
    strategy: { returnsDeleted: true },
    columns: [nameColumn, column("State", stateOf), ageColumn]
  }),
  define(GROUP, "v1", "ResourceSlice", {
    generation: ["spec"],
    strategy: { returnsDeleted: true },
    columns: [
      nameColumn,
      column("Node", (object) => textOf(specOf(object)["nodeName"])),
      column("Driver", (object) => textOf(specOf(object)["driver"])),
      column("Pool", (object) => textOf(fieldsOf(specOf(object)["pool"])["name"])),
      ageColumn
    ]
  }),
  define(GROUP, "v1", "DeviceTaintRule", {
    status: { keepsMetadata: true },
    generation: ["spec"],
    strategy: { returnsDeleted: true },
    columns: [
      nameColumn,
      column("Key", (object) => textOf(taintOf(object)["key"])),
      column("Value", (object) => textOf(taintOf(object)["value"])),
      column("Effect", (object) => textOf(taintOf(object)["effect"])),
      column("TimeAdded", (object, nowMs) => sinceText(taintOf(object)["timeAdded"], nowMs)),
      ageColumn
    ]
  })
]
