// Selectors against what apimachinery said, and the laws they keep.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import {
  escapeFieldValue,
  FieldSelector,
  formatLabelSelector,
  LabelSelector,
  labelSelectorOf,
  labelSelectorOfLabels,
  parseFieldSelector,
  parseLabelSelector,
  SelectorInvalid
} from "#kube"
import { golden } from "./Golden.ts"

describe("LabelSelector", () => {
  it("reads, prints, matches and complains as apimachinery does", () => {
    for (const { labels, text, want } of golden.LabelSelector) {
      const selector = parseLabelSelector(text)
      if (selector instanceof SelectorInvalid) {
        assert.strictEqual(selector.message, want.err, text)
        continue
      }
      assert.strictEqual(selector.toString(), want.s, text)
      assert.strictEqual(selector.matches(labels), want.m, text)
    }
  })

  it("reads what it printed", () => {
    const word = fc.constantFrom("a", "b", "in", "x.y/z", "v1")
    const operator = fc.constantFrom("=", "!=", " in ", " notin ")
    const term = fc
      .tuple(word, operator, fc.constantFrom("1", "b", "in"))
      .map(([key, operator, value]) =>
        operator.includes("in") ? `${key}${operator}(${value},z)` : key + operator + value
      )
    fc.assert(
      fc.property(fc.array(term, { maxLength: 4 }), (terms) => {
        const selector = parseLabelSelector(terms.join(","))
        assert.instanceOf(selector, LabelSelector)
        assert.deepStrictEqual(parseLabelSelector(String(selector)), selector)
      })
    )
  })

  it("takes the form of specs", () => {
    const selector = labelSelectorOf({
      matchLabels: { app: "web" },
      matchExpressions: [
        { key: "tier", operator: "In", values: ["b", "a"] },
        { key: "old", operator: "DoesNotExist" }
      ]
    })
    assert.instanceOf(selector, LabelSelector)
    assert.strictEqual(String(selector), "app=web,!old,tier in (a,b)")
    assert.isTrue(selector.matches({ app: "web", tier: "a" }))
    assert.isFalse(selector.matches({ app: "web", tier: "a", old: "" }))
    assert.isFalse((labelSelectorOf(undefined) as LabelSelector).matches({}))
    assert.isTrue((labelSelectorOf({}) as LabelSelector).matches(undefined))
    assert.strictEqual(formatLabelSelector({}), "<none>")
    const wrong = labelSelectorOf({ matchExpressions: [{ key: "a", operator: "Near" }] })
    assert.strictEqual((wrong as SelectorInvalid).message, '"Near" is not a valid label selector operator')
  })

  it("does not take inherited properties for labels", () => {
    assert.isFalse((parseLabelSelector("constructor") as LabelSelector).matches({}))
    assert.isTrue((parseLabelSelector("!toString") as LabelSelector).matches({}))
  })

  it("knows the one value that a key must have", () => {
    assert.strictEqual((parseLabelSelector("a in (x),b!=y") as LabelSelector).exactMatch("a"), "x")
    assert.isUndefined((parseLabelSelector("a in (x,y)") as LabelSelector).exactMatch("a"))
    assert.strictEqual(labelSelectorOfLabels({ b: "2", a: "1" }).toString(), "a=1,b=2")
  })
})

describe("FieldSelector", () => {
  it("reads, prints and complains as apimachinery does", () => {
    for (const { text, want } of golden.FieldSelector) {
      const selector = parseFieldSelector(text)
      if (selector instanceof SelectorInvalid) assert.strictEqual(selector.message, want.err, text)
      else assert.strictEqual(selector.toString(), want.s, text)
    }
  })

  it("escapes any value so that it is read back, and matches it", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (value) => {
        const selector = parseFieldSelector(`spec.x=${escapeFieldValue(value)}`)
        assert.instanceOf(selector, FieldSelector)
        assert.strictEqual(selector.exactMatch("spec.x"), value)
        assert.isTrue(selector.matches(() => value))
        assert.isFalse(selector.matches(() => `${value}.`))
      })
    )
  })
})
