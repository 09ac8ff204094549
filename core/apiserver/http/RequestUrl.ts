// The target of a request as Go's net/url reads it: a decoded path, and a query whose values are looked at only when asked for.
// Owns splitting and decoding; refuses to know what any parameter means.

const percent = (text: string): string => {
  if (!text.includes("%")) return text
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** The parameters of a query, each with all its values in order. */
export class Query {
  readonly text: string
  private parsed: Map<string, Array<string>> | undefined

  constructor(text: string) {
    this.text = text
  }

  private get values(): Map<string, Array<string>> {
    if (this.parsed !== undefined) return this.parsed
    const values = new Map<string, Array<string>>()
    for (const pair of this.text === "" ? [] : this.text.split("&")) {
      if (pair === "") continue
      const equals = pair.indexOf("=")
      const name = percent((equals < 0 ? pair : pair.slice(0, equals)).replaceAll("+", " "))
      const value = equals < 0 ? "" : percent(pair.slice(equals + 1).replaceAll("+", " "))
      const known = values.get(name)
      if (known === undefined) values.set(name, [value])
      else known.push(value)
    }
    return (this.parsed = values)
  }

  /** The first value; empty when there is none, as Go's `Values.Get`. */
  get(name: string): string {
    return this.text === "" ? "" : (this.values.get(name)?.[0] ?? "")
  }

  all(name: string): ReadonlyArray<string> {
    return this.text === "" ? [] : (this.values.get(name) ?? [])
  }

  has(name: string): boolean {
    return this.text !== "" && this.values.has(name)
  }
}

export interface RequestUrl {
  /** Decoded, without the query. */
  readonly path: string
  /** As sent, without the query. */
  readonly rawPath: string
  readonly query: Query
}

const noQuery = new Query("")

/** Splits a request target. */
export const parseTarget = (target: string): RequestUrl => {
  const mark = target.indexOf("?")
  const rawPath = mark < 0 ? target : target.slice(0, mark)
  const query = mark < 0 || mark === target.length - 1 ? noQuery : new Query(target.slice(mark + 1))
  return { path: percent(rawPath), rawPath, query }
}
