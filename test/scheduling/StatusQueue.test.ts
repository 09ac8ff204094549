// What is said of pods that find no node: the newest of each in the end, few calls at once, nothing about a pod that has a node.
import * as fc from "fast-check"
import { assert, it } from "vitest"
import { type Client, type Done, Failures, type KubeObject } from "#kube"
import { PodStatusWriter } from "../../core/scheduling/run/PodStatusWriter.ts"
import { StatusQueue } from "../../core/scheduling/run/StatusQueue.ts"
import { VirtualClock } from "../kube/VirtualClock.ts"
import { pod } from "./Objects.ts"

interface Patch {
  readonly name: string
  readonly message: string | undefined
  readonly promised: string | undefined
}

/** A client whose patches are answered when they are told to. */
const slowClient = () => {
  const open: Array<{ readonly patch: Patch; readonly done: Done<KubeObject> }> = []
  const client = {
    patch: ({ name }: { name: string }, { body }: { body: unknown }, _: object, done: Done<KubeObject>) => {
      const { status } = body as { status: { conditions?: Array<{ message: string }>; nominatedNodeName?: string } }
      const [{ message } = { message: undefined }] = status.conditions ?? []
      open.push({ patch: { name, message, promised: status.nominatedNodeName }, done })
    }
  }
  // SAFETY: nothing but patches is asked for.
  return { client: client as unknown as Client, open }
}

const condition = (message: string) =>
  ({ type: "PodScheduled", status: "False", reason: "Unschedulable", message }) as const

const steps = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant("put" as const), at: fc.nat(29), promised: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("forget" as const), at: fc.nat(29) }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant("answer" as const), at: fc.nat(15) }) }
  ),
  { maxLength: 300 }
)

it("are written one by one for each pod, sixteen at once, the newest at last", () => {
  const all = Array.from({ length: 30 }, (_, at) => pod(`p${at}`))
  fc.assert(
    fc.property(steps, (told) => {
      const { client, open } = slowClient()
      const queue = new StatusQueue(new PodStatusWriter(client, new VirtualClock(1)))
      const wanted = new Map<string, string>()
      const written = new Map<string, string | undefined>()
      const answer = (at: number): void => {
        const [{ done, patch }] = open.splice(at % open.length, 1)
        written.set(patch.name, patch.message)
        done(Failures.internal("lost"))
      }
      const check = (): void => {
        assert.isAtMost(open.filter(({ patch }) => patch.promised === undefined).length, 16)
        const names = open.map(({ patch }) => patch.name)
        assert.strictEqual(new Set(names).size, names.length)
      }
      for (const [turn, step] of told.entries()) {
        if (step.kind === "put") {
          const name = `p${step.at}`
          wanted.set(name, `at ${turn}`)
          queue.put(all[step.at], condition(`at ${turn}`), step.promised ? "n" : undefined)
        } else if (step.kind === "forget") {
          const { metadata } = all[step.at]
          queue.forget(metadata.uid ?? "")
          wanted.delete(metadata.name ?? "")
        } else if (open.length > 0) answer(step.at)
        check()
      }
      while (open.length > 0) answer(0)
      for (const [name, message] of wanted) assert.strictEqual(written.get(name), message, name)
    })
  )
})

it("keep a promise that was not written yet, and write nothing that would change nothing", () => {
  const { client, open } = slowClient()
  const queue = new StatusQueue(new PodStatusWriter(client, new VirtualClock(1)))
  const one = pod("one")
  queue.put(one, condition("first"), undefined)
  queue.put(one, condition("second"), "n")
  queue.put(one, condition("third"), undefined)
  assert.lengthOf(open, 1)
  open[0].done(one)
  assert.deepStrictEqual(open[1].patch, { name: "one", message: "third", promised: "n" })
  open[1].done(one)
  const said = { ...one, status: { conditions: [condition("same")] } }
  // Thousands that end at once must not be answered within one another.
  for (let at = 0; at < 20_000; at++)
    queue.put({ ...said, metadata: { ...one.metadata, uid: `u${at}` } }, condition("same"), undefined)
  assert.lengthOf(open, 2)
  for (const name of Array.from({ length: 17 }, (_, at) => `late-${at}`))
    queue.put(pod(name), condition("x"), undefined)
  queue.stop()
  while (open.length > 2) open.pop()?.done(one)
  assert.lengthOf(open, 2)
})
