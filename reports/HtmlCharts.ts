// The page's charts as markup: a figure that the script draws into, its legend, its values read aloud, and the same
// data as a table, so that nothing depends on sight or script.
// Owns the description of charts. Data comes from Charts.ts, pixels from page/Page.js.
import type { Chart, ChartPanel, ChartUnit } from "./Charts.ts"
import { formatBytes, formatClock, formatCount, formatPercent, formatRate, formatUs, nothing } from "./Format.ts"
import { escapeHtml, tableHtml } from "./HtmlText.ts"
import type { Table } from "./Tables.ts"

const formatValue = (value: number | null, unit: ChartUnit): string => {
  if (value === null) return nothing
  if (unit === "us") return formatUs(value)
  if (unit === "bytes") return formatBytes(Math.round(value))
  if (unit === "count") return formatCount(value)
  if (unit === "ms") return formatUs(value * 1000)
  return unit === "%" ? formatPercent(value) : formatRate(value)
}

const tablePercentiles = new Set([0, 50, 75, 90, 95, 99, 99.5, 99.9, 99.95, 99.99])

const clockRowsMax = 48

// A day's samples would be a long table; every few of them tell the same, and the last one is always there.
const everyFew = (length: number): ReadonlyArray<number> => {
  const step = Math.max(1, Math.ceil(length / clockRowsMax))
  return Array.from({ length }, (_, index) => index).filter((index) => index % step === 0 || index === length - 1)
}

const xTitles = { percentile: "percentile", time: "second", clock: "virtual time", scale: "nodes" } as const

const xText = ({ kind, x }: Chart, index: number): string => {
  const value = x[index] ?? 0
  if (kind === "percentile") return percentileName(value)
  if (kind === "clock") return formatClock(value * 1000)
  return kind === "scale" ? formatCount(value) : String(value)
}

// Every second of a time chart, but of a curve only the rows nearest to the percentiles that people ask for.
const shownRows = (chart: Chart): ReadonlyArray<number> => {
  if (chart.kind === "clock") return everyFew(chart.x.length)
  if (chart.kind !== "percentile") return chart.x.map((_, index) => index)
  const nearest = [...tablePercentiles].map((wanted) => {
    let best = 0
    for (const [index, percentile] of chart.x.entries()) {
      if (Math.abs(percentile - wanted) < Math.abs((chart.x[best] ?? 0) - wanted)) best = index
    }
    return best
  })
  return [...new Set(nearest)]
}

const percentileName = (percentile: number): string => `p${+percentile.toFixed(2)}`

const dataTable = (chart: Chart): Table => ({
  id: `${chart.id}-data`,
  caption: `${chart.title}: data`,
  columns: [
    { title: xTitles[chart.kind], numeric: false },
    ...chart.series.map(({ name }) => ({ title: name, numeric: true }))
  ],
  rows: shownRows(chart).map((index) => [
    { text: xText(chart, index) },
    ...chart.series.map(({ values }) => ({ text: formatValue(values[index] ?? null, chart.unit) }))
  ])
})

// One sentence per line for those who cannot see it: where a curve ends, how far a second-by-second line swings.
const spoken = (chart: Chart): string => {
  const lines = chart.series.map(({ name, values }) => {
    const known = values.filter((value) => value !== null)
    if (known.length === 0) return `${name}: no data`
    if (chart.kind !== "percentile") {
      const [low, high] = [Math.min(...known), Math.max(...known)].map((value) => formatValue(value, chart.unit))
      return `${name}: between ${low} and ${high}`
    }
    const last = values.findLastIndex((value) => value !== null)
    return `${name}: ${formatValue(values[0] ?? null, chart.unit)} at the fastest, ${formatValue(values[last] ?? null, chart.unit)} at ${percentileName(chart.x[last] ?? 0)}`
  })
  return `${chart.title}. ${lines.join("; ")}. Left and right arrow keys read single values; the table below holds them all.`
}

const legend = (chart: Chart): string =>
  `<ul class="legend">${chart.series
    .map(
      ({ name, slot }) =>
        `<li class="s${slot % 6}"><svg width="28" height="8" aria-hidden="true"><line x1="1" y1="4" x2="27" y2="4"/></svg>${escapeHtml(name)}</li>`
    )
    .join("")}</ul>`

/** One chart as a figure. */
export const chartHtml = (chart: Chart): string =>
  `<figure class="chart ${chart.kind}"><figcaption>${escapeHtml(chart.title)}</figcaption>${legend(chart)}
<div class="plotarea" data-chart="${chart.id}" role="img" tabindex="0" aria-label="${escapeHtml(spoken(chart))}" aria-describedby="${chart.id}-readout"></div>
<p class="readout" id="${chart.id}-readout" aria-live="polite"></p>
<details><summary>Data of this chart as a table</summary>${tableHtml(dataTable(chart))}</details></figure>`

/** Panels behind tabs; without the script all of them are shown, one below the other. */
export const tabsHtml = (id: string, label: string, panels: ReadonlyArray<ChartPanel>): string => {
  const tabs = panels.map(
    (panel, index) =>
      `<button type="button" role="tab" id="tab-${panel.id}" aria-controls="panel-${panel.id}" aria-selected="${index === 0}"${index === 0 ? "" : ` tabindex="-1"`}>${escapeHtml(panel.title)}</button>`
  )
  const bodies = panels.map(
    (panel) =>
      `<div role="tabpanel" id="panel-${panel.id}" aria-labelledby="tab-${panel.id}"><h3 class="paneltitle">${escapeHtml(panel.title)}</h3><div class="charts">${panel.charts.map(chartHtml).join("\n")}</div></div>`
  )
  return `<div class="tabs" id="${id}"><div role="tablist" aria-label="${escapeHtml(label)}">${tabs.join("")}</div>${bodies.join("\n")}</div>`
}
