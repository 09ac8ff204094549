// The page's section about a Kubernetes API front: what it adds, what it uses, its connections, and its limits over time.
// Owns that section's order and charts; numbers are FrontTables.ts's and the record's.
import { type Chart, type Column, timeChart } from "./Charts.ts"
import { addedTable, frontGroups, frontTable } from "./FrontTables.ts"
import { chartHtml } from "./HtmlCharts.ts"
import { isRefusal } from "./Metrics.ts"
import { escapeHtml, type Section, tableHtml } from "./HtmlText.ts"
import type { Report } from "./Report.ts"
import type { RunRecord } from "./RunRecord.ts"

const connections: Column = ({ front }) =>
  (front?.connections.open ?? []).map((open, index) => [front?.connections.atS[index] ?? 0, open] as const)

/** Operations that were limited: those with an account of refusals, and that account. */
const limited = ({ operations, series }: RunRecord, refused: boolean): ReadonlyArray<number> => {
  const refusals = new Set(operations.map(({ name }) => name).filter(isRefusal))
  const names = refused ? refusals : new Set([...refusals].map((name) => name.replace(/ refused$/, "")))
  return series.atS.map((_, index) =>
    series.operations.reduce((sum, { completed, name }) => sum + (names.has(name) ? (completed[index] ?? 0) : 0), 0)
  )
}

const limitColumn =
  (refused: boolean): Column =>
  (record) =>
    limited(record, refused).map((value, index) => [record.series.atS[index] ?? 0, value] as const)

const hasRefusals = (report: Report): boolean =>
  frontGroups(report).some(({ records }) =>
    records.some(({ operations }) => operations.some(({ completed, name }) => completed > 0 && isRefusal(name)))
  )

/** Connections at the upstream, and what limits let through, second by second. */
export const frontCharts = (report: Report): ReadonlyArray<Chart> => {
  if (frontGroups(report).length === 0) return []
  const open = timeChart(report, {
    id: "front-connections",
    title: "Connections at the upstream, each second",
    unit: "count",
    columns: [{ suffix: "", column: connections }]
  })
  if (!hasRefusals(report)) return [open]
  const rate = (id: string, title: string, refused: boolean) =>
    timeChart(report, { id, title, unit: "ops/s", columns: [{ suffix: "", column: limitColumn(refused) }] })
  return [
    rate("front-admitted", "Limited requests that were let through, each second", false),
    rate("front-refused", "Limited requests that were refused, each second", true),
    open
  ]
}

const behind = (report: Report): string => {
  const sides = new Set(
    frontGroups(report).flatMap(({ records }) =>
      records.flatMap(({ front }) => {
        if (front === undefined) return []
        const { instances, upstream, upstreamVersion, upstreams } = front
        const many = upstreams === 1 ? "" : `${upstreams} × `
        const beside = instances === 1 ? "" : `, ${instances} instances of each front`
        return [`${many}${upstream} (${upstreamVersion})${beside}`]
      })
    )
  )
  return [...sides].join("; ")
}

/** The section; none without runs against a front. */
export const frontSections = (report: Report): ReadonlyArray<Section> => {
  const uses = frontTable(report)
  if (uses === undefined) return []
  const added = addedTable(report)
  const note = `<p class="note">${escapeHtml(`Every front stands before ${behind(report)}. Clients, front and upstream share the machine. A front's processor time is read when the loads begin and when they end; what refreshes itself meanwhile, such as health checks, counts as used.`)}</p>`
  const charts = `<div class="charts">${frontCharts(report)
    .filter(({ series }) => series.length > 0)
    .map(chartHtml)
    .join("\n")}</div>`
  const body = [added === undefined ? "" : tableHtml(added), tableHtml(uses), note, charts].join("\n")
  return [{ id: "front", title: "Front", body }]
}
