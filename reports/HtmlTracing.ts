// The section of a page about traced objects: who was stuck at the end and why, and the lives of those and of the slowest pods.
// Owns its tables and the names of the places that other tables link to; what happened comes from the record.
import { slug } from "./Charts.ts"
import type { ClusterSummary } from "./ClusterSummary.ts"
import { formatClock, formatCount } from "./Format.ts"
import { escapeHtml, tableHtml } from "./HtmlText.ts"
import type { RecordedLife } from "./RecordedCluster.ts"
import type { Table } from "./Tables.ts"

const columns = (...titles: ReadonlyArray<string>) => titles.map((title) => ({ title, numeric: false }))

/** Where an object's life stands on the page; undefined when it is not told. */
export const lifeAnchor = (
  { cluster, name: own }: ClusterSummary,
  object: { readonly resource: string; readonly namespace: string; readonly name: string }
): string | undefined => {
  const at = cluster.tracing?.lives.findIndex(
    ({ name, namespace, resource }) =>
      name === object.name && namespace === object.namespace && resource === object.resource
  )
  return at === undefined || at < 0 ? undefined : `life-${slug(own)}-${at}`
}

const stuckTable = ({ cluster, name }: ClusterSummary): Table | undefined =>
  cluster.tracing === undefined || cluster.tracing.stuck.length === 0
    ? undefined
    : {
        id: `stuck-${name}`,
        caption: "Who was stuck at the end, and why",
        columns: columns("Object", "Why"),
        rows: cluster.tracing.stuck.map(({ name: own, namespace, resource, sentence }) => [
          { text: `${resource} ${namespace === "" ? own : `${namespace}/${own}`}` },
          { text: sentence, tone: "warn" }
        ])
      }

const lifeTable = (life: RecordedLife, id: string): Table => ({
  id,
  caption: `${life.resource} ${life.namespace === "" ? life.name : `${life.namespace}/${life.name}`}`,
  columns: [{ title: "at", numeric: true }, ...columns("Who", "What", "What changed or was said")],
  rows: life.moments.map(({ atMs, says, what, who }) => [
    { text: formatClock(atMs) },
    { text: who },
    { text: what },
    { text: says }
  ])
})

/** Empty where nothing was traced. */
export const tracingBody = (summary: ClusterSummary): string => {
  const { tracing } = summary.cluster
  if (tracing === undefined) return ""
  const stuck = stuckTable(summary)
  const links = { title: "its life", after: 1, cells: tracing.stuck.map((one) => lifeLink(lifeAnchor(summary, one))) }
  const lost = tracing.untraced === 0 ? "" : ` ${formatCount(tracing.untraced)} more found no room.`
  const note = `${formatCount(tracing.writes)} writes were traced, as ${formatCount(tracing.facts)} facts.${lost}`
  const lives = tracing.lives.map((life) => {
    const id = lifeAnchor(summary, life) ?? ""
    // Browsers unfold what holds the target of a link, not the target itself.
    return `<details class="fold"><summary>${escapeHtml(`${life.resource} ${life.namespace}/${life.name}`)} (${life.moments.length})</summary><div id="${id}">${tableHtml(lifeTable(life, `${id}-moments`))}</div></details>`
  })
  const none = "<p>Nobody was stuck at the end.</p>"
  return `<p class="note">${escapeHtml(note)}</p>${stuck === undefined ? none : tableHtml(stuck, links)}<h3>What happened to whom</h3><div class="folds">${lives.join("")}</div>`
}

/** For each of the slowest pods a link to its life, as a column of its own; undefined where nothing was traced. */
export const lifeLinks = (summary: ClusterSummary): ReadonlyArray<string> | undefined =>
  summary.cluster.tracing === undefined
    ? undefined
    : summary.cluster.podStarts.slowest.map(({ name, namespace }) => {
        const link = lifeLink(lifeAnchor(summary, { resource: "pods", namespace, name }))
        return link === "" ? "" : `<p class="note">${link}</p>`
      })

const lifeLink = (id: string | undefined): string => (id === undefined ? "" : `<a href="#${id}">its life</a>`)
