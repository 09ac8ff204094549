// A child's creation names the request that it answers, with how sure that is, and a delete shows what it deleted.
import { expect, it } from "vitest"
import { machineClockwork } from "#kube"
import { eventListFacts, ingestSetting, MemorySpanStore, type Span } from "#tracing"
import { auditStream, eventList, type Step } from "../AuditStreams.ts"
import { append, search, spansOf } from "../Stores.ts"

const step = (verb: Step["verb"], object: number, afterUs: number): Step => ({
  verb,
  object,
  afterUs,
  code: 200,
  level: "RequestResponse"
})

const spansAfter = async (
  steps: ReadonlyArray<Step>,
  edit: (event: string) => string = (event) => event
): Promise<ReadonlyArray<Span>> => {
  const store = new MemorySpanStore({ clockwork: machineClockwork })
  const { facts } = eventListFacts("prod", eventList(auditStream(steps).map(edit)), ingestSetting({}, 1800), () => {})
  await append(store, facts)
  const found = await search(store, { service: "object", limit: 100 })
  return found.flatMap(({ traceId }) => spansOf(store, traceId))
}

const audits = (spans: ReadonlyArray<Span>, resource: string): ReadonlyArray<Span> =>
  spans.filter(({ object, service }) => service === "audit" && object.resource === resource)

it("links a creation to the owner's last change of generation, as sure as the actor and the time make it", async () => {
  const steps = [step("create", 0, 1_000_001), step("update", 0, 1_000_001), step("create", 1, 2_000_001)]
  const spans = await spansAfter(steps)
  const [, update] = audits(spans, "deployments")
  const [created] = audits(spans, "replicasets")
  expect(created.links).toEqual([
    {
      traceId: update.traceId,
      spanId: update.spanId,
      attributes: { cause: "deployments/dep-0 generation 2", confidence: "medium" }
    }
  ])
  const byController = await spansAfter(steps, (event) =>
    event.replace("kube-system:tester", "kube-system:deployment-controller")
  )
  expect(audits(byController, "replicasets")[0].links[0].attributes["confidence"]).toBe("high")
  const late = await spansAfter([...steps.slice(0, 2), step("create", 1, 70_000_001)])
  expect(audits(late, "replicasets")[0].links[0].attributes["confidence"]).toBe("low")
  expect(audits(await spansAfter(steps.slice(2)), "replicasets")[0].links).toEqual([])
})

it("shows on a delete the object that it ended", async () => {
  const spans = await spansAfter([step("create", 0, 1_000_001), step("delete", 0, 1_000_001)])
  const [, deleted] = audits(spans, "deployments")
  expect(deleted.events.map(({ type }) => type)).toEqual(["audit/objectSnapshot"])
  expect(JSON.parse(deleted.events[0].message).metadata.name).toBe("dep-0")
})
