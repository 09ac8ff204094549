// An object's family as lines for a terminal: what it made, how far each is, and what holds it, the answers first.
// Owns the words; refuses to look anything up.
import type { Span } from "../model/Span.ts"
import { ageText, type Answer, objectWords } from "./Answer.ts"
import { createdUs, type ObjectLife, subresourceOf, succeeded, textAt, verbOf } from "./ObjectLife.ts"
import type { Stuck } from "./Stuck.ts"
import type { Member, Why } from "./Why.ts"

/** Answers with the spans that they rest on. */
export const answersText = ({ answers, known, object }: Why): ReadonlyArray<string> => {
  if (!known) return [`nothing is known of ${objectWords(object)} in the last day`]
  if (answers.length === 0) return [`nothing holds ${objectWords(object)}, as far as is known`]
  return answers.flatMap(answerLines)
}

const answerLines = ({ evidence, sentence }: Answer): ReadonlyArray<string> => [
  sentence,
  ...evidence.map(({ says, spanId, traceId }) => `  ${says}: trace ${traceId}, span ${spanId}`)
]

/** Everything that is stuck, and how many objects were judged for it. */
export const stuckText = ({ answers, cut, judged }: Stuck): ReadonlyArray<string> => [
  ...answers.flatMap(answerLines),
  `${answers.length === 0 ? "nothing is stuck" : `${answers.length} answers`}, of ${judged} objects judged`,
  ...(cut ? ["the oldest signs of trouble were not looked at"] : [])
]

/** The family as a tree. */
export const familyText = (why: Why, nowUs: number): ReadonlyArray<string> => {
  const lines = [...answersText(why)]
  if (why.member === undefined) return lines
  lines.push("", `${objectWords(why.object)}: ${stateOf(why.member.life, nowUs)}`)
  addChildren(lines, why.member, "", nowUs)
  const counts = countsOf(why.member)
  if (counts !== "") lines.push("", `it made ${counts}`)
  if (why.leftOut > 0) lines.push(`${why.leftOut} more objects were not looked at`)
  return lines
}

const addChildren = (lines: Array<string>, { children }: Member, indent: string, nowUs: number): void => {
  for (const [at, child] of children.entries()) {
    const isLast = at === children.length - 1
    const held = child.answers.length === 0 ? "" : "  <- held"
    const mark = `${indent}${isLast ? "└─ " : "├─ "}`
    lines.push(`${mark}${objectWords(child.life.object)}: ${stateOf(child.life, nowUs)}${held}`)
    addChildren(lines, child, `${indent}${isLast ? "   " : "│  "}`, nowUs)
  }
}

/** Objects below by kind, like "2 replicasets and 7 pods". */
export const countsOf = (member: Member): string => {
  const counts = new Map<string, number>()
  const count = ({ children }: Member): void => {
    for (const child of children) {
      const { resource } = child.life.object
      counts.set(resource, (counts.get(resource) ?? 0) + 1)
      count(child)
    }
  }
  count(member)
  return Array.from(counts, ([resource, many]) => `${many} ${resource}`).join(" and ")
}

/** How far an object is, in a few words. */
export const stateOf = (life: ObjectLife, nowUs: number): string => {
  const { audits, body, gone, object } = life
  const age = ageText(Math.max((nowUs - createdUs(life)) / 1000, 0))
  const writes = audits.filter((span) => succeeded(span) && verbOf(span) !== "get").length
  const said = `${writes} changes`
  if (gone) return `gone, ${said}`
  const phase = textAt(body, "status", "phase")
  const node = textAt(body, "spec", "nodeName") || nodeOfBinding(audits)
  const place = object.resource === "pods" ? (node === "" ? "no node" : `on ${node}`) : ""
  return [phase, place, `${age} old`, said].filter((part) => part !== "").join(", ")
}

const nodeOfBinding = (audits: ReadonlyArray<Span>): string => {
  const bound = audits.find((span) => subresourceOf(span) === "binding" && succeeded(span))
  return bound === undefined ? "" : "a node"
}
