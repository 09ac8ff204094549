// Finds fields that a JSON text has twice: JSON.parse keeps the last and says nothing, strict decoding names them.
// Owns a scan of text that JSON.parse has accepted; refuses to judge syntax. Its depth is bounded, as the parser's own is.

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d

/** How deep objects and arrays may nest here; deeper parts are not looked at. */
const DEPTH_LIMIT = 512

interface Level {
  /** Names seen so far; undefined in an array. */
  readonly names: Set<string> | undefined
  readonly path: string
  /** The item's place, or the name of the field that is read. */
  at: number
  name: string
}

const stringEnd = (text: string, start: number): number => {
  let at = start + 1
  while (at < text.length) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) return at
    at += code === BACKSLASH ? 2 : 1
  }
  return text.length
}

const pathOf = (level: Level): string =>
  level.names === undefined
    ? `${level.path}[${level.at}]`
    : level.path === ""
      ? level.name
      : `${level.path}.${level.name}`

/** The paths of the fields that stand more than once in a JSON text, each once, in the order of the second mention. */
export const duplicateFields = (text: string): ReadonlyArray<string> => {
  const found = new Set<string>()
  const levels: Array<Level> = []
  let naming = false
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    const level = levels.at(-1)
    if (code === QUOTE) {
      const end = stringEnd(text, at)
      if (naming && level?.names !== undefined) {
        // SAFETY: a string of a text that JSON.parse accepted.
        level.name = JSON.parse(text.slice(at, end + 1)) as string
        if (level.names.has(level.name)) found.add(pathOf(level))
        level.names.add(level.name)
        naming = false
      }
      at = end
    } else if (code === OPEN_OBJECT || code === OPEN_ARRAY) {
      if (levels.length >= DEPTH_LIMIT) return [...found]
      const isObject = code === OPEN_OBJECT
      const path = level === undefined ? "" : pathOf(level)
      levels.push({ names: isObject ? new Set() : undefined, path, at: 0, name: "" })
      naming = isObject
    } else if (code === CLOSE_OBJECT || code === CLOSE_ARRAY) {
      levels.pop()
      naming = false
    } else if (code === COMMA && level !== undefined) {
      level.at++
      naming = level.names !== undefined
    }
  }
  return [...found]
}
