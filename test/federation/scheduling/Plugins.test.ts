// Webhook plugins: how they are asked, in either payload, and that one which does not answer takes nothing away.
import { assert, describe, it } from "vitest"
import { type Outcome, type PluginTransport, pluginWebhookOf, scheduleAsking, type ScheduleRequest } from "#federation"
import type { JsonObject } from "#kube"
import { cluster, fleetOf, placed, policy, profile, request, shown } from "./Fleets.ts"

type Body = JsonObject & { readonly cluster?: { readonly metadata: { readonly name: string } } }
type Answer = (path: string, body: Body) => unknown

/** What was asked, and what came of it; an answer that is an Error is an outage. */
const ask = (given: Partial<ScheduleRequest>, answer: Answer, version = "v1beta1") => {
  const calls: Array<readonly [string, Body]> = []
  const transport: PluginTransport = (url, body, _timeoutMs, done) => {
    const path = new URL(url).pathname
    calls.push([path, body])
    const answered = answer(path, body)
    done(answered instanceof Error ? answered : { json: answered })
  }
  const webhook = pluginWebhookOf({
    apiVersion: "core.kubeadmiral.io/v1alpha1",
    kind: "SchedulerPluginWebhookConfiguration",
    metadata: { name: "mine" },
    spec: {
      payloadVersions: [version],
      urlPrefix: "http://plugin/base",
      filterPath: "/filter",
      scorePath: "score",
      selectPath: "select"
    }
  })
  const outcomes: Array<Outcome> = []
  scheduleAsking(request(given), { webhook: () => webhook, transport: () => transport }, (outcome) =>
    outcomes.push(outcome)
  )
  assert.strictEqual(outcomes.length, 1)
  return { calls, outcome: outcomes[0] }
}

const at = (point: string, more: object = {}) =>
  profile({ plugins: { [point]: { enabled: [{ name: "mine", type: "Webhook", ...more }] } } })
const duplicate = policy({ schedulingMode: "Duplicate" })
const away = (): Error => new Error("connect ECONNREFUSED")

describe("a webhook", () => {
  it("filters all clusters in one call, or one in each for the original's payload", () => {
    const results = [
      { cluster: "a", selected: true },
      { cluster: "b", selected: false, error: "too far" },
      { cluster: "c", selected: true }
    ]
    const once = ask({ policy: duplicate, profile: at("filter") }, () => ({ results }))
    assert.deepStrictEqual(Object.keys(shown(once.outcome)), ["a", "c"])
    assert.deepStrictEqual(
      once.calls.map(([path]) => path),
      ["/base/filter"]
    )
    const each = ask(
      { policy: duplicate, profile: at("filter") },
      (_, body) => ({ selected: body.cluster?.metadata.name !== "b", error: "" }),
      "v1alpha1"
    )
    assert.deepStrictEqual(Object.keys(shown(each.outcome)), ["a", "c"])
    assert.strictEqual(each.calls.length, 3)
    const unit = each.calls[0][1]["schedulingUnit"] as JsonObject
    assert.deepStrictEqual(unit["desiredReplicas"], 6)
    assert.deepStrictEqual(unit["resourceRequest"], { cpu: "100m" })
    assert.deepStrictEqual(unit["currentClusters"], [])
  })

  it("scores by its weight, within 0 to 100", () => {
    const few = policy({ schedulingMode: "Duplicate", maxClusters: 1 })
    const results = [
      { cluster: "a", score: 10 },
      { cluster: "c", score: 1000 }
    ]
    const { outcome } = ask({ policy: few, profile: at("score", { weight: 3 }) }, () => ({ results }))
    assert.deepStrictEqual(Object.keys(shown(outcome)), ["c"])
    assert.strictEqual(outcome.explain().chosen[0]?.scores?.["webhooks"], 300)
  })

  it("selects among what is left, and nothing else", () => {
    const chosen = ask({ policy: duplicate, profile: at("select") }, () => ({ selectedClusterNames: ["b"], error: "" }))
    assert.deepStrictEqual(Object.keys(shown(chosen.outcome)), ["b"])
    assert.strictEqual((chosen.calls[0][1]["clusterScores"] as ReadonlyArray<unknown>).length, 3)
    const stranger = ask({ policy: duplicate, profile: at("select") }, () => ({ selectedClusterNames: ["z"] }))
    assert.strictEqual(stranger.outcome.reason, "PluginFailed")
    assert.include(stranger.outcome.explain().notes.join(), "selects z")
  })
})

describe("an outage", () => {
  const previous = placed({ a: 3, b: 3 })

  it.each(["filter", "score", "select"])("of %s never takes the object from where it is", (point) => {
    for (const version of ["v1alpha1", "v1beta1"]) {
      const { outcome } = ask({ previous, profile: at(point) }, away, version)
      assert.deepStrictEqual(shown(outcome), { a: 3, b: 3, ...(point === "score" && {}) })
      assert.isTrue(outcome.waiting)
      assert.include(outcome.explain().notes.join(), "connect ECONNREFUSED")
    }
  })

  it("of a filter enters no new cluster, and is over after a few calls", () => {
    const fleet = fleetOf(...Array.from({ length: 100 }, (_, at) => cluster(`c${at}`)))
    const { calls, outcome } = ask({ fleet, policy: duplicate, profile: at("filter") }, away, "v1alpha1")
    assert.deepStrictEqual(shown(outcome), {})
    assert.strictEqual(outcome.reason, "PluginFailed")
    assert.isAtMost(calls.length, 16)
  })

  it("about some clusters leaves the others", () => {
    const { outcome } = ask({ policy: duplicate, profile: at("filter"), previous: placed({ b: undefined }) }, () => ({
      results: [{ cluster: "a", selected: true }]
    }))
    assert.deepStrictEqual(Object.keys(shown(outcome)), ["a", "b"])
    assert.isTrue(outcome.waiting)
  })

  it("is not taken for a verdict: an error beside a yes is none", () => {
    const { outcome } = ask(
      { policy: duplicate, profile: at("filter") },
      () => ({ selected: true, error: "?" }),
      "v1alpha1"
    )
    assert.deepStrictEqual(shown(outcome), {})
  })
})
