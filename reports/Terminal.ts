// A report for a person at a terminal: the answers first, then the tables that fit its width.
// Owns characters, colours and widths; what is said comes from Judge.ts and Tables.ts. Writes nothing itself.
import { clusterTables } from "./ClusterTables.ts"
import { federationTable } from "./FederationTables.ts"
import { addedTable, frontTable } from "./FrontTables.ts"
import type { Tone } from "./Judge.ts"
import type { Report } from "./Report.ts"
import {
  type Cell,
  comparisonTable,
  componentsTable,
  findingsTable,
  operationsTable,
  sloTable,
  type Table,
  watchTable
} from "./Tables.ts"
import { tracingTable } from "./TracingTables.ts"

/** `width` in columns; `color` should be true only for a terminal and without NO_COLOR (see `terminalOptions`). */
export interface TerminalOptions {
  readonly width: number
  readonly color: boolean
}

/** What a stream can show: its width (80 when unknown), colour unless it is no terminal or NO_COLOR is set. */
export const terminalOptions = (
  stream: { readonly isTTY?: boolean; readonly columns?: number },
  environment: Readonly<Record<string, string | undefined>>
): TerminalOptions => ({
  width: Math.max(40, stream.columns ?? 80),
  color: stream.isTTY === true && (environment.NO_COLOR ?? "") === "" && environment.TERM !== "dumb"
})

const toneCodes: Readonly<Record<Tone, string>> = { good: "32", bad: "31", warn: "33", plain: "" }
const marks: Readonly<Record<Tone, string>> = { good: "✓", bad: "✗", warn: "!", plain: "·" }

const paint = (text: string, code: string, options: TerminalOptions): string =>
  options.color && code !== "" ? `\u001b[${code}m${text}\u001b[0m` : text

/** The whole summary, ending in a line feed. */
export const renderTerminal = (report: Report, options: TerminalOptions = { width: 80, color: false }): string => {
  const { answers, exitCode, outcome } = report.judgement
  const lines = [paint(report.title, "1", options), ""]
  for (const { answer, details, question, tone } of answers) {
    const fits = question.length + answer.length + 4 <= options.width
    const told = paint(answer, toneCodes[tone], options)
    lines.push(`${paint(marks[tone], toneCodes[tone], options)} ${question}${fits ? "  " : "\n    "}${told}`)
    lines.push(...details.flatMap((detail) => wrap(detail, options.width - 4)).map((line) => `    ${line}`))
  }
  const tables = [
    ...clusterTables(report),
    addedTable(report),
    federationTable(report),
    frontTable(report),
    tracingTable(report),
    operationsTable(report),
    watchTable(report),
    ...report.comparisons.map(comparisonTable),
    sloTable(report),
    componentsTable(report),
    findingsTable(report)
  ]
  for (const table of tables) if (table !== undefined) lines.push("", ...tableLines(table, options))
  lines.push("", `exit code ${exitCode} (${outcome})`, "")
  return lines.join("\n")
}

const wrap = (text: string, width: number): ReadonlyArray<string> => {
  const lines: Array<string> = []
  let line = ""
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line)
      line = word
    } else line = line === "" ? word : `${line} ${word}`
  }
  return line === "" ? lines : [...lines, line]
}

// Columns that do not fit are left out from the right, the last first, and the table says so.
const tableLines = (table: Table, options: TerminalOptions): ReadonlyArray<string> => {
  const widths = table.columns.map((column, index) =>
    Math.min(options.width, Math.max(column.title.length, ...table.rows.map((row) => row[index]?.text.length ?? 0)))
  )
  const isProse = table.id === "findings"
  if (isProse) return proseLines(table, options)
  let [shown, used] = [0, 0]
  while (shown < widths.length && used + (widths[shown] ?? 0) + 2 <= options.width + 2) {
    used += (widths[shown] ?? 0) + 2
    shown++
  }
  const line = (cells: ReadonlyArray<Cell>, code = "") =>
    cells
      .slice(0, shown)
      .map((cell, index) => {
        const width = widths[index] ?? 0
        const text = cell.text.slice(0, width)
        const padded = table.columns[index]?.numeric ? text.padStart(width) : text.padEnd(width)
        return paint(padded, cell.tone === undefined ? code : toneCodes[cell.tone], options)
      })
      .join("  ")
      .trimEnd()
  const hidden = widths.length - shown
  return [
    ...wrap(table.caption, options.width).map((text) => paint(text, "1", options)),
    line(
      table.columns.map(({ title }) => ({ text: title })),
      "2"
    ),
    ...table.rows.map((row) => line(row)),
    ...(hidden > 0 ? wrap(`(${hidden} more columns in a wider window and in the page)`, options.width) : []).map(
      (text) => paint(text, "2", options)
    )
  ]
}

const proseLines = (table: Table, options: TerminalOptions): ReadonlyArray<string> => [
  paint(table.caption, "1", options),
  ...table.rows.flatMap((row) => {
    const [severity, rule, what, where, times] = row.map((cell) => cell.text)
    const tone = row[0]?.tone ?? "plain"
    const repeated = times === "1" ? "" : `, ${times} times`
    const [first = "", ...rest] = wrap(`${severity} ${rule}: ${what} (${where}${repeated})`, options.width - 4)
    return [`  ${paint(marks[tone], toneCodes[tone], options)} ${first}`, ...rest.map((line) => `    ${line}`)]
  })
]
