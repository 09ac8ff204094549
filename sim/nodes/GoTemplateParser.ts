// Reads Go's template text into a tree.
// Owns actions, trim markers, comments, variables and control structures; refuses to evaluate, which GoTemplate.ts does.
import { Schema } from "effect"
import type { Node, Operand, Pipeline } from "./GoTemplate.ts"

/** A template that this room does not read; `message` names the action and the rule. */
export class GoTemplateInvalid extends Schema.TaggedError<GoTemplateInvalid>()("GoTemplateInvalid", {
  message: Schema.String
}) {}

type Token =
  | { readonly kind: "word" | "variable" | "symbol"; readonly text: string }
  /** `apart` when white space stands before it: then it begins a path of its own. */
  | { readonly kind: "field"; readonly text: string; readonly apart: boolean }
  | { readonly kind: "literal"; readonly value: unknown; readonly text: string }

const tokens = /\s*(?:("(?:[^"\\]|\\.)*")|`([^`]*)`|(-?\d+(?:\.\d+)?)|(\$\w*)|(\.\w+)|([A-Za-z_]\w*)|(:=|[.()|,=]))/y

const tokenize = (action: string): ReadonlyArray<Token> => {
  const found: Array<Token> = []
  tokens.lastIndex = 0
  const text = action.trim()
  while (tokens.lastIndex < text.length) {
    const match = tokens.exec(text)
    if (match === null) throw new GoTemplateInvalid({ message: `template action {{ ${text} }} cannot be read` })
    const [all, quoted, raw, number, variable, field, word, symbol] = match
    if (quoted !== undefined) found.push({ kind: "literal", value: JSON.parse(quoted), text: all })
    else if (raw !== undefined) found.push({ kind: "literal", value: raw, text: all })
    else if (number !== undefined) found.push({ kind: "literal", value: Number(number), text: all })
    else if (variable !== undefined) found.push({ kind: "variable", text: variable })
    else if (field !== undefined) found.push({ kind: "field", text: field.slice(1), apart: /^\s/.test(all) })
    else if (word === "true" || word === "false") found.push({ kind: "literal", value: word === "true", text: all })
    else if (word === "nil") found.push({ kind: "literal", value: undefined, text: all })
    else if (word !== undefined) found.push({ kind: "word", text: word })
    else found.push({ kind: "symbol", text: symbol })
  }
  return found
}

interface Piece {
  readonly text: string
  /** Of an action; undefined for plain text. */
  readonly action?: string
}

/** Splits into text and actions; `{{-` and `-}}` take the white space beside them. */
const split = (source: string): ReadonlyArray<Piece> => {
  const pieces: Array<Piece> = []
  let at = 0
  let trimNext = false
  const text = (to: number, trimEnd: boolean): void => {
    let part = source.slice(at, to)
    if (trimNext) part = part.trimStart()
    if (trimEnd) part = part.trimEnd()
    if (part !== "") pieces.push({ text: part })
  }
  for (;;) {
    const open = source.indexOf("{{", at)
    if (open < 0) break
    const close = source.indexOf("}}", open)
    if (close < 0) throw new GoTemplateInvalid({ message: "a template action is not closed" })
    const trimsBefore = source.startsWith("{{- ", open) || source.startsWith("{{-\n", open)
    const trimsAfter = source.slice(close - 2, close) === " -"
    text(open, trimsBefore)
    const action = source.slice(open + (trimsBefore ? 3 : 2), close - (trimsAfter ? 1 : 0)).trim()
    trimNext = trimsAfter
    at = close + 2
    if (!action.startsWith("/*")) pieces.push({ text: "", action })
  }
  text(source.length, false)
  return pieces
}

class Parser {
  private readonly pieces: ReadonlyArray<Piece>
  private readonly isFunction: (name: string) => boolean
  private at = 0
  private action = ""
  private tokens: ReadonlyArray<Token> = []
  private token = 0

  constructor(source: string, isFunction: (name: string) => boolean) {
    this.pieces = split(source)
    this.isFunction = isFunction
  }

  parse(): ReadonlyArray<Node> {
    const { end, nodes } = this.block()
    if (end !== "") this.fail("stands outside of any block")
    return nodes
  }

  /** Nodes until an `end` or `else`, which is answered with what follows it. */
  private block(): { readonly nodes: ReadonlyArray<Node>; readonly end: "" | "end" | "else" } {
    const nodes: Array<Node> = []
    while (this.at < this.pieces.length) {
      const { action, text } = this.pieces[this.at++]
      if (action === undefined) {
        nodes.push({ kind: "text", text })
        continue
      }
      this.action = action
      this.tokens = tokenize(action)
      this.token = 0
      const head = this.peek()
      const word = head?.kind === "word" ? head.text : ""
      if (word === "end" || word === "else") {
        this.token++
        return { nodes, end: word }
      }
      if (word === "if" || word === "range" || word === "with") {
        this.token++
        nodes.push(this.control(word))
      } else nodes.push({ kind: "action", pipeline: this.whole() })
    }
    return { nodes, end: "" }
  }

  private control(kind: "if" | "range" | "with"): Node {
    const { action } = this
    const pipeline = this.whole()
    const body = this.block()
    if (body.end === "") this.fail("has no end", action)
    if (body.end === "end") return { kind, pipeline, body: body.nodes, otherwise: [] }
    const chained = this.peek()
    if (chained?.kind === "word" && (chained.text === "if" || chained.text === "with")) {
      this.token++
      return { kind, pipeline, body: body.nodes, otherwise: [this.control(chained.text)] }
    }
    const otherwise = this.block()
    if (otherwise.end !== "end") this.fail("has no end", action)
    return { kind, pipeline, body: body.nodes, otherwise: otherwise.nodes }
  }

  private whole(): Pipeline {
    const pipeline = this.pipeline()
    if (this.peek() !== undefined) this.fail("has something after its end")
    return pipeline
  }

  private pipeline(): Pipeline {
    const variables: Array<string> = []
    let declares = false
    const from = this.token
    while (this.peek()?.kind === "variable") {
      variables.push(this.next().text)
      if (this.isSymbol(",")) this.token++
      else break
    }
    if (variables.length > 0 && (this.isSymbol(":=") || this.isSymbol("="))) declares = this.next().text === ":="
    else {
      variables.length = 0
      this.token = from
    }
    const commands = [this.command()]
    while (this.isSymbol("|")) {
      this.token++
      commands.push(this.command())
    }
    return { variables, declares, commands }
  }

  private command(): ReadonlyArray<Operand> {
    const operands: Array<Operand> = []
    for (let token = this.peek(); token !== undefined; token = this.peek()) {
      if (token.kind === "symbol" && token.text !== "(" && token.text !== ".") break
      operands.push(this.operand())
    }
    if (operands.length === 0) this.fail("lacks a value")
    return operands
  }

  private operand(): Operand {
    const token = this.next()
    if (token.kind === "literal") return { kind: "literal", value: token.value }
    if (token.kind === "variable") return { kind: "path", from: { variable: token.text }, fields: this.fields([]) }
    if (token.kind === "field") return { kind: "path", from: "dot", fields: this.fields([token.text]) }
    if (token.kind === "word") {
      if (!this.isFunction(token.text)) this.fail(`calls ${token.text}, which is no function`)
      return { kind: "call", name: token.text }
    }
    if (token.text === ".") return { kind: "path", from: "dot", fields: [] }
    const pipeline = this.pipeline()
    if (!this.isSymbol(")")) this.fail("has a parenthesis that is not closed")
    this.token++
    return { kind: "path", from: pipeline, fields: this.fields([]) }
  }

  private fields(fields: Array<string>): ReadonlyArray<string> {
    for (let token = this.peek(); token?.kind === "field" && !token.apart; token = this.peek()) {
      fields.push(token.text)
      this.token++
    }
    return fields
  }

  private isSymbol(text: string): boolean {
    const token = this.peek()
    return token?.kind === "symbol" && token.text === text
  }

  private peek(): Token | undefined {
    return this.tokens[this.token]
  }

  private next(): Token {
    const token = this.tokens[this.token++]
    return token ?? this.fail("ends too early")
  }

  private fail(rule: string, action = this.action): never {
    throw new GoTemplateInvalid({ message: `template action {{ ${action} }} ${rule}` })
  }
}

/** Parses a template; throws GoTemplateInvalid. */
export const parseTemplate = (source: string, isFunction: (name: string) => boolean): ReadonlyArray<Node> =>
  new Parser(source.trim(), isFunction).parse()
