// Go's durations as they stand in configurations and specs: "1m30s".
// Owns reading them; refuses the units below a millisecond, which nobody waits for.

const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** Milliseconds of a duration; undefined when it is none, or is below zero. */
export const parseDurationMs = (text: string): number | undefined => {
  if (text === "0") return 0
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) return undefined
  let sum = 0
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)) sum += Number(amount) * units[unit]
  return sum
}
