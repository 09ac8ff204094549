// One object's page: the answer at the top, then its timeline as a tree, each span with what happened and what changed.
// Owns that markup; refuses to choose what is shown, which the display mode did.
import { rfc3339Micro } from "#kube"
import { objectWords } from "../answers/Answer.ts"
import type { Why } from "../answers/Why.ts"
import type { OutLog, OutSpan } from "../otlp/OutSpan.ts"
import type { DisplayMode } from "../view/DisplayModes.ts"
import type { TraceView } from "../view/TraceViews.ts"
import { answersList } from "./AnswerParts.ts"
import { Html, markup } from "./PageHtml.ts"

/** Spans and logs that one page shows; the rest is said to be left out, and stands in the trace's JSON. */
const SPANS_MAX = 2000
const LOGS_MAX = 3000

interface Scale {
  readonly startUs: number
  readonly lengthUs: number
}

/** What one page may still show. */
interface Budget {
  spans: number
  logs: number
}

const clock = (us: number): string => rfc3339Micro(us / 1000).slice(11, 23)

const durationText = (us: number): string =>
  us < 1000
    ? `${us} µs`
    : us < 1e6
      ? `${Math.round(us / 1000)} ms`
      : us < 1.2e8
        ? `${(us / 1e6).toFixed(1)} s`
        : `${Math.round(us / 6e7)} min`

const bar = ({ endUs, failed, logs, startUs }: OutSpan, { lengthUs, startUs: from }: Scale): Html => {
  const x = (us: number): string => ((Math.min(Math.max((us - from) / lengthUs, 0), 1) * 1000) | 0).toString()
  const width = Math.max(Math.round(((endUs - startUs) / lengthUs) * 1000), 3)
  const ticks = logs
    .slice(0, 200)
    .map(({ atUs }) => markup`<rect class="t" x="${x(atUs)}" y="0" width="2" height="10"/>`)
  return markup`<svg class="bar" viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true"><rect class="r${failed ? " f" : ""}" x="${x(startUs)}" y="3" width="${Math.min(width, 1000)}" height="4"/>${ticks}</svg>`
}

/** "path old -> new" with both sides marked; as it is when it is not of that form. */
const diffLine = (line: string): Html => {
  const space = line.indexOf(" ")
  const arrow = line.indexOf(" -> ", space)
  if (space < 0 || arrow < 0) return markup`<div>${line}</div>`
  const [path, before, after] = [line.slice(0, space), line.slice(space + 1, arrow), line.slice(arrow + 4)]
  const old = before === "(none)" ? "" : markup`<del>${before}</del> `
  const now = after === "(none)" ? "" : markup`<ins>${after}</ins>`
  return markup`<div>${path} ${old}${now}</div>`
}

const pretty = (text: string): string => {
  try {
    return JSON.stringify(JSON.parse(text), undefined, 2)
  } catch {
    return text
  }
}

const longFields: Readonly<Record<string, (text: string) => Html>> = {
  diff: (text) =>
    markup`<div class="diff" role="group" aria-label="changes" tabindex="0">${text.split("\n").map(diffLine)}</div>`,
  "verbose diff": (text) =>
    markup`<details><summary><span class="name">bookkeeping</span></summary><div class="diff">${text.split("\n").map(diffLine)}</div></details>`,
  snapshot: (text) =>
    markup`<details><summary><span class="name">the object as it was</span></summary><pre tabindex="0">${pretty(text)}</pre></details>`
}

/** Fields that a log's first line shows. */
const headFields = new Set(["title", "audit", "event", "message", "error", "note"])

const logItem = ({ atUs, fields, name }: OutLog): Html => {
  const { audit, error, event, message, note, title } = fields
  const type = name === "audit/objectDiff" ? "diff" : name === "audit/objectSnapshot" ? "snapshot" : undefined
  const isPlain = title === undefined && type === undefined
  const head = audit ?? event ?? (isPlain ? `${name}: ${message ?? ""}` : "")
  const shown = message === undefined || isPlain || type !== undefined ? undefined : markup`<p>${message}</p>`
  const own = type === undefined || message === undefined ? undefined : longFields[type](message)
  const long = Object.entries(longFields).flatMap(([field, show]) =>
    fields[field] === undefined ? [] : [show(fields[field])]
  )
  const rest = Object.entries(fields).filter(([field]) => !headFields.has(field) && longFields[field] === undefined)
  return markup`<li><time datetime="${rfc3339Micro(atUs / 1000)}">${clock(atUs)}</time><div>
${head === "" ? undefined : markup`<p><strong>${head}</strong>${note === undefined ? "" : ` (${note})`}</p>`}${shown}
${error === undefined ? undefined : markup`<p class="bad">${error}</p>`}${own}${long}
${rest.length === 0 ? undefined : markup`<p class="dim">${rest.map(([field, value]) => markup`${field} ${value} `)}</p>`}</div></li>`
}

const tagsOf = ({ links, tags, traceId, warnings }: OutSpan): Html => {
  const pairs = Object.entries(tags).map(([key, value]) => markup`<dt>${key}</dt><dd>${value}</dd>`)
  const linked = links.map(({ attributes, spanId, traceId: other }) => {
    const { linkClass = "", linkedName = "", linkedResource = "" } = attributes
    const label = linkedName === "" ? "another span" : `${linkedResource} ${linkedName}`
    const href = other === traceId ? `#s-${spanId}` : `/trace/${other}`
    return markup`<dt>${linkClass === "" ? "link" : linkClass}</dt><dd><a href="${href}">${label}</a></dd>`
  })
  const told = warnings.map((warning) => markup`<dt class="bad">warning</dt><dd class="bad">${warning}</dd>`)
  return markup`<dl class="facts">${told}${linked}${pairs}</dl>`
}

const spanItem = (
  span: OutSpan,
  children: ReadonlyMap<string, ReadonlyArray<OutSpan>>,
  scale: Scale,
  budget: Budget,
  depth: number
): Html => {
  budget.spans--
  const logs = span.logs.slice(0, Math.max(budget.logs, 0))
  budget.logs -= span.logs.length
  const below = children.get(span.spanId) ?? []
  const shown = below.slice(0, Math.max(budget.spans, 0))
  const items: Array<Html> = []
  for (const child of shown) {
    if (budget.spans <= 0) break
    items.push(spanItem(child, children, scale, budget, depth + 1))
  }
  const left = [
    below.length > items.length ? `${below.length - items.length} spans` : "",
    span.logs.length > logs.length ? `${span.logs.length - logs.length} happenings` : ""
  ].filter((text) => text !== "")
  const failed = span.failed ? markup`<span class="bad"> failed</span>` : undefined
  const head = markup`<span class="name"><span class="service">${span.service}</span>${span.name}${failed}</span>${bar(span, scale)}<time datetime="${rfc3339Micro(span.startUs / 1000)}">${clock(span.startUs)} + ${durationText(span.endUs - span.startUs)}</time>`
  const isOpen = depth < 4 && (below.length > 0 || span.logs.length > 0)
  return markup`<li id="s-${span.spanId}"><details${isOpen ? new Html(" open") : ""}><summary>${head}</summary>
<details><summary><span class="name dim">details</span></summary>${tagsOf(span)}</details>
${logs.length === 0 ? undefined : markup`<ol class="logs">${logs.map(logItem)}</ol>`}
${items.length === 0 ? undefined : markup`<ul>${items}</ul>`}
${left.length === 0 ? undefined : markup`<p class="dim">${left.join(" and ")} more are in the trace's JSON</p>`}</details></li>`
}

const modeForm = ({ object }: TraceView, mode: DisplayMode, modes: ReadonlyArray<DisplayMode>, hours: number): Html => {
  const { cluster, group, name, namespace, resource } = object
  const hidden = Object.entries({ cluster, group, resource, namespace, name, hours: String(hours) })
  return markup`<form action="/object" method="get">${hidden.map(([key, value]) => markup`<input type="hidden" name="${key}" value="${value}">`)}
<label>Shown as <select name="mode">${modes.map((one) => markup`<option${one === mode ? new Html(" selected") : ""}>${one.name}</option>`)}</select></label> <button>Show</button></form>`
}

export interface TracePageOptions {
  readonly view: TraceView
  readonly modes: ReadonlyArray<DisplayMode>
  readonly why: Why
  readonly hours: number
}

export const tracePage = ({ hours, modes, view, why }: TracePageOptions): Html => {
  const { mode, object, spans, traceId } = view
  const known = new Set(spans.map(({ spanId }) => spanId))
  const children = Map.groupBy(spans, ({ parentSpanId }) => (known.has(parentSpanId) ? parentSpanId : ""))
  const startUs = spans.reduce((least, span) => Math.min(least, span.startUs), Number.POSITIVE_INFINITY)
  const endUs = spans.reduce((most, span) => Math.max(most, span.endUs), 0)
  const scale = { startUs, lengthUs: Math.max(endUs - startUs, 1) }
  const budget = { spans: SPANS_MAX, logs: LOGS_MAX }
  const roots = (children.get("") ?? []).map((span) => spanItem(span, children, scale, budget, 0))
  return markup`<h1>${objectWords(object)} <span class="dim">in ${object.cluster === "" ? "the cluster" : object.cluster}</span></h1>
<section aria-label="Answer">${answersList(why.answers, "Nothing holds it, as far as is known.", hours)}</section>
<h2 id="timeline">Timeline</h2>
<p class="dim">${rfc3339Micro(startUs / 1000).slice(0, 19)} to ${rfc3339Micro(endUs / 1000).slice(0, 19)} UTC, ${spans.length} spans, trace <a href="/api/traces/${traceId}">${traceId}</a></p>
${modeForm(view, mode, modes, hours)}
<ul class="tree" aria-labelledby="timeline">${roots}</ul>`
}
