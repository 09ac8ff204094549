// Ids of requests: random UUIDs (RFC 9562, version 4) from a given source of chance.
// Owns the layout; they name requests in logs and protect nothing.

const hex = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"))

const word = (random: () => number): number => Math.floor(random() * 4_294_967_296)

const bytes4 = (value: number): readonly [string, string, string, string] => [
  hex[value >>> 24] ?? "",
  hex[(value >>> 16) & 255] ?? "",
  hex[(value >>> 8) & 255] ?? "",
  hex[value & 255] ?? ""
]

export const uuidFrom = (random: () => number): string => {
  const [a, b, c, d] = bytes4(word(random))
  const [e, f, g, h] = bytes4((word(random) & 0xffff0fff) | 0x4000)
  const [i, j, k, l] = bytes4((word(random) & 0x3fffffff) | 0x80000000)
  const [m, n, o, p] = bytes4(word(random))
  return `${a}${b}${c}${d}-${e}${f}-${g}${h}-${i}${j}-${k}${l}${m}${n}${o}${p}`
}
