// The union of permissions against brute force: every key of a small world is looked at, one by one.
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { isGrantable, mergePermissions } from "../../../core/storage/auth/Permissions.ts"
import type { Permission } from "../../../core/storage/rpc/AdminMessages.ts"

const alphabet = ["\0", "a", "b", "\xff"]
const grow = (texts: ReadonlyArray<string>): ReadonlyArray<string> =>
  texts.flatMap((text) => alphabet.map((letter) => text + letter))
const short = [...alphabet, ...grow(alphabet)]
/** Every key that can be an end of a range below, and the next after each: a gap begins at one of them. */
const world = [...short, ...grow(grow(alphabet))].sort()

const raw = (text: string): Buffer => Buffer.from(text, "latin1")
const key = fc.constantFrom(...short)
const rangeEnd = fc.oneof(fc.constant(""), fc.constant("\0"), key)
const permission = fc
  .record({ permType: fc.constantFrom(0, 1, 2, 9), key: key.map(raw), rangeEnd: rangeEnd.map(raw) })
  .filter((made) => isGrantable(made.key, made.rangeEnd))

const contains = (start: string, end: string, text: string): boolean =>
  end === "" ? text === start : text >= start && (end === "\0" || text < end)

const permits = (permissions: ReadonlyArray<Permission>, access: "read" | "write", text: string): boolean =>
  permissions.some(
    (each) =>
      (each.permType === 2 || each.permType === (access === "read" ? 0 : 1)) &&
      contains(Buffer.from(each.key).toString("latin1"), Buffer.from(each.rangeEnd).toString("latin1"), text)
  )

describe("merged permissions", () => {
  it("permit what brute force permits, key by key", () => {
    fc.assert(
      fc.property(
        fc.array(permission, { maxLength: 8 }),
        key,
        rangeEnd,
        fc.constantFrom("read" as const, "write" as const),
        (permissions, start, end, access) => {
          const inside = world.filter((text) => contains(start, end, text))
          const asked = inside.length === 0 ? [start] : inside
          const expected = asked.every((text) => permits(permissions, access, text))
          expect(mergePermissions(permissions)[access].covers(raw(start), raw(end))).toBe(expected)
        }
      ),
      { numRuns: 20_000 }
    )
  })

  it("join ranges that touch and keep apart what does not", () => {
    const both = (start: string, end: string): Permission => ({ permType: 2, key: raw(start), rangeEnd: raw(end) })
    const touching = mergePermissions([both("b", "c"), both("a", "b")]).read
    expect(touching.covers(raw("a"), raw("c"))).toBe(true)
    expect(touching.covers(raw("a"), raw("c\0"))).toBe(false)
    const apart = mergePermissions([both("a", "b"), both("b\0", "c")]).read
    expect(apart.covers(raw("a"), raw("c"))).toBe(false)
    expect(mergePermissions([both("a", "\0")]).write.covers(raw("b"), raw("\0"))).toBe(true)
    expect(mergePermissions([both("a", "z")]).write.covers(raw("b"), raw("\0"))).toBe(false)
  })

  it("cannot be granted on an empty key or an empty range", () => {
    expect(isGrantable(raw(""), raw(""))).toBe(false)
    expect(isGrantable(raw("b"), raw("b"))).toBe(false)
    expect(isGrantable(raw("b"), raw("a"))).toBe(false)
    expect(isGrantable(raw("b"), raw("\0"))).toBe(true)
  })
})
