// Ends a test run in CI with one line that counts it: "N passed, N failed" and ", N skipped" if there were any.
// In CI a skipped test fails the run, since nobody reads a log to find what was not tested; so do the checks that ran
// before the tests, whose names come in FAILED_CHECKS. It changes no test's result.
import type { Reporter, SerializedError, TestModule } from "vitest/node"

/** How many tests ended how; a file that did not load and an error outside any test count as one failure each. */
export interface Count {
  readonly passed: number
  readonly failed: number
  readonly skipped: ReadonlyArray<string>
}

/** The closing line: `N passed, N failed`, and `, N skipped` when there are skipped tests. */
export const closingLine = ({ failed, passed, skipped }: Count): string =>
  `${passed} passed, ${failed} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ""}`

/** Counts the tests of finished modules. */
export const countTests = (
  modules: ReadonlyArray<Pick<TestModule, "children" | "errors" | "relativeModuleId">>,
  unhandled: ReadonlyArray<SerializedError>
): Count => {
  let passed = 0
  let failed = unhandled.length
  const skipped: Array<string> = []
  for (const module of modules) {
    failed += module.errors().length
    for (const suite of module.children.allSuites()) failed += suite.errors().length
    for (const test of module.children.allTests()) {
      const { state } = test.result()
      if (state === "passed") passed++
      else if (state === "failed") failed++
      else skipped.push(`${module.relativeModuleId} > ${test.fullName}`)
    }
  }
  return { passed, failed, skipped }
}

export default class CiReporter implements Reporter {
  onTestRunEnd(modules: ReadonlyArray<TestModule>, unhandled: ReadonlyArray<SerializedError>): void {
    const tests = countTests(modules, unhandled)
    const checks = (process.env["FAILED_CHECKS"] ?? "").split(" ").filter((name) => name !== "")
    const count = { ...tests, failed: tests.failed + checks.length }
    if (count.skipped.length + checks.length > 0) process.exitCode = 1
    // Vitest prints its own summary at this same event; ours comes last because it waits for the exit.
    process.once("exit", () => {
      for (const check of checks) process.stdout.write(`failed before the tests: npm run ${check}\n`)
      for (const test of count.skipped) process.stdout.write(`skipped, which CI does not allow: ${test}\n`)
      process.stdout.write(`${closingLine(count)}\n`)
    })
  }
}
