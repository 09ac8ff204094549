// A fidelity comparison as Markdown that also reads well in a terminal.
// Owns the words and the order; the numbers are Fidelity.ts's.
import type { Fidelity, FidelityRow } from "./Fidelity.ts"
import { formatBytes, formatCount, formatUs } from "./Format.ts"
import { calibrationBadge } from "./CalibrationBadge.ts"
import type { RunRecord } from "./RunRecord.ts"

const valueOf = ({ unit }: FidelityRow, value: number): string => {
  if (unit === "us") return formatUs(value)
  if (unit === "bytes") return formatBytes(Math.round(value))
  return unit === "count" ? formatCount(Math.round(value)) : `${value.toPrecision(3)}/s`
}

const times = (value: number): string => (Number.isNaN(value) ? "–" : `${value.toPrecision(3)}×`)

const intervalOf = ({ high, low }: FidelityRow): string =>
  Number.isNaN(low) ? "one run a side" : `${times(low)} to ${times(high)}`

const groups: ReadonlyArray<FidelityRow["group"]> = [
  "API latency",
  "pod start",
  "watch lag",
  "rate",
  "objects",
  "bytes"
]

const titles: Readonly<Record<FidelityRow["group"], string>> = {
  "API latency": "API latency, by verb and resource",
  "pod start": "Pod start, by stage",
  "watch lag": "Watch lag, by resource",
  rate: "Calls and store revisions a second",
  objects: "Objects at the end, by kind",
  bytes: "Bytes of one object as JSON, at the end, by kind"
}

const tableOf = (rows: ReadonlyArray<FidelityRow>): ReadonlyArray<string> => [
  "| Indicator | simulated | real | ratio | 95 % |",
  "|---|---|---|---|---|",
  ...rows.map(
    (row) =>
      `| ${row.label} | ${valueOf(row, row.simulated)} | ${valueOf(row, row.real)} | ${times(row.ratio)} | ${intervalOf(row)} |`
  )
]

/** What the simulation was made with: its network and disk, from the record's own words. */
const modelOf = (records: ReadonlyArray<RunRecord>): ReadonlyArray<string> => records[0]?.cluster?.model ?? []

/** The constants below the simulation, and where they come from. */
const constantsOf = (records: ReadonlyArray<RunRecord>): ReadonlyArray<string> => {
  const calibration = records[0]?.cluster?.calibration
  if (calibration === undefined) return []
  const { constants, factor, from, machine, measuredAt } = calibration
  return [
    "",
    "## The constants of the simulation",
    "",
    `Measured at ${measuredAt} by ${from} on ${machine}; simulated with them, every indicator of that run was met within ${factor.toFixed(1)}. Times of calls are the server's own, without the way and the store's commit.`,
    "",
    "| Constant | values | p50 | p99 |",
    "|---|---|---|---|",
    ...constants.map(
      ({ count, name, p50Ms, p99Ms }) =>
        `| ${name} | ${formatCount(count)} | ${formatUs(p50Ms * 1000)} | ${formatUs(p99Ms * 1000)} |`
    )
  ]
}

const badgeOf = (records: ReadonlyArray<RunRecord>): ReadonlyArray<string> => {
  const cluster = records[0]?.cluster
  return cluster === undefined ? [] : [`- Calibration: ${calibrationBadge(cluster).text}`]
}

const sideOf = (records: ReadonlyArray<RunRecord>): string => {
  const [first] = records
  if (first === undefined) return "nothing"
  const { backend, machine, startedAt, target } = first
  const settings = backend.settings["kube-apiserver"]
  const server = settings === undefined ? "" : ` under kube-apiserver ${settings}`
  return `target ${target}, ${backend.name} ${backend.version}${server}, ${records.length} run${records.length === 1 ? "" : "s"} from ${startedAt} on, ${machine.cores} × ${machine.cpuModel}, load average ${machine.loadBefore[0].toFixed(1)} before`
}

/** The comparison as a page. */
export const fidelityMarkdown = (
  fidelity: Fidelity,
  simulated: ReadonlyArray<RunRecord>,
  real: ReadonlyArray<RunRecord>
): string =>
  [
    `# How true the simulation is: ${fidelity.scenario}`,
    "",
    `Medians of API latency and pod start lie within a factor of ${fidelity.medianFactor.toFixed(2)}; every indicator below within ${fidelity.factor.toFixed(1)}. A ratio is what was simulated by what was real: below 1 the simulation is faster, or has less. Latencies below 50 µs count as 50 µs.`,
    "",
    `- Simulated: ${sideOf(simulated)}`,
    `- Real: ${sideOf(real)}`,
    ...badgeOf(simulated),
    ...modelOf(simulated).map((sentence) => `- Model: ${sentence}`),
    ...groups.flatMap((group) => {
      const rows = fidelity.rows.filter((row) => row.group === group)
      return rows.length === 0 ? [] : ["", `## ${titles[group]}`, "", ...tableOf(rows)]
    }),
    ...constantsOf(simulated),
    "",
    "## Left out",
    "",
    [
      fidelity.leftOut.length === 0 ? "" : `Fewer than 20 values on a side: ${fidelity.leftOut.join("; ")}.`,
      `${fidelity.oneSided} indicators stand on one side only: the clients inside real programs are not measured.`
    ]
      .filter((sentence) => sentence !== "")
      .join(" "),
    ""
  ].join("\n")
