import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { KeyPool, type KeyPoolOptions } from "../../scenarios/generator/KeyPool.ts"
import { randomness } from "../../scenarios/Randomness.ts"

const options: KeyPoolOptions = { prefix: "/registry/x/", keyBytes: 40, suffix: "random", preset: 0, seed: 3 }

const spell = (pool: KeyPool, index: number): string => {
  const into = new Uint8Array(pool.keyBytes)
  pool.write(into, 0, index)
  return Buffer.from(into).toString("latin1")
}

describe("how keys are spelt", () => {
  it("each number has its own key of the right length under the prefix, the same for the same seed", () => {
    for (const suffix of ["random", "sequential"] as const) {
      const pool = new KeyPool({ ...options, suffix })
      const keys = Array.from({ length: 5000 }, (_, index) => spell(pool, index))
      assert.strictEqual(new Set(keys).size, keys.length)
      for (const key of keys) assert.match(key, /^\/registry\/x\/[-0-9a-f]{28}$/)
      assert.deepStrictEqual(
        keys.slice(0, 50),
        Array.from({ length: 50 }, (_, index) => spell(new KeyPool({ ...options, suffix }), index))
      )
      const sorted = keys.toSorted()
      if (suffix === "sequential") assert.deepStrictEqual(sorted, keys)
      else assert.notDeepEqual(sorted, keys)
    }
  })
})

describe("which keys exist", () => {
  it("follows creates, updates and deletes like a plain set, and never picks a key in flight", () => {
    const step = fc.constantFrom("create", "update", "delete", "fail", "finish")
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 200 }),
        fc.nat(),
        fc.constantFrom("uniform", "zipf", "sequential"),
        (steps, seed, order) => {
          const pool = new KeyPool(options)
          const random = randomness(seed)
          const live = new Map<number, number>()
          const flying: Array<{ key: number; op: string }> = []
          let revision = 1
          for (const op of steps) {
            if (op === "create") flying.push({ key: pool.create(), op })
            else if (op === "update" || op === "delete") {
              const key = pool.pick(random, order)
              if (key < 0) continue
              assert.isTrue(live.has(key), "picked a key that does not exist")
              assert.isFalse(
                flying.some((other) => other.key === key),
                "picked a key in flight"
              )
              pool.hold(key)
              flying.push({ key, op })
            } else {
              const done = flying.shift()
              if (done === undefined) continue
              if (op === "fail") pool.release(done.key)
              else if (done.op === "delete") {
                pool.deleted(done.key)
                live.delete(done.key)
              } else {
                pool.wrote(done.key, ++revision)
                live.set(done.key, revision)
              }
            }
            assert.strictEqual(pool.size, live.size)
          }
          for (const [key, at] of live) assert.strictEqual(pool.revision(key), at)
        }
      ),
      { numRuns: 300 }
    )
  })

  it("grows far beyond its first capacity", () => {
    const pool = new KeyPool(options)
    for (let count = 0; count < 50_000; count++) pool.wrote(pool.create(), count + 1)
    assert.strictEqual(pool.size, 50_000)
    assert.strictEqual(pool.revision(49_999), 50_000)
  })

  it("forgets a range by number where keys are sequential, and by order where they are scattered", () => {
    for (const suffix of ["sequential", "random"] as const) {
      const pool = new KeyPool({ ...options, suffix })
      for (let count = 0; count < 200; count++) pool.wrote(pool.create(), count + 1)
      const from = spell(pool, 50)
      pool.forgetRange(50, 10)
      for (let index = 0; index < 200; index++) {
        const gone = suffix === "sequential" ? index >= 50 && index < 60 : spell(pool, index) >= from
        assert.strictEqual(pool.revision(index) === 0, gone)
      }
    }
  })

  it("offers the preset from the start", () => {
    const pool = new KeyPool({ ...options, preset: 100 })
    const random = randomness(1)
    assert.strictEqual(pool.pick(random, "uniform"), -1)
    for (let draw = 0; draw < 100; draw++) assert.isBelow(pool.pickAny(random, "uniform"), 100)
    assert.strictEqual(pool.create(), 100)
  })

  it("zipf prefers the first keys, and every order stays within bounds", () => {
    const pool = new KeyPool({ ...options, preset: 1000 })
    const random = randomness(9)
    const hits = new Array<number>(1000).fill(0)
    for (let draw = 0; draw < 50_000; draw++) hits[pool.pickAny(random, "zipf")]++
    assert.isAbove(hits[0], hits[10] * 3)
    assert.isAbove(hits[10], hits[900])
  })
})
