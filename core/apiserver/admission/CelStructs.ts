// Kubernetes' mutation expressions make objects of named types, `Object{spec: Object.spec{replicas: 3}}`; the CEL library has maps alone.
// Owns the rewriting of such literals into maps, token by token; refuses to type them: what does not fit the kind is refused when the
// object is put together. A text without such literals stays as it is.

const TOKEN =
  /\s+|\/\/[^\n]*|[rR]?[bB]?(?:"""[\s\S]*?"""|'''[\s\S]*?'''|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|[A-Za-z_]\w*|\d[\w.]*|[\s\S]/g

const isName = (token: string): boolean => /^[A-Za-z_]\w*$/.test(token)
const isBlank = (token: string): boolean => /^(?:\s|\/\/)/.test(token)

/** Where the last tokens are the name of a type: its first token's place, else −1. */
const typeStart = (out: ReadonlyArray<string>): number => {
  let at = out.findLastIndex((token) => token !== " ")
  if (at < 0 || !isName(out[at])) return -1
  while (at >= 2 && out[at - 1] === "." && isName(out[at - 2])) at -= 2
  const root = out[at]
  return root === "Object" || root === "JSONPatch" ? at : -1
}

/** The expression with literals of types written as maps. */
export const withoutStructs = (expression: string): string => {
  if (!/\b(?:Object|JSONPatch)\b/.test(expression)) return expression
  const out: Array<string> = []
  /** Of each open bracket: whether it is a type's literal, whose next name is a field. */
  const open: Array<"struct" | "other"> = []
  let expectsField = false
  for (const token of expression.match(TOKEN) ?? []) {
    if (isBlank(token)) {
      out.push(" ")
      continue
    }
    const start = token === "{" ? typeStart(out) : -1
    if (start >= 0) {
      out.length = start
      out.push("{")
      open.push("struct")
      expectsField = true
    } else if (token === "{" || token === "[" || token === "(") {
      out.push(token)
      open.push("other")
      expectsField = false
    } else if (token === "}" || token === "]" || token === ")") {
      out.push(token)
      open.pop()
      expectsField = false
    } else if (token === ",") {
      out.push(token)
      expectsField = open.at(-1) === "struct"
    } else {
      out.push(expectsField && isName(token) ? JSON.stringify(token) : token)
      if (token !== "?") expectsField = false
    }
  }
  return out.join("")
}
