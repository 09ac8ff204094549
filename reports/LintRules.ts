// The linter's rules: what no honest measurement can show, whatever was measured.
// `impossible` means that arithmetic or physics forbids it; `suspicious` that it can happen and needs an explanation.
// Owns the rules and their bounds. Each rule sees all rows, because some faults only show between rows.
import { type LintLatency, type LintRow, rowName } from "./LintRow.ts"

/** One thing that is wrong, with the rows that show it. */
export interface Finding {
  readonly rule: string
  readonly severity: "impossible" | "suspicious"
  /** System, workload and operations, without the run: findings of one rule about one subject belong together. */
  readonly subject: string
  readonly rows: ReadonlyArray<string>
  readonly text: string
}

/** The fastest answer that each way of calling can give, in microseconds, and what takes that time. */
export const physicalFloors = {
  network: { us: 10, why: "a round trip between two hosts crosses two kernels and a wire" },
  loopback: { us: 5, why: "a round trip over loopback takes four system calls and two wake-ups" },
  "in-process": { us: 0, why: "a call inside a process has no floor that a histogram of microseconds could show" },
  simulated: { us: 0, why: "virtual time has no floor" }
} as const

/** What a durable write adds: the fastest disks acknowledge a flush in about this many microseconds. */
export const flushFloorUs = 10

/** Tolerances, as fractions: published averages are rounded, and phases have edges. */
export const lintTolerances = { littlesLaw: 0.05, idleClients: 0.25, eventRate: 0.02 } as const

const subjectOf = (rows: ReadonlyArray<LintRow>): string => {
  const places = Map.groupBy(rows, ({ system, workload }) => `${system} / ${workload}`)
  const told = [...places].map(
    ([place, rows]) => `${place} / ${[...new Set(rows.map((row) => row.operation))].join(", ")}`
  )
  return told.join(" and ")
}

type Rule = (rows: ReadonlyArray<LintRow>) => ReadonlyArray<Finding>

const finding = (
  rule: string,
  rows: ReadonlyArray<LintRow>,
  text: string,
  severity: Finding["severity"] = "impossible"
): Finding => ({ rule, severity, subject: subjectOf(rows), rows: rows.map(rowName), text })

const us = (value: number): string =>
  value >= 1000
    ? `${+(value / 1000).toPrecision(4)} ms`
    : value >= 1
      ? `${+value.toPrecision(4)} µs`
      : `${+(value * 1000).toPrecision(4)} ns`

const ladder = [
  ["p50", 0.5],
  ["p90", 0.9],
  ["p95", 0.95],
  ["p99", 0.99],
  ["p999", 0.999],
  ["p9999", 0.9999]
] as const

const steps = (
  latency: LintLatency
): ReadonlyArray<{ readonly name: string; readonly share: number; readonly us: number }> =>
  ladder.flatMap(([name, share]) => {
    const value = latency[name]
    return value === undefined ? [] : [{ name, share, us: value }]
  })

/** The highest average that the given percentiles and maximum allow; undefined without a maximum. */
export const averageCeiling = (latency: LintLatency): number | undefined => {
  if (latency.max === undefined) return undefined
  let [covered, sum] = [0, 0]
  for (const step of steps(latency)) {
    sum += (step.share - covered) * step.us
    covered = step.share
  }
  return sum + (1 - covered) * latency.max
}

const averageAboveP99: Rule = (rows) =>
  rows.flatMap((row) => {
    const { mean, p99 } = row.latencyUs
    if (mean === undefined || p99 === undefined || mean <= p99) return []
    const ceiling = averageCeiling(row.latencyUs)
    const possible = ceiling !== undefined && mean <= ceiling
    const cause = possible ? "a few answers took so long that they outweigh all others" : "one of the two is wrong"
    const text = `the average of ${us(mean)} is above the p99 of ${us(p99)}: ${cause}`
    return [finding("average-above-p99", [row], text, possible ? "suspicious" : "impossible")]
  })

const averageOutOfBounds: Rule = (rows) =>
  rows.flatMap((row) => {
    const { max, mean, min } = row.latencyUs
    if (mean === undefined) return []
    const ceiling = averageCeiling(row.latencyUs)
    if (min !== undefined && mean < min)
      return [finding("average-below-min", [row], `the average of ${us(mean)} is below the minimum of ${us(min)}`)]
    if (ceiling === undefined || max === undefined || mean <= ceiling * 1.001) return []
    return [
      finding(
        "average-above-bound",
        [row],
        `the percentiles and the maximum allow an average of at most ${us(ceiling)}, not ${us(mean)}`
      )
    ]
  })

const belowFloor: Rule = (rows) =>
  rows.flatMap((row) => {
    const { min } = row.latencyUs
    const floor = physicalFloors[row.transport]
    const flush = row.durable === true && row.kind === "write" && row.transport !== "simulated" ? flushFloorUs : 0
    if (min === undefined || min >= floor.us + flush) return []
    const why = flush > 0 ? `${floor.why}, and a flush to disk comes on top` : floor.why
    return [
      finding("below-physical-floor", [row], `the minimum of ${us(min)} is below ${us(floor.us + flush)}: ${why}`)
    ]
  })

const percentileOrder: Rule = (rows) =>
  rows.flatMap((row) => {
    const { max, min } = row.latencyUs
    const inOrder = [
      ...(min === undefined ? [] : [{ name: "min", us: min }]),
      ...steps(row.latencyUs),
      ...(max === undefined ? [] : [{ name: "max", us: max }])
    ]
    return inOrder.flatMap((step, index) => {
      const before = inOrder[index - 1]
      if (before === undefined || before.us <= step.us) return []
      return [
        finding("percentile-order", [row], `${before.name} (${us(before.us)}) is above ${step.name} (${us(step.us)})`)
      ]
    })
  })

const significantDigits = (value: number): number => {
  const [digits = ""] = value.toExponential().split("e")
  return digits.replace(".", "").length
}

// Two runs that agree in four digits of throughput and in both latencies are one run printed twice; agreeing in
// throughput to five digits alone is a coincidence worth a look. A paced rate such as 4999 or 10000 has fewer digits, and
// where counts are known, rates are only their quotients.
const duplicates: Rule = (rows) => {
  const measured = rows.filter(
    ({ opsPerS = 0, transport }) => transport !== "simulated" && significantDigits(opsPerS) >= 4
  )
  const triples = pairsBy(measured, ({ latencyUs: { mean, p99 }, opsPerS }) =>
    mean === undefined || p99 === undefined ? undefined : `${opsPerS} ${mean} ${p99}`
  )
  const figures = pairsBy(measured, ({ opsPerS = 0, planned }) =>
    planned === undefined && significantDigits(opsPerS) >= 5 ? `${opsPerS}` : undefined
  )
  return [
    ...triples.map(([row, other]) => {
      const { mean = 0, p99 = 0 } = row.latencyUs
      const text = `both give ${row.opsPerS}/s, ${us(mean)} average and ${us(p99)} p99: one measurement printed twice`
      return finding("duplicated-triple", [row, other], text)
    }),
    ...figures
      .filter((pair) => !triples.some(([row, other]) => row === pair[0] && other === pair[1]))
      .map(([row, other]) =>
        finding("duplicated-figure", [row, other], `both give exactly ${row.opsPerS}/s`, "suspicious")
      )
  ]
}

// Rows of different runs that share a key.
const pairsBy = (rows: ReadonlyArray<LintRow>, keyOf: (row: LintRow) => string | undefined) =>
  [...Map.groupBy(rows, keyOf)].flatMap(([key, group]) =>
    key === undefined
      ? []
      : group.flatMap((row, index) =>
          group.slice(index + 1).flatMap((other) => (isSameRun(row, other) ? [] : [[row, other] as const]))
        )
  )

const isSameRun = (row: LintRow, other: LintRow): boolean =>
  row.system === other.system && row.workload === other.workload && row.run === other.run

const runsOf = (rows: ReadonlyArray<LintRow>): ReadonlyArray<ReadonlyArray<LintRow>> => [
  ...Map.groupBy(rows, (row) => [row.system, row.workload, row.run].join("\0")).values()
]

const littlesLaw: Rule = (rows) =>
  runsOf(rows).flatMap((run) => {
    const calls = run.filter((row) => row.kind !== "event" && row.clients !== undefined)
    const clients = calls[0]?.clients
    if (clients === undefined || clients === 0) return []
    let inFlight = 0
    for (const { latencyUs, opsPerS } of calls) {
      if (opsPerS === undefined || latencyUs.mean === undefined) return []
      inFlight += (opsPerS * latencyUs.mean) / 1e6
    }
    const told = `throughput times average latency gives ${inFlight.toFixed(1)} calls in flight`
    if (inFlight > clients * (1 + lintTolerances.littlesLaw)) {
      return [finding("littles-law", calls, `${told}, more than the ${clients} clients can have`)]
    }
    if (inFlight >= clients * lintTolerances.idleClients) return []
    return [
      finding(
        "idle-clients",
        calls,
        `${told} for ${clients} clients: something else than the server set the pace`,
        "suspicious"
      )
    ]
  })

const eventsAgainstWrites: Rule = (rows) =>
  runsOf(rows).flatMap((run) => {
    const writes = run.filter((row) => row.kind === "write" && row.opsPerS !== undefined)
    return run.flatMap((row) => {
      if (row.kind !== "event" || row.opsPerS === undefined || writes.length === 0) return []
      const written = writes.reduce((sum, { opsPerS = 0 }) => sum + opsPerS, 0)
      const surplus = row.opsPerS / written - 1
      if (Math.abs(surplus) <= lintTolerances.eventRate) return []
      const text = `${row.opsPerS}/s events for ${written}/s writes, ${(surplus * 100).toFixed(1)} %`
      return [finding("events-differ-from-writes", [row, ...writes], text, surplus > 0 ? "impossible" : "suspicious")]
    })
  })

const lostSamples: Rule = (rows) =>
  rows.flatMap((row) => {
    const { lost = 0, planned } = row
    if (lost === 0) return []
    const what = row.kind === "event" ? "expected events never arrived" : "planned calls were never sent or answered"
    const of = planned === undefined ? "" : ` of ${planned}`
    return [finding("lost-samples", [row], `${lost}${of} ${what}`, row.kind === "event" ? "suspicious" : "impossible")]
  })

const counts: Rule = (rows) =>
  rows.flatMap((row) => {
    const { completed, failed = 0, lost = 0, planned, timed } = row
    const found: Array<Finding> = []
    if (planned !== undefined && completed !== undefined && completed + failed + lost !== planned) {
      const text = `${completed} answered, ${failed} failed and ${lost} lost do not add up to ${planned} planned`
      found.push(finding("counts-do-not-add-up", [row], text))
    }
    if (timed !== undefined && completed !== undefined && timed !== completed) {
      found.push(finding("counts-do-not-add-up", [row], `${completed} answered but ${timed} timed`))
    }
    return found
  })

/** Every rule, in the order in which findings are listed. */
export const lintRules: ReadonlyArray<Rule> = [
  averageAboveP99,
  averageOutOfBounds,
  belowFloor,
  percentileOrder,
  duplicates,
  littlesLaw,
  eventsAgainstWrites,
  lostSamples,
  counts
]
