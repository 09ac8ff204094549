// Bodies in YAML, as server-side apply sends them: read once and written as JSON, so that one rewriting serves both.
// Owns this conversion, with integers of any length; refuses aliases without end and documents that are more than one.
import { parseAllDocuments } from "yaml"
import { bytesOf, textOf } from "./Bytes.ts"
import { BodyInvalid } from "./Contract.ts"

/** How often one document may repeat another part of itself by an alias. */
const ALIASES_MAX = 100

const scalar = (value: unknown): string => {
  if (typeof value === "bigint") return value.toString()
  if (typeof value === "number") return Number.isFinite(value) ? JSON.stringify(value) : "null"
  return JSON.stringify(value ?? null)
}

const written = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(written).join(",")}]`
  if (typeof value !== "object" || value === null) return scalar(value)
  return `{${Object.entries(value)
    .map(([key, inner]) => `${JSON.stringify(key)}:${written(inner)}`)
    .join(",")}}`
}

/** The JSON of a YAML body; JSON is YAML, and passes as it stands. */
export const yamlToJson = (body: Uint8Array): Uint8Array | BodyInvalid => {
  const text = textOf(body)
  try {
    JSON.parse(text)
    return body
  } catch {
    return fromYaml(text)
  }
}

const fromYaml = (text: string): Uint8Array | BodyInvalid => {
  const documents = parseAllDocuments(text, {
    intAsBigInt: true,
    version: "1.1",
    schema: "yaml-1.1",
    merge: true,
    prettyErrors: false
  })
  const [document, ...more] = Array.isArray(documents) ? documents.filter(({ contents }) => contents !== null) : []
  if (document === undefined) return new BodyInvalid("the YAML holds no object")
  if (more.length > 0) return new BodyInvalid("the YAML holds more than one document")
  const [error] = document.errors
  if (error !== undefined) return new BodyInvalid(`the YAML cannot be read: ${error.code} at ${error.pos[0]}`)
  try {
    return bytesOf(written(document.toJS({ maxAliasCount: ALIASES_MAX })))
  } catch {
    return new BodyInvalid(`the YAML repeats itself by more than ${ALIASES_MAX} aliases`)
  }
}
