// A watch that tenants share: each hears of its own, once, in order, from where it asked, however often the source breaks.
import * as fc from "fast-check"
import { assert, it } from "vitest"
import { ApiFailure, Failures } from "#kube"
import type { HttpAnswerListener, HttpRequestHead } from "#net"
import type { Upstream, UpstreamCall } from "#tenancy"
import { prefixIn } from "#tenancy"
import { SharedWatch } from "../../../core/tenancy/watch/SharedWatch.ts"
import { VirtualClock } from "../../kube/VirtualClock.ts"

interface Happened {
  readonly version: number
  readonly namespace: string
}

/** An upstream that only knows watches of one collection. */
class WatchedUpstream implements Upstream {
  readonly log: Array<Happened> = []
  readonly open = new Map<HttpAnswerListener, number>()
  opened = 0
  /** What is before it has been compacted. */
  oldest = 0

  upgrade(): () => void {
    throw new Error("no upgrade is asked for")
  }

  send(head: HttpRequestHead, _body: unknown, listener: HttpAnswerListener): UpstreamCall {
    this.opened++
    const from = Number(/resourceVersion=(\d+)/.exec(head.path)?.[1])
    this.open.set(listener, from)
    this.starting.push(listener)
    return {
      pause: () => undefined,
      resume: () => undefined,
      write: () => true,
      end: () => undefined,
      cancel: () => void this.open.delete(listener)
    }
  }

  private starting: Array<HttpAnswerListener> = []

  /** Answers who has asked, and tells everyone what has happened. */
  turn(): void {
    for (const listener of this.starting.splice(0)) if (this.open.has(listener)) listener.head(200, [])
    for (const [listener, from] of this.open) {
      if (from < this.oldest) {
        const object = Failures.expired("too old resource version").status
        this.open.delete(listener)
        listener.body(Buffer.from(`${JSON.stringify({ type: "ERROR", object })}\n`))
        continue
      }
      for (const { namespace, version } of this.log) {
        if (version <= (this.open.get(listener) ?? Infinity)) continue
        this.open.set(listener, version)
        const object = { metadata: { name: "x", namespace, resourceVersion: String(version) } }
        listener.body(Buffer.from(`${JSON.stringify({ type: "MODIFIED", object })}\n`))
      }
    }
  }

  /** Breaks one of the open answers off. */
  lose(): void {
    for (const listener of this.open.keys()) {
      this.open.delete(listener)
      listener.failed(new Error("lost"), true)
      return
    }
  }
}

const tenants = ["acme01", "1acme0"]

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("write" as const), who: fc.integer({ min: 0, max: 2 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("subscribe" as const),
      who: fc.integer({ min: 0, max: 1 }),
      ago: fc.nat(20)
    })
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("turn" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("lose" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("wait" as const) }) }
)

const shared = (upstream: Upstream, clock: VirtualClock) =>
  new SharedWatch({
    upstream,
    clockwork: clock,
    question: { path: "/api/v1/pods", parameters: [], accept: "application/json" },
    ownerOf: ({ namespace }) => prefixIn(namespace),
    idle: () => undefined,
    pastMax: 4
  })

it("tells each its own, once, in order, from where it asked", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const upstream = new WatchedUpstream()
      const clock = new VirtualClock(1)
      const watch = shared(upstream, clock)
      const heard: Array<{ readonly who: string; readonly from: number; readonly versions: Array<number> }> = []
      let version = 100
      upstream.log.push({ version, namespace: "acme01-default" })
      for (const each of steps) {
        if (each.do === "write") {
          const namespace = `${[...tenants, "other0"][each.who]}-default`
          upstream.log.push({ version: ++version, namespace })
        } else if (each.do === "subscribe") {
          const who = tenants[each.who] ?? ""
          const from = Math.max(100, version - each.ago)
          const entry = { who, from, versions: [] as Array<number> }
          heard.push(entry)
          const cancel = watch.subscribe({
            tenant: who,
            resourceVersion: String(from),
            event: (event) => entry.versions.push(Number(event.resourceVersion)),
            // A private watch that is lost while it catches up says so, and its client asks again.
            ended: () => heard.splice(heard.indexOf(entry), 1)
          })
          assert.notInstanceOf(cancel, ApiFailure)
        } else if (each.do === "turn") upstream.turn()
        else if (each.do === "lose") upstream.lose()
        else clock.run(20_000)
      }
      for (let i = 0; i < 6; i++) {
        clock.run(20_000)
        upstream.log.push({ version: ++version, namespace: "other0-default" })
        upstream.turn()
      }
      for (const { from, versions, who } of heard) {
        const own = upstream.log.filter((each) => each.version > from && each.namespace === `${who}-default`)
        assert.deepStrictEqual(
          versions,
          own.map((each) => each.version)
        )
      }
    })
  )
})

it("asks upstream once for many, and tells all that the past is lost", () => {
  const upstream = new WatchedUpstream()
  const clock = new VirtualClock(1)
  const watch = shared(upstream, clock)
  const ends: Array<number> = []
  for (let i = 0; i < 1000; i++) {
    watch.subscribe({
      tenant: tenants[i % 2] ?? "",
      resourceVersion: "100",
      event: () => undefined,
      ended: (failure) => ends.push(failure.code)
    })
  }
  clock.run(1)
  upstream.turn()
  assert.strictEqual(upstream.opened, 1)
  assert.strictEqual(watch.subscribers, 1000)
  upstream.oldest = 200
  upstream.turn()
  assert.strictEqual(ends.length, 1000)
  assert.isTrue(ends.every((code) => code === 410))
})
