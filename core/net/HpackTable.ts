// The tables of HPACK: the static one (RFC 7541 appendix A) and the decoder's dynamic one (sections 2.3.2 and 4). Owns
// indexes, sizes and eviction; refuses to own the bytes of a header block.
const staticText =
  ":authority|:method GET|:method POST|:path /|:path /index.html|:scheme http|:scheme https|:status 200|:status 204|" +
  ":status 206|:status 304|:status 400|:status 404|:status 500|accept-charset|accept-encoding gzip, deflate|" +
  "accept-language|accept-ranges|accept|access-control-allow-origin|age|allow|authorization|cache-control|" +
  "content-disposition|content-encoding|content-language|content-length|content-location|content-range|content-type|" +
  "cookie|date|etag|expect|expires|from|host|if-match|if-modified-since|if-none-match|if-range|if-unmodified-since|" +
  "last-modified|link|location|max-forwards|proxy-authenticate|proxy-authorization|range|referer|refresh|retry-after|" +
  "server|set-cookie|strict-transport-security|transfer-encoding|user-agent|vary|via|www-authenticate"

/** Names of the static table; index 0 is unused, as on the wire. */
export const staticNames: ReadonlyArray<string> = ["", ...staticText.split("|").map((field) => field.split(" ", 1)[0])]
/** Values of the static table, empty where only the name is given. */
export const staticValues: ReadonlyArray<string> = [
  "",
  ...staticText.split("|").map((field) => (field.includes(" ") ? field.slice(field.indexOf(" ") + 1) : ""))
]
/** The index of the first entry of the dynamic table. */
export const firstDynamicIndex = staticNames.length

interface StaticName {
  /** The lowest index with this name. */
  readonly index: number
  readonly values: Map<string, number>
}

const staticByName = new Map<string, StaticName>()
for (let index = 1; index < firstDynamicIndex; index++) {
  const name = staticNames[index]
  const known = staticByName.get(name) ?? { index, values: new Map<string, number>() }
  staticByName.set(name, known)
  if (staticValues[index] !== "") known.values.set(staticValues[index], index)
}

/** What the static table knows of a name, or undefined. */
export const staticName = (name: string): StaticName | undefined => staticByName.get(name)

/** What RFC 7541 section 4.1 adds to the length of name and value, in bytes. */
export const entryOverheadBytes = 32
/** The table size of both sides until SETTINGS say otherwise, in bytes. */
export const defaultTableBytes = 4096

/** The decoder's dynamic table. Bounded by its size limit, so by limit/32 entries. */
export class DynamicTable {
  /** Counts every change, so that whoever remembers a decoded block knows whether it would still decode the same. */
  generation = 0
  private readonly names: Array<string> = []
  private readonly values: Array<string> = []
  private first = 0
  private bytes = 0
  private limit = defaultTableBytes

  get length(): number {
    return this.names.length - this.first
  }

  /** The name at a dynamic position, 0 being the newest; undefined past the end. */
  name(position: number): string | undefined {
    return position < this.length ? this.names[this.names.length - 1 - position] : undefined
  }

  value(position: number): string {
    return this.values[this.values.length - 1 - position]
  }

  resize(limit: number): void {
    this.limit = limit
    this.generation++
    this.evict(0)
  }

  add(name: string, value: string): void {
    const size = name.length + value.length + entryOverheadBytes
    this.generation++
    this.evict(size)
    if (size > this.limit) return
    this.names.push(name)
    this.values.push(value)
    this.bytes += size
  }

  private evict(incoming: number): void {
    while (this.first < this.names.length && this.bytes + incoming > this.limit) {
      this.bytes -= this.names[this.first].length + this.values[this.first].length + entryOverheadBytes
      this.first++
    }
    // Compact only when most of the arrays is dead, so that eviction costs O(1) on average.
    if (this.first > 256 || this.first === this.names.length) {
      this.names.splice(0, this.first)
      this.values.splice(0, this.first)
      this.first = 0
    }
  }
}
