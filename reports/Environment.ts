// What differs between the surroundings of two sets of runs, and whether they may be compared at all.
// Owns the rule: other hardware or another scenario makes a comparison invalid, other software or an order that was
// not interleaved is shown beside it. Knows nothing of numbers.
import type { RunRecord } from "./RunRecord.ts"

/** One thing that is not the same on both sides. `refuses` differences make every verdict invalid. */
export interface Difference {
  readonly field: string
  readonly baseline: string
  readonly candidate: string
  readonly severity: "refuses" | "badge"
  readonly text: string
}

interface Field {
  readonly field: string
  readonly read: (record: RunRecord) => string
  readonly severity: "refuses" | "badge"
  readonly text: string
}

const otherMachine = "the sides ran on different machines"
const otherScenario = "the sides ran different scenarios"
const otherSoftware = "the sides ran under different software"

const fields: ReadonlyArray<Field> = [
  { field: "CPU", read: (r) => r.machine.cpuModel, severity: "refuses", text: otherMachine },
  { field: "cores", read: (r) => String(r.machine.cores), severity: "refuses", text: otherMachine },
  { field: "memory", read: (r) => String(r.machine.memoryBytes), severity: "refuses", text: otherMachine },
  { field: "target", read: (r) => r.target, severity: "refuses", text: "the sides ran against different targets" },
  { field: "scenario", read: (r) => r.scenario.hash, severity: "refuses", text: otherScenario },
  {
    field: "overrides",
    read: (r) => JSON.stringify(r.scenario.overrides, Object.keys(r.scenario.overrides).sort()),
    severity: "refuses",
    text: otherScenario
  },
  {
    field: "boot",
    read: (r) => r.machine.bootIdHash.slice(0, 12),
    severity: "badge",
    text: "the machine was restarted between the sides, or it is another one of the same build"
  },
  { field: "kernel", read: (r) => r.machine.kernel, severity: "badge", text: otherSoftware },
  { field: "Node", read: (r) => r.machine.node, severity: "badge", text: otherSoftware },
  { field: "governor", read: (r) => r.machine.governor ?? "none", severity: "badge", text: otherSoftware },
  { field: "wharf", read: (r) => r.versions.wharf, severity: "badge", text: otherSoftware },
  { field: "commit", read: (r) => r.versions.gitCommit ?? "none", severity: "badge", text: otherSoftware },
  {
    field: "durable",
    read: (r) => String(r.backend.durable),
    severity: "badge",
    text: "only one side flushes to disk"
  },
  { field: "seed", read: (r) => String(r.seed), severity: "badge", text: "the sides drew different random numbers" }
]

/** Hardware fields may be allowed to differ (`allowCrossMachine`): they are then shown instead of refused. */
export const differences = (
  baseline: ReadonlyArray<RunRecord>,
  candidate: ReadonlyArray<RunRecord>,
  allowCrossMachine: boolean
): ReadonlyArray<Difference> => {
  if (baseline.length === 0 || candidate.length === 0) return []
  const found = fields.flatMap(({ field, read, severity, text }): ReadonlyArray<Difference> => {
    const [left, right] = [valuesOf(baseline, read), valuesOf(candidate, read)]
    if (left.length === 1 && right.length === 1 && left[0] === right[0]) return []
    const allowed = allowCrossMachine && text === otherMachine
    const told = { baseline: left.join(" / "), candidate: right.join(" / ") }
    return [{ field, ...told, severity: allowed ? "badge" : severity, text }]
  })
  return isInterleaved(baseline, candidate) ? found : [...found, notInterleaved]
}

const valuesOf = (records: ReadonlyArray<RunRecord>, read: (record: RunRecord) => string) =>
  [...new Set(records.map(read))].sort()

const notInterleaved: Difference = {
  field: "order",
  baseline: "one block",
  candidate: "one block",
  severity: "badge",
  text: "the runs of the two sides were not interleaved, so drift of the machine counts as difference"
}

const isInterleaved = (baseline: ReadonlyArray<RunRecord>, candidate: ReadonlyArray<RunRecord>): boolean => {
  const span = (records: ReadonlyArray<RunRecord>) => {
    const times = records.map((record) => Date.parse(record.startedAt))
    return { first: Math.min(...times), last: Math.max(...times) }
  }
  const [left, right] = [span(baseline), span(candidate)]
  return baseline.length <= 1 || candidate.length <= 1 || (left.first <= right.last && right.first <= left.last)
}
