// `wharf check tenancy`: the translation's invariants from the command line, for who changes a rule.
// Owns the flags and what is printed; the work is check/'s. Ends with 1 when an invariant is broken or a planted mistake is missed.
import { Console, Effect, Option } from "effect"
import { CliError, Command, Flag } from "effect/cli"
import type { CheckOptions, Finding } from "./check/CheckTenancy.ts"

const flags = {
  runs: Flag.Int("runs").pipe(Flag.withDescription("Cases of each invariant"), Flag.withDefault(10_000)),
  seed: Flag.Int("seed").pipe(
    Flag.withDescription("Where chance starts; the same seed makes the same cases"),
    Flag.withDefault(1)
  ),
  invariant: Flag.String("invariant").pipe(
    Flag.withDescription("Only this one, by its name or number"),
    Flag.optional,
    Flag.map(Option.getOrUndefined)
  ),
  path: Flag.String("path").pipe(
    Flag.withDescription("Only the case that an earlier failure printed"),
    Flag.optional,
    Flag.map(Option.getOrUndefined)
  ),
  mutants: Flag.Boolean("mutants").pipe(
    Flag.withDescription("Plant mistakes and tell how many the invariants find"),
    Flag.withDefault(false)
  )
}

const misuse = (userMessage: string) => new CliError.UserError({ cause: new Error(userMessage), userMessage })

const line = ({ failure, invariant, runs }: Finding): string =>
  `${failure === undefined ? "holds " : "BROKEN"} ${String(invariant.number).padStart(2)} ${invariant.name.padEnd(18)} ${String(runs).padStart(6)} cases  ${invariant.says}`

const run = Effect.fn("tenancy.check")(function* (given: {
  readonly runs: number
  readonly seed: number
  readonly invariant: string | undefined
  readonly path: string | undefined
}) {
  const { checkInvariant, invariantsNamed, kindsChecked, replayOf } = yield* Effect.promise(
    () => import("./check/CheckTenancy.ts")
  )
  const chosen = invariantsNamed(given.invariant)
  if (chosen.length === 0) return yield* misuse(`--invariant ${given.invariant}: there is none of this name or number`)
  if (given.path !== undefined && chosen.length > 1)
    return yield* misuse("--path: needs --invariant with the name of one")
  yield* Console.log(`${chosen.length} invariants over ${kindsChecked()} kinds, seed ${given.seed}`)
  const options: CheckOptions = { runs: given.runs, seed: given.seed, path: given.path }
  let broken = 0
  for (const invariant of chosen) {
    const finding = checkInvariant(invariant, options)
    yield* Console.log(line(finding))
    if (finding.failure === undefined) continue
    broken++
    const { message, shrinks, smallest } = finding.failure
    yield* Console.log(
      `  ${message}\n  smallest after ${shrinks} steps: ${smallest}\n  again: ${replayOf(finding, options)}`
    )
  }
  if (broken > 0) return yield* misuse(`${broken} of ${chosen.length} invariants are broken`)
})

const runMutants = Effect.fn("tenancy.mutants")(function* (runs: number, seed: number) {
  const { judge } = yield* Effect.promise(() => import("./check/CheckTenancy.ts"))
  const { mutants } = yield* Effect.promise(() => import("./check/Mutants.ts"))
  const planted = mutants()
  let found = 0
  for (const mutant of planted) {
    const verdict = judge(mutant, { runs, seed, shrink: false })
    if (verdict.found !== undefined) found++
    yield* Console.log(
      `${verdict.found === undefined ? "MISSED" : "found "} ${mutant.name}${verdict.found === undefined ? "" : `  by ${verdict.found.name}`}`
    )
  }
  yield* Console.log(`recall ${found} of ${planted.length}`)
  if (found < planted.length) return yield* misuse(`${planted.length - found} planted mistakes were not found`)
})

/** `wharf check tenancy`. */
export const checkTenancyCommand = Command.make("tenancy", flags, (given) =>
  given.runs < 1
    ? misuse("--runs: must be at least 1")
    : given.mutants
      ? runMutants(given.runs, given.seed)
      : run(given)
).pipe(
  Command.withDescription("Check the translation between tenants and the shared cluster by properties over every kind"),
  Command.withExamples([
    { command: "wharf check tenancy --runs 10000 --seed 7", description: "every invariant, ten thousand cases each" },
    { command: "wharf check tenancy --invariant no-leakage", description: "one of them" },
    {
      command: "wharf check tenancy --mutants",
      description: "what the invariants are worth: planted mistakes, and how many are found"
    }
  ])
)
