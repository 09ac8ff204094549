// The sorts of identifiers that fields hold, as the rule table names them.
// Owns which half of the prefix algebra a sort is; refuses to know fields.
import { expressionDown, expressionUp } from "../names/Expressions.ts"
import { textDown, textUp } from "../names/FreeText.ts"
import { underPrefix } from "../names/TenantId.ts"
import type { Translation } from "../names/Translation.ts"
import { type Hiding, RuleNode, type Sort } from "../rewrite/RuleNode.ts"

/** What a field of the table may be. */
export type SortName =
  | "namespace"
  | "group"
  | "apiVersion"
  | "user"
  | "userGroup"
  | "text"
  | "mark"
  | "refused"
  | "claim"
  | "expression"
  | "word"
  | `name:${string}`

/** The label that all of a tenant's objects outside namespaces carry upstream, and that no tenant sees. */
export const TENANT_LABEL = "kubezoo.io/tenant"

type Maps = Pick<Sort, "up" | "down"> & { readonly rule?: string }

const maps = (sort: SortName): Maps => {
  switch (sort) {
    case "namespace":
      return { up: (names, text) => names.namespaceUp(text), down: (names, text) => names.namespaceDown(text) }
    case "group":
      return { up: (names, text) => names.groupUp(text), down: (names, text) => names.groupDown(text) }
    case "apiVersion":
      return { up: (names, text) => names.apiVersionUp(text), down: (names, text) => names.apiVersionDown(text) }
    case "user":
      return { up: (names, text) => names.userUp(text), down: (names, text) => names.userDown(text) }
    case "userGroup":
      return { up: (names, text) => names.userGroupUp(text), down: (names, text) => names.userGroupDown(text) }
    case "text":
      return { up: ({ view }, text) => textUp(view, text), down: ({ view }, text) => textDown(view, text) }
    case "mark":
      return {
        up: ({ view }, text) => (text === view.tenant ? text : undefined),
        down: () => undefined,
        rule: `the label ${TENANT_LABEL} is the platform's`
      }
    case "refused":
      return {
        up: (_, text) => (text === "" ? text : undefined),
        down: (_, text) => text,
        rule: "a tenant's webhook is reached through a service, not a url"
      }
    case "expression":
      return {
        up: ({ view }, text) => expressionUp(view.tenant, text),
        down: ({ view }, text) => expressionDown(view.tenant, text)
      }
    case "word":
      // What the platform's own objects say is shown as it stands.
      return {
        up: ({ prefix }, text) => (text === "" ? text : prefix + text),
        down: ({ prefix, view }, text) => (underPrefix(view.tenant, text) ? text.slice(prefix.length) : text)
      }
    case "claim":
      return { up: claimKeyed("up"), down: claimKeyed("down") }
    default: {
      const resource = sort.slice("name:".length)
      return {
        up: (names, text) => names.nameUp(resource, text),
        down: (names, text) => names.nameDown(resource, text)
      }
    }
  }
}

/** "namespace/name" of a claim. */
const claimKeyed = (direction: "up" | "down") => (names: Translation, text: string) => {
  const slash = text.indexOf("/")
  if (slash < 0) return text
  const namespace = text.slice(0, slash)
  const other = direction === "up" ? names.namespaceUp(namespace) : names.namespaceDown(namespace)
  return other === undefined ? undefined : other + text.slice(slash)
}

const known = new Map<string, RuleNode>()

/** The node of a string of a sort; the same for the same arguments. */
export const sortNode = (sort: SortName, hiding: Hiding = "value"): RuleNode => {
  const key = `${hiding} ${sort}`
  const found = known.get(key)
  if (found !== undefined) return found
  const node = new RuleNode()
  node.sort = { name: sort, hiding, ...maps(sort) }
  known.set(key, node)
  return node
}

/** The prefix alone, of generated names: their endings are not known yet. */
export const generatedNode: RuleNode = new RuleNode()
generatedNode.sort = {
  name: "generateName",
  hiding: "value",
  up: (names, text) => (text === "" ? text : names.prefix + text),
  down: (names, text) =>
    text === "" || underPrefix(names.view.tenant, text) ? text.slice(text === "" ? 0 : names.prefix.length) : undefined
}

/** The mark as a field that is always there upstream. */
export const markNode: RuleNode = new RuleNode()
markNode.sort = { name: "mark", hiding: "value", ...maps("mark") }
markNode.absent = ({ view }) => JSON.stringify(view.tenant)
