// A report as one self-contained HTML file: no network, no external file, nothing that only a mouse can reach.
// Owns the document's frame: head, content security policy, navigation, footer, embedded data. Sections live in
// HtmlSections.ts, the first screen in HtmlOverview.ts.
import { createHash } from "node:crypto"
import { frontCharts } from "./HtmlFront.ts"
import { type Chart, operationPanels, resourceCharts, watchCharts } from "./Charts.ts"
import { clusterCharts } from "./ClusterCharts.ts"
import { clustersOf, isClusterGroup } from "./ClusterSummary.ts"
import { exitCodeMeaning } from "./ExitCode.ts"
import { formatPlural } from "./Format.ts"
import { overviewHtml } from "./HtmlOverview.ts"
import { sectionsOf } from "./HtmlSections.ts"
import { escapeHtml, type Section, scriptJson, sectionHtml, toneMark } from "./HtmlText.ts"
import type { Tone } from "./Judge.ts"
import { pageAssets } from "./PageAssets.ts"
import type { Report } from "./Report.ts"

const chartsOf = (report: Report): Readonly<Record<string, Chart>> => {
  const charts = [
    ...operationPanels(report).flatMap(({ charts }) => charts),
    ...frontCharts(report),
    ...watchCharts(report),
    ...clusterCharts(report),
    ...resourceCharts(report)
  ]
  return Object.fromEntries(charts.map((chart) => [chart.id, chart]))
}

// Scripts run only when they are these very bytes, so nothing that a record carries can run.
const policyFor = (...scripts: ReadonlyArray<string>): string => {
  const hashes = scripts.map((script) => `'sha256-${createHash("sha256").update(script).digest("base64")}'`)
  return `default-src 'none'; script-src ${hashes.join(" ")}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'`
}

/** The page for one run, several backends, or a comparison. Offline and complete in itself. */
export const renderHtml = (report: Report): string => {
  const { cluster, script, style, uplot } = pageAssets()
  const more = clustersOf(report.groups).length > 0 ? [cluster] : []
  const sections = sectionsOf(report)
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policyFor(uplot, script, ...more)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(report.title)} · wharf report</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the report</a>
${headerHtml(report)}
${navigationHtml(sections)}
<main id="main" tabindex="-1">
<section id="overview" aria-labelledby="overview-title"><h2 id="overview-title" class="hidden">Overview</h2>
${overviewHtml(report)}
</section>
${sections.map(sectionHtml).join("\n")}
</main>
<footer><p>Exit code ${report.judgement.exitCode}: ${escapeHtml(exitCodeMeaning[report.judgement.outcome])}. ${latencyNote(report)} This page is complete in itself and loads nothing.</p></footer>
<script type="application/json" id="chart-data">${scriptJson(chartsOf(report))}</script>
<script>${uplot}</script>
<script type="module">${script}</script>${more.map((own) => `\n<script type="module">${own}</script>`).join("")}
</body>
</html>
`
}

const latencyNote = ({ groups }: Report): string => {
  const stores = "Latency of a load runs from the planned send time, so waiting behind a slow answer counts."
  const isSimulated = groups.some(({ records }) => records.some(({ target }) => target === "sim"))
  const clusters = isSimulated
    ? "Latency in a simulated cluster is virtual time, on the modelled network and disk."
    : "Latency in a cluster of real programs is the machine’s own time, from the client’s call to its answer."
  const notes = [
    groups.some((group) => !isClusterGroup(group)) ? stores : "",
    groups.some(isClusterGroup) ? clusters : ""
  ]
  return notes.filter((note) => note !== "").join(" ")
}

const outcomeTone = (report: Report): Tone => (report.judgement.outcome === "pass" ? "good" : "bad")

const headerHtml = (report: Report): string => {
  const records = report.groups.flatMap(({ records }) => records)
  const [first] = [...records].sort((x, y) => x.startedAt.localeCompare(y.startedAt))
  const machine = first === undefined ? "" : `${first.machine.cpuModel}, ${formatPlural(first.machine.cores, "core")}`
  const about = [
    first?.startedAt.slice(0, 16).replace("T", " ").concat(" UTC") ?? "",
    formatPlural(records.length, "run"),
    machine,
    `target ${[...new Set(records.map(({ target }) => target))].join(" and ")}`
  ].filter((text) => text !== "")
  const tone = outcomeTone(report)
  return `<header>
<div class="masthead"><p class="eyebrow">wharf report</p><h1>${escapeHtml(report.title)}</h1><p class="about">${about.map(escapeHtml).join(" · ")}</p></div>
<div class="actions"><p class="outcome t-${tone}">${toneMark(tone)} ${escapeHtml(report.judgement.outcome)}</p><button type="button" id="theme" hidden>Theme: automatic</button></div>
</header>`
}

const navigationHtml = (sections: ReadonlyArray<Section>): string =>
  `<nav aria-label="Sections"><ul>${[{ id: "overview", title: "Overview", body: "" }, ...sections]
    .map(({ id, short, title }: Section) => `<li><a href="#${id}">${escapeHtml(short ?? title)}</a></li>`)
    .join("")}</ul></nav>`
