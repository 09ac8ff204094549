// Rules of a tracing scenario that no single field can check: loads without an end, phases that must come before, what a stream is about.
// Owns only such rules; what one field may hold is said by Tracing.ts.
import type { FieldPath } from "../Diagnostic.ts"
import { shapeName } from "../LoadShape.ts"
import { duplicates, unknownName } from "../NameRules.ts"
import type { Problem } from "../Problems.ts"
import type { Tracing, TracingLoad, TracingPhase } from "./Tracing.ts"

const endProblems = ({ actions, duration, shape }: TracingLoad, path: FieldPath): ReadonlyArray<Problem> => {
  const name = shape === undefined ? undefined : shapeName(shape)
  const timed = name === "timeLimitedLoad" || name === "randomizedTimeLimitedLoad"
  if (timed && actions === undefined) {
    return [{ path, rule: `needs actions: ${name} spreads a known number of calls over its timeLimit` }]
  }
  return timed || actions !== undefined || duration !== undefined
    ? []
    : [{ path, rule: "needs duration or actions, or it would never end" }]
}

const loadProblems = (
  load: TracingLoad,
  path: FieldPath,
  before: ReadonlyArray<TracingPhase>,
  tracing: Tracing
): ReadonlyArray<Problem> => {
  const problems = [...endProblems(load, path)]
  if ((load.shape === undefined) === (load.pace === undefined)) {
    problems.push({ path, rule: "needs exactly one of shape and pace" })
  }
  const phases = before.map(({ name }) => name)
  if (load.pace !== undefined && !phases.includes(load.pace.of)) {
    problems.push(unknownName([...path, "pace", "of"], "earlier phase", load.pace.of, phases))
  }
  const limit = load.shape?.parallelismLimitedLoad?.parallelismLimit ?? 0
  if (limit > 48) problems.push({ path: [...path, "shape"], rule: "must have at most 48 calls in flight" })
  for (const [at, { op }] of load.mix.entries()) {
    const where: FieldPath = [...path, "mix", at, "op"]
    if (op === "trace" && tracing.longTrace === undefined) {
      problems.push({ path: where, rule: "needs tracing.longTrace, the trace that is read" })
    }
    if (op === "search" && tracing.spans === undefined) {
      problems.push({ path: where, rule: "needs tracing.spans, among which is searched" })
    }
  }
  return problems
}

/** Every broken rule of the tracing part, with the path of the field to change. */
export const tracingProblems = (tracing: Tracing): ReadonlyArray<Problem> => {
  const { phases, stream } = tracing
  const problems: Array<Problem> = [
    ...duplicates(phases, ["tracing", "phases"]),
    ...phases.flatMap(({ load }, index) => {
      const path: FieldPath = ["tracing", "phases", index, "load"]
      return [
        ...duplicates(load, path),
        ...load.flatMap((one, at) => loadProblems(one, [...path, at], phases.slice(0, index), tracing))
      ]
    })
  ]
  if (stream.file !== undefined && stream.source !== "recorded") {
    problems.push({ path: ["tracing", "stream", "file"], rule: "is about the source recorded" })
  }
  if (!phases.some(({ kind }) => kind === "measure")) {
    problems.push({ path: ["tracing", "phases"], rule: "needs at least one phase of kind measure" })
  }
  return problems
}
