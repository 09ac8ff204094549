// The steps of display modes that name: service and operation of a span from its tags, tags lifted from below, clusters where they differ.
// Owns those; refuses to change what a tree holds.
import { Attribute } from "../model/Span.ts"
import { isPseudo, pseudoTypeOf, traceSourceOf, type ViewNode, walkDown, walkUp } from "./ViewNode.ts"

const KELEMETRY_NAME = "zzz-kelemetryName"

/** A span that brings a name of its own for pages is called by it. */
export const replaceName = (root: ViewNode): void =>
  walkDown(root, (node) => {
    const name = node.tags[KELEMETRY_NAME]
    if (name !== undefined) node.name = name
  })

/** Lifts tags, like a Pod's node, from what happened to an object to the object. */
export const objectTags =
  (tags: ReadonlyArray<string>) =>
  (root: ViewNode): void =>
    walkUp(root, (node) => {
      if (!isPseudo(node)) return
      for (const tag of tags) {
        if (node.tags[tag] !== undefined) continue
        const found = node.children.find((child) => pseudoTypeOf(child) !== "object" && child.tags[tag] !== undefined)
        if (found !== undefined) node.tags[tag] = found.tags[tag]
      }
    })

/** Names the service or the operation of spans of one source by some of their tags; "default" and nothing are left out. */
export const serviceOperationReplace =
  (traceSource: string, dest: "service" | "operation", source: ReadonlyArray<string>) =>
  (root: ViewNode): void =>
    walkDown(root, (node) => {
      if (traceSourceOf(node) !== traceSource || pseudoTypeOf(node) === "linkClass") return
      const values = source.map((tag) => {
        const value = node.tags[tag] ?? ""
        return tag === Attribute.namespace && value === "default" ? "" : value
      })
      const text = values.filter((value) => value !== "").join("/")
      if (text === "") return
      if (dest === "service") node.service = text
      else node.name = text
    })

/** Says the cluster where it is not the one of the span above. */
export const clusterName = (root: ViewNode): void =>
  walkDown(root, (node, parent) => {
    const { cluster } = node.object
    if (cluster !== "" && parent !== undefined && cluster !== parent.object.cluster) {
      node.service = `${cluster} ${node.service}`
    }
  })
