// The exit codes of every wharf command, in one table, and what each means to a caller.
// Owns the numbers; which one a run ends with is decided in Judge.ts.

/** Stable across versions: scripts and CI may rely on them. */
export const ExitCode = {
  pass: 0,
  usage: 1,
  timeout: 2,
  slo: 3,
  regression: 4,
  invalid: 5,
  correctness: 6
} as const

/** The name of an outcome, as in the table above. */
export type Outcome = keyof typeof ExitCode

/** One sentence per exit code, for `--help`, reports and JUnit. */
export const exitCodeMeaning: Readonly<Record<Outcome, string>> = {
  pass: "everything that was asked for holds",
  usage: "the command line, the configuration or an input file is wrong",
  timeout: "the run did not end in time",
  slo: "a target was missed, or nothing was measured for it",
  regression: "slower than the baseline, significantly and by more than the margin",
  invalid: "the measurement cannot be trusted",
  correctness: "the system under test broke a promise"
}
