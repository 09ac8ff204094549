// Lists taken apart and joined, tokens and paths: for any content and any cut.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { Cursors } from "../../../core/tenancy/serve/Cursor.ts"
import { readPath } from "../../../core/tenancy/serve/RequestPath.ts"
import { type ListAround, ListItems, ListJoiner } from "../../../core/tenancy/watch/ListItems.ts"

const item = fc.record({
  metadata: fc.record({ name: fc.string(), items: fc.array(fc.string()), rows: fc.constantFrom([], [1]) }),
  data: fc.jsonValue()
})

interface List {
  readonly items: ReadonlyArray<unknown>
  readonly version: string
}

const list = fc.record({ items: fc.array(item, { maxLength: 5 }), version: fc.nat().map(String) })

/** The two orders in which servers write a list's fields. */
const textOf = ({ items, version }: List, metadataLast: boolean, name: string): string => {
  const metadata = { resourceVersion: version }
  const columns = name === "rows" ? { columnDefinitions: [{ name: "items", type: "]" }] } : {}
  return metadataLast
    ? JSON.stringify({ apiVersion: "a/v1", [name]: items, kind: "XList", metadata })
    : JSON.stringify({ kind: "XList", apiVersion: "a/v1", metadata, ...columns, [name]: items })
}

const pieces = (bytes: Uint8Array, cuts: ReadonlyArray<number>): ReadonlyArray<Uint8Array> => {
  const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b)
  return at.slice(1).map((end, i) => bytes.subarray(at[i], end))
}

describe("lists", () => {
  it("are joined to the list of all their items, wherever their bytes are cut", () => {
    fc.assert(
      fc.property(
        fc.array(list, { minLength: 1, maxLength: 4 }),
        fc.array(fc.nat(), { maxLength: 12 }),
        fc.boolean(),
        fc.constantFrom("items", "rows"),
        (lists, cuts, metadataLast, name) => {
          const written: Array<Uint8Array> = []
          const joiner = new ListJoiner((bytes) => written.push(bytes.slice()))
          let last: ListAround | undefined
          for (const each of lists) {
            joiner.next()
            const parts = new ListItems(
              (around) => joiner.begin(around),
              (bytes) => joiner.put(bytes)
            )
            for (const piece of pieces(Buffer.from(textOf(each, metadataLast, name)), cuts)) {
              assert.isTrue(parts.push(piece))
            }
            last = parts.end()
            assert.strictEqual(last?.metadata?.resourceVersion, each.version)
            assert.strictEqual(parts.count, each.items.length)
          }
          joiner.end(last ?? {}, { resourceVersion: "7" })
          const joined = JSON.parse(Buffer.concat(written).toString()) as Record<string, unknown>
          assert.deepStrictEqual(joined[name], JSON.parse(JSON.stringify(lists.flatMap(({ items }) => items))))
          assert.deepStrictEqual(joined["metadata"], { resourceVersion: "7" })
          assert.strictEqual(joined["kind"], "XList")
          assert.strictEqual("columnDefinitions" in joined, name === "rows" && !metadataLast)
        }
      )
    )
  })

  it("that end inside a value are none", () => {
    const whole = textOf({ items: [{ a: 1 }], version: "1" }, false, "items")
    for (let end = 1; end < whole.length; end++) {
      const parts = new ListItems(
        () => undefined,
        () => undefined
      )
      parts.push(Buffer.from(whole.slice(0, end)))
      assert.isUndefined(parts.end(), whole.slice(0, end))
    }
  })
})

describe("continue tokens", () => {
  const cursor = fc.record({
    of: fc.string(),
    list: fc.string(),
    version: fc.string(),
    namespace: fc.string(),
    upstream: fc.string()
  })

  it("open to what was sealed, tell nothing, and cannot be changed", () => {
    const cursors = new Cursors("a secret")
    const others = new Cursors("another")
    fc.assert(
      fc.property(cursor, fc.nat(), fc.integer({ min: 1, max: 255 }), (sealed, place, flip) => {
        const token = cursors.seal(sealed)
        assert.deepStrictEqual(cursors.open(token), sealed)
        assert.isUndefined(others.open(token))
        const bytes = Buffer.from(token, "base64url")
        if (sealed.upstream.length > 3) assert.notInclude(bytes.toString("latin1"), sealed.upstream)
        const at = place % bytes.length
        bytes[at] = (bytes[at] ?? 0) ^ flip
        assert.isUndefined(cursors.open(bytes.toString("base64url")))
      })
    )
  })
})

describe("paths", () => {
  it("with a segment that could be read twice are none", () => {
    const bad = fc.constantFrom("..", ".", "", "%2e%2e", "a%2fb", "%2F", "a%00", "%zz", "%25", "a%5cb", "a%3fb")
    fc.assert(
      fc.property(bad, fc.integer({ min: 0, max: 5 }), (segment, at) => {
        const good = ["api", "v1", "namespaces", "default", "pods", "p"]
        assert.isDefined(readPath("GET", `/${good.join("/")}`))
        const path = [...good.slice(0, at), segment, ...good.slice(at)]
        assert.isUndefined(readPath("GET", `/${path.join("/")}`), path.join("/"))
      })
    )
  })

  it("keep what is proxied as it was sent", () => {
    const read = readPath("GET", "/api/v1/namespaces/d/pods/p/proxy/a/../b%2fc//namespaces/x?q=1")
    assert.strictEqual(read?.proxied, "/a/../b%2fc//namespaces/x")
    assert.strictEqual(read?.info.namespace, "d")
    assert.isUndefined(readPath("GET", "/api/v1/nodes/n/proxy/../x"))
  })
})
