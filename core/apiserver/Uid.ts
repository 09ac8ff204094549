// Identifiers in UUID form (version 4, RFC 9562) from a clockwork's randomness, so that a seed decides them.

const hex = (random: () => number, digits: number): string =>
  Math.floor(random() * 16 ** digits)
    .toString(16)
    .padStart(digits, "0")

/** A random UUID; `random` answers numbers in [0, 1). */
export const randomUid = (random: () => number): string =>
  `${hex(random, 8)}-${hex(random, 4)}-4${hex(random, 3)}-${(8 + Math.floor(random() * 4)).toString(16)}${hex(random, 3)}-${hex(random, 12)}`
