// How the room's pages and APIs answer over HTTP: JSON whole, long answers as streams at the client's pace, and errors with a reason.
// Owns that; refuses to know what is asked.
import type { HttpExchange, HttpFields } from "#net"

/** A request with its path and query taken apart. */
export interface Asked {
  readonly exchange: HttpExchange
  /** Parts of the path, decoded. */
  readonly parts: ReadonlyArray<string>
  readonly query: URLSearchParams
}

/** A bad parameter; the message names it and the rule. */
export class BadParameter extends Error {
  override readonly name = "BadParameter"
  readonly parameter: string

  constructor(parameter: string, rule: string) {
    super(`${parameter}: ${rule}`)
    this.parameter = parameter
  }
}

/** Throws BadParameter for a path that is no percent-encoding. */
export const askedOf = (exchange: HttpExchange): Asked => {
  const mark = exchange.path.indexOf("?")
  const path = mark < 0 ? exchange.path : exchange.path.slice(0, mark)
  try {
    const parts = path.slice(1).split("/").map(decodeURIComponent)
    return { exchange, parts, query: new URLSearchParams(mark < 0 ? "" : exchange.path.slice(mark + 1)) }
  } catch {
    throw new BadParameter("path", "must be percent-encoded")
  }
}

const jsonFields: HttpFields = [
  ["content-type", "application/json"],
  ["cache-control", "no-store"],
  ["x-content-type-options", "nosniff"]
]

export const answerJson = (exchange: HttpExchange, status: number, value: unknown): void =>
  exchange.respond(status, jsonFields, JSON.stringify(value))

/** Characters that are gathered before they are sent. */
const PIECE = 65_536

/** Sends texts as JSON as fast as the client takes them; what was not asked for yet is not made. */
export const streamJson = (exchange: HttpExchange, pieces: Iterator<string>): void => {
  const body = exchange.start(200, jsonFields)
  const client = { gone: false }
  exchange.onClose = () => {
    client.gone = true
  }
  const run = (): void => {
    let text = ""
    while (!client.gone) {
      const { done = false, value } = pieces.next()
      if (!done) text += value
      if (text.length < PIECE && !done) continue
      const flows = text === "" || body.write(Buffer.from(text))
      if (done) return body.end()
      if (!flows) return
      text = ""
    }
  }
  body.onDrain = run
  run()
}
