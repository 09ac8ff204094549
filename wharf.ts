// The front door: the command tree, and the only place where the rooms are wired together. It owns no behaviour; each
// command is written in the room that it belongs to.
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect } from "effect"
import { Command } from "effect/cli"
import { assetsCommand } from "#kind"
import { runEtcd, serveStorageCommand } from "#storage"

const serve = Command.make("serve").pipe(
  Command.withDescription("Serve one of the systems"),
  Command.withExamples([
    { command: "wharf serve storage --data-dir data", description: "the store, behind the etcd v3 API" }
  ]),
  Command.withSubcommands([serveStorageCommand])
)

const wharf = Command.make("wharf").pipe(
  Command.withDescription("Run Kubernetes past the limits of one cluster, and prove it"),
  Command.withExamples([{ command: "wharf assets", description: "which real programs are on this machine" }]),
  Command.withSubcommands([serve, assetsCommand])
)

const [, , first, ...rest] = process.argv
const program = first === "etcd" ? runEtcd(rest, process.env) : Command.run(wharf, { version: "0.1.0" })

program.pipe(Effect.provide(NodeServices.layer), NodeRuntime.runMain)
