// Runs every rule over rows and over whole records, before any report is shown.
// Owns only the order and the entry points; rules live in LintRules.ts, rows in LintRow.ts.
import type { RunGroup } from "./Compare.ts"
import { type LintRow, rowsOfRecord } from "./LintRow.ts"
import { type Finding, lintRules } from "./LintRules.ts"

/** All findings over the given rows, impossible ones first. */
export const lint = (rows: ReadonlyArray<LintRow>): ReadonlyArray<Finding> => {
  const findings = lintRules.flatMap((rule) => rule(rows))
  return [
    ...findings.filter(({ severity }) => severity === "impossible"),
    ...findings.filter(({ severity }) => severity === "suspicious")
  ]
}

/** All findings over groups of runs together, so that runs that were counted twice show. */
export const lintGroups = (groups: ReadonlyArray<RunGroup>): ReadonlyArray<Finding> =>
  lint(groups.flatMap(({ name, records }) => records.flatMap((record) => rowsOfRecord(record, name))))
