// The first page: what is stuck anywhere, and the objects that a search found.
// Owns that markup; refuses to search.
import { objectWords } from "../answers/Answer.ts"
import type { Stuck } from "../answers/Stuck.ts"
import type { ObjectKey } from "../model/ObjectKey.ts"
import { answersList, objectHref } from "./AnswerParts.ts"
import { type Html, markup } from "./PageHtml.ts"

/** Objects that a page lists. */
export const RESULTS_MAX = 200

export interface SearchPageOptions {
  /** Undefined when a search was made, which answers another question. */
  readonly stuck: Stuck | undefined
  readonly found: ReadonlyArray<ObjectKey>
  readonly hours: number
  readonly isSearch: boolean
}

export const searchPage = ({ found, hours, isSearch, stuck }: SearchPageOptions): Html => {
  const rows = found
    .slice(0, RESULTS_MAX)
    .map(
      (object) =>
        markup`<tr><th scope="row"><a href="${objectHref(object, hours)}">${objectWords(object)}</a></th><td>${object.group === "" ? "core" : object.group}</td><td>${object.cluster}</td></tr>`
    )
  const more =
    found.length > RESULTS_MAX
      ? markup`<p class="dim">The newest ${RESULTS_MAX} of more; ask more precisely.</p>`
      : undefined
  const cut = stuck?.cut === true ? " The oldest signs of trouble were not looked at." : ""
  const troubles =
    stuck === undefined
      ? undefined
      : markup`<h1>What is stuck</h1><section aria-label="Answers">${answersList(stuck.answers, `Nothing, of ${stuck.judged} objects with anything new.`, hours)}</section><p class="dim">${stuck.judged} objects were judged.${cut}</p>`
  const list =
    rows.length === 0
      ? markup`<p>${isSearch ? "Nothing was found." : "Nothing has been seen yet."}</p>`
      : markup`<div class="scroll" role="region" aria-label="Objects" tabindex="0"><table><caption class="dim">By the newest that happened</caption><thead><tr><th scope="col">Object</th><th scope="col">Group</th><th scope="col">Cluster</th></tr></thead><tbody>${rows}</tbody></table></div>`
  return markup`${troubles}<h2>${isSearch ? "Found" : "Seen lately"}</h2>${list}${more}`
}
