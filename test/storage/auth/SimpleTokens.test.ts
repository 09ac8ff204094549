// The life of a simple token: given, used, renewed, forgotten.
import { describe, expect, it } from "vitest"
import { SimpleTokens } from "../../../core/storage/auth/SimpleTokens.ts"

const make = () => {
  const time = { nowMs: 0 }
  let seed = 7
  const entropy = (count: number) =>
    Uint8Array.from({ length: count }, () => (seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31) >> 8)
  return { time, tokens: new SimpleTokens({ ttlMs: 300_000, clock: () => time.nowMs, entropy }) }
}

describe("simple tokens", () => {
  it("have etcd's form and name their user", () => {
    const { tokens } = make()
    const token = tokens.assign("alice")
    expect(token).toMatch(/^[a-zA-Z]{16}\.\d+$/)
    expect(tokens.assign("alice")).not.toBe(token)
    expect(tokens.holder(token, 5)).toEqual({ user: "alice", revision: 5 })
    expect(tokens.holder("abcdefghijklmnop.1", 5)).toBeUndefined()
  })

  it("live on while they are used, and end a lifetime after the last use", () => {
    const { time, tokens } = make()
    const token = tokens.assign("alice")
    for (let used = 0; used < 10; used++) {
      time.nowMs += 299_000
      expect(tokens.holder(token, 1)?.user).toBe("alice")
    }
    time.nowMs += 301_001
    expect(tokens.holder(token, 1)).toBeUndefined()
    expect(tokens.size).toBe(0)
  })

  it("are forgotten when nobody asks for them again", () => {
    const { time, tokens } = make()
    for (let given = 0; given < 100; given++) tokens.assign("alice")
    time.nowMs += 301_000
    tokens.assign("bob")
    expect(tokens.size).toBe(1)
  })

  it("are bounded in number: the one longest unused goes first", () => {
    const { time, tokens } = make()
    const used = tokens.assign("alice")
    const unused = tokens.assign("alice")
    time.nowMs = 2000
    tokens.holder(used, 1)
    for (let given = 0; given < 99_999; given++) tokens.assign("bob")
    expect(tokens.size).toBe(100_000)
    expect(tokens.holder(unused, 1)).toBeUndefined()
    expect(tokens.holder(used, 1)?.user).toBe("alice")
  })

  it("are taken back for one user, or for all", () => {
    const { tokens } = make()
    const [alice, bob] = [tokens.assign("alice"), tokens.assign("bob")]
    tokens.invalidateUser("alice")
    expect(tokens.holder(alice, 1)).toBeUndefined()
    expect(tokens.holder(bob, 1)?.user).toBe("bob")
    tokens.clear()
    expect(tokens.holder(bob, 1)).toBeUndefined()
  })
})
