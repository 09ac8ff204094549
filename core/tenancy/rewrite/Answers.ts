// The rules of what is no object of a kind: lists, Tables, Status, and watch events, around the rules of their items.
// Owns these envelopes; refuses to cut streams into items, which ListStream.ts does.
import type { KindShape } from "../names/TenantView.ts"
import type { Translation } from "../names/Translation.ts"
import { fullResource, rulesOf } from "../rules/CompiledRules.ts"
import { rootMetadata } from "../rules/Metadata.ts"
import { choiceNode, statusDetailsNode } from "../rules/References.ts"
import { sortNode } from "../rules/Sorts.ts"
import type { AnswerOptions } from "./Contract.ts"
import { type Chosen, RuleNode } from "./RuleNode.ts"

const hiddenNode = new RuleNode()
hiddenNode.hidden = true

/** A Status: its sentences, the name in its details exactly, and of a list that expired the token by which it goes on. */
const statusNode = (options: AnswerOptions): RuleNode =>
  new RuleNode()
    .field("message", sortNode("text"))
    .field("details", statusDetailsNode)
    .field("metadata", listMetadataNode(options))

const META_GROUP = "meta.k8s.io/"

/** The rules of an answer for a kind: it says by its apiVersion and kind what it is. A status is one wherever it stands. */
export interface AnswerRules {
  /** Of one object that says what it is. */
  readonly object: RuleNode
  /** Of one object of a list that says what its items are. */
  readonly item: (isPartial: boolean, listKind: string) => RuleNode
  /** Of the metadata of a list. */
  readonly listMetadata: RuleNode
  /** The list's own version, which of custom resources is the group's. */
  readonly version: RuleNode
  /** Of a Status in their place. */
  readonly status: RuleNode
}

/** A list's metadata: the rest of upstream's list is upstream's business. */
const listMetadataNode = ({ continueToken: continued, countsOwn }: AnswerOptions): RuleNode => {
  const token = new RuleNode()
  token.sort = {
    name: "continue",
    hiding: "value",
    up: () => undefined,
    down: (_names, text) => (text === "" ? text : continued?.(text))
  }
  const node = new RuleNode().field("continue", token).field("selfLink", hiddenNode)
  return countsOwn === true ? node : node.field("remainingItemCount", hiddenNode)
}

/** Of answers that no list goes on from. */
const plainStatus = statusNode({})

const partials = new Map<string, RuleNode>()

/** What a PartialObjectMetadata of a kind is: its metadata, with its own rules for its group, which is meta's. */
const partialNode = (shape: KindShape): RuleNode => {
  const key = `${fullResource(shape)} ${shape.namespaced}`
  let node = partials.get(key)
  if (node === undefined) {
    node = new RuleNode().field("metadata", rootMetadata(fullResource(shape), shape.namespaced, new RuleNode()))
    if (partials.size >= PARTIALS_LIMIT) partials.clear()
    partials.set(key, node)
  }
  return node
}

/** Kinds whose partial rules are kept; the map is emptied at its bound. */
const PARTIALS_LIMIT = 10_000

/** The rules of an answer about a kind; undefined when the kind has none. */
export const answerRules = (
  names: Translation,
  shape: KindShape,
  options: AnswerOptions | undefined
): AnswerRules | undefined => {
  const kind = rulesOf(names, shape)
  if (kind === undefined) return undefined
  const status = options?.continueToken === undefined ? plainStatus : statusNode(options)
  const object = choiceNode(
    ["apiVersion", "kind"],
    (names, [apiVersion, stated]): Chosen => {
      if (stated === "Status" && apiVersion === "v1") return status
      if (stated === "PartialObjectMetadata" && apiVersion?.startsWith(META_GROUP) === true) return partialNode(shape)
      const other = stated === undefined || stated === shape.kind ? undefined : spoken(names, shape, apiVersion, stated)
      return other ?? kind
    },
    []
  )
  const item = (isPartial: boolean, listKind: string): RuleNode =>
    isPartial ? partialNode(shape) : listKind === "" ? object : kind
  return { object, item, listMetadata: listMetadataNode(options ?? {}), version: sortNode("apiVersion"), status }
}

/** The kinds that subresources speak instead of their resource's own. */
const subresourceKinds: ReadonlyArray<readonly [apiVersion: string, kind: string]> = [
  ["autoscaling/v1", "Scale"],
  ["policy/v1", "Eviction"],
  ["v1", "Binding"],
  ["authentication.k8s.io/v1", "TokenRequest"]
]

/** The rules of a subresource's kind, where it is one of those that there are. */
export const spoken = (
  names: Translation,
  shape: KindShape,
  apiVersion: string | undefined,
  kind: string
): RuleNode | undefined => {
  const found = subresourceKinds.find(([version, name]) => version === apiVersion && name === kind)
  if (found === undefined) return undefined
  const [versionText] = found
  const slash = versionText.indexOf("/")
  return rulesOf(names, {
    group: slash < 0 ? "" : versionText.slice(0, slash),
    version: versionText.slice(slash + 1),
    kind,
    resource: shape.resource,
    namespaced: shape.namespaced
  })
}
