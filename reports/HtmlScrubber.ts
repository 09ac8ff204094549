// The time scrubber over a cluster's state: nodes ready by zone, pods by phase, and a timeline with faults and actions marked on it,
// moved by a slider, buttons or the marks themselves.
// Owns its markup, complete at the last moment without script; page/Cluster.js moves it. The same data stands in a table below.
import { slug } from "./Charts.ts"
import type { ClusterSummary } from "./ClusterSummary.ts"
import { formatClock, formatCount } from "./Format.ts"
import { escapeHtml, scriptJson, tableHtml } from "./HtmlText.ts"
import type { ClusterMark, RecordedState } from "./RecordedCluster.ts"
import type { Table } from "./Tables.ts"

/** Phases from the bottom of the stack to its top, each with its colour's class. */
export const phaseOrder = ["Running", "Succeeded", "Pending", "Unscheduled", "Terminating", "Failed"] as const

const WIDTH = 1000
const STACK_TOP = 8
const STACK_HEIGHT = 120
const STRIP = 12
const CELLS_MAX = 100
const COLUMNS = 20
const ROWS_SHOWN = 48

const at = (column: ReadonlyArray<number> | undefined, index: number): number => column?.[index] ?? 0
const totalAt = (state: RecordedState, index: number): number =>
  phaseOrder.reduce((sum, phase) => sum + at(state.pods[phase], index), 0)

/** Cells of a zone's square that are lit: none and all are never rounded to. */
export const litCells = (ready: number, nodes: number): number => {
  const cells = Math.min(nodes, CELLS_MAX)
  if (ready <= 0 || nodes === 0) return 0
  if (ready >= nodes) return cells
  return Math.min(cells - 1, Math.max(1, Math.round((ready / nodes) * cells)))
}

const zoneHtml = (zone: RecordedState["zones"][number], index: number): string => {
  const ready = at(zone.ready, index)
  const cells = Math.min(zone.nodes, CELLS_MAX)
  const lit = litCells(ready, zone.nodes)
  const squares = Array.from(
    { length: cells },
    (_, cell) =>
      `<rect class="${cell < lit ? "on" : "off"}" x="${(cell % COLUMNS) * 11}" y="${Math.floor(cell / COLUMNS) * 11}" width="9" height="9" rx="2"/>`
  ).join("")
  const height = Math.ceil(cells / COLUMNS) * 11
  return `<li><p class="zone"><strong>${escapeHtml(zone.name)}</strong> <span class="count">${formatCount(ready)} of ${formatCount(zone.nodes)} ready</span></p><svg class="waffle" viewBox="0 0 ${COLUMNS * 11 - 2} ${height}" width="${COLUMNS * 11 - 2}" height="${height}" aria-hidden="true">${squares}</svg></li>`
}

const phaseHtml = (state: RecordedState, index: number): string => {
  const total = totalAt(state, index)
  const bars = phaseOrder
    .map((phase) => {
      const share = total === 0 ? 0 : (at(state.pods[phase], index) * 100) / total
      return `<span class="p-${phase.toLowerCase()}" data-bar="${phase}" style="width:${share.toFixed(3)}%"></span>`
    })
    .join("")
  const list = phaseOrder
    .map(
      (phase) =>
        `<li class="p-${phase.toLowerCase()}"><i aria-hidden="true"></i>${phase} <strong data-phase="${phase}">${formatCount(at(state.pods[phase], index))}</strong></li>`
    )
    .join("")
  return `<div class="phasebar" aria-hidden="true">${bars}</div><ul class="phases">${list}</ul>`
}

const scaleX = (state: RecordedState): ((ms: number) => number) => {
  const end = state.atMs.at(-1) ?? 1
  return (ms) => +((Math.min(ms, end) / end) * WIDTH).toFixed(1)
}

const stackSvg = (state: RecordedState): string => {
  const x = scaleX(state)
  const highest = Math.max(1, ...state.atMs.map((_, index) => totalAt(state, index)))
  const y = (count: number): number => +(STACK_TOP + STACK_HEIGHT * (1 - count / highest)).toFixed(1)
  const below = state.atMs.map(() => 0)
  return phaseOrder
    .map((phase) => {
      const lower = [...below]
      for (const [index] of below.entries()) below[index] = (below[index] ?? 0) + at(state.pods[phase], index)
      if (below.every((count, index) => count === lower[index])) return ""
      const up = state.atMs.map((ms, index) => `${x(ms)},${y(at(below, index))}`)
      const down = state.atMs.map((ms, index) => `${x(ms)},${y(at(lower, index))}`).toReversed()
      return `<polygon class="p-${phase.toLowerCase()}" points="${[...up, ...down].join(" ")}"/>`
    })
    .join("")
}

/** One strip per zone; stretches in which the same share of nodes is ready are one piece. */
const stripsSvg = (state: RecordedState): string => {
  const x = scaleX(state)
  const top = STACK_TOP + STACK_HEIGHT + 8
  return state.zones
    .map((zone, row) => {
      const pieces: Array<string> = []
      let from = 0
      for (let index = 1; index <= state.atMs.length; index++) {
        const ready = at(zone.ready, from)
        if (index < state.atMs.length && at(zone.ready, index) === ready) continue
        const [left, right] = [
          x(from === 0 ? 0 : (state.atMs[from] ?? 0)),
          x(state.atMs[index] ?? state.atMs.at(-1) ?? 0)
        ]
        const share = zone.nodes === 0 ? 0 : ready / zone.nodes
        pieces.push(
          `<rect class="strip" x="${left}" y="${top + row * STRIP}" width="${Math.max(0.8, right - left).toFixed(1)}" height="${STRIP - 3}" style="--share:${share.toFixed(3)}"/>`
        )
        from = index
      }
      return pieces.join("")
    })
    .join("")
}

const marksSvg = (state: RecordedState, marks: ReadonlyArray<ClusterMark>, height: number): string => {
  const x = scaleX(state)
  return marks
    .map(({ atMs, durationMs, kind }) => {
      const [left, right] = [x(atMs), x(atMs + (durationMs ?? 0))]
      const band =
        right - left < 2
          ? ""
          : `<rect class="band m-${kind}" x="${left}" y="0" width="${(right - left).toFixed(1)}" height="${height}"/>`
      return `${band}<line class="tick m-${kind}" x1="${left}" y1="0" x2="${left}" y2="${height}"/>`
    })
    .join("")
}

const timelineSvg = ({ marks, state }: ClusterSummary["cluster"]): string => {
  const height = STACK_TOP + STACK_HEIGHT + 8 + state.zones.length * STRIP + 2
  return `<svg class="timeline" viewBox="0 0 ${WIDTH} ${height}" height="${height}" preserveAspectRatio="none" aria-hidden="true">${marksSvg(state, marks, height)}${stackSvg(state)}${stripsSvg(state)}<line class="cursor" x1="${WIDTH}" y1="0" x2="${WIDTH}" y2="${height}"/></svg>`
}

const markSigns = { fault: "▲", action: "●", violation: "✗" } as const
const markWords = { fault: "fault", action: "action", violation: "violation" } as const
const momentsMax = 40

const momentsHtml = (marks: ReadonlyArray<ClusterMark>): string => {
  if (marks.length === 0) return ""
  const items = marks
    .slice(0, momentsMax)
    .map(
      ({ atMs, kind, text }) =>
        `<li><button type="button" class="moment m-${kind}" data-at="${atMs}"><span aria-hidden="true">${markSigns[kind]}</span> <span class="hidden">${markWords[kind]} at</span> ${formatClock(atMs)} ${escapeHtml(text)}</button></li>`
    )
  const more = marks.length > momentsMax ? `<li>and ${marks.length - momentsMax} more, see the table</li>` : ""
  return `<ol class="moments" aria-label="What happened; each leads to its moment">${items.join("")}${more}</ol>`
}

/** What a moment looks like, in one sentence. */
const spoken = (state: RecordedState, index: number): string => {
  const [ready, nodes] = [
    state.zones.reduce((sum, zone) => sum + at(zone.ready, index), 0),
    state.zones.reduce((sum, zone) => sum + zone.nodes, 0)
  ]
  return `${formatClock(state.atMs[index] ?? 0)}: ${formatCount(ready)} of ${formatCount(nodes)} nodes ready, ${formatCount(at(state.pods["Running"], index))} of ${formatCount(totalAt(state, index))} pods running`
}

const stateTable = ({ cluster, name }: ClusterSummary): Table => {
  const { state } = cluster
  const step = Math.max(1, Math.ceil(state.atMs.length / ROWS_SHOWN))
  const rows = state.atMs
    .map((_, index) => index)
    .filter((index) => index % step === 0 || index === state.atMs.length - 1)
  return {
    id: `state-table-${name}`,
    caption: "State over time: nodes ready by zone, pods by phase",
    columns: [
      { title: "virtual time", numeric: false },
      ...state.zones.map((zone) => ({ title: `${zone.name} ready`, numeric: true })),
      ...phaseOrder.map((phase) => ({ title: phase, numeric: true }))
    ],
    rows: rows.map((index) => [
      { text: formatClock(state.atMs[index] ?? 0) },
      ...state.zones.map((zone) => ({ text: formatCount(at(zone.ready, index)) })),
      ...phaseOrder.map((phase) => ({ text: formatCount(at(state.pods[phase], index)) }))
    ])
  }
}

/** The scrubber of one cluster; empty when its state was never sampled. */
export const scrubberHtml = (summary: ClusterSummary): string => {
  const { marks, state } = summary.cluster
  const last = state.atMs.length - 1
  if (last < 0) return ""
  const id = `scrubber-${slug(summary.name)}`
  const data = { atMs: state.atMs, zones: state.zones, pods: state.pods, phases: phaseOrder, cells: CELLS_MAX }
  return `<figure class="scrubber" id="${id}" data-state="${id}-data"><figcaption>State over time</figcaption>
<div class="now"><ul class="zones">${state.zones.map((zone) => zoneHtml(zone, last)).join("")}</ul><div class="pods">${phaseHtml(state, last)}</div></div>
<div class="track">${timelineSvg(summary.cluster)}<input type="range" class="slide" min="0" max="${last}" value="${last}" step="1" aria-label="Moment of virtual time" aria-valuetext="${escapeHtml(spoken(state, last))}"></div>
<p class="legendline" aria-hidden="true"><span>pods by phase, and below them each zone’s nodes: full when all are ready</span><span>${formatClock(state.atMs[last] ?? 0)}</span></p>
<div class="controls"><button type="button" data-move="previous">Previous event</button><button type="button" data-move="play">Play</button><button type="button" data-move="next">Next event</button><output class="moment-text">${escapeHtml(spoken(state, last))}</output></div>
${momentsHtml(marks)}
<details><summary>State over time as a table</summary>${tableHtml(stateTable(summary))}</details>
<script type="application/json" id="${id}-data">${scriptJson(data)}</script></figure>`
}
