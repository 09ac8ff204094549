// The grammar of a label selector's text: tokens, and a descent over them that names what it found and what it expected.
// Owns syntax only; what a requirement must fulfil is judged by the function that it is given.
import type { LabelOperator, LabelRequirement } from "./LabelSelector.ts"
import { Names } from "./Names.ts"

type TokenType = "end" | "identifier" | ")" | "(" | "," | LabelOperator

interface Token {
  readonly type: TokenType
  readonly text: string
}

const isBlank = (code: number): boolean => code === 32 || code === 9 || code === 13 || code === 10

const isSpecial = (letter: string): boolean => letter !== "" && "=!(),><".includes(letter)

const specials = new Set<string>([")", ",", "!", "==", "=", ">", "<", "!=", "("])

/** Words that are operators between a key and its values, and identifiers among values. */
const isWord = (text: string): text is "in" | "notin" => text === "in" || text === "notin"

const END: Token = { type: "end", text: "" }

/** All tokens; a NUL ends the text, as the original's reader does. */
const tokensOf = (text: string): ReadonlyArray<Token> => {
  const tokens: Array<Token> = []
  const nul = text.indexOf("\0")
  const end = nul < 0 ? text.length : nul
  let at = 0
  while (at < end) {
    if (isBlank(text.charCodeAt(at))) {
      at++
      continue
    }
    const start = at
    if (isSpecial(text.charAt(at))) {
      at += at + 1 < end && specials.has(text.slice(at, at + 2)) ? 2 : 1
      const special = text.slice(start, at)
      tokens.push({ type: special as TokenType, text: special })
      continue
    }
    while (at < end && !isBlank(text.charCodeAt(at)) && !isSpecial(text.charAt(at))) at++
    const word = text.slice(start, at)
    tokens.push({ type: isWord(word) ? word : "identifier", text: word })
  }
  tokens.push(END)
  return tokens
}

const binaryOperators = "in, notin, =, ==, !=, gt, lt"

/** One pass over one text. Its failures are messages. */
export class LabelSelectorParser {
  readonly #tokens: ReadonlyArray<Token>
  readonly #judge: (requirement: LabelRequirement) => string | undefined
  #at = 0

  constructor(text: string, judge: (requirement: LabelRequirement) => string | undefined) {
    this.#tokens = tokensOf(text)
    this.#judge = judge
  }

  /** The requirements in the order of the text, or the message. */
  parse(): ReadonlyArray<LabelRequirement> | string {
    const found: Array<LabelRequirement> = []
    for (;;) {
      const token = this.#peek()
      if (token.type === "end") return found
      if (token.type !== "identifier" && token.type !== "!") {
        return `found '${token.text}', expected: !, identifier, or 'end of string'`
      }
      const requirement = this.#requirement()
      if (typeof requirement === "string") return `unable to parse requirement: ${requirement}`
      found.push(requirement)
      const separator = this.#take()
      if (separator.type === "end") return found
      if (separator.type !== ",") return `found '${separator.text}', expected: ',' or 'end of string'`
      const next = this.#peek()
      if (next.type !== "identifier" && next.type !== "!") {
        return `found '${next.text}', expected: identifier after ','`
      }
    }
  }

  /** The next token, where "in" and "notin" are identifiers like any other. */
  #peek(): Token {
    const token = this.#tokens[this.#at] ?? END
    return isWord(token.type) ? { type: "identifier", text: token.text } : token
  }

  #take(): Token {
    const token = this.#peek()
    this.#at++
    return token
  }

  #requirement(): LabelRequirement | string {
    let token = this.#take()
    const negated = token.type === "!"
    if (negated) token = this.#take()
    if (token.type !== "identifier") return `found '${token.text}', expected: identifier`
    const key = token.text
    const problems = Names.qualifiedName(key)
    if (problems.length > 0) return `<nil>: Invalid value: ${JSON.stringify(key)}: ${problems.join("; ")}`
    const next = this.#peek().type
    if (negated || next === "end" || next === ",") return this.#judged(key, negated ? "!" : "exists", [])
    const operator = this.#operator()
    if (!operator.known) return operator.message
    const values = operator.is === "in" || operator.is === "notin" ? this.#list() : this.#single()
    return typeof values === "string" ? values : this.#judged(key, operator.is, [...values].sort())
  }

  #judged(key: string, operator: LabelOperator, values: ReadonlyArray<string>): LabelRequirement | string {
    const requirement: LabelRequirement = { key, operator, values }
    return this.#judge(requirement) ?? requirement
  }

  #operator():
    | { readonly known: true; readonly is: LabelOperator }
    | { readonly known: false; readonly message: string } {
    const token = this.#tokens[this.#at++] ?? END
    switch (token.type) {
      case "in":
      case "notin":
      case "=":
      case "==":
      case "!=":
      case ">":
      case "<":
        return { known: true, is: token.type }
      default:
        return { known: false, message: `found '${token.text}', expected: ${binaryOperators}` }
    }
  }

  #list(): ReadonlySet<string> | string {
    const open = this.#take()
    if (open.type !== "(") return `found '${open.text}' expected: '('`
    const first = this.#peek()
    if (first.type === ")") {
      this.#take()
      return new Set([""])
    }
    if (first.type !== "identifier" && first.type !== ",") {
      return `found '${first.text}', expected: ',', ')' or identifier`
    }
    const values = this.#identifiers()
    if (typeof values === "string") return values
    return this.#take().type === ")" ? values : `found '${first.text}', expected: ')'`
  }

  /** Identifiers between commas, up to the closing bracket; nothing between two commas is the empty value. */
  #identifiers(): ReadonlySet<string> | string {
    const values = new Set<string>()
    for (;;) {
      const token = this.#take()
      if (token.type === "identifier") {
        values.add(token.text)
        const after = this.#peek()
        if (after.type === ")") return values
        if (after.type !== ",") return `found '${after.text}', expected: ',' or ')'`
      } else if (token.type === ",") {
        if (values.size === 0) values.add("")
        const after = this.#peek().type
        if (after === ")" || after === ",") values.add("")
        if (after === ")") return values
      } else return `found '${token.text}', expected: ',', or identifier`
    }
  }

  #single(): ReadonlySet<string> | string {
    const next = this.#peek().type
    if (next === "end" || next === ",") return new Set([""])
    const token = this.#take()
    return token.type === "identifier" ? new Set([token.text]) : `found '${token.text}', expected: identifier`
  }
}
