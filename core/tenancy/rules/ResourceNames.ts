// Names in rules about resources: one list of names stands for objects of all the rule's resources at once.
// Owns which spelling such a list needs; refuses rules that would need two for resources of Kubernetes itself, since either
// spelling would grant what the rule does not say.
import type { Translation } from "../names/Translation.ts"
import { textDown } from "../names/FreeText.ts"
import { underPrefix } from "../names/TenantId.ts"
import { type Direction, RuleNode } from "../rewrite/RuleNode.ts"
import { sortNode } from "./Sorts.ts"

type Resolve = (
  names: Translation,
  group: string,
  word: string
) => { readonly resource: string; readonly namespaced: boolean } | undefined

/** The rules of the list, if it needs any, and what they are known by. */
export interface NamesRule {
  readonly key: string
  readonly node: RuleNode | undefined
}

/**
 * Of the tenant's own groups both spellings are written, one after the other, whatever the resource's scope: a rule may be
 * older than the definition it speaks of, and nothing in the group is another's.
 */
const paired: RuleNode = new RuleNode()
paired.list = {
  up: (names, items) => items.flatMap((item) => [item, names.prefix + item]),
  down: (names, items) => {
    const own: Array<string> = []
    for (let at = 0; at < items.length; at++) {
      const item = items[at] ?? ""
      if (items[at + 1] === names.prefix + item) at++
      else if (textDown(names.view, item) !== item) continue
      own.push(item)
    }
    return own
  }
}

const mixed: RuleNode = new RuleNode()
mixed.list = {
  up: (_names, items) =>
    items.length === 0
      ? items
      : { refused: "names objects of namespaces and others at once: one rule for each, or no resourceNames" },
  down: (names, items) =>
    items.flatMap((item) => {
      if (underPrefix(names.view.tenant, item)) return [item.slice(names.prefix.length)]
      return textDown(names.view, item) === item ? [item] : []
    })
}

const single = new Map<string, RuleNode>()

const singleNode = (resource: string): RuleNode => {
  let node = single.get(resource)
  if (node === undefined) {
    node = new RuleNode()
    node.items = sortNode(`name:${resource}`)
    single.set(resource, node)
  }
  return node
}

/** The rules of `resourceNames` beside these groups and resources, which are in the spelling of the side that bytes come from. */
export const namesNode = (
  names: Translation,
  direction: Direction,
  groups: ReadonlyArray<string>,
  resources: ReadonlyArray<string>,
  resolve: Resolve
): NamesRule => {
  const found = new Set<string>()
  for (const group of groups) {
    const own = direction === "up" ? group : names.groupDown(group)
    if (own === undefined) {
      // Names beside another's group may be that other's.
      found.add("mixed")
      continue
    }
    if (!names.sharedGroup(own)) {
      found.add("custom")
      continue
    }
    for (const word of resources) {
      const [resource = ""] = word.split("/", 1)
      const known =
        own === "*" || resource === "*" ? everywhere(names, resource, resolve) : resolve(names, own, resource)
      if (known === "mixed") found.add("mixed")
      else if (known !== undefined) found.add(known.namespaced ? "" : known.resource)
    }
  }
  const [only, ...others] = found
  if (only === undefined || (only === "" && others.length === 0)) return { key: "", node: undefined }
  if (others.length > 0 || only === "mixed") return { key: "mixed", node: mixed }
  return only === "custom" ? { key: "custom", node: paired } : { key: only, node: singleNode(only) }
}

const coreGroups = [
  "",
  "rbac.authorization.k8s.io",
  "storage.k8s.io",
  "networking.k8s.io",
  "scheduling.k8s.io",
  "node.k8s.io",
  "apiextensions.k8s.io",
  "admissionregistration.k8s.io",
  "resource.k8s.io"
]

/** What a plural is in any group; "*" is everything. */
const everywhere = (names: Translation, resource: string, resolve: Resolve): ReturnType<Resolve> | "mixed" => {
  if (resource === "*") return "mixed"
  for (const group of coreGroups) {
    const known = resolve(names, group, resource)
    if (known !== undefined) return known
  }
  return undefined
}
