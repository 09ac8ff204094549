// The search against histories whose verdict is known, and against histories made by a register that really is one.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { judgeHistory, type RegisterOperation } from "#sim"

const never = Number.POSITIVE_INFINITY
const write = (value: string, calledAt: number, answeredAt: number): RegisterOperation => ({
  kind: "write",
  value,
  calledAt,
  answeredAt
})
const read = (seen: string | undefined, calledAt: number, answeredAt: number): RegisterOperation => ({
  kind: "read",
  seen,
  calledAt,
  answeredAt
})

describe("known histories", () => {
  const cases: ReadonlyArray<readonly [string, ReadonlyArray<RegisterOperation>, string]> = [
    ["a read sees the write before it", [write("a", 1, 2), read("a", 3, 4)], "linearizable"],
    [
      "a read after a write does not see the state before",
      [write("a", 1, 2), read(undefined, 3, 4)],
      "not linearizable"
    ],
    [
      "a read beside a write may see either",
      [write("a", 1, 5), read(undefined, 2, 3), read("a", 6, 7)],
      "linearizable"
    ],
    [
      "time does not run backwards for readers",
      [write("a", 1, 9), read("a", 2, 3), read(undefined, 4, 5)],
      "not linearizable"
    ],
    [
      "a write without an answer may come late",
      [write("a", 1, never), read(undefined, 2, 3), read("a", 4, 5)],
      "linearizable"
    ],
    ["a write without an answer may never come", [write("a", 1, never), read(undefined, 2, 3)], "linearizable"],
    [
      "but it comes once",
      [write("a", 1, never), write("b", 2, 3), read("a", 4, 5), read("b", 6, 7)],
      "not linearizable"
    ],
    [
      "two compare-and-sets cannot both win",
      [
        { kind: "cas", expected: undefined, value: "a", done: true, calledAt: 1, answeredAt: 4 },
        { kind: "cas", expected: undefined, value: "b", done: true, calledAt: 2, answeredAt: 3 }
      ],
      "not linearizable"
    ],
    [
      "a compare-and-set may build on one without an answer",
      [
        write("a", 1, never),
        { kind: "cas", expected: "a", value: "b", calledAt: 2, answeredAt: never },
        read("b", 3, 4)
      ],
      "linearizable"
    ],
    [
      "a deletion that found nothing came before the write",
      [write("a", 1, 4), { kind: "delete", done: false, calledAt: 2, answeredAt: 5 }, read("a", 6, 7)],
      "linearizable"
    ],
    [
      "a deletion that found something leaves nothing",
      [write("a", 1, 2), { kind: "delete", done: true, calledAt: 3, answeredAt: 4 }, read("a", 5, 6)],
      "not linearizable"
    ]
  ]
  for (const [name, operations, verdict] of cases) it(name, () => assert.strictEqual(judgeHistory(operations), verdict))
})

/** What a real register does with operations that take effect at one instant each, at random between call and answer. */
const realHistory = (draws: ReadonlyArray<readonly [number, number, number, boolean]>): Array<RegisterOperation> => {
  const planned = draws.map(([kind, at, length, lost], id) => ({
    kind,
    at: at + 0.5,
    from: at - length,
    to: at + length + 1,
    lost,
    id
  }))
  planned.sort((a, b) => a.at - b.at || a.id - b.id)
  let state: string | undefined
  return planned.map(({ from, id, kind, lost, to }): RegisterOperation => {
    const times = { calledAt: from, answeredAt: lost ? never : to }
    if (kind === 0) return { kind: "read", seen: state, ...times }
    if (kind === 1) return { kind: "write", value: (state = `v${id}`), ...times }
    const found = state !== undefined
    state = undefined
    return { kind: "delete", ...(lost ? {} : { done: found }), ...times }
  })
}

it("never blames a real register", () => {
  const draw = fc.tuple(
    fc.nat(2),
    fc.nat(30),
    fc.nat(4),
    fc.boolean().map((lost) => lost)
  )
  fc.assert(
    fc.property(fc.array(draw, { maxLength: 14 }), (draws) => {
      // One instant each: two operations never take effect at the same time.
      const apart = draws.map(
        ([kind, at, length, lost], index) => [kind, at + index / 100, length, lost && kind > 0] as const
      )
      assert.strictEqual(judgeHistory(realHistory(apart)), "linearizable")
    }),
    { numRuns: 2000 }
  )
})
