// Which of several API versions comes first: stable before beta before alpha, later before earlier, then anything else by name
// (apimachinery's version priority).
// Owns the order only.

interface Parsed {
  readonly major: number
  /** 3 stable, 2 beta, 1 alpha. */
  readonly level: number
  readonly minor: number
}

const pattern = /^v(\d+)(?:(alpha|beta)(\d+))?$/

const parse = (version: string): Parsed | undefined => {
  const match = pattern.exec(version)
  if (match === null) return undefined
  const [, major, level, minor = "0"] = match
  return { major: Number(major), level: level === undefined ? 3 : level === "beta" ? 2 : 1, minor: Number(minor) }
}

/** Negative when `a` is preferred to `b`. */
export const compareVersions = (a: string, b: string): number => {
  const [left, right] = [parse(a), parse(b)]
  if (left === undefined && right === undefined) return a < b ? -1 : a > b ? 1 : 0
  if (left === undefined) return 1
  if (right === undefined) return -1
  return right.level - left.level || right.major - left.major || right.minor - left.minor
}
