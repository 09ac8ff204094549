// How a command of this room ends when it cannot do its work: one message for a person on standard error, and an exit
// code from the table that all commands share. Owns that mapping; the sentences are the errors' own.
import { ExitCode } from "#reports"
import { Console, Effect } from "effect"

/** Anything with a tag and a sentence for people. */
interface Told {
  readonly _tag: string
  readonly message: string
}

/** Prints what went wrong and sets the exit code: a phase that never ended is a timeout, everything else is usage. */
export const explain = (error: Told): Effect.Effect<void> =>
  Effect.sync(() => {
    process.exitCode = error._tag === "PhaseOverdue" ? ExitCode.timeout : ExitCode.usage
  }).pipe(Effect.andThen(Console.error(error.message)))
