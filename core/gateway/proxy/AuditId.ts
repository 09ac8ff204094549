// Names for requests whose client gave none: UUIDs of version 4 (RFC 9562 section 5.4), from the clockwork's chance.
// Owns their form; refuses to be a secret.

const hex = (random: () => number, digits: number): string =>
  Math.floor(random() * 16 ** digits)
    .toString(16)
    .padStart(digits, "0")

export const newAuditId = (random: () => number): string => {
  const variant = "89ab"[Math.floor(random() * 4)] ?? "8"
  const [first, second, third] = [hex(random, 8), hex(random, 4), hex(random, 3)]
  return `${first}-${second}-4${third}-${variant}${hex(random, 3)}-${hex(random, 6)}${hex(random, 6)}`
}
