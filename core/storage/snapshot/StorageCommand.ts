// The command lines `wharf storage import` and `wharf storage export`.
// Owns their flags, examples and help; refuses the work, which Import.ts and Export.ts do.
import { Console, Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import type { ClientTls } from "#net"
import type { EndpointOptions } from "./EtcdClient.ts"
import { exportLines, exportSnapshot } from "./Export.ts"
import { importToDirectory, importToEndpoint, importToTikv } from "./Import.ts"
import { openSource } from "./ImportSource.ts"
import { TransferError } from "./Transfer.ts"

const text = (name: string, description: string) => Flag.String(name).pipe(Flag.withDescription(description))
const optionalText = (name: string, description: string) =>
  text(name, description).pipe(Flag.optional, Flag.map(Option.getOrUndefined))

const access = {
  user: optionalText("user", "User of the running server that is read (or, with --to, written): name or name:password"),
  password: optionalText("password", "Password, if it is not given with the user"),
  caFile: optionalText("cacert", "PEM file of the authority that vouches for the server; default: the system's"),
  certFile: optionalText("cert", "PEM file of a client certificate"),
  keyFile: optionalText("key", "PEM file of the client certificate's key"),
  insecure: Flag.Boolean("insecure-skip-tls-verify").pipe(
    Flag.withDescription("Accept any server certificate"),
    Flag.withDefault(false)
  )
}

interface Access {
  readonly user: string | undefined
  readonly password: string | undefined
  readonly caFile: string | undefined
  readonly certFile: string | undefined
  readonly keyFile: string | undefined
  readonly insecure: boolean
}

const endpointOf = (url: string, given: Access): EndpointOptions => {
  const colon = given.user?.indexOf(":") ?? -1
  const tls: ClientTls = {
    ...(given.caFile === undefined ? {} : { caFile: given.caFile }),
    ...(given.certFile === undefined ? {} : { certFile: given.certFile }),
    ...(given.keyFile === undefined ? {} : { keyFile: given.keyFile }),
    insecure: given.insecure
  }
  const user = colon < 0 ? given.user : given.user?.slice(0, colon)
  const password = given.password ?? (colon < 0 ? undefined : given.user?.slice(colon + 1))
  return { url: url.trim(), user, password, tls }
}

const prefixFlag = text("prefix", "Only keys that begin with this; default: all").pipe(Flag.withDefault(""))

/** Prints a failure in one sentence and ends with exit code 1. */
const reported = <A, E extends { readonly message: string }, R>(program: Effect.Effect<A, E, R>) =>
  program.pipe(
    Effect.scoped,
    Effect.catch((error) =>
      Console.error(`error: ${error.message}`).pipe(
        Effect.andThen(
          Effect.sync(() => {
            process.exitCode = 1
          })
        )
      )
    )
  )

const importCommand = Command.make(
  "import",
  {
    from: text(
      "from",
      "http(s)://host:port of a running etcd, an etcd snapshot file, or the data directory of a stopped etcd"
    ),
    dataDir: optionalText("data-dir", "Data directory to make; it must be empty or not exist"),
    to: optionalText("to", "http(s)://host:port of a running server to put the keys into instead"),
    pdEndpoints: optionalText("pd-endpoints", "Placement drivers of a TiKV cluster to make the store in instead"),
    tikvKeyPrefix: text("tikv-key-prefix", "Before every key in the TiKV cluster").pipe(Flag.withDefault("wharf/")),
    prefix: prefixFlag,
    overwrite: Flag.Boolean("overwrite").pipe(
      Flag.withDescription("With --to: put even if there are keys already"),
      Flag.withDefault(false)
    ),
    ...access
  },
  ({ dataDir, from, overwrite, pdEndpoints, prefix, tikvKeyPrefix, to, ...given }) =>
    Effect.gen(function* () {
      if ([dataDir, to, pdEndpoints].filter((target) => target !== undefined).length !== 1) {
        return yield* new TransferError({ subject: "import", rule: "needs one of --data-dir, --to and --pd-endpoints" })
      }
      const bytes = Buffer.from(prefix)
      const source = yield* openSource(endpointOf(from, given), bytes)
      if (dataDir !== undefined) yield* importToDirectory(source, dataDir, bytes.length > 0)
      else if (pdEndpoints !== undefined) {
        const tls = { caFile: given.caFile ?? "", certFile: given.certFile ?? "", keyFile: given.keyFile ?? "" }
        const options = { pdEndpoints: pdEndpoints.split(","), keyPrefix: tikvKeyPrefix, tls, node: "import" }
        yield* importToTikv(source, options, bytes.length > 0)
      } else if (to !== undefined) yield* importToEndpoint(source, endpointOf(to, given), { prefix: bytes, overwrite })
    }).pipe(reported)
).pipe(
  Command.withDescription(
    "Bring an etcd's data into a store. Into a data directory: keys keep their revisions, versions and leases (from a " +
      "file also their history and the users); a running server is read at one revision, its leases with the time " +
      "they have left. Into a running server (--to): keys are put anew, revisions are not kept."
  ),
  Command.withShortDescription("Bring an etcd's data into a store"),
  Command.withExamples([
    {
      command: "wharf storage import --from http://127.0.0.1:2379 --data-dir ./store",
      description: "from a running etcd"
    },
    {
      command: "wharf storage import --from backup.db --data-dir ./store",
      description: "from a snapshot, with history"
    },
    {
      command: "wharf storage import --from /var/lib/etcd --data-dir ./store",
      description: "from a stopped etcd's files"
    },
    {
      command: "wharf storage import --from backup.db --pd-endpoints pd0:2379",
      description: "into a TiKV cluster, with history"
    },
    {
      command: "wharf storage import --from backup.db --to http://127.0.0.1:2379 --prefix /registry/",
      description: "into a running server"
    }
  ])
)

const exportCommand = Command.make(
  "export",
  {
    from: text("from", "http(s)://host:port of a running server, or the data directory of a stopped one of ours"),
    out: text("out", "File to write; it must not exist yet"),
    format: Flag.Literals("format", ["snapshot", "jsonl"]).pipe(
      Flag.withDescription("snapshot: a database for etcdutl; jsonl: one JSON object a key"),
      Flag.withDefault("snapshot" as const)
    ),
    prefix: prefixFlag,
    ...access
  },
  ({ format, from, out, prefix, ...given }) =>
    Effect.gen(function* () {
      const source = endpointOf(from, given)
      if (format === "jsonl") return yield* exportLines(source, Buffer.from(prefix), out)
      if (prefix !== "") {
        return yield* new TransferError({
          subject: "--prefix",
          rule: "goes with --format jsonl only: a snapshot is whole"
        })
      }
      yield* exportSnapshot(source, out)
    }).pipe(reported)
).pipe(
  Command.withDescription(
    "Write a store's data to a file: a snapshot that `etcdutl snapshot restore` takes, with all keys, revisions, " +
      "history, leases and users; or the living keys as lines of JSON."
  ),
  Command.withShortDescription("Write a store's data to a file"),
  Command.withExamples([
    {
      command: "wharf storage export --from http://127.0.0.1:2379 --out backup.db",
      description: "from a running server"
    },
    { command: "wharf storage export --from ./store --out backup.db", description: "from a data directory" },
    {
      command: "wharf storage export --from ./store --out keys.jsonl --format jsonl --prefix /registry/pods/",
      description: "living keys as JSON"
    }
  ])
)

/** `wharf storage`: moves data between stores, etcds and files. */
export const storageCommand = Command.make("storage").pipe(
  Command.withDescription("Move a store's data from and to etcd"),
  Command.withExamples([
    {
      command: "wharf storage import --from backup.db --data-dir store",
      description: "move an etcd snapshot into a store"
    }
  ]),
  Command.withSubcommands([importCommand, exportCommand])
)
