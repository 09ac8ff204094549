// Real programs as judges in tests: finds them, or skips what needs them with one line that says how to get them.
// With CI=true nothing is skipped: a missing judge fails the test, because a judge that is not asked proves nothing.
// It starts no program; that is the test's own business.
import { NodeServices } from "@effect/platform-node"
import { Effect, Result } from "effect"
import { describe, it, type RunnerTestCase as Test, type TestContext, TestRunner } from "vitest"
import { findAsset, type ProgramName } from "#kind"

type Paths<Names extends ReadonlyArray<ProgramName>> = { readonly [Name in Names[number]]: string }

interface JudgeOptions {
  /** The oldest version that serves this test; without it, what the catalog asks for. */
  readonly atLeast?: string
}

const inCi = process.env["CI"] === "true"

const find = (name: ProgramName, options?: JudgeOptions): Promise<Result.Result<string, string>> =>
  findAsset(name, options).pipe(
    Effect.map((asset) => asset.path),
    Effect.mapError((missing) => missing.message),
    Effect.result,
    Effect.provide(NodeServices.layer),
    Effect.runPromise
  )

const locate = async <const Names extends ReadonlyArray<ProgramName>>(
  names: Names
): Promise<Result.Result<Paths<Names>, string>> => {
  const found = await Promise.all(names.map(async (name) => [name, await find(name)] as const))
  const missing = found.flatMap(([, path]) => (Result.isFailure(path) ? [path.failure] : []))
  if (missing.length > 0) return Result.fail(missing.join("; "))
  const paths = found.map(([name, path]) => [name, Result.getOrThrow(path)])
  // SAFETY: one entry for each name was checked just above.
  return Result.succeed(Object.fromEntries(paths) as Paths<Names>)
}

const refuse = (context: TestContext, message: string): never => {
  if (inCi) throw new Error(message)
  process.stderr.write(`skipped: ${message}\n`)
  return context.skip(message)
}

/** The path of a real program, to be asked for inside a test: without the program the test is skipped, or fails in CI. */
export const judge = async (name: ProgramName, options?: JudgeOptions): Promise<string> => {
  const path = await find(name, options)
  if (Result.isSuccess(path)) return path.success
  const test = TestRunner.getCurrentTest<Test | undefined>()
  if (test === undefined) throw new Error(`${path.failure} (ask for a judge inside a test, or use describeWith)`)
  return refuse(test.context, path.failure)
}

/** `describe` for tests that need all the named programs: `describeWith("etcd", "etcdctl")("title", (paths) => …)`. */
export const describeWith =
  <const Names extends ReadonlyArray<ProgramName>>(...names: Names) =>
  (title: string, body: (paths: Paths<Names>) => void | Promise<void>): void => {
    describe(title, async () => {
      const paths = await locate(names)
      if (Result.isSuccess(paths)) await body(paths.success)
      else it(`needs ${names.join(", ")}`, (context) => refuse(context, paths.failure))
    })
  }

/** `it` for one test that needs all the named programs: `itWith("curl")("title", async (paths) => …, 30_000)`. */
export const itWith =
  <const Names extends ReadonlyArray<ProgramName>>(...names: Names) =>
  (
    title: string,
    body: (paths: Paths<Names>, context: TestContext) => void | Promise<void>,
    timeoutMs?: number
  ): void => {
    it(
      title,
      async (context) => {
        const paths = await locate(names)
        await (Result.isSuccess(paths) ? body(paths.success, context) : refuse(context, paths.failure))
      },
      timeoutMs
    )
  }
