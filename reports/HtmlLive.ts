// The page of a run that is still going: what happens now, the cluster's zones and pods, and the lines that were said so far.
// Owns its frame and the shape of what it hears; page/Live.js fills it from the server's events, and ends by asking for the finished
// page. Offline like every page of ours, save for the events of the server that it came from.
import { createHash } from "node:crypto"
import { phaseOrder } from "./HtmlScrubber.ts"
import { escapeHtml } from "./HtmlText.ts"
import { pageAssets } from "./PageAssets.ts"

/** A cluster as it is at the moment. */
export interface LiveCluster {
  readonly virtualMs: number
  readonly durationMs: number
  readonly wallMs: number
  readonly speed: number
  readonly zones: ReadonlyArray<{ readonly name: string; readonly nodes: number; readonly ready: number }>
  readonly pods: Readonly<Record<string, number>>
  readonly residentBytes: number
  readonly violations: number
  readonly marks: ReadonlyArray<{ readonly kind: string; readonly text: string; readonly atMs: number }>
}

/** What a listener hears: everything that the page shows. */
export interface LiveState {
  readonly step: string
  readonly lines: ReadonlyArray<string>
  readonly cluster: LiveCluster | undefined
  readonly done: boolean
}

const phases = phaseOrder
  .map(
    (phase) =>
      `<li class="p-${phase.toLowerCase()}"><i aria-hidden="true"></i>${phase} <strong data-phase="${phase}">0</strong></li>`
  )
  .join("")
const bars = phaseOrder.map((phase) => `<span class="p-${phase.toLowerCase()}" data-bar="${phase}"></span>`).join("")

/** The page of a run that goes on. */
export const renderLivePage = (title: string): string => {
  const { live, style } = pageAssets()
  const hash = createHash("sha256").update(live).digest("base64")
  const policy = `default-src 'none'; script-src 'sha256-${hash}'; style-src 'unsafe-inline'; img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'`
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)} · running</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>
<header><div class="masthead"><p class="eyebrow">wharf run</p><h1>${escapeHtml(title)}</h1><p class="about" id="step">starting …</p></div>
<div class="actions"><p class="outcome t-warn" id="status" role="status">running</p></div></header>
<main id="main">
<noscript><p>This page follows a run by its script. Load it again for the finished report.</p></noscript>
<section id="live-cluster" aria-labelledby="live-title" hidden><h2 id="live-title">The cluster now</h2>
<div class="scrubber"><div class="now"><ul class="zones" id="zones"></ul><div class="pods"><div class="phasebar" aria-hidden="true">${bars}</div><ul class="phases">${phases}</ul></div></div>
<progress id="progress" max="1" value="0" aria-label="Virtual time"></progress>
<dl class="facts"><div><dt>Virtual time</dt><dd id="clock"></dd></div><div><dt>Speed</dt><dd id="speed"></dd></div><div><dt>Memory</dt><dd id="memory"></dd></div><div><dt>Violations</dt><dd id="violations"></dd></div></dl>
<ol class="moments" id="marks" aria-label="What happened last"></ol></div></section>
<section aria-labelledby="said-title"><h2 id="said-title">So far</h2><ol class="said" id="lines" aria-live="polite"></ol></section>
</main>
<script type="module">${live}</script>
</body>
</html>
`
}
