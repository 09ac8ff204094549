// Seeded pseudo-random numbers for plans and load: sfc32, 128 bits of state, about 2 ns a draw.
// Plain code, because the generator draws several times per request; not for secrets.

/** A stream of numbers decided by its seed alone. */
export interface Randomness {
  /** An unsigned 32-bit integer. */
  readonly next: () => number
  /** A number in [0, 1) with 53 random bits. */
  readonly fraction: () => number
  /** A whole number in [0, below); `below` must lie in 1 to 2^32. */
  readonly below: (below: number) => number
}

/** Mixes two 32-bit numbers into one, so that streams of neighbouring seeds have nothing in common. */
export const mix32 = (left: number, right: number): number => {
  let hash = Math.imul(left ^ 0x9e3779b9, 0x85ebca6b) ^ right
  hash = Math.imul(hash ^ (hash >>> 16), 0xc2b2ae35)
  hash = Math.imul(hash ^ (hash >>> 13), 0x27d4eb2f)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** Hashes a name to 32 bits (FNV-1a), to give each named part of a scenario its own stream. */
export const hashName = (name: string): number => {
  let hash = 0x811c9dc5
  for (let index = 0; index < name.length; index++) hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193)
  return hash >>> 0
}

/** A stream for `seed` and, within it, for the named part. */
export const randomness = (seed: number, part = ""): Randomness => {
  const name = hashName(part)
  let a = mix32(seed, name)
  let b = mix32(a, seed)
  let c = mix32(b, name)
  let counter = 1
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (((c << 21) | (c >>> 11)) + sum) | 0
    return sum >>> 0
  }
  for (let round = 0; round < 12; round++) next()
  return {
    next,
    fraction: () => ((next() >>> 5) * 67108864 + (next() >>> 6)) / 9007199254740992,
    below: (below) => Math.floor((next() / 4294967296) * below)
  }
}
