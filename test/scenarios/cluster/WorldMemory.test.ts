// The flags of a world's process, as this Node takes them: a version of V8 that drops one or gives it another meaning is found here.
import { spawnSync } from "node:child_process"
import { assert, it } from "vitest"
import { memoryFlags } from "../../../scenarios/cluster/WorldMemory.ts"

/** Keeps five MiB alive over one collection of young garbage and tells how many of them are young still. */
const YOUNG_AFTER_ONE = `
const kept = Array.from({ length: 40_000 }, (_, at) => ({ at, text: "n" + at, more: [at] }))
gc({ type: "minor" })
const young = require("node:v8").getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space")
console.log(young.space_used_size / 2 ** 20, kept.length)
`

/** Leaves 100 MiB of old objects of which three in four die, and tells how large the old space is before and after it is compacted. */
const HOLLOW = `
const { compactHeap } = await import(process.argv[1])
const { getHeapSpaceStatistics } = await import("node:v8")
const sizeMiB = () => getHeapSpaceStatistics().find(({ space_name }) => space_name === "old_space").space_size / 2 ** 20
let kept = Array.from({ length: 800_000 }, (_, at) => ({ at, text: "n" + at, more: [at] }))
gc()
kept = kept.filter(({ at }) => at % 4 === 0)
gc()
const before = sizeMiB()
compactHeap(1000)
const untouched = sizeMiB()
compactHeap(10)
console.log(before, untouched, sizeMiB(), kept.length)
`

const youngMiB = (flags: ReadonlyArray<string>): number => {
  const { status, stderr, stdout } = spawnSync(process.execPath, [...flags, "--expose-gc", "-e", YOUNG_AFTER_ONE])
  assert.strictEqual(status, 0, stderr.toString())
  const [young, kept] = stdout.toString().split(" ").map(Number)
  assert.strictEqual(kept, 40_000)
  return young
}

/** On a machine with much else to do a collection may come in between: the clearest of three. */
const RUNS = [0, 1, 2]

it("makes old at once what outlives one collection of young garbage, in worlds of every size", () => {
  for (const nodes of [100, 10_000]) assert.isBelow(Math.min(...RUNS.map(() => youngMiB(memoryFlags(nodes)))), 0.5)
  assert.isAbove(Math.max(...RUNS.map(() => youngMiB([]))), 1)
})

it("moves old objects together once too much lies empty between them, and not before", () => {
  const room = new URL("../../../scenarios/cluster/WorldMemory.ts", import.meta.url).href
  const args = [...memoryFlags(10_000), "--input-type=module", "-e", HOLLOW, room]
  const { status, stderr, stdout } = spawnSync(process.execPath, args)
  assert.strictEqual(status, 0, stderr.toString())
  const [before, untouched, after, kept] = stdout.toString().split(" ").map(Number)
  assert.strictEqual(kept, 200_000)
  assert.strictEqual(untouched, before)
  assert.isBelow(after, before - 10, stdout.toString())
})
