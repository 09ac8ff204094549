// The page's section about a federation: its members, and what each step did.
// Owns that section's order; numbers are FederationTables.ts's.
import { federationGroups, federationTable } from "./FederationTables.ts"
import { formatCount } from "./Format.ts"
import { escapeHtml, type Section, tableHtml } from "./HtmlText.ts"
import type { Report } from "./Report.ts"

const fleets = (report: Report): string => {
  const said = federationGroups(report).flatMap(({ records }) =>
    records.flatMap(({ federation }) => {
      if (federation === undefined) return []
      const { members, nodes, pods } = federation
      return [`${formatCount(members)} members with ${formatCount(nodes)} nodes and ${formatCount(pods)} pods in all`]
    })
  )
  return [...new Set(said)].join("; ")
}

/** The section; none without runs of a federation. */
export const federationSections = (report: Report): ReadonlyArray<Section> => {
  const table = federationTable(report)
  if (table === undefined) return []
  const note = `${fleets(report)}. Members answer from memory, their nodes and pods are counts; the host is an API server of ours in memory. Host, federation, members and load share one process. An object has arrived when the first request for it is at a member.`
  return [
    { id: "federation", title: "Federation", body: `${tableHtml(table)}\n<p class="note">${escapeHtml(note)}</p>` }
  ]
}
