// Escaping, and the page's small recurring pieces of markup: tables, verdict badges, sections.
// Owns that text from records can never become markup. Holds no report content.
import type { Tone } from "./Judge.ts"
import type { Cell, Table } from "./Tables.ts"

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;"
}

/** Text for element content and quoted attributes. */
export const escapeHtml = (text: string): string =>
  text.toWellFormed().replace(/[&<>"']/g, (character) => entities[character] ?? character)

/** JSON that can stand inside a script element. */
export const scriptJson = (value: unknown): string =>
  JSON.stringify(value).replace(
    /[<\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`
  )

const marks: Readonly<Record<Tone, string>> = { good: "✓", bad: "✗", warn: "!", plain: "·" }

/** A tone's mark; hidden from screen readers because the words beside it say the same. */
export const toneMark = (tone: Tone): string => `<span class="mark" aria-hidden="true">${marks[tone]}</span>`

const cellHtml = (cell: Cell, numeric: boolean, isHead: boolean): string => {
  const text = escapeHtml(cell.text)
  const told = cell.tone === undefined || cell.tone === "plain" ? text : `${toneMark(cell.tone)} ${text}`
  const names = [numeric ? "n" : "", cell.tone === undefined ? "" : `t-${cell.tone}`].filter((name) => name !== "")
  const attribute = names.length === 0 ? "" : ` class="${names.join(" ")}"`
  return isHead ? `<th scope="row"${attribute}>${told}</th>` : `<td${attribute}>${told}</td>`
}

/** `extra` adds one more column of ready markup per row, under the given heading. */
export interface ExtraColumn {
  readonly title: string
  readonly after: number
  readonly cells: ReadonlyArray<string>
}

/** A table with its caption, scrollable by itself when it is wider than the page. */
export const tableHtml = (table: Table, extra?: ExtraColumn): string => {
  const head = table.columns.map(
    ({ numeric, title }) => `<th scope="col"${numeric ? ` class="n"` : ""}>${escapeHtml(title)}</th>`
  )
  if (extra !== undefined) head.splice(extra.after, 0, `<th scope="col">${escapeHtml(extra.title)}</th>`)
  const rows = table.rows.map((row, at) => {
    const cells = row.map((cell, index) => cellHtml(cell, table.columns[index]?.numeric ?? false, index === 0))
    if (extra !== undefined) cells.splice(extra.after, 0, `<td class="plot">${extra.cells[at] ?? ""}</td>`)
    return `<tr>${cells.join("")}</tr>`
  })
  const label = escapeHtml(table.caption)
  return `<div class="scroll" role="region" aria-label="${label}"><table><caption>${label}</caption><thead><tr>${head.join("")}</tr></thead><tbody>${rows.join("\n")}</tbody></table></div>`
}

/** A landmark with a heading; the page's navigation lists them. */
export interface Section {
  readonly id: string
  readonly title: string
  /** In the navigation, where the title is too long for it. */
  readonly short?: string
  readonly body: string
}

/** A section as a landmark that its heading names. */
export const sectionHtml = ({ body, id, title }: Section): string =>
  `<section id="${id}" aria-labelledby="${id}-title"><h2 id="${id}-title">${escapeHtml(title)}</h2>\n${body}\n</section>`

/** A term and its description in a definition list. */
export const facts = (pairs: ReadonlyArray<readonly [term: string, description: string]>): string =>
  `<dl class="facts">${pairs.map(([term, description]) => `<div><dt>${escapeHtml(term)}</dt><dd>${escapeHtml(description)}</dd></div>`).join("")}</dl>`
