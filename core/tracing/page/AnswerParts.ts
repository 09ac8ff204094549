// Answers as the pages show them: the sentence first, then the spans that it rests on.
// Owns that markup; refuses to judge.
import type { Answer } from "../answers/Answer.ts"
import type { ObjectKey } from "../model/ObjectKey.ts"
import { markup, type Html } from "./PageHtml.ts"

const words = {
  unscheduled: "Not scheduled",
  quota: "Refused by a quota",
  finalizer: "Held by a finalizer",
  crashLoop: "Crash loop",
  nodeGone: "Node gone",
  hotLoop: "Update loop",
  fieldFight: "Field fight"
} as const

/** Where to read more of an object. */
export const objectHref = (
  { cluster, group, name, namespace, resource }: ObjectKey,
  hours: number,
  mode?: string
): string => {
  const query = new URLSearchParams({ cluster, group, resource, namespace, name, hours: String(hours) })
  if (mode !== undefined) query.set("mode", mode)
  return `/object?${query.toString()}`
}

const answerItem = ({ evidence, kind, object, sentence }: Answer, hours: number): Html => markup`<li>
<span class="kind">${words[kind]}.</span> ${sentence}
<small>It rests on ${evidence.map(({ says, spanId }, at) => markup`${at === 0 ? "" : ", "}<a href="${objectHref(object, hours, "tree")}#s-${spanId}">${says}</a>`)}.</small></li>`

/** The answers, or that there are none. */
export const answersList = (answers: ReadonlyArray<Answer>, none: string, hours: number): Html =>
  answers.length === 0
    ? markup`<p class="well">${none}</p>`
    : markup`<ul class="answers">${answers.map((one) => answerItem(one, hours))}</ul>`
