// What the decoders of a cluster's parts have in common: where they put what they find, and what they may ask.
// Owns the outcome's shape and the memory of parts; refuses to know any field. A part whose input is what it was is not decoded again:
// it is the same object in the next snapshot, so that whoever holds on to it sees at once that nothing changed.
import { type Fields, invalidUnshown, type Problems } from "#apiserver"
import { type FieldProblem, type Json, type JsonObject, sameJson } from "#kube"

/** What a decoder finds. */
export interface Findings {
  /** What keeps the manifest from being accepted. */
  readonly problems: Problems
  /** Secrets that are not there, or lack what is taken from them: the manifest is good, but cannot serve yet. */
  readonly unresolved: Problems
  /** What is taken as KubeGateway takes it, though it hardly is what was meant. */
  readonly warnings: Array<string>
}

/** Nothing found yet. */
export const noFindings = (): Findings => ({ problems: [], unresolved: [], warnings: [] })

interface Remembered {
  readonly input: Json
  readonly value: unknown
  readonly findings: Findings
}

/** The parts of one cluster as they were decoded last. Bound: one entry per part of the manifest at hand. */
export class PartMemory {
  readonly #last: ReadonlyMap<string, Remembered>
  readonly #next = new Map<string, Remembered>()
  readonly findings = noFindings()

  constructor(last?: PartMemory) {
    this.#last = last === undefined ? new Map() : last.#next
  }

  /** The part, decoded from all that it depends on. */
  part<A>(name: string, input: Json, decode: (findings: Findings) => A): A {
    const known = this.#last.get(name)
    const found: Remembered = known !== undefined && sameJson(known.input, input) ? known : this.#decoded(input, decode)
    this.#next.set(name, found)
    this.findings.problems.push(...found.findings.problems)
    this.findings.unresolved.push(...found.findings.unresolved)
    this.findings.warnings.push(...found.findings.warnings)
    // SAFETY: a name stands for one decoder.
    return found.value as A
  }

  #decoded(input: Json, decode: (findings: Findings) => unknown): Remembered {
    const findings = noFindings()
    return { input, value: decode(findings), findings }
  }
}

/** A number of the manifest, or its default where it is absent. */
export const numberOr = (value: unknown, byDefault: number): number => (typeof value === "number" ? value : byDefault)

/** Seconds of the manifest in milliseconds. */
export const secondsOr = (value: unknown, byDefault: number): number => numberOr(value, byDefault) * 1000

/** An absent or empty text is the default. */
export const choiceOr = <A extends string>(value: unknown, byDefault: A): A =>
  // SAFETY: the schema's enum has been checked.
  typeof value === "string" && value !== "" ? (value as A) : byDefault

/** An absent part as JSON has it. */
export const orNull = (value: Json | undefined): Json => value ?? null

/** Reports a number below zero; true when it is one. */
export const isNegative = (fields: Fields, name: string, path: string, problems: Array<FieldProblem>): boolean => {
  const value = fields[name]
  if (typeof value !== "number" || value >= 0) return false
  problems.push({
    type: "FieldValueInvalid",
    field: `${path}.${name}`,
    value,
    detail: "must be bigger than or equal to 0"
  })
  return true
}

/** The text that base64 stands for; undefined when it is absent, or is none, which is reported without the value. */
export const decodedBytes = (
  fields: JsonObject,
  name: string,
  path: string,
  problems: Problems
): string | undefined => {
  const value = fields[name]
  if (typeof value !== "string" || value === "") return undefined
  const plain = value.replaceAll(/\s/g, "")
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(plain) || plain.length % 4 !== 0) {
    problems.push(invalidUnshown(`${path}.${name}`, "must be base64"))
    return undefined
  }
  return Buffer.from(plain, "base64").toString("utf8")
}
