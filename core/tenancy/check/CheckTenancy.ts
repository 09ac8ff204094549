// Runs invariants so many times from a seed, and tells the smallest object that breaks one.
// Owns running and telling; the properties are the invariants'.
import * as fc from "fast-check"
import { kindRules } from "../rules/CompiledRules.ts"
import type { Rewriter } from "../rewrite/Rewriter.ts"
import { type Invariant, invariants } from "./Invariants.ts"
import { likelyFinder } from "./Likely.ts"
import type { Mutant } from "./Mutants.ts"
import { made, type Draft, grounds } from "./Objects.ts"
import { newRewriter } from "./View.ts"
import { tenantWords } from "./Words.ts"

/** What came of one invariant. */
export interface Finding {
  readonly invariant: Invariant
  readonly runs: number
  /** Undefined when it holds. */
  readonly failure:
    | { readonly path: string; readonly message: string; readonly smallest: string; readonly shrinks: number }
    | undefined
}

/** How an invariant is run. */
export interface CheckOptions {
  readonly runs: number
  readonly seed: number
  /** Of an earlier failure: only its case is run. */
  readonly path?: string | undefined
  /** Whether a failing case is made smaller; true unless said otherwise. */
  readonly shrink?: boolean
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const isDraft = (value: unknown): value is Draft =>
  typeof value === "object" && value !== null && "kind" in value && "fills" in value

/** A counterexample in words: drafts as the objects they are. */
const spelled = (example: unknown): string => {
  if (!Array.isArray(example)) return JSON.stringify(example)
  return example
    .map((part: unknown) => (isDraft(part) ? JSON.stringify(made(part, tenantWords).object) : JSON.stringify(part)))
    .join(", ")
}

/** Runs one invariant over a rewriting. */
export const checkInvariant = (
  invariant: Invariant,
  options: CheckOptions,
  rewriter: Rewriter = newRewriter()
): Finding => {
  const { path, runs, seed } = options
  const details = fc.check(invariant.property(rewriter) as fc.IRawProperty<unknown>, {
    numRuns: runs,
    seed,
    // The first failing case tells enough of a mistake that was planted.
    endOnFailure: options.shrink === false,
    ...(path === undefined ? {} : { path })
  })
  if ("then" in details) throw new Error("an invariant of translation waits for something")
  const failure = details.failed
    ? {
        path: details.counterexamplePath ?? "",
        message: messageOf(details.errorInstance),
        smallest: spelled(details.counterexample),
        shrinks: details.numShrinks
      }
    : undefined
  return { invariant, runs: details.numRuns, failure }
}

/** The invariants of a number or name; all without one. */
export const invariantsNamed = (which: string | undefined): ReadonlyArray<Invariant> =>
  which === undefined ? invariants : invariants.filter(({ name, number }) => name === which || String(number) === which)

/** The command that runs a failure's one case again. */
export const replayOf = ({ failure, invariant }: Finding, { seed }: CheckOptions): string =>
  `wharf check tenancy --invariant ${invariant.name} --seed ${seed} --path ${failure?.path ?? ""}`

/** How many kinds the objects are of. */
export const kindsChecked = (): number => grounds().length

/** What became of a planted mistake. */
export interface Verdict {
  readonly mutant: Mutant
  /** The invariant that found it; undefined when none did. */
  readonly found: Invariant | undefined
}

/** Compiles all rules: a mistake that is planted before would be compiled in, and stay. */
const compileAll = (): void => {
  for (const { shape } of grounds()) kindRules(shape)
}

/** Plants a mistake, and runs the invariants until one of them finds it. */
export const judge = (mutant: Mutant, options: CheckOptions): Verdict => {
  compileAll()
  const rewriter = newRewriter()
  const uproot = mutant.plant(rewriter)
  try {
    const likely = likelyFinder(mutant.name)
    for (const invariant of [...invariantsNamed(likely), ...invariants.filter(({ name }) => name !== likely)]) {
      if (checkInvariant(invariant, options, rewriter).failure !== undefined) return { mutant, found: invariant }
    }
    return { mutant, found: undefined }
  } finally {
    uproot()
  }
}
