// Virtual time: order, processes and their misfortunes, and the promise that a seed decides everything.
import { execFileSync } from "node:child_process"
import { assert, describe, it } from "vitest"
import { Kernel, RandomStream } from "#sim"
import { scatter } from "./Scatter.ts"

describe("chance", () => {
  it("gives each name a stream that no other consumer shifts", () => {
    const alone = new RandomStream(7).split("disk")
    const parent = new RandomStream(7)
    for (let drawn = 0; drawn < 100; drawn++) parent.split("network").next32()
    const beside = parent.split("disk")
    for (let drawn = 0; drawn < 100; drawn++) assert.strictEqual(beside.next32(), alone.next32())
  })
  it("is even over [0, 1) and differs from seed to seed", () => {
    const buckets = new Float64Array(16)
    const stream = new RandomStream(-3)
    for (let drawn = 0; drawn < 160_000; drawn++) buckets[stream.below(16)]++
    for (const count of buckets) assert.closeTo(count, 10_000, 500)
    const firsts = new Set(Array.from({ length: 2000 }, (_, seed) => new RandomStream(seed).next32()))
    assert.isAbove(firsts.size, 1998)
  })
})

describe("the kernel", () => {
  it("runs deferred closures in order before time moves, and timers when they are due", () => {
    const kernel = new Kernel({ seed: 1, epochMs: 1000 })
    const { clockwork } = kernel.process("a")
    const seen: Array<string> = []
    const note = (what: string) => () => void seen.push(`${what}@${clockwork.now()}`)
    clockwork.after(5, note("late"))
    clockwork.defer(note("first"))
    clockwork.defer(note("second"))
    const cancel = clockwork.every(2, () => {
      note("tick")()
      if (kernel.nowMs >= 4) cancel()
    })
    clockwork.after(3, note("never"))()
    assert.strictEqual(kernel.run({ untilMs: 10 }), "time")
    assert.deepStrictEqual(seen, ["first@1000", "second@1000", "tick@1002", "tick@1004", "late@1005"])
    assert.strictEqual(clockwork.monotonic(), 10)
    assert.strictEqual(kernel.run({}), "idle")
  })

  it("forgets what a crashed process had scheduled, and only that", () => {
    const kernel = new Kernel({ seed: 1 })
    const [a, b] = [kernel.process("a"), kernel.process("b")]
    const seen: Array<string> = []
    a.clockwork.after(5, () => seen.push("a"))
    b.clockwork.after(5, () => seen.push("b"))
    b.clockwork.after(2, () => a.crash())
    kernel.run({ untilMs: 3 })
    a.clockwork.after(5, () => seen.push("a again"))
    kernel.run({})
    assert.deepStrictEqual(seen, ["b", "a again"])
  })

  it("holds what falls due in a pause and runs it in order afterwards", () => {
    const kernel = new Kernel({ seed: 1 })
    const process = kernel.process("a")
    const seen: Array<number> = []
    for (const delay of [1, 2, 3, 9]) process.clockwork.after(delay, () => seen.push(delay))
    process.pause()
    kernel.run({ untilMs: 5 })
    assert.deepStrictEqual(seen, [])
    process.resume()
    kernel.run({})
    assert.deepStrictEqual(seen, [1, 2, 3, 9])
  })

  it("explores another order of simultaneous events with another seed, but keeps each process' own", () => {
    const orders = new Set<string>()
    for (let seed = 0; seed < 40; seed++) {
      const kernel = new Kernel({ seed })
      const seen: Array<string> = []
      for (const name of ["a", "b", "c"]) {
        const { clockwork } = kernel.process(name)
        clockwork.after(1, () => seen.push(`${name}1`))
        clockwork.after(1, () => seen.push(`${name}2`))
      }
      kernel.run({})
      for (const name of ["a", "b", "c"]) assert.isBelow(seen.indexOf(`${name}1`), seen.indexOf(`${name}2`))
      orders.add(seen.join())
    }
    assert.strictEqual(orders.size, 6)
  })
})

describe("determinism", () => {
  it("gives the same log hash twice, here and in another process, and another one for another seed", () => {
    const first = scatter(42)
    assert.strictEqual(scatter(42), first)
    const path = new URL("Scatter.ts", import.meta.url).pathname
    assert.strictEqual(execFileSync(process.execPath, [path, "42"]).toString().trim(), first)
    assert.strictEqual(new Set(Array.from({ length: 50 }, (_, seed) => scatter(seed))).size, 50)
  })
})
