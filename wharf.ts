// The front door: the command tree, and the only place where the rooms are wired together.
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Effect } from "effect"
import { Command } from "effect/cli"
import { assetsCommand } from "#kind"

const wharf = Command.make("wharf").pipe(
  Command.withDescription("Run Kubernetes past the limits of one cluster, and prove it"),
  Command.withSubcommands([assetsCommand])
)

Command.run(wharf, { version: "0.1.0" }).pipe(Effect.provide(NodeServices.layer), NodeRuntime.runMain)
