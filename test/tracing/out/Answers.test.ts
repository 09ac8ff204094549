// The answers: each case as a real cluster tells it, and what must hold for any story and any time of asking.
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { type Answer, type AnswerKind, familyText, type SpanStore, stuck, why } from "#tracing"
import { ageText } from "../../../core/tracing/answers/Answer.ts"
import { rfc3339 } from "#kube"
import { deploymentStory, key, MINUTE, SECOND, Standing, START_US, Story } from "./Story.ts"

const answersFor = (story: Story, object = key("pods", "p"), nowUs = START_US + 5 * MINUTE): ReadonlyArray<Answer> =>
  why(story.store(), object, nowUs).answers

const only = (answers: ReadonlyArray<Answer>, kind: AnswerKind): Answer => {
  assert.deepStrictEqual(
    answers.map((one) => one.kind),
    [kind],
    answers.map(({ sentence }) => sentence).join("\n")
  )
  return answers[0]
}

/** Every span that answers rest on is in the store, and says what it is said to. */
const restsOnSpans = (store: SpanStore, answers: ReadonlyArray<Answer>): void => {
  for (const { evidence } of answers) {
    assert.isNotEmpty(evidence)
    for (const { spanId, traceId } of evidence) {
      const spans = []
      const chunks = store.trace(traceId)
      for (let next = chunks.next(); next !== undefined; next = chunks.next()) spans.push(...next)
      assert.include(
        spans.map((span) => span.spanId),
        spanId
      )
    }
  }
}

const pod = key("pods", "p")
const owner = key("replicasets", "r")
const time = (us: number): string => rfc3339(us / 1000)
const bodyOf = (more: object) => ({ apiVersion: "v1", kind: "Pod", metadata: { name: "p" }, ...more })

describe("a Pod that no node was found for", () => {
  it("is named with its reason, age and the last time that it was said", () => {
    const { pods, story, web } = deploymentStory()
    const message = "0/2 nodes are available: 2 Insufficient memory."
    story.event(pods[2], START_US + 3 * MINUTE, "FailedScheduling", message, { type: "Warning", count: 7 })
    const store = story.store()
    const found = why(store, web, START_US + 5 * MINUTE)
    const answer = only(found.answers, "unscheduled")
    assert.deepStrictEqual(answer.object, pods[2])
    assert.strictEqual(answer.reason, message)
    assert.strictEqual(
      answer.sentence,
      `Pod shop/web-5d4f-c has waited 4m59s for a node: ${message} (FailedScheduling, 7 times, last 2m ago)`
    )
    restsOnSpans(store, found.answers)
    const lines = familyText(found, START_US + 5 * MINUTE)
    assert.include(lines, "it made 1 replicasets and 3 pods")
    assert.match(lines.join("\n"), /└─ Pod shop\/web-5d4f-c: Pending, no node, 4m59s old, 1 changes {2}<- held/)
  })

  it("is still named after 31 minutes and after a day less a minute, whatever else is silent", () => {
    const { pods, story } = deploymentStory()
    for (const minutes of [5, 31, 61, 24 * 60 - 1]) {
      const answer = only(answersFor(story, pods[2], START_US + minutes * MINUTE), "unscheduled")
      assert.isAtLeast(answer.ageMs, (minutes - 1) * 60_000)
    }
  })

  it("is a matter of time when nobody has judged it, and of its gates when it has some", () => {
    const story = new Story()
    story.pod(owner, "p", START_US, 1)
    assert.isEmpty(answersFor(story, pod, START_US + 20 * SECOND))
    assert.include(only(answersFor(story), "unscheduled").sentence, "no scheduler has judged it")
    const gated = new Story()
    gated.pod(owner, "p", START_US, 1, { spec: { schedulingGates: [{ name: "example.com/wait" }] } })
    assert.include(only(answersFor(gated), "unscheduled").reason, "example.com/wait")
  })

  it("is named from requests and events alone, without any object", () => {
    const story = new Story()
    story.audit(pod, START_US, "create", { level: "Metadata" })
    story.event(pod, START_US + SECOND, "FailedScheduling", "no nodes available", { type: "Warning" })
    assert.include(only(answersFor(story), "unscheduled").sentence, "no nodes available")
    story.audit(pod, START_US + MINUTE, "create", { level: "Metadata", subresource: "binding" })
    assert.isEmpty(answersFor(story))
  })

  it("is named at every time until it is bound, gone or over, and at none after, for any order of what was said", () => {
    const end = fc.constantFrom("bound", "deleted", "failed")
    const told = fc.array(fc.integer({ min: 1, max: 600 }), { minLength: 1, maxLength: 8 })
    fc.assert(
      fc.property(
        told,
        end,
        fc.integer({ min: 601, max: 1200 }),
        fc.integer({ min: 2, max: 2400 }),
        (says, how, endAt, askAt) => {
          const story = new Story()
          story.pod(owner, "p", START_US, 1)
          for (const [at, second] of says.sort((a, b) => a - b).entries()) {
            story.event(pod, START_US + second * SECOND, "FailedScheduling", `try ${at}`, {
              type: "Warning",
              count: at + 1
            })
          }
          const endUs = START_US + endAt * SECOND
          if (how === "bound") story.bound(pod, "n1", endUs)
          if (how === "deleted")
            story.snapshot(pod, endUs, 9, bodyOf({ status: { phase: "Pending" } }), { state: "deleted" })
          if (how === "failed") story.snapshot(pod, endUs, 9, bodyOf({ status: { phase: "Failed" } }))
          const nowUs = START_US + askAt * SECOND
          const store = story.store({ order: (facts) => facts.toReversed() })
          const { answers } = why(store, pod, nowUs)
          const last = says.filter((second) => second <= askAt).length
          if (askAt >= endAt + 1) assert.isEmpty(answers)
          else if (last > 0 && askAt < endAt) {
            const answer = only(answers, "unscheduled")
            assert.strictEqual(answer.reason, `try ${last - 1}`)
            assert.strictEqual(answer.ageMs, askAt * 1000)
            restsOnSpans(store, answers)
          }
        }
      )
    )
  })
})

describe("a controller whose Pods a quota refuses", () => {
  const message =
    'Error creating: pods "r-x" is forbidden: exceeded quota: few, requested: pods=1, used: pods=2, limited: pods=2'
  const refusedStory = (): Story => {
    const story = new Story()
    story.audit(owner, START_US, "create")
    return story.event(owner, START_US + SECOND, "FailedCreate", message, { type: "Warning", count: 3 })
  }

  it("is named with the quota", () => {
    const answer = only(answersFor(refusedStory(), owner), "quota")
    assert.include(answer.sentence, "ReplicaSet shop/r has been refused Pods by a quota for 4m59s: ")
    assert.include(answer.reason, "exceeded quota: few")
  })

  it("is not once it made one, or has what it wants; and not for other refusals", () => {
    const made = refusedStory().event(owner, START_US + MINUTE, "SuccessfulCreate", "Created pod: r-y")
    assert.isEmpty(answersFor(made, owner))
    const scaled = refusedStory()
    const body = { apiVersion: "apps/v1", kind: "ReplicaSet", spec: { replicas: 2 }, status: { replicas: 2 } }
    scaled.snapshot(owner, START_US + MINUTE, 5, body)
    assert.isEmpty(answersFor(scaled, owner))
    const other = new Story().audit(owner, START_US, "create")
    other.event(owner, START_US + SECOND, "FailedCreate", "Error creating: denied by webhook", { type: "Warning" })
    assert.isEmpty(answersFor(other, owner))
  })
})

describe("an object whose finalizer nobody takes away", () => {
  const map = key("configmaps", "m")
  const deleting = (finalizers: ReadonlyArray<string>) => ({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "m", deletionTimestamp: time(START_US), finalizers }
  })

  it("is named with its finalizers, once deletion has had its time", () => {
    const story = new Story().audit(map, START_US, "delete", { newResourceVersion: "2" })
    story.snapshot(map, START_US, 2, deleting(["example.com/hold"]))
    assert.isEmpty(answersFor(story, map, START_US + 10 * SECOND))
    const answer = only(answersFor(story, map), "finalizer")
    assert.strictEqual(
      answer.sentence,
      "configmaps shop/m has been about to go for 5m: nobody takes away example.com/hold"
    )
    assert.strictEqual(answer.evidence[0].says, "asked to go")
  })

  it("is not once it went, or when nothing holds it", () => {
    const gone = new Story().snapshot(map, START_US, 2, deleting(["example.com/hold"]))
    gone.snapshot(map, START_US + MINUTE, 3, deleting([]), { state: "deleted" })
    assert.isEmpty(answersFor(gone, map))
    assert.isEmpty(answersFor(new Story().snapshot(map, START_US, 2, deleting([])), map))
  })
})

describe("a container that crashes again and again", () => {
  const status = (state: object, ready: boolean) =>
    bodyOf({
      spec: { nodeName: "n1" },
      status: {
        phase: "Running",
        containerStatuses: [
          { name: "app", ready, restartCount: 4, state, lastState: { terminated: { exitCode: 137 } } }
        ]
      }
    })
  const backOff = "Back-off restarting failed container app in pod p_shop(1)"

  it("is named from its status, with how it ended", () => {
    const story = new Story().audit(pod, START_US, "update", { subresource: "status", newResourceVersion: "4" })
    const message = "back-off 40s restarting failed container"
    story.snapshot(pod, START_US, 4, status({ waiting: { reason: "CrashLoopBackOff", message } }, false))
    const answer = only(answersFor(story), "crashLoop")
    assert.include(answer.reason, `${message}; container app was restarted 4 times, last with exit code 137`)
  })

  it("is named from events alone, until they are old or it runs", () => {
    const story = new Story().event(pod, START_US, "Scheduled", "Successfully assigned")
    story.event(pod, START_US + MINUTE, "BackOff", backOff, { type: "Warning", count: 5, controller: "kubelet" })
    only(answersFor(story), "crashLoop")
    assert.isEmpty(answersFor(story, pod, START_US + 12 * MINUTE))
    story.snapshot(pod, START_US + 2 * MINUTE, 5, status({ running: {} }, true))
    assert.isEmpty(answersFor(story))
  })

  it("is not one whose image cannot be pulled", () => {
    const story = new Story().event(pod, START_US, "Scheduled", "Successfully assigned")
    story.event(pod, START_US + MINUTE, "BackOff", 'Back-off pulling image "web:9"', { type: "Warning" })
    assert.isEmpty(answersFor(story))
  })
})

describe("a node that is gone", () => {
  const node = key("nodes", "n1")
  const ready = (status: string, atUs: number) => ({
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: "n1" },
    status: {
      conditions: [
        { type: "Ready", status, lastTransitionTime: time(atUs), message: "Kubelet stopped posting node status." }
      ]
    }
  })
  const onNode = (): Story => {
    const story = new Story()
    story.snapshot(pod, START_US, 3, bodyOf({ spec: { nodeName: "n1" }, status: { phase: "Running" } }))
    return story.audit(pod, START_US, "create")
  }

  it("is named itself and for each Pod on it, until it reports again", () => {
    const story = onNode().snapshot(node, START_US + MINUTE, 4, ready("Unknown", START_US + MINUTE))
    const answer = only(answersFor(story, node), "nodeGone")
    assert.strictEqual(answer.sentence, "Node n1 has been gone for 4m: Kubelet stopped posting node status.")
    assert.include(only(answersFor(story), "nodeGone").sentence, "Pod shop/p is on Node n1, which has been gone for 4m")
    story.snapshot(node, START_US + 2 * MINUTE, 5, ready("True", START_US + 2 * MINUTE))
    assert.isEmpty(answersFor(story, node))
    assert.isEmpty(answersFor(story))
  })

  it("is named for its Pods when it was taken away, and from events without objects", () => {
    const story = onNode().snapshot(node, START_US + MINUTE, 4, ready("True", START_US), { state: "deleted" })
    story.audit(node, START_US + MINUTE, "delete")
    assert.include(only(answersFor(story), "nodeGone").reason, "taken out of the cluster")
    const told = new Story().event(node, START_US, "NodeNotReady", "Node n1 status is now: NodeNotReady")
    only(answersFor(told, node), "nodeGone")
    assert.isEmpty(answersFor(told.event(node, START_US + MINUTE, "NodeReady", "ready"), node))
  })
})

describe("an object that is written too often", () => {
  const map = key("configmaps", "m")
  const writes = (count: number, everyUs: number, fromUs: number): Story => {
    const story = new Story()
    for (let at = 0; at < count; at++) {
      const atUs = fromUs + at * everyUs
      story.audit(map, atUs, "update", { newResourceVersion: String(10 + at), resourceVersion: String(9 + at) })
    }
    return story
  }
  const nowUs = START_US + 10 * MINUTE

  it("is named while it lasts, with who does it and how often", () => {
    const answer = only(answersFor(writes(120, SECOND, nowUs - 2 * MINUTE), map, nowUs), "hotLoop")
    assert.match(answer.reason, /^kube-controller-manager .* wrote 60 times within a minute$/)
    assert.strictEqual(answer.sinceUs, nowUs - 2 * MINUTE)
    assert.isEmpty(answersFor(writes(120, SECOND, nowUs - 10 * MINUTE), map, nowUs))
    assert.isEmpty(answersFor(writes(20, 3 * SECOND, nowUs - MINUTE), map, nowUs))
  })
})

describe("two managers that fight over a field", () => {
  const map = key("configmaps", "m")
  const fight = (turns: number, values: (at: number) => string, writers: (at: number) => string): Story => {
    const story = new Story()
    for (let at = 0; at <= turns; at++) {
      const [atUs, version] = [START_US + at * 10 * SECOND, 10 + at]
      const more = {
        newResourceVersion: String(version),
        resourceVersion: String(version - 1),
        fieldManager: writers(at)
      }
      story.audit(map, atUs, "update", more)
      story.snapshot(map, atUs, version, { metadata: { name: "m" }, data: { size: values(at) } }, { source: "audit" })
    }
    return story
  }
  const turn = (at: number): string => (at % 2 === 0 ? "small" : "large")
  const who = (at: number): string => (at % 2 === 0 ? "helm" : "hpa")

  it("are named with the field and both values", () => {
    const answer = only(answersFor(fight(6, turn, who), map, START_US + 2 * MINUTE), "fieldFight")
    assert.strictEqual(answer.reason, 'hpa and helm set data.size in turns, to "large" and "small", 6 times')
    assert.strictEqual(answer.evidence.length, 4)
  })

  it("are not when one gives in, sets new values, or both mean the same", () => {
    const at = START_US + 2 * MINUTE
    assert.isEmpty(answersFor(fight(2, turn, who), map, at))
    assert.isEmpty(answersFor(fight(6, String, who), map, at))
    assert.isEmpty(
      answersFor(
        fight(6, turn, () => "helm"),
        map,
        at
      )
    )
    assert.isEmpty(answersFor(fight(6, turn, who), map, at + 20 * MINUTE))
  })
})

describe("what is stuck", () => {
  it("is found without being asked for by name, in one cluster or all", async () => {
    const { pods, story } = deploymentStory()
    const far = key("pods", "far", { cluster: "far" })
    story.audit(far, START_US, "create")
    story.event(far, START_US + SECOND, "FailedScheduling", "none", { type: "Warning" })
    const clockwork = new Standing(START_US + MINUTE)
    const find = (cluster?: string) =>
      new Promise<ReadonlyArray<Answer>>((resolve) =>
        stuck(
          story.store(),
          { clockwork, nowUs: START_US + MINUTE, ...(cluster === undefined ? {} : { cluster }) },
          ({ answers }) => resolve(answers)
        )
      )
    assert.deepStrictEqual(
      (await find()).map(({ object }) => object.name),
      ["far", pods[2].name]
    )
    assert.deepStrictEqual(
      (await find("far")).map(({ object }) => object.name),
      ["far"]
    )
  })
})

describe("ages", () => {
  it("have two units at most", () => {
    const cases = [
      [400, "0s"],
      [59_000, "59s"],
      [60_000, "1m"],
      [299_000, "4m59s"],
      [660_000, "11m"],
      [3_900_000, "1h5m"],
      [90_000_000, "1d1h"]
    ] as const
    for (const [ms, text] of cases) assert.strictEqual(ageText(ms), text)
  })
})
