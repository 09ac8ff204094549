// The page's section about traced objects: who was stuck and why, and links from the slowest pods to their lives.
import { assert, describe, it } from "@effect/vitest"
import { groupByBackend, makeReport, type RecordedTracing, renderHtml, type RunRecord } from "../../reports/index.ts"
import { syntheticCluster } from "./SyntheticCluster.ts"

const pageOf = (tracing: (cluster: NonNullable<RunRecord["cluster"]>) => RecordedTracing | undefined): string => {
  const record = syntheticCluster()
  const { cluster } = record
  assert.isDefined(cluster)
  const told = tracing(cluster)
  return renderHtml(
    makeReport(groupByBackend([{ ...record, cluster: { ...cluster, ...(told && { tracing: told }) } }]))
  )
}

const moment = { atMs: 1500, who: "scheduler", what: "create binding", says: "<b>bound</b>" }

describe("the section of traced objects", () => {
  it("says who was stuck, and leads from a slow pod to what happened to it", () => {
    const page = pageOf(({ podStarts }) => {
      const [{ name, namespace }] = podStarts.slowest
      const stuck = { kind: "unscheduled", resource: "pods", namespace: "shop", name: "giant", ageMs: 60_000 }
      return {
        facts: 1200,
        writes: 400,
        untraced: 0,
        stuck: [{ ...stuck, sentence: "Pod shop/giant has waited 1m for a node: no <room>" }],
        lives: [
          { resource: "pods", namespace: "shop", name: "giant", moments: [] },
          { resource: "pods", namespace, name, moments: [moment] }
        ]
      }
    })
    assert.include(page, "Pod shop/giant has waited 1m for a node: no &lt;room&gt;")
    const ids = Array.from(page.matchAll(/<a href="#(life-[^"]+)">its life<\/a>/g), ([, id]) => id)
    assert.strictEqual(new Set(ids).size, 2)
    for (const id of ids) assert.include(page, `</summary><div id="${id}">`)
    assert.include(page, "&lt;b&gt;bound&lt;/b&gt;")
  })

  it("says that nobody was stuck, tells what found no room, and is not there where nothing was traced", () => {
    const quiet = pageOf(() => ({ facts: 10, writes: 5, untraced: 3, stuck: [], lives: [] }))
    assert.include(quiet, "Nobody was stuck at the end.")
    assert.include(quiet, "3 more found no room.")
    assert.notInclude(
      pageOf(() => undefined),
      "Who was stuck"
    )
  })
})
