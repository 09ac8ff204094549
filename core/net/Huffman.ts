// The Huffman code of HPACK (RFC 7541 section 5.2 and appendix B). Owns encoding and decoding of octet strings; refuses to
// own how a header field chooses between plain and coded text.
// The code is canonical, so the length of each symbol's code is the whole table: one base-36 digit per octet value.
const digits =
  "dnsssssssoussussssssssusssssssss6aacd68baa8b8666555666666678f6cad67777777777777777777777878djde6f565656665776665676556" +
  "77777fbedskmkkmmmnmnnnnnonoomnonnnnlmnmnnomlkmmnnlnmmolmnnllmlnmnnkmmmnmmnqqkjmnmpqqqrrqopjlqrrqrollqqsrrrkoklmllnmmpp" +
  "ooqnqrqqrrrrrsrrrrrq"
const lengths = Uint8Array.from(digits, (digit) => Number.parseInt(digit, 36))
const codes = new Uint32Array(256)

// The decoder is a state machine over half octets. A state is an inner node of the code tree; an entry of `steps` packs the
// next state, the symbol that ended on the way (if one did), and whether padding may end there.
const emits = 1 << 16
const fails = 1 << 17
const accepts = 1 << 18
const steps = new Int32Array(256 * 16)

const buildCodes = (): void => {
  const order = Array.from(lengths.keys()).sort((a, b) => lengths[a] - lengths[b] || a - b)
  let code = 0
  let length = 0
  for (const symbol of order) {
    code = code * 2 ** (lengths[symbol] - length)
    length = lengths[symbol]
    codes[symbol] = code
    code++
  }
}

/** The code tree as pairs of children: a positive number is an inner node, a negative one the symbol -1-n, 0 the end mark. */
const buildTree = (): Int32Array => {
  const tree = new Int32Array(512)
  let nodes = 1
  for (let symbol = 0; symbol < 256; symbol++) {
    let node = 0
    for (let bit = lengths[symbol] - 1; bit >= 0; bit--) {
      const slot = node * 2 + ((codes[symbol] >>> bit) & 1)
      if (bit === 0) tree[slot] = -1 - symbol
      else node = tree[slot] ||= nodes++
    }
  }
  return tree
}

const buildSteps = (): void => {
  const tree = buildTree()
  // Padding is the most significant bits of the end mark, which are ones, and shorter than eight bits.
  const paddings = new Set<number>([0])
  for (let node = 0, bits = 0; bits < 7; bits++) {
    node = tree[node * 2 + 1]
    paddings.add(node)
  }
  for (let state = 0; state < 256; state++) {
    for (let half = 0; half < 16; half++) {
      let node = state
      let step = 0
      for (let bit = 3; bit >= 0 && (step & fails) === 0; bit--) {
        const next = tree[node * 2 + ((half >>> bit) & 1)]
        if (next < 0) step |= emits | ((-1 - next) << 8)
        else if (next === 0) step |= fails
        node = next < 0 ? 0 : next
      }
      steps[state * 16 + half] = step | node | (paddings.has(node) ? accepts : 0)
    }
  }
}

buildCodes()
buildSteps()

/**
 * Decodes bytes[start, end) into `into`, which must hold 8/5 of the coded length; answers the decoded length, or -1 when the
 * text breaks the code (end mark inside, padding too long or not of ones), which RFC 7541 section 5.2 calls an error.
 */
export const decodeHuffman = (bytes: Uint8Array, start: number, end: number, into: Uint8Array): number => {
  let state = 0
  let accepted = accepts
  let at = 0
  for (let index = start; index < end; index++) {
    const octet = bytes[index]
    const high = steps[state * 16 + (octet >>> 4)]
    if ((high & emits) !== 0) into[at++] = (high >>> 8) & 0xff
    const low = steps[(high & 0xff) * 16 + (octet & 15)]
    if ((low & emits) !== 0) into[at++] = (low >>> 8) & 0xff
    if (((high | low) & fails) !== 0) return -1
    state = low & 0xff
    accepted = low & accepts
  }
  return accepted === 0 ? -1 : at
}

/** The number of octets that a latin-1 text takes when coded. */
export const huffmanLength = (text: string): number => {
  let bits = 0
  for (let index = 0; index < text.length; index++) bits += lengths[text.charCodeAt(index) & 0xff]
  return (bits + 7) >>> 3
}

/** Codes a latin-1 text into `into` at `at`; answers the position behind it. */
export const encodeHuffman = (text: string, into: Uint8Array, at: number): number => {
  let pending = 0
  let bits = 0
  for (let index = 0; index < text.length; index++) {
    const octet = text.charCodeAt(index) & 0xff
    let code = codes[octet]
    let length = lengths[octet]
    if (length > 24) {
      // Up to seven bits are pending: a code of thirty goes in two parts, so that all fits 32 bits.
      pending = (pending << (length - 16)) | (code >>> 16)
      bits += length - 16
      code &= 0xffff
      length = 16
      for (; bits >= 8; bits -= 8) into[at++] = pending >>> (bits - 8)
    }
    pending = (pending << length) | code
    bits += length
    for (; bits >= 8; bits -= 8) into[at++] = pending >>> (bits - 8)
  }
  if (bits > 0) into[at++] = (pending << (8 - bits)) | (0xff >>> bits)
  return at
}
