// CRC-32C (Castagnoli), which node:zlib does not have: etcd's hashes are made of it.
// Owns the tables and the loop, eight bytes a step; refuses any other polynomial.

const POLYNOMIAL = 0x82f63b78
const STRIDE = 8

const tables = ((): ReadonlyArray<Int32Array> => {
  const made = Array.from({ length: STRIDE }, () => new Int32Array(256))
  for (let byte = 0; byte < 256; byte++) {
    let value = byte
    for (let bit = 0; bit < 8; bit++) value = (value & 1) === 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1
    made[0][byte] = value
  }
  for (let table = 1; table < STRIDE; table++) {
    for (let byte = 0; byte < 256; byte++) {
      const before = made[table - 1][byte]
      made[table][byte] = (before >>> 8) ^ made[0][before & 0xff]
    }
  }
  return made
})()
const [t0, t1, t2, t3, t4, t5, t6, t7] = tables

/** The checksum of what came before (0 at the start) with these bytes after it; unsigned. */
export const crc32c = (bytes: Uint8Array, before = 0): number => {
  let crc = ~before
  let at = 0
  for (const end = bytes.length - (bytes.length % STRIDE); at < end; at += STRIDE) {
    crc ^= bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)
    crc =
      t7[crc & 0xff] ^
      t6[(crc >>> 8) & 0xff] ^
      t5[(crc >>> 16) & 0xff] ^
      t4[crc >>> 24] ^
      t3[bytes[at + 4]] ^
      t2[bytes[at + 5]] ^
      t1[bytes[at + 6]] ^
      t0[bytes[at + 7]]
  }
  for (; at < bytes.length; at++) crc = t0[(crc ^ bytes[at]) & 0xff] ^ (crc >>> 8)
  return ~crc >>> 0
}
