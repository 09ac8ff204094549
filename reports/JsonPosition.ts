// Where a text stops being JSON. The engine tells a position for some faults only, and quotes the text in others.
// Owns the search; knows nothing of files.

/** One-based line and column. */
export interface TextPosition {
  readonly line: number
  readonly column: number
}

// A prefix of JSON fails too, but for no other reason than that it ends: it is incomplete, not wrong.
const isWrong = (prefix: string): boolean => {
  try {
    JSON.parse(prefix)
    return false
  } catch (error) {
    const message = error instanceof Error ? error.message : ""
    const at = /at position (\d+)/.exec(message)?.[1]
    return !message.includes("end of JSON input") && Number(at ?? -1) !== prefix.length
  }
}

/** The first character that cannot stand where it stands, or the end of a text that is cut off. */
export const jsonErrorPosition = (text: string): TextPosition => {
  let [right, wrong] = [0, text.length]
  if (!isWrong(text)) right = text.length
  while (right + 1 < wrong) {
    const middle = (right + wrong) >> 1
    if (isWrong(text.slice(0, middle))) wrong = middle
    else right = middle
  }
  const before = text.slice(0, right).split("\n")
  return { line: before.length, column: (before.at(-1) ?? "").length + 1 }
}
