// Quantities against what apimachinery said, and exact arithmetic against bigint fractions.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { milliQuantity, parseQuantity, Quantity, QuantityInvalid, quantityOf, wholeQuantity } from "#kube"
import { golden } from "./Golden.ts"

const parse = (text: string): Quantity => {
  const quantity = parseQuantity(text)
  if (quantity instanceof QuantityInvalid) throw quantity
  return quantity
}

const fitsInt64 = (value: number | bigint): boolean => value >= 0 && value < 2n ** 63n

/** In units of 10^-30, as a plain bigint. */
const exact = ({ scale, unscaled }: Quantity): bigint => BigInt(unscaled) * 10n ** BigInt(scale + 30)

const anyQuantity = fc
  .tuple(
    fc.bigInt({ min: -(10n ** 21n), max: 10n ** 21n }),
    fc.option(fc.nat(999_999), { nil: undefined }),
    fc.constantFrom("", "n", "u", "m", "k", "M", "G", "Ki", "Mi", "Gi", "Ti", "e2", "e-4")
  )
  .map(([whole, fraction, suffix]) => parse(`${whole}${fraction === undefined ? "" : `.${fraction}`}${suffix}`))

describe("Quantity", () => {
  it("reads, prints and computes as apimachinery does", () => {
    for (const { a, b, want } of golden.Quantity) {
      const quantity = parseQuantity(a)
      if (quantity instanceof QuantityInvalid) {
        assert.strictEqual(quantity.message, want.err, a)
        continue
      }
      assert.deepStrictEqual(
        [String(quantity), quantity.canonical(), quantity.format],
        [want.raw, want.canon, want.format],
        a
      )
      // Go overflows silently where we go on with bigints.
      if (fitsInt64(quantity.value())) assert.strictEqual(String(quantity.value()), want.value, a)
      if (fitsInt64(quantity.milliValue())) assert.strictEqual(String(quantity.milliValue()), want.milli, a)
      const other = parseQuantity(b)
      if (other instanceof QuantityInvalid || want.add === undefined) continue
      assert.strictEqual(quantity.compare(other), want.cmp, `${a} to ${b}`)
      assert.strictEqual(String(quantity.add(other)), want.add, `${a} + ${b}`)
      assert.strictEqual(String(quantity.sub(other)), want.sub, `${a} - ${b}`)
    }
  })

  it("computes exactly", () => {
    fc.assert(
      fc.property(anyQuantity, anyQuantity, (a, b) => {
        assert.strictEqual(exact(a.add(b)), exact(a) + exact(b))
        assert.strictEqual(exact(a.sub(b)), exact(a) - exact(b))
        const difference = exact(a) - exact(b)
        assert.strictEqual(a.compare(b), difference < 0n ? -1 : difference > 0n ? 1 : 0)
        assert.strictEqual(parse(a.canonical()).compare(a), 0)
        assert.strictEqual(exact(a.times(3)), exact(a) * 3n)
      })
    )
  })

  it("rounds away from zero", () => {
    assert.strictEqual(parse("1m").value(), 1)
    assert.strictEqual(parse("-1m").value(), -1)
    assert.strictEqual(parse("1500u").milliValue(), 2)
    assert.strictEqual(parse("0.1n").scaledValue(-9), 1)
    assert.strictEqual(parse("8Ei").value(), 2n ** 63n - 1n)
  })

  it("keeps sizes that Go's suffix table loses", () => {
    assert.strictEqual(String(parse("1000E")), "1000E")
    assert.strictEqual(parse("1000E").compare(parse("1e21")), 0)
  })

  it("reads numbers of objects too, and refuses exponents without use", () => {
    assert.strictEqual(String(quantityOf(0.5)), "500m")
    assert.strictEqual(String(quantityOf(" 3 ")), "3")
    assert.instanceOf(parseQuantity("1e999999999"), QuantityInvalid)
    assert.instanceOf(parseQuantity("1".repeat(10_000)), QuantityInvalid)
  })

  it("is made from numbers", () => {
    assert.strictEqual(String(milliQuantity(1500)), "1500m")
    assert.strictEqual(String(wholeQuantity(1 << 30, "BinarySI")), "1Gi")
    assert.strictEqual(JSON.stringify({ cpu: milliQuantity(2000) }), '{"cpu":"2"}')
  })
})
