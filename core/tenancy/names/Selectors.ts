// Selectors of lists, watches and deletions, up to the shared cluster.
// Owns which of their fields and labels name something; refuses to parse, which #kube does. A selector that cannot be read passes
// as it stands, and upstream says what is wrong with it.
import {
  escapeFieldValue,
  type FieldSelector,
  type LabelRequirement,
  parseFieldSelector,
  parseLabelSelector,
  SelectorInvalid
} from "#kube"
import { Refused } from "../rewrite/Contract.ts"
import { fullResource } from "../rules/CompiledRules.ts"
import { Labels } from "../rules/Labels.ts"
import { resolve, tenantGroup } from "../rules/References.ts"
import type { KindShape } from "./TenantView.ts"
import type { Translation } from "./Translation.ts"

/** Fields that hold a reference's parts, by the field before the dot. */
const references = new Set(["involvedObject", "regarding", "related"])

export class SelectorRewriting {
  readonly #names: Translation

  constructor(names: Translation) {
    this.#names = names
  }

  field(shape: KindShape, selector: string): string | Refused {
    const parsed = parseFieldSelector(selector)
    if (parsed instanceof SelectorInvalid) return selector
    const requirements = parsed.requirements.map((requirement) => ({
      ...requirement,
      value: this.#fieldValue(shape, parsed, requirement.field, requirement.value)
    }))
    return requirements.map(({ field, operator, value }) => `${field}${operator}${escapeFieldValue(value)}`).join(",")
  }

  #fieldValue(shape: KindShape, all: FieldSelector, field: string, value: string): string {
    const names = this.#names
    if (field === "metadata.name") return shape.namespaced ? value : names.nameUp(fullResource(shape), value)
    if (field === "metadata.namespace") return names.namespaceUp(value)
    const declared = shape.references?.find(({ path }) => path === field)
    if (declared?.is === "namespace") return names.namespaceUp(value)
    if (declared?.is.startsWith("name:") === true) return names.nameUp(declared.is.slice(5), value)
    const [head = "", part] = field.split(".", 2)
    if (!references.has(head)) return value
    if (part === "namespace") return names.namespaceUp(value)
    if (part === "apiVersion") return names.apiVersionUp(value)
    if (part !== "name") return value
    const resource = this.#clusterResource(all, head)
    return resource === undefined ? value : names.nameUp(resource, value)
  }

  /** The resource of the object that events are asked about, where it stands in no namespace. */
  #clusterResource(all: FieldSelector, head: string): string | undefined {
    const kind = all.exactMatch(`${head}.kind`)
    if (kind === undefined) return undefined
    const version = all.exactMatch(`${head}.apiVersion`)
    const groups =
      version === undefined
        ? ["", "rbac.authorization.k8s.io", "storage.k8s.io", "apiextensions.k8s.io"]
        : [version.split("/").slice(0, -1).join("/")]
    for (const group of groups) {
      const own = tenantGroup(this.#names, "up", group)
      const known = own === undefined ? undefined : resolve(this.#names, own, kind)
      if (known !== undefined) return known.namespaced ? undefined : known.resource
    }
    return undefined
  }

  label(shape: KindShape, selector: string): string | Refused {
    if (shape.namespaced) return selector
    const parsed = parseLabelSelector(selector)
    if (parsed instanceof SelectorInvalid) return selector
    const resource = fullResource(shape)
    const written: Array<string> = []
    for (const requirement of parsed.requirements) {
      const keys = resource.startsWith("clusterroles.rbac") ? Labels.roleKeys : Labels.platformKeys
      const key = requirement.key.startsWith(Labels.PLATFORM) ? undefined : keys.up(this.#names, requirement.key)
      if (key === undefined) return new Refused("labelSelector", `the label ${requirement.key} is the platform's`)
      const named = resource === "namespaces" && key === Labels.METADATA_NAME
      const values = named ? requirement.values.map((value) => this.#names.namespaceUp(value)) : requirement.values
      written.push(requirementText({ ...requirement, key, values }))
    }
    return written.join(",")
  }
}

const requirementText = ({ key, operator, values }: LabelRequirement): string => {
  switch (operator) {
    case "exists":
      return key
    case "!":
      return `!${key}`
    case "in":
    case "notin":
      return `${key} ${operator} (${values.join(",")})`
    default:
      return `${key}${operator}${values[0] ?? ""}`
  }
}
