// Everything a report shows, computed once from the records: groups, summaries, comparisons with the baseline, the
// linter's findings and the judgement. Every renderer takes this one value.
// Owns grouping and the choice of the baseline. Does no I/O.
import { isClusterGroup } from "./ClusterSummary.ts"
import { compare, type Comparison, type RunGroup } from "./Compare.ts"
import { judge, type Judgement } from "./Judge.ts"
import { lintGroups } from "./Linter.ts"
import type { Finding } from "./LintRules.ts"
import type { RunRecord } from "./RunRecord.ts"
import { type GroupSummary, summarize } from "./Summary.ts"
import type { CompareOptions } from "./Verdict.ts"

/** A report before it is drawn. */
export interface Report {
  readonly title: string
  readonly groups: ReadonlyArray<RunGroup>
  readonly summaries: ReadonlyArray<GroupSummary>
  readonly baseline: string | null
  readonly comparisons: ReadonlyArray<Comparison>
  readonly findings: ReadonlyArray<Finding>
  readonly judgement: Judgement
}

/** `baseline` names a group; without it a group called etcd or direct is the baseline, or else the first. */
export interface ReportOptions {
  readonly title?: string
  readonly baseline?: string
  readonly failOnRegression?: boolean
  readonly compare?: Partial<CompareOptions>
}

/** Records of one or more backends as groups, in the order in which the backends first ran. */
export const groupByBackend = (records: ReadonlyArray<RunRecord>): ReadonlyArray<RunGroup> => {
  const ordered = [...records].sort((x, y) => x.repeat.position - y.repeat.position)
  return [...Map.groupBy(ordered, (record) => record.backend.name)].map(([name, records]) => ({ name, records }))
}

/** Computes a report; the linter runs here, before anything is shown. */
export const makeReport = (groups: ReadonlyArray<RunGroup>, options: ReportOptions = {}): Report => {
  const summaries = groups.map(summarize)
  // A simulated cluster and a load on stores have nothing in common that could be compared.
  const [clusters, stores] = [groups.filter(isClusterGroup), groups.filter((group) => !isClusterGroup(group))]
  const alike = stores.length > 1 ? stores : clusters
  const baseline = alike.length < 2 ? undefined : baselineOf(alike, options.baseline)
  const pairs =
    baseline === undefined
      ? []
      : [
          ...alike.filter((group) => group !== baseline).map((group) => [baseline, group] as const),
          ...besideNginx(alike)
        ]
  const comparisons = pairs.map(([left, right]) => compare(left, right, options.compare))
  const findings = lintGroups(groups)
  const failOnRegression = options.failOnRegression ?? true
  return {
    title: options.title ?? titleOf(groups),
    groups,
    summaries,
    baseline: baseline?.name ?? null,
    comparisons,
    findings,
    judgement: judge({ groups, summaries, comparisons, findings }, { failOnRegression })
  }
}

// Direct runs say what a front adds; how good it is at that, only another front can say.
const besideNginx = (groups: ReadonlyArray<RunGroup>): ReadonlyArray<readonly [RunGroup, RunGroup]> => {
  const fronts = groups.filter(({ records }) => records.some(({ front }) => front !== undefined))
  const nginx = fronts.find(({ name }) => name === "nginx")
  if (nginx === undefined || !fronts.some(({ name }) => name === "direct")) return []
  return fronts.filter(({ name }) => name !== "nginx" && name !== "direct").map((group) => [nginx, group] as const)
}

const baselineOf = (groups: ReadonlyArray<RunGroup>, wanted: string | undefined): RunGroup | undefined =>
  groups.find(({ name }) => name === wanted) ??
  groups.find(({ name }) => name === "etcd" || name === "direct") ??
  groups[0]

const titleOf = (groups: ReadonlyArray<RunGroup>): string => {
  const scenarios = new Set(groups.flatMap(({ records }) => records.map(({ scenario }) => scenario.name)))
  const names = groups.map(({ name }) => name)
  return `${[...scenarios].join(", ")} on ${names.join(", ")}`
}
