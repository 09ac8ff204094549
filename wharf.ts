// The front door: the command tree, and the only place where the rooms are wired together.
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Effect } from "effect"
import { Command } from "effect/cli"
import { assetsCommand } from "#kind"
import { runCommand, scenarioCommand } from "#scenarios"
import { runEtcd, serveStorageCommand } from "#storage"

const serve = Command.make("serve").pipe(
  Command.withDescription("Serve one of the systems"),
  Command.withSubcommands([serveStorageCommand])
)

const wharf = Command.make("wharf").pipe(
  Command.withDescription("Run Kubernetes past the limits of one cluster, and prove it"),
  Command.withSubcommands([runCommand, scenarioCommand, serve, assetsCommand])
)

const [, , first, ...rest] = process.argv
const program = first === "etcd" ? runEtcd(rest, process.env) : Command.run(wharf, { version: "0.1.0" })

program.pipe(Effect.provide(NodeServices.layer), NodeRuntime.runMain)
