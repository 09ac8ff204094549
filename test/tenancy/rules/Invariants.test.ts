// The invariants of the translation, a few hundred cases each, and planted mistakes that they must find.
// `wharf check tenancy --runs 10000` and `--mutants` are the longer forms; TENANCY_RUNS makes this one longer.
import { assert, describe, it } from "vitest"
import {
  type CheckOptions,
  checkInvariant,
  invariantsNamed,
  judge,
  kindsChecked
} from "../../../core/tenancy/check/CheckTenancy.ts"
import { mutants } from "../../../core/tenancy/check/Mutants.ts"
import { newRewriter } from "../../../core/tenancy/check/View.ts"
import { Translation } from "../../../core/tenancy/names/Translation.ts"
import { runSeed } from "../../Seed.ts"

const runs = Number(process.env["TENANCY_RUNS"] ?? 300)
const seed = runSeed()

describe("the translation's invariants", () => {
  it("are about every kind that tenants are served", () => assert.isAbove(kindsChecked(), 50))

  for (const invariant of invariantsNamed(undefined)) {
    it(`${invariant.number} ${invariant.name}: ${invariant.says}`, () => {
      const { failure } = checkInvariant(invariant, { runs, seed })
      assert.isUndefined(failure, `seed ${seed}: ${failure?.message} (smallest: ${failure?.smallest})`)
    })
  }
})

describe("planted mistakes", () => {
  // Those whose place no chance has to find, so that few cases are enough; `--mutants` plants all.
  const quick = mutants().filter(({ name }) => !name.startsWith("no-rule:"))

  it(`are ${quick.length}, and found`, () => {
    assert.isAtLeast(quick.length, 25)
    const missed = quick.filter((mutant) => judge(mutant, { runs: 2000, seed: 1, shrink: false }).found === undefined)
    assert.deepStrictEqual(
      missed.map(({ name }) => name),
      []
    )
  })

  it("in the handler are found by what it asks upstream", () => {
    const { prototype } = Translation
    const planted = [
      ["paths", "namespaceUp"],
      ["subresources", "namespaceUp"],
      ["subresources", "nameUp"],
      ["paths", "nameUp"],
      ["paths", "groupUp"],
      ["pages", "namespaceUp"],
      ["replay", "namespaceUp"],
      ["headers", "userUp"],
      ["headers", "userGroupUp"]
    ] as const
    for (const [which, method] of planted) {
      const whole = prototype[method]
      const raw = (...names: ReadonlyArray<string>): string => names.at(-1) ?? ""
      const [invariant] = invariantsNamed(which)
      if (invariant === undefined) throw new Error(`${which} is gone`)
      Object.assign(prototype, { [method]: raw })
      try {
        const { failure } = checkInvariant(invariant, { runs: 3000, seed: 1, shrink: false })
        assert.isDefined(failure, `${method} without a prefix`)
      } finally {
        Object.assign(prototype, { [method]: whole })
      }
    }
  })

  it("leave nothing behind, and what is whole is not found", () => {
    const nothing = judge({ name: "nothing", plant: () => () => undefined }, { runs: 200, seed: 1, shrink: false })
    assert.isUndefined(nothing.found)
  })

  it("shrink to the smallest object, which replays", () => {
    const [invariant] = invariantsNamed("no-effect-outside")
    const mutant = mutants().find(({ name }) => name === "owner-unprefixed")
    if (invariant === undefined || mutant === undefined) throw new Error("they are gone")
    const failureOf = (options: CheckOptions) => {
      const rewriter = newRewriter()
      const uproot = mutant.plant(rewriter)
      try {
        return checkInvariant(invariant, options, rewriter).failure
      } finally {
        uproot()
      }
    }
    const found = failureOf({ runs: 3000, seed: 5 })
    assert.isDefined(found)
    assert.match(found?.smallest ?? "", /ownerReferences/)
    assert.isBelow((found?.smallest ?? "").length, 200)
    const again = failureOf({ runs: 1, seed: 5, path: found?.path })
    assert.strictEqual(again?.smallest, found?.smallest)
  })
})
