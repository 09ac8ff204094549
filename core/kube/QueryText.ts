// The query of a request's path: single values read without taking the whole of it apart.
// Owns percent-decoding and Go's leniency (a pair that cannot be decoded is no pair); refuses to give values a meaning.

const decode = (text: string): string | undefined => {
  if (!text.includes("%") && !text.includes("+")) return text
  try {
    return decodeURIComponent(text.replaceAll("+", " "))
  } catch {
    return undefined
  }
}

/** The first value of a parameter, decoded; undefined when the query has none. */
export const firstQueryValue = (query: string, name: string): string | undefined => {
  for (let start = 0; start < query.length;) {
    const found = query.indexOf("&", start)
    const end = found < 0 ? query.length : found
    const value = pairValue(query.slice(start, end), name)
    if (value !== undefined) return value
    start = end + 1
  }
  return undefined
}

const pairValue = (pair: string, name: string): string | undefined => {
  const equals = pair.indexOf("=")
  const key = equals < 0 ? pair : pair.slice(0, equals)
  // A semicolon was a separator once; Go drops the whole pair.
  if ((key !== name && decode(key) !== name) || pair.includes(";")) return undefined
  return equals < 0 ? "" : decode(pair.slice(equals + 1))
}
