// Field selectors: their text with its escapes, and the question whether an object's fields match.
// Owns syntax, messages (apimachinery's pkg/fields: protocol text) and matching; which fields a resource has is its definition's.
import { SelectorInvalid } from "./LabelSelector.ts"

export interface FieldRequirement {
  /** Like "metadata.name". */
  readonly field: string
  readonly operator: "=" | "!="
  readonly value: string
}

/** All requirements hold. */
export class FieldSelector {
  readonly requirements: ReadonlyArray<FieldRequirement>

  constructor(requirements: ReadonlyArray<FieldRequirement>) {
    this.requirements = requirements
  }

  /** Whether everything matches. */
  get empty(): boolean {
    return this.requirements.length === 0
  }

  /** `valueOf` answers "" for a field that is not set. */
  matches(valueOf: (field: string) => string): boolean {
    for (const { field, operator, value } of this.requirements) {
      if ((valueOf(field) === value) !== (operator === "=")) return false
    }
    return true
  }

  /** The value that a field must have, if one is asked for. */
  exactMatch(field: string): string | undefined {
    return this.requirements.find((requirement) => requirement.field === field && requirement.operator === "=")?.value
  }

  toString(): string {
    return this.requirements
      .map(({ field, operator, value }) => `${field}${operator}${escapeFieldValue(value)}`)
      .join(",")
  }
}

export const everyField = new FieldSelector([])

/** A value as it may stand in a field selector's text. */
export const escapeFieldValue = (value: string): string => value.replace(/[\\,=]/g, String.raw`\$&`)

const unescaped = (value: string): string | SelectorInvalid => {
  if (!/[\\,=]/.test(value)) return value
  let plain = ""
  let escaping = false
  for (const letter of value) {
    const special = letter === "\\" || letter === "," || letter === "="
    if (escaping) {
      if (!special) return new SelectorInvalid(`invalid field selector: invalid escape sequence: \\${letter}`)
      plain += letter
      escaping = false
    } else if (letter === "\\") escaping = true
    else if (special) {
      return new SelectorInvalid(`invalid field selector: unescaped character in value: ${letter.charCodeAt(0)}`)
    } else plain += letter
  }
  return escaping ? new SelectorInvalid("invalid field selector: invalid escape sequence: \\") : plain
}

/** The text cut at commas that no backslash precedes. */
const termsOf = (text: string): Array<string> => {
  const terms: Array<string> = []
  let start = 0
  for (let at = 0; at < text.length; at++) {
    if (text.charAt(at) === "\\") at++
    else if (text.charAt(at) === ",") {
      terms.push(text.slice(start, at))
      start = at + 1
    }
  }
  terms.push(text.slice(start))
  return terms
}

const operatorPattern = /!=|==|=/

/** Reads the text of `?fieldSelector=`: "spec.nodeName=a,status.phase!=Failed". */
export const parseFieldSelector = (text: string): FieldSelector | SelectorInvalid => {
  if (text === "") return everyField
  const requirements: Array<FieldRequirement> = []
  for (const term of termsOf(text).sort()) {
    if (term === "") continue
    const operator = operatorPattern.exec(term)
    if (operator === null) return new SelectorInvalid(`invalid selector: '${text}'; can't understand '${term}'`)
    const field = term.slice(0, operator.index)
    const value = unescaped(term.slice(operator.index + operator[0].length))
    if (value instanceof SelectorInvalid) return value
    // The original's transformation drops a term in which both sides are empty.
    if (field !== "" || value !== "") requirements.push({ field, operator: operator[0] === "!=" ? "!=" : "=", value })
  }
  return requirements.length === 0 ? everyField : new FieldSelector(requirements)
}
