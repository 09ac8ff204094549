// Events of a watch of Tables as one client of a shared watch must hear them: its first says the columns, no other does.
// Owns this; refuses to look into rows, but to take their objects out for a client that wants none.
import type { SourceEvent } from "./WatchSource.ts"

const decoder = new TextDecoder()

/** Where a Table says its columns, and where it goes on: quotes in what it says are escaped, so that both are the Table's own. */
const SAID = '"columnDefinitions":'
const ROWS = ',"rows":'

const saying = (bytes: Uint8Array, columns: string): Uint8Array => {
  const text = decoder.decode(bytes)
  const from = text.indexOf(SAID)
  const to = text.indexOf(ROWS, from)
  if (from < 0 || to < 0) return bytes
  return Buffer.from(`${text.slice(0, from + SAID.length)}${columns}${text.slice(to)}`)
}

/** An event's line for a client that has been told the columns, or that has to be told these. */
export const columnsOnce = (event: SourceEvent, told: boolean, columns: string | undefined): Uint8Array => {
  if (told) return event.columns === undefined ? event.bytes : saying(event.bytes, "null")
  return event.columns !== undefined || columns === undefined ? event.bytes : saying(event.bytes, columns)
}

interface TableEvent {
  readonly object?: { readonly kind?: string; readonly rows?: ReadonlyArray<{ readonly cells?: unknown }> }
}

/** A Table's event without its rows' objects (includeObject=None). */
export const withoutObjects = (bytes: Uint8Array): Uint8Array => {
  const event = JSON.parse(decoder.decode(bytes)) as TableEvent
  if (event.object?.kind !== "Table") return bytes
  const rows = event.object.rows?.map((row) => ({ ...row, object: null }))
  return Buffer.from(JSON.stringify({ ...event, object: { ...event.object, rows } }))
}
