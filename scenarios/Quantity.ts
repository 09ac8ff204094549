// Quantities as people write them in a scenario file: spans of time ("500ms", "1m30s") and sizes ("64KiB").
// Decoded once, here, into plain milliseconds and bytes. Owns no policy about which values are sensible where.
import { Schema, SchemaTransformation } from "effect"

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }
const spanPattern = /^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/
const spanParts = /(\d+(?:\.\d+)?)(ms|s|m|h)/g

/** Milliseconds of a span such as "1m30s"; the text must already match the span's pattern. */
const toMs = (text: string): number => {
  let total = 0
  for (const [, amount, unit] of text.matchAll(spanParts)) total += Number(amount) * (unitMs[unit ?? "ms"] ?? 1)
  return total
}

/** A span of time written as numbers with units ms, s, m, h; decodes to milliseconds. */
export const Span = Schema.String.check(
  Schema.isPattern(spanPattern, { expected: 'a span of time such as "500ms", "10s" or "1m30s"' })
)
  .annotate({ description: "A span of time: numbers with the units ms, s, m or h", examples: ["10s", "1m30s"] })
  .pipe(
    Schema.decodeTo(
      Schema.Finite,
      SchemaTransformation.transform<number, string>({ decode: toMs, encode: (ms) => `${ms}ms` })
    )
  )

const unitBytes: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3
}
const sizePattern = /^(\d+(?:\.\d+)?)(B|KB|MB|GB|KiB|MiB|GiB)$/

const toBytes = (size: string | number): number => {
  if (typeof size === "number") return size
  const [, amount, unit] = sizePattern.exec(size) ?? []
  return Math.round(Number(amount) * (unitBytes[unit ?? "B"] ?? 1))
}

const SizeText = Schema.String.check(
  Schema.isPattern(sizePattern, { expected: 'a size in bytes such as 512, "64KiB" or "1.5MiB"' })
)
const Bytes = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0, { expected: "a size of at least 0 bytes" }))

/** A size in bytes, as a whole number or with a unit (B, KB, KiB, MB, MiB, GB, GiB); decodes to bytes. */
export const Size = Schema.Union([Bytes, SizeText])
  .annotate({ description: "A size: whole bytes, or a number with the unit B, KB, KiB, MB, MiB, GB or GiB" })
  .pipe(
    Schema.decodeTo(
      Schema.Int,
      SchemaTransformation.transform<number, string | number>({ decode: toBytes, encode: (bytes) => bytes })
    )
  )

/** A whole number from 1 up, bounded so that a typing error cannot ask for the impossible. */
export const Count = (maximum: number) =>
  Schema.Int.check(
    Schema.isBetween({ minimum: 1, maximum }, { expected: `a whole number from 1 to ${maximum.toLocaleString("en")}` })
  )

/** A rate per second above 0. */
export const Rate = Schema.Finite.check(
  Schema.isBetween(
    { minimum: 0, maximum: 10_000_000, exclusiveMinimum: true },
    { expected: "a rate per second above 0 and at most 10,000,000" }
  )
)

/** A name that other parts of the file and the report refer to. */
export const Name = Schema.String.check(
  Schema.isPattern(/^[a-z0-9][a-z0-9.-]{0,62}$/, {
    expected: "a name of at most 63 lower-case letters, digits, dots and dashes, beginning with a letter or digit"
  })
)
