// The front door: the command tree, and the only place where the rooms are wired together. It owns no behaviour; each
// command is written in the room that it belongs to. A server loads its own room alone, to start in half the time.
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Cause, Effect, Exit, Runtime } from "effect"
import { CliError, Command } from "effect/cli"
import { runEtcd, serveStorageCommand, storageCommand } from "#storage"

const version = "0.1.0"

const wharf = Command.make("wharf").pipe(
  Command.withDescription("Run Kubernetes past the limits of one cluster, and prove it"),
  Command.withExamples([
    { command: "wharf run scenarios/quickstart.yaml", description: "load a store beside etcd and open the report" },
    { command: "wharf assets", description: "which real programs are on this machine" }
  ])
)

const serveOf = Command.make("serve").pipe(
  Command.withDescription("Serve one of the systems"),
  Command.withExamples([
    { command: "wharf serve storage --data-dir data", description: "the store, behind the etcd v3 API" },
    { command: "wharf serve apiserver --kubeconfig admin.conf", description: "a Kubernetes API on our own store" },
    { command: "wharf serve cluster --nodes 1000 --kubeconfig admin.conf", description: "a simulated cluster" },
    { command: "wharf serve gateway --config-dir clusters", description: "one door in front of many API servers" },
    { command: "wharf serve ratelimiter --config-dir clusters --insecure", description: "limits across gateways" },
    { command: "wharf serve tenancy --upstream-kubeconfig admin.conf", description: "one cluster, many tenants" },
    { command: "wharf serve tracing --insecure --kubeconfig admin.conf", description: "every object's life as traces" },
    { command: "wharf serve controllers --kubeconfig admin.conf", description: "our controllers on any cluster" },
    { command: "wharf serve federation --data-dir host --kubeconfig host.conf", description: "one API, many clusters" }
  ])
)

const benchOf = Command.make("bench").pipe(
  Command.withDescription("Measure one of the systems by its field's own benchmark"),
  Command.withExamples([
    {
      command: "wharf bench scheduler --floors --upstream",
      description: "kube-scheduler's floors, beside kube-scheduler"
    }
  ])
)

const explainOf = Command.make("explain").pipe(
  Command.withDescription("Say why one of the systems decides as it does"),
  Command.withExamples([
    { command: "wharf explain placement deploy/web -n team-a", description: "why a federation placed it so" },
    { command: "wharf explain pod default/web-0", description: "where a waiting pod could go" }
  ])
)

const checkOf = Command.make("check").pipe(
  Command.withDescription("Check one of the systems by properties"),
  Command.withExamples([
    { command: "wharf check tenancy --runs 10000 --seed 7", description: "what a tenant's translation must keep to" }
  ])
)

/** The store starts without waiting for what only the others load. */
const serving = async (system: string | undefined) => {
  if (system === "storage") return Command.withSubcommands(serveOf, [serveStorageCommand])
  const { serveApiServerCommand } = await import("#apiserver")
  if (system === "apiserver") return Command.withSubcommands(serveOf, [serveStorageCommand, serveApiServerCommand])
  if (system === "tenancy") {
    const { serveTenancyCommand } = await import("#tenancy")
    return Command.withSubcommands(serveOf, [serveStorageCommand, serveApiServerCommand, serveTenancyCommand])
  }
  if (system === "tracing") {
    const { serveTracingCommand } = await import("#tracing")
    return Command.withSubcommands(serveOf, [serveStorageCommand, serveApiServerCommand, serveTracingCommand])
  }
  const { serveSchedulerCommand } = await import("#scheduling")
  const left = [serveStorageCommand, serveApiServerCommand, serveSchedulerCommand] as const
  if (system === "scheduler") return Command.withSubcommands(serveOf, left)
  const { serveGatewayCommand, serveRateLimiterCommand } = await import("#gateway")
  const servers = [...left, serveGatewayCommand, serveRateLimiterCommand] as const
  if (system === "gateway" || system === "ratelimiter") return Command.withSubcommands(serveOf, servers)
  const { serveTenancyCommand } = await import("#tenancy")
  const { serveTracingCommand } = await import("#tracing")
  const { serveFederationCommand } = await import("#federation")
  const { hostAutoscaler, hostControllers, serveClusterCommand, serveControllersCommand } = await import("#sim")
  return Command.withSubcommands(serveOf, [
    ...servers,
    serveTenancyCommand,
    serveTracingCommand,
    serveClusterCommand,
    serveControllersCommand,
    serveFederationCommand(({ client, running }) => hostControllers(client, running), hostAutoscaler)
  ])
}

const everything = async () => {
  const {
    benchSchedulerCommand,
    calibrateCommand,
    clusterCommand,
    conformanceCommand,
    replayScenario,
    runCommand,
    scenarioCommand
  } = await import("#scenarios")
  const { compareCommand, lintCommand, reportCommand } = await import("#reports")
  const { assetsCommand } = await import("#kind")
  const { explainPodCommand } = await import("#scheduling")
  const { explainPlacementCommand, federationCommand } = await import("#federation")
  const { gatewayCommand } = await import("#gateway")
  const { simCommand } = await import("#sim")
  const { checkTenancyCommand } = await import("#tenancy")
  const { traceCommand, whyCommand } = await import("#tracing")
  return Command.withSubcommands(wharf, [
    runCommand,
    scenarioCommand,
    compareCommand,
    reportCommand,
    lintCommand,
    conformanceCommand,
    calibrateCommand,
    clusterCommand,
    Command.withSubcommands(explainOf, [explainPlacementCommand, explainPodCommand]),
    whyCommand,
    traceCommand,
    Command.withSubcommands(benchOf, [benchSchedulerCommand]),
    Command.withSubcommands(checkOf, [checkTenancyCommand]),
    await serving(undefined),
    storageCommand,
    federationCommand,
    gatewayCommand,
    simCommand(undefined, { scenario: replayScenario }),
    assetsCommand
  ])
}

const [, , first, ...rest] = process.argv
const program =
  first === "etcd"
    ? runEtcd(rest, process.env)
    : first === "serve"
      ? Command.run(Command.withSubcommands(wharf, [await serving(rest[0])]), { version })
      : Command.run(await everything(), { version })

/** A failure is one line; only what nobody foresaw shows where it happened. */
const report = (cause: Cause.Cause<unknown>) =>
  Effect.sync(() => {
    const error = Cause.squash(cause)
    if (Cause.hasInterruptsOnly(cause) || !Runtime.getErrorReported(error)) return
    const text = error instanceof Error ? error.message : String(error)
    const line = text.split(/\s*\n\s*/).join(" ")
    const stack = error instanceof Error && Cause.hasDies(cause) ? `${error.stack}\n` : ""
    process.stderr.write(`error: ${line}\n${stack}`)
  })

/**
 * A command line that is not understood ends with 1, as every other usage error does, and etcd's with etcd's own 2; its help
 * has been shown. A server that was asked to stop and has drained ends with 0.
 */
const teardown: Runtime.Teardown = (exit, onExit) => {
  const serves = first === "etcd" || first === "serve"
  if (serves && Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)) return onExit(0)
  // Who ends a served report by Ctrl-C has its run's result all the same.
  const { exitCode } = process
  if (first === "run" && typeof exitCode === "number" && Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
    return onExit(exitCode)
  const error: unknown = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
  const misused = CliError.isCliError(error) && error._tag === "ShowHelp" && error.errors.length > 0
  if (misused) onExit(first === "etcd" ? 2 : 1)
  else Runtime.defaultTeardown(exit, onExit)
}

program.pipe(
  Effect.tapCause(report),
  Effect.provide(NodeServices.layer),
  NodeRuntime.runMain({ disableErrorReporting: true, teardown })
)
