// The store's two command lines: `wharf serve storage`, and etcd's own behind bin/etcd.
// Owns help and version in etcd's words and the exit code of a bad flag; refuses meaning, which EtcdConfig.ts gives.
import { Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { ETCD_VERSION } from "../api/MaintenanceApi.ts"
import { etcdConfig } from "./EtcdConfig.ts"
import {
  BadFlag,
  etcdFlags,
  type FlagSpec,
  type FlagValues,
  gatherFlags,
  parseArguments,
  variableOf
} from "./EtcdFlags.ts"
import { serveLog, serveStorage } from "./ServeStorage.ts"

const serve = (args: FlagValues, environment: Readonly<Record<string, string | undefined>>) =>
  Effect.gen(function* () {
    const values = gatherFlags(args, environment)
    const config = values instanceof BadFlag ? values : etcdConfig(values)
    if (config instanceof BadFlag) return yield* config
    return yield* Effect.scoped(serveStorage(config)).pipe(Effect.provide(serveLog(config)))
  })

const versionText = `etcd Version: ${ETCD_VERSION}\nGit SHA: kubewharf\nGo Version: none (Node ${process.versions.node})\nGo OS/Arch: ${process.platform}/${process.arch === "x64" ? "amd64" : process.arch}\n`

const helpText = `Usage:

  etcd [flags]
    Start the store behind etcd's command line.
  etcd --version
    Show the etcd version whose API is served.
  etcd --config-file FILE
    Read all flags from a YAML file; other flags and variables are then ignored.

Each flag is also an environment variable: --data-dir is ${variableOf("data-dir")}.

Example:

  etcd --name infra0 --data-dir /var/lib/etcd --listen-client-urls http://127.0.0.1:2379

Flags:
${etcdFlags
  .filter(({ used }) => used)
  .map(({ fallback, help, name }) => `  --${name} '${fallback}'\n      ${help}\n`)
  .join("")}
Accepted and unused (peers, Raft, discovery):
${etcdFlags
  .filter(({ used }) => !used)
  .map(({ name }) => `  --${name}\n`)
  .join("")}`

/** etcd's command line: flags only, Go style. Fails with BadFlag, which ends the process with exit code 2 as in etcd. */
export const runEtcd = (args: ReadonlyArray<string>, environment: Readonly<Record<string, string | undefined>>) =>
  Effect.gen(function* () {
    if (args.some((arg) => /^--?version(=true)?$/.test(arg))) return yield* print(versionText)
    if (args.some((arg) => /^--?h(elp)?$/.test(arg))) return yield* print(helpText)
    const values = parseArguments(args)
    return yield* values instanceof BadFlag ? values : serve(values, environment)
  })

const print = (text: string) => Effect.sync(() => void process.stdout.write(text))

const flagOf = ({ fallback, help, kind, name, used }: FlagSpec) => {
  const value =
    kind === "boolean"
      ? Flag.Boolean(name).pipe(Flag.map(String), Flag.optional)
      : Flag.String(name).pipe(Flag.optional)
  return used
    ? value.pipe(Flag.withDescription(fallback === "" ? help : `${help} (default ${fallback})`))
    : value.pipe(Flag.withHidden)
}

const flags = {
  "config-file": Flag.String("config-file").pipe(
    Flag.withDescription("read all flags from a YAML file; others are then ignored"),
    Flag.optional
  ),
  ...Object.fromEntries(etcdFlags.map((spec) => [spec.name, flagOf(spec)]))
}

const given = (options: Readonly<Record<string, Option.Option<string>>>): FlagValues =>
  new Map(
    Object.entries(options).flatMap(([name, value]) => (Option.isSome(value) ? [[name, value.value] as const] : []))
  )

/** `wharf serve storage`: the same flags as etcd's, with their help. */
export const serveStorageCommand = Command.make("storage", flags, (options) => serve(given(options), process.env)).pipe(
  Command.withDescription("Serve the etcd v3 API on LMDB (or memory); takes etcd's flags and ETCD_* variables"),
  Command.withExamples([
    {
      command: "wharf serve storage --data-dir /var/lib/wharf --listen-client-urls http://127.0.0.1:2379",
      description: "One node on this machine's disk"
    }
  ])
)
