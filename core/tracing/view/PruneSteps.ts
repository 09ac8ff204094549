// The steps of display modes that take away: spans that hold nothing, tags that are for machines, time in which nothing happened.
// Owns those three; refuses to move spans, which NestSteps.ts does.
import { rfc3339 } from "#kube"
import { HIDDEN_PREFIX } from "../model/Span.ts"
import { isPseudo, type ViewNode, walkUp } from "./ViewNode.ts"

/** Drops pseudo-spans that hold nothing, from the leaves up, never the root. */
export const pruneChildless = (root: ViewNode): void =>
  walkUp(root, (node) => {
    node.children = node.children.filter(
      (child) => !isPseudo(child) || child.children.length > 0 || child.logs.length > 0 || child.warnings.length > 0
    )
  })

/** Room to the right of the last thing that happened, as a part of the whole. */
const PADDING = 0.05

/** Pseudo-spans last as long as what they hold. */
export const compactDuration = (root: ViewNode): void => {
  walkUp(root, (node) => {
    if (!isPseudo(node)) return
    let start = Number.POSITIVE_INFINITY
    let end = Number.NEGATIVE_INFINITY
    for (const { endUs, startUs } of node.children) {
      start = Math.min(start, startUs)
      end = Math.max(end, endUs)
    }
    for (const { atUs } of node.logs) {
      start = Math.min(start, atUs)
      end = Math.max(end, atUs)
    }
    if (start > end) return
    node.startUs = start
    node.endUs = end
  })
  root.endUs += Math.round((root.endUs - root.startUs) * PADDING)
}

const clock = (us: number): string => rfc3339(Math.floor(us / 1000)).slice(11, 19)

/** Drops tags for machines and says the time in the root's name, since a page shows offsets only. */
export const pruneTags = (root: ViewNode): void => {
  walkUp(root, (node) => {
    node.tags = Object.fromEntries(Object.entries(node.tags).filter(([key]) => !key.startsWith(HIDDEN_PREFIX)))
  })
  root.name = `${root.name} / ${clock(root.startUs)}..${clock(root.endUs)}`
}
