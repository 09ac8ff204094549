// Chance in the simulated world: one seed, split by name into streams that do not disturb one another.
// Owns the generator (sfc32) and the distributions drawn from it; refuses every other source of randomness.
// A stream's children depend on its name and seed alone, never on how much was drawn: a new consumer shifts nobody else.

const GOLDEN = 0x9e3779b9

/** A 32-bit hash of a text (FNV-1a with a final mix): names become seeds and digests. */
export const hashText = (text: string, seed = 0x811c9dc5): number => {
  let hash = seed | 0
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return mix32(hash)
}

/** Spreads the bits of a 32-bit number; the result is unsigned. */
export const mix32 = (value: number): number => {
  let mixed = value | 0
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}

export class RandomStream {
  private readonly high: number
  private readonly low: number
  private a: number
  private b: number
  private c: number
  private counter = 1

  /** `seed` is a safe integer of any sign; `low` extends it for streams split from others. */
  constructor(seed: number, low = 0) {
    this.high = mix32(Math.floor(seed / 2 ** 32) ^ Math.imul(low, GOLDEN))
    this.low = mix32((seed | 0) ^ (low + GOLDEN))
    this.a = this.high | 0
    this.b = this.low | 0
    this.c = (this.high ^ GOLDEN) | 0
    for (let round = 0; round < 12; round++) this.next32()
  }

  /** A stream of its own for a name: the same whenever and however often it is asked for. */
  split(name: string): RandomStream {
    return new RandomStream(this.high * 2 ** 20 + (this.low >>> 12), hashText(name, this.low))
  }

  /** An unsigned 32-bit number. */
  next32(): number {
    const sum = (((this.a + this.b) | 0) + this.counter) | 0
    this.counter = (this.counter + 1) | 0
    this.a = this.b ^ (this.b >>> 9)
    this.b = (this.c + (this.c << 3)) | 0
    this.c = ((this.c << 21) | (this.c >>> 11)) + sum
    return sum >>> 0
  }

  /** In [0, 1), in steps of 2^-32. */
  float(): number {
    return this.next32() * 2 ** -32
  }

  /** A whole number in [0, bound); `bound` is at most 2^32. */
  below(bound: number): number {
    return Math.floor(this.next32() * 2 ** -32 * bound)
  }

  /** In [from, to). */
  between(from: number, to: number): number {
    return from + this.float() * (to - from)
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return probability > 0 && this.float() < probability
  }

  /** Exponentially distributed with this mean. */
  exponential(mean: number): number {
    return -mean * Math.log(1 - this.float())
  }

  /** Normally distributed (Box and Muller; one draw of two, so that the stream has no hidden state). */
  normal(mean: number, deviation: number): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.float()))
    return mean + deviation * radius * Math.cos(2 * Math.PI * this.float())
  }

  /** Log-normally distributed by its median and the deviation of its logarithm. */
  logNormal(median: number, sigma: number): number {
    return median * Math.exp(this.normal(0, sigma))
  }

  /** One of the items; the list is not empty. */
  pick<A>(items: ReadonlyArray<A>): A {
    return items[this.below(items.length)]
  }

  /** The items in another order; the list itself stays as it is. */
  shuffled<A>(items: ReadonlyArray<A>): Array<A> {
    const shuffled = [...items]
    for (let last = shuffled.length - 1; last > 0; last--) {
      const other = this.below(last + 1)
      const held = shuffled[last]
      shuffled[last] = shuffled[other]
      shuffled[other] = held
    }
    return shuffled
  }
}
