// The front door: the command tree, and the only place where the rooms are wired together. It owns no behaviour; each
// command is written in the room that it belongs to. A server loads its own room alone, to start in half the time.
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect } from "effect"
import { Command } from "effect/cli"
import { runEtcd, serveStorageCommand } from "#storage"

const version = "0.1.0"

const wharf = Command.make("wharf").pipe(
  Command.withDescription("Run Kubernetes past the limits of one cluster, and prove it"),
  Command.withExamples([
    { command: "wharf run scenarios/quickstart.yaml", description: "load a store beside etcd and open the report" },
    { command: "wharf assets", description: "which real programs are on this machine" }
  ])
)

const serve = Command.make("serve").pipe(
  Command.withDescription("Serve one of the systems"),
  Command.withExamples([
    { command: "wharf serve storage --data-dir data", description: "the store, behind the etcd v3 API" }
  ]),
  Command.withSubcommands([serveStorageCommand])
)

const everything = async () => {
  const { runCommand, scenarioCommand } = await import("#scenarios")
  const { compareCommand, lintCommand, reportCommand } = await import("#reports")
  const { assetsCommand } = await import("#kind")
  return Command.withSubcommands(wharf, [
    runCommand,
    scenarioCommand,
    compareCommand,
    reportCommand,
    lintCommand,
    serve,
    assetsCommand
  ])
}

const [, , first, ...rest] = process.argv
const program =
  first === "etcd"
    ? runEtcd(rest, process.env)
    : first === "serve"
      ? Command.run(Command.withSubcommands(wharf, [serve]), { version })
      : Command.run(await everything(), { version })

program.pipe(Effect.provide(NodeServices.layer), NodeRuntime.runMain)
