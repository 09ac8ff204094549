// What users do to a cluster, as data: one step at a time, each a JSON line in a file of our own format.
// Owns the steps and their text; refuses to make them up (LoadTest.ts, Openb.ts) and to carry them out (ChurnPlayer.ts).
import { Result, Schema } from "effect"

const Ref = Schema.Struct({
  /** Like "v1" or "apps/v1". */
  apiVersion: Schema.String,
  /** The plural, like "deployments". */
  resource: Schema.String,
  namespace: Schema.String,
  name: Schema.String
})
const at = { atMs: Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0)) }

/** One step; `atMs` is milliseconds since the world began. */
export const ChurnStep = Schema.Union([
  Schema.Struct({
    ...at,
    verb: Schema.Literal("create"),
    of: Ref,
    object: Schema.Record(Schema.String, Schema.Unknown)
  }),
  Schema.Struct({ ...at, verb: Schema.Literal("scale"), of: Ref, replicas: Schema.Int }),
  Schema.Struct({ ...at, verb: Schema.Literal("patch"), of: Ref, patch: Schema.Record(Schema.String, Schema.Unknown) }),
  Schema.Struct({ ...at, verb: Schema.Literal("delete"), of: Ref })
])
export type ChurnStep = typeof ChurnStep.Type
export type ChurnTarget = typeof Ref.Type

/** A line of an event log that is no step; `message` names the line and the rule. */
export class ChurnLogInvalid extends Schema.TaggedError<ChurnLogInvalid>()("ChurnLogInvalid", {
  message: Schema.String
}) {}

/** One step as a line of an event log, without its end. */
export const churnLine = (step: ChurnStep): string => JSON.stringify(step)

/** Reads an event log: JSON lines, in any order of time; throws ChurnLogInvalid. */
export const parseChurnLog = (text: string): ReadonlyArray<ChurnStep> =>
  text
    .split("\n")
    .flatMap((line, index) => (line.trim() === "" ? [] : [parseLine(line, index + 1)]))
    .sort((a, b) => a.atMs - b.atMs)

const parseLine = (line: string, number: number): ChurnStep => {
  let data: unknown
  try {
    data = JSON.parse(line)
  } catch {
    throw new ChurnLogInvalid({ message: `line ${number} is not JSON` })
  }
  const decoded = Schema.decodeUnknownResult(ChurnStep)(data, { onExcessProperty: "error" })
  if (Result.isFailure(decoded)) throw new ChurnLogInvalid({ message: `line ${number}: ${String(decoded.failure)}` })
  return decoded.success
}
