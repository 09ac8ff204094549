// A report as GitHub-flavoured Markdown, short enough for a comment on a pull request.
// Owns the markup; what is said comes from Judge.ts and Tables.ts.
import { clusterTables } from "./ClusterTables.ts"
import { federationTable } from "./FederationTables.ts"
import { addedTable, frontTable } from "./FrontTables.ts"
import type { Tone } from "./Judge.ts"
import type { Report } from "./Report.ts"
import {
  comparisonTable,
  countersTable,
  findingsTable,
  operationsTable,
  sloTable,
  type Table,
  watchTable
} from "./Tables.ts"
import { tracingTable } from "./TracingTables.ts"

const marks: Readonly<Record<Tone, string>> = { good: "✅", bad: "❌", warn: "⚠️", plain: "▫️" }

// Text from records (names, messages) must not end a cell or start markup.
const escaped = (text: string): string =>
  text.replace(/[\\`*_{}[\]<>|~]/g, (character) => `\\${character}`).replace(/\s*\n\s*/g, " ")

/** The answers, then the tables; details fold away. Ends in a line feed. */
export const renderMarkdown = (report: Report): string => {
  const { answers, exitCode, outcome } = report.judgement
  const open = [
    addedTable(report),
    federationTable(report),
    frontTable(report),
    tracingTable(report),
    ...report.comparisons.map(comparisonTable),
    sloTable(report)
  ]
  const folded = [
    ...clusterTables(report),
    operationsTable(report),
    watchTable(report),
    ...report.comparisons.map(countersTable),
    findingsTable(report)
  ]
  return [
    `### ${escaped(report.title)}`,
    "",
    ...answers.map(({ answer, details, question, tone }) =>
      [
        `- ${marks[tone]} **${escaped(question)}** ${escaped(answer)}`,
        ...details.map((detail) => `  - ${escaped(detail)}`)
      ].join("\n")
    ),
    ...open.flatMap((table) => (table === undefined ? [] : ["", ...tableLines(table)])),
    ...folded.flatMap((table) =>
      table === undefined
        ? []
        : ["", `<details><summary>${escaped(table.caption)}</summary>`, "", ...rowLines(table), "", "</details>"]
    ),
    "",
    `Exit code ${exitCode} (${outcome})`,
    ""
  ].join("\n")
}

const tableLines = (table: Table): ReadonlyArray<string> => [`**${escaped(table.caption)}**`, "", ...rowLines(table)]

const rowLines = (table: Table): ReadonlyArray<string> => [
  `| ${table.columns.map(({ title }) => escaped(title)).join(" | ")} |`,
  `| ${table.columns.map(({ numeric }) => (numeric ? "--:" : ":--")).join(" | ")} |`,
  ...table.rows.map((row) => `| ${row.map(({ text }) => escaped(text)).join(" | ")} |`)
]
