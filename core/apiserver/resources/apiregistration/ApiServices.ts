// API services and migrations of stored versions: kept and shown, for a server that serves all its groups itself.
// Owns their columns; refuses to forward or migrate anything.
import type { KubeObject } from "#kube"
import type { Definition } from "../../Definition.ts"
import { ageColumn, column, nameColumn } from "../Columns.ts"
import { define } from "../Define.ts"
import { fieldsIn, fieldsOf, itemsOf, textOf } from "../Fields.ts"

const availableText = ({ status }: KubeObject): string => {
  const found = itemsOf(fieldsOf(status)["conditions"]).find((one) => one["type"] === "Available")
  if (found === undefined) return "Unknown"
  const [said, reason] = [textOf(found["status"]), textOf(found["reason"])]
  return said === "True" || reason === "" ? said : `${said} (${reason})`
}

/** The definition of API services. */
export const apiServices = (): Definition =>
  define("apiregistration.k8s.io", "v1", "APIService", {
    status: { keepsMetadata: true },
    columns: [
      nameColumn,
      column("Service", ({ spec }) => {
        const service = fieldsIn(fieldsOf(spec)["service"])
        return service === undefined ? "Local" : `${textOf(service["namespace"])}/${textOf(service["name"])}`
      }),
      column("Available", availableText),
      ageColumn
    ]
  })

const PHASES: ReadonlySet<string> = new Set(["Running", "Failed", "Succeeded"])

const phaseText = ({ status }: KubeObject): string =>
  itemsOf(fieldsOf(status)["conditions"])
    .filter((one) => one["status"] === "True")
    .map((one) => textOf(one["type"]))
    .findLast((type) => PHASES.has(type)) ?? "Unknown"

/** The definition of migrations. */
export const storageVersionMigrations = (): Definition =>
  define("storagemigration.k8s.io", "v1", "StorageVersionMigration", {
    status: { keepsMetadata: true },
    generation: ["spec"],
    columns: [
      { ...nameColumn, format: "" },
      column("Resource", ({ spec }) => {
        const resource = fieldsOf(fieldsOf(spec)["resource"])
        const group = textOf(resource["group"])
        return `${textOf(resource["resource"])}${group === "" ? "" : `.${group}`}`
      }),
      column("Status", phaseText)
    ]
  })
