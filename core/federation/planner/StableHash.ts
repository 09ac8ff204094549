// Numbers that a name alone decides, on every machine and in every run: what breaks ties and tells that something changed.
// Owns the arithmetic (FNV-1a and a finalizer, 32 bits); refuses secrets: nothing here resists an adversary.

/** Spreads the bits of a 32-bit number (MurmurHash3's finalizer). */
export const mixed = (value: number): number => {
  let hash = value | 0
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}

/** The hash of a text, from a seed. */
export const textHash = (text: string, seed = 0x811c9dc5): number => {
  let hash = seed | 0
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return mixed(hash ^ text.length)
}

const hex = (value: number): string => (value >>> 0).toString(16).padStart(8, "0")

/** 64 bits of a text, as 16 hexadecimal digits. */
export const textDigest = (text: string): string => hex(textHash(text)) + hex(textHash(text, 0x9747b28c))
