import { assert, describe, it } from "vitest"
import * as fc from "fast-check"
import { valueBytes } from "../../../core/storage/engine/Engine.ts"
import { Overlay } from "../../../core/storage/mvcc/Overlay.ts"

type Step = { readonly write: string; readonly gone: boolean } | { readonly release: number } | { readonly look: true }
const step: fc.Arbitrary<Step> = fc.oneof(
  { arbitrary: fc.record({ write: fc.constantFrom("a", "a\0", "b", "c", "\xff"), gone: fc.boolean() }), weight: 6 },
  { arbitrary: fc.record({ release: fc.nat(4) }), weight: 2 },
  { arbitrary: fc.constant({ look: true as const }), weight: 2 }
)
interface Version {
  readonly key: string
  readonly revision: number
  readonly text: string | undefined
}
const latin1 = (text: string): Buffer => Buffer.from(text, "latin1")

describe("the overlay", () => {
  it("shows the newest uncommitted version at or before any revision", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const overlay = new Overlay()
        let versions: Array<Version> = []
        let head = 10
        let committed = 10
        const at = (key: string, revision: number): Version | undefined =>
          versions.findLast((one) => one.key === key && one.revision <= revision)
        const check = (): void => {
          for (let revision = committed + 1; revision <= head; revision++) {
            const seen = overlay
              .range(latin1("a"), undefined, revision)
              .map(({ record, text }) => [text, record && Buffer.from(valueBytes(record)).toString()])
            const wanted = ["a", "a\0", "b", "c", "\xff"]
              .flatMap((key) => at(key, revision) ?? [])
              .map(({ key, text }) => [key, text])
            assert.deepStrictEqual(seen, wanted)
            for (const key of ["a", "\xff"]) {
              const found = overlay.at(latin1(key), revision)
              assert.strictEqual(found?.record && String(valueBytes(found.record)), at(key, revision)?.text)
            }
          }
        }
        for (const one of steps) {
          if ("write" in one) {
            head++
            const text = one.gone ? undefined : `${head}`
            overlay.add(one.write, head, text === undefined ? undefined : Buffer.from(text))
            versions.push({ key: one.write, revision: head, text })
          } else if ("release" in one) {
            const upTo = Math.min(head, committed + one.release)
            const keys = versions.filter(({ revision }) => revision <= upTo).map(({ key }) => key)
            overlay.release(
              keys.map((text) => ({ text })),
              upTo
            )
            committed = upTo
            versions = versions.filter(({ revision }) => revision > upTo)
          } else check()
        }
        check()
        assert.strictEqual(overlay.isEmpty, versions.length === 0)
      }),
      { numRuns: 400 }
    )
  })
})
