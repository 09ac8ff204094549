// Durations as Go writes them: "1h30m", "1.5s", "250ms".
// Owns the text's meaning in milliseconds; refuses everything that time.ParseDuration does not read.

const UNITS_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000
}

/** Milliseconds; undefined when the text is no duration. */
export const parseGoDuration = (text: string): number | undefined => {
  const match = /^([+-]?)((?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/.exec(text)
  if (text === "0") return 0
  if (match === null) return undefined
  let sum = 0
  for (const [, amount, unit] of text.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g))
    sum += Number(amount) * UNITS_MS[unit]
  return match[1] === "-" ? -sum : sum
}
