// The form in which PD knows keys: groups of eight bytes, each with a mark that says how many of them count.
// Owns both directions; refuses everything else that codecs of TiDB encode. Order is kept: encoded keys sort as raw keys do.
// Source: TiKV's codec "memcomparable format", as in github.com/pingcap/tidb/pkg/util/codec.

const GROUP = 8
const FULL = 0xff

/** The memcomparable form of a key. */
export const encodeKey = (key: Uint8Array): Buffer => {
  const groups = Math.floor(key.length / GROUP) + 1
  const encoded = Buffer.alloc(groups * (GROUP + 1))
  for (let group = 0; group < groups; group++) {
    const part = key.subarray(group * GROUP, (group + 1) * GROUP)
    encoded.set(part, group * (GROUP + 1))
    encoded[group * (GROUP + 1) + GROUP] = FULL - (GROUP - part.length)
  }
  return encoded
}

/** The raw key of a memcomparable form; undefined when the bytes are none. */
export const decodeKey = (encoded: Uint8Array): Buffer | undefined => {
  const key = Buffer.alloc(encoded.length)
  let size = 0
  for (let at = 0; at + GROUP < encoded.length; at += GROUP + 1) {
    const counted = GROUP - (FULL - encoded[at + GROUP])
    if (counted < 0) return undefined
    key.set(encoded.subarray(at, at + counted), size)
    size += counted
    if (counted < GROUP) return at + GROUP + 1 === encoded.length ? key.subarray(0, size) : undefined
  }
  return undefined
}
