// The paths of stage selectors: the part of jq that kwok's Stage files use, like
// `.status.conditions.[] | select( .type == "Ready" ) | .status` and `.metadata.labels["a.b/c"]`.
// Owns parsing and evaluation; refuses the rest of jq with a typed error that names the place.
import { Schema } from "effect"
import { isJsonObject, type Json } from "#kube"

/** A path that this room does not read; `message` names the path and the place. */
export class KeyPathInvalid extends Schema.TaggedError<KeyPathInvalid>()("KeyPathInvalid", {
  message: Schema.String
}) {}

type Step =
  | { readonly kind: "field"; readonly name: string }
  | { readonly kind: "index"; readonly at: number }
  | { readonly kind: "each" }
  | { readonly kind: "select"; readonly path: ReadonlyArray<Step>; readonly equal: boolean; readonly value: Json }

/** All values that a path finds, without nulls; undefined when a step does not fit the value, as jq's errors do. */
export type KeyPath = (value: Json) => ReadonlyArray<Json> | undefined

class Parser {
  private readonly source: string
  private at = 0

  constructor(source: string) {
    this.source = source
  }

  parse(): ReadonlyArray<Step> {
    const steps = this.pipeline()
    this.space()
    if (this.at < this.source.length) this.fail("unexpected text")
    return steps
  }

  private pipeline(): ReadonlyArray<Step> {
    const steps: Array<Step> = [...this.term()]
    for (;;) {
      this.space()
      if (this.source[this.at] !== "|") return steps
      this.at++
      steps.push(...this.term())
    }
  }

  private term(): ReadonlyArray<Step> {
    this.space()
    if (this.take("select")) return [this.select()]
    if (this.source[this.at] !== ".") this.fail("a path begins with a dot")
    return this.path()
  }

  private path(): ReadonlyArray<Step> {
    const steps: Array<Step> = []
    for (;;) {
      const dot = this.source[this.at] === "."
      if (dot) this.at++
      const char = this.source[this.at]
      if (char === "[") steps.push(this.bracket())
      else if (char === '"') steps.push({ kind: "field", name: this.text() })
      else if (dot && /[A-Za-z_]/.test(char ?? "")) steps.push({ kind: "field", name: this.word() })
      else return steps
    }
  }

  private bracket(): Step {
    this.at++
    this.space()
    const char = this.source[this.at]
    let step: Step
    if (char === "]") step = { kind: "each" }
    else if (char === '"') step = { kind: "field", name: this.text() }
    else step = { kind: "index", at: Number(this.match(/-?\d+/y, "a name, a number or nothing in brackets")) }
    this.space()
    if (this.source[this.at] !== "]") this.fail("a bracket is not closed")
    this.at++
    return step
  }

  private select(): Step {
    this.space()
    if (this.source[this.at] !== "(") this.fail("select needs a condition in parentheses")
    this.at++
    const path = this.pipeline()
    this.space()
    const operator = this.match(/==|!=/y, "== or !=")
    this.space()
    const literal = this.match(/"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?|true|false|null/y, "a value")
    this.space()
    if (this.source[this.at] !== ")") this.fail("a parenthesis is not closed")
    this.at++
    return { kind: "select", path, equal: operator === "==", value: JSON.parse(literal) }
  }

  private text(): string {
    return JSON.parse(this.match(/"(?:[^"\\]|\\.)*"/y, "a text"))
  }

  private word(): string {
    return this.match(/[A-Za-z_][A-Za-z0-9_]*/y, "a name")
  }

  private take(word: string): boolean {
    if (!this.source.startsWith(word, this.at)) return false
    this.at += word.length
    return true
  }

  private match(pattern: RegExp, what: string): string {
    pattern.lastIndex = this.at
    const found = pattern.exec(this.source)
    if (found === null) return this.fail(`expected ${what}`)
    this.at += found[0].length
    return found[0]
  }

  private space(): void {
    while (/\s/.test(this.source[this.at] ?? "")) this.at++
  }

  private fail(rule: string): never {
    throw new KeyPathInvalid({ message: `path ${JSON.stringify(this.source)}: ${rule} at character ${this.at + 1}` })
  }
}

const evaluate = (steps: ReadonlyArray<Step>, from: Json): ReadonlyArray<Json> | undefined => {
  let values: Array<Json> = [from]
  for (const step of steps) {
    const next: Array<Json> = []
    for (const value of values) {
      const found = advance(step, value)
      if (found === undefined) return undefined
      next.push(...found)
    }
    values = next
  }
  return values.filter((value) => value !== null)
}

const advance = (step: Step, value: Json): ReadonlyArray<Json> | undefined => {
  switch (step.kind) {
    case "field":
      if (value === null) return [null]
      return isJsonObject(value) ? [value[step.name] ?? null] : undefined
    case "index":
      if (value === null) return [null]
      return Array.isArray(value) ? [(value as ReadonlyArray<Json>).at(step.at) ?? null] : undefined
    case "each":
      if (Array.isArray(value)) return value as ReadonlyArray<Json>
      return isJsonObject(value) ? Object.values(value).map((one) => one ?? null) : undefined
    case "select": {
      const found = evaluate(step.path, value)
      if (found === undefined) return undefined
      const holds = found.length === 0 ? step.value === null : found.some((one) => one === step.value)
      return holds === step.equal ? [value] : []
    }
  }
}

/** Parses a path; throws KeyPathInvalid. */
export const parseKeyPath = (source: string): KeyPath => {
  const steps = new Parser(source).parse()
  return (value) => evaluate(steps, value)
}
