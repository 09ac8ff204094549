// The runner's commands as a program of their own, for tests that must interrupt or kill it.
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Effect } from "effect"
import { Command } from "effect/cli"
import { runCommand, scenarioCommand } from "#scenarios"

/** `wharf run` and `wharf scenario`, and nothing else. */
export const cli = Command.make("wharf").pipe(Command.withSubcommands([runCommand, scenarioCommand]))

if (import.meta.main) {
  Command.run(cli, { version: "test" }).pipe(Effect.provide(NodeServices.layer), NodeRuntime.runMain)
}
