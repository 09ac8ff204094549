// Events of the scheduler: what repeats becomes one event whose count goes on, told of seldom; what is new is told at once.
import { assert, describe, it } from "vitest"
import type { Client, KubeObject } from "#kube"
import { EventRecorder } from "../../core/scheduling/run/EventRecorder.ts"
import { TestClockwork } from "../apiserver/World.ts"
import { pod } from "./Objects.ts"

const make = () => {
  const clockwork = new TestClockwork()
  const told: Array<string> = []
  const answer = { metadata: {} } as KubeObject
  // SAFETY: a recorder creates and patches, and does nothing else.
  const client = {
    create: (_to, { note }, _options, done) => {
      told.push(`new: ${String(note)}`)
      done(answer)
    },
    patch: (_target, { body }, _options, done) => {
      told.push(`count ${(body as { readonly series: { readonly count: number } }).series.count}`)
      done(answer)
    }
  } as Partial<Client> as Client
  const recorder = new EventRecorder(client, clockwork, "scheduler")
  const failed = (name: string, note: string): void =>
    recorder.record(pod(name), "default-scheduler", {
      type: "Warning",
      reason: "FailedScheduling",
      action: "Scheduling",
      note
    })
  return { clockwork, failed, told }
}

describe("the scheduler's events", () => {
  it("tell of a series at its first repetition and then once a minute, with the whole count", () => {
    const { clockwork, failed, told } = make()
    for (let second = 0; second < 130; second++) {
      failed("a", "no room")
      clockwork.pass(1000)
    }
    assert.deepStrictEqual(told, ["new: no room", "count 2", "count 62", "count 122"])
  })

  it("begin anew for another pod, another note, and after six quiet minutes", () => {
    const { clockwork, failed, told } = make()
    failed("a", "no room")
    failed("b", "no room")
    failed("a", "no CPU")
    clockwork.pass(6 * 60_000)
    failed("a", "no room")
    assert.deepStrictEqual(told, ["new: no room", "new: no room", "new: no CPU", "new: no room"])
  })
})
