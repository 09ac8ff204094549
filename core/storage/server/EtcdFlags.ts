// etcd's command line, one row a flag: its name, kind, default, and whether the store uses it or only accepts it.
// Owns the table and the reading of arguments, ETCD_* variables and --config-file; refuses meaning, which EtcdConfig.ts gives.
// Source: etcd 3.7 `etcd --help`. Flags about peers and Raft are accepted so that etcd's scripts run unchanged.
import { readFileSync } from "node:fs"
import { Runtime, Schema } from "effect"
import { parse as parseYaml } from "yaml"

export type FlagKind = "string" | "boolean"

export interface FlagSpec {
  readonly name: string
  readonly kind: FlagKind
  readonly fallback: string
  readonly used: boolean
  readonly help: string
}

const used = (name: string, fallback: string, help: string): FlagSpec => ({
  name,
  kind: "string",
  fallback,
  used: true,
  help
})
const usedSwitch = (name: string, fallback: "true" | "false", help: string): FlagSpec => ({
  name,
  kind: "boolean",
  fallback,
  used: true,
  help
})
const unused = (...names: ReadonlyArray<string>): ReadonlyArray<FlagSpec> =>
  names.map((name) => ({ name, kind: "string", fallback: "", used: false, help: "accepted, unused" }))
const unusedSwitch = (...names: ReadonlyArray<string>): ReadonlyArray<FlagSpec> =>
  names.map((name) => ({ name, kind: "boolean", fallback: "", used: false, help: "accepted, unused" }))

export const etcdFlags: ReadonlyArray<FlagSpec> = [
  used("name", "default", "name of this member"),
  used("data-dir", "", "folder of the data; default NAME.etcd"),
  used("backend", "lmdb", "lmdb (on disk), memory (lost at exit) or tikv (a cluster); not a flag of etcd's"),
  used("pd-endpoints", "", "placement drivers of the TiKV cluster, separated by commas; not a flag of etcd's"),
  used("tikv-key-prefix", "wharf/", "before every key in the TiKV cluster; stores with one prefix are one store"),
  used("tikv-ca-file", "", "PEM authorities that the TiKV cluster's certificates come from"),
  used("tikv-cert-file", "", "PEM certificate shown to the TiKV cluster"),
  used("tikv-key-file", "", "PEM key of that certificate"),
  used("tikv-commit", "2pc", "2pc, or with async or 1pc (separated by commas) TiKV's shorter ways to commit"),
  used("listen-client-urls", "http://localhost:2379", "URLs to serve clients on, separated by commas"),
  used("advertise-client-urls", "http://localhost:2379", "URLs that the member list shows to clients"),
  used("listen-metrics-urls", "", "further URLs for /metrics and /health alone"),
  used("initial-advertise-peer-urls", "http://localhost:2380", "shown in the member list"),
  used(
    "listen-peer-urls",
    "http://localhost:2380",
    "where the store serves the members in front of it, if there are any"
  ),
  used("peer-urls", "", "of a node on tikv: where it listens for the others and tells them so; not a flag of etcd's"),
  used(
    "initial-cluster",
    "",
    "NAME=PEER-URL of all members; the first by name holds the store, the others forward to it"
  ),
  used("initial-cluster-state", "new", "new, or existing to stand in front of a store that runs"),
  used("initial-cluster-token", "etcd-cluster", "makes the cluster's and member's ids, with the peer URLs"),
  used("cert-file", "", "PEM certificate for clients; read anew when it changes"),
  used("key-file", "", "PEM key for clients; read anew when it changes"),
  used("trusted-ca-file", "", "PEM authorities that client certificates must come from"),
  usedSwitch("client-cert-auth", "false", "clients must show a certificate"),
  usedSwitch("auto-tls", "false", "make a self-signed certificate for clients"),
  used("self-signed-cert-validity", "1", "years that it is good for"),
  used("peer-cert-file", "", "PEM certificate for other members, shown to them and to who connects"),
  used("peer-key-file", "", "PEM key of that certificate"),
  used("peer-client-cert-file", "", "PEM certificate to show to other members instead"),
  used("peer-client-key-file", "", "PEM key of that certificate"),
  used("peer-trusted-ca-file", "", "PEM authorities that other members' certificates must come from"),
  usedSwitch("peer-client-cert-auth", "false", "other members must show a certificate"),
  used("peer-cert-allowed-cn", "", "common names, separated by commas, that other members' certificates may carry"),
  used(
    "peer-cert-allowed-hostname",
    "",
    "host names or addresses, separated by commas, one of which other members' certificates must be for"
  ),
  usedSwitch("peer-auto-tls", "false", "make a self-signed certificate for other members, and trust any of theirs"),
  used(
    "quota-backend-bytes",
    "0",
    "bytes of data that raise the NOSPACE alarm; 0 means 2 GiB (none on tikv), below 0 none"
  ),
  used("max-txn-ops", "128", "operations in one transaction"),
  used("max-request-bytes", "1572864", "bytes of one request"),
  used("max-concurrent-streams", "4294967295", "streams of one client connection"),
  used("grpc-keepalive-min-time", "5s", "shortest interval between a client's pings"),
  used("grpc-keepalive-interval", "2h", "interval of pings to silent clients; 0 for none"),
  used("grpc-keepalive-timeout", "20s", "time to answer a ping"),
  usedSwitch("socket-reuse-port", "false", "share the client port with other processes"),
  used("auto-compaction-mode", "periodic", "periodic or revision"),
  used(
    "auto-compaction-retention",
    "0",
    "time (periodic: 5m, or hours as a number) or revisions to keep; 0 for no compaction"
  ),
  used("auth-token", "simple", "simple, or jwt with options"),
  used("auth-token-ttl", "300", "seconds that a simple token lives unused"),
  used("bcrypt-cost", "10", "cost of password hashes, 4 to 31"),
  used("heartbeat-interval", "100", "milliseconds; with the election timeout it bounds the shortest lease"),
  used(
    "election-timeout",
    "1000",
    "milliseconds; leases live at least one and a half of it; on tikv a leader that is silent so long is replaced"
  ),
  used("watch-progress-notify-interval", "10m", "interval of progress notices to idle watches"),
  used("log-level", "info", "debug, info, warn, error, panic or fatal"),
  used("log-outputs", "default", "default, stderr, stdout, or files, separated by commas"),
  used("log-format", "json", "json or console"),
  usedSwitch("unsafe-no-fsync", "false", "leave flushing to the operating system: for measuring only"),
  ...unused(
    ..."wal-dir snapshot-count listen-client-http-urls max-snapshots max-wals backend-bbolt-freelist-type backend-batch-interval backend-batch-limit raft-read-timeout raft-write-timeout feature-gates discovery discovery-token discovery-endpoints discovery-dial-timeout discovery-request-timeout discovery-keepalive-time discovery-keepalive-timeout discovery-cert discovery-key discovery-cacert discovery-user discovery-password discovery-fallback discovery-proxy discovery-srv discovery-srv-name v2-deprecation client-cert-file client-key-file client-crl-file client-cert-allowed-hostname peer-crl-file cipher-suites cors host-whitelist tls-min-version tls-max-version metrics logger log-rotation-config-json warning-unary-request-duration distributed-tracing-address distributed-tracing-service-name distributed-tracing-instance-id distributed-tracing-sampling-rate corrupt-check-time compact-hash-check-time compaction-batch-limit warning-apply-duration bootstrap-defrag-threshold-megabytes max-learners compaction-sleep-interval downgrade-check-time snapshot-catchup-entries experimental-watch-progress-notify-interval".split(
      " "
    )
  ),
  ...unusedSwitch(
    ..."initial-election-tick-advance memory-mlock socket-reuse-address enable-grpc-gateway discovery-insecure-transport discovery-insecure-skip-tls-verify strict-reconfig-check pre-vote enable-pprof enable-log-rotation enable-distributed-tracing peer-skip-client-san-verification force-new-cluster".split(
      " "
    )
  )
]

/** An argument, variable or configuration file that etcd would not take either. */
export class BadFlag extends Schema.TaggedError<BadFlag>()("BadFlag", {
  flag: Schema.String,
  rule: Schema.String
}) {
  /** What etcd ends with. */
  override readonly [Runtime.errorExitCode] = 2

  override get message(): string {
    return this.flag === "" ? this.rule : `--${this.flag}: ${this.rule}`
  }
}

const byName = new Map(etcdFlags.map((spec) => [spec.name, spec]))
/** Everything that was given, by flag name. */
export type FlagValues = ReadonlyMap<string, string>

/** Reads Go-style arguments: -flag, --flag, =value or the next word; a boolean alone is true. */
export const parseArguments = (args: ReadonlyArray<string>): FlagValues | BadFlag => {
  const values = new Map<string, string>()
  for (let at = 0; at < args.length; at++) {
    const match = /^--?([a-z0-9][a-z0-9-]*)(?:=([\s\S]*))?$/.exec(args[at])
    if (match === null) return new BadFlag({ flag: "", rule: `"${args[at]}" is no flag; etcd takes flags only` })
    const [, name, inline] = match
    const spec = byName.get(name)
    if (spec === undefined && name !== "config-file") {
      return new BadFlag({ flag: name, rule: "flag provided but not defined; --help lists all" })
    }
    if (inline !== undefined) values.set(name, inline)
    else if (spec?.kind === "boolean") values.set(name, "true")
    else if (at + 1 < args.length) values.set(name, args[++at])
    else return new BadFlag({ flag: name, rule: "needs a value" })
  }
  return values
}

/** ETCD_* variables: ETCD_DATA_DIR stands for --data-dir. */
export const parseEnvironment = (environment: Readonly<Record<string, string | undefined>>): FlagValues => {
  const values = new Map<string, string>()
  for (const { name } of etcdFlags) {
    const value = environment[variableOf(name)]
    if (value !== undefined && value !== "") values.set(name, value)
  }
  const file = environment[variableOf("config-file")]
  if (file !== undefined && file !== "") values.set("config-file", file)
  return values
}

/** The environment variable of a flag. */
export const variableOf = (name: string): string => `ETCD_${name.toUpperCase().replaceAll("-", "_")}`

/** Sections of etcd's configuration file whose entries are flags with a prefix. */
const sections: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "client-transport-security": {
    "cert-file": "cert-file",
    "key-file": "key-file",
    "client-cert-auth": "client-cert-auth",
    "trusted-ca-file": "trusted-ca-file",
    "auto-tls": "auto-tls"
  },
  "peer-transport-security": {
    "cert-file": "peer-cert-file",
    "key-file": "peer-key-file",
    "client-cert-file": "peer-client-cert-file",
    "client-key-file": "peer-client-key-file",
    "client-cert-auth": "peer-client-cert-auth",
    "trusted-ca-file": "peer-trusted-ca-file",
    "auto-tls": "peer-auto-tls",
    "allowed-cn": "peer-cert-allowed-cn",
    "allowed-hostname": "peer-cert-allowed-hostname"
  }
}

/** Reads a YAML configuration file; as in etcd, everything else given is then ignored. */
export const parseConfigFile = (path: string): FlagValues | BadFlag => {
  let document: unknown
  try {
    document = parseYaml(readFileSync(path, "utf8"))
  } catch (error) {
    return new BadFlag({ flag: "config-file", rule: `${path} cannot be read as YAML (${String(error)})` })
  }
  if (typeof document !== "object" || document === null) {
    return new BadFlag({ flag: "config-file", rule: `${path} must hold a mapping of flag names to values` })
  }
  const values = new Map<string, string>()
  for (const [name, value] of Object.entries(document)) {
    const section = sections[name]
    if (section !== undefined) {
      for (const [key, inner] of Object.entries((value ?? {}) as Record<string, unknown>)) {
        if (key in section) values.set(section[key], String(inner))
      }
    } else if (byName.has(name)) values.set(name, Array.isArray(value) ? value.join(",") : String(value))
    else return new BadFlag({ flag: "config-file", rule: `${path}: "${name}" is no flag of etcd's` })
  }
  return values
}

/** All that was given, in etcd's order: a configuration file alone, else arguments before variables. */
export const gatherFlags = (
  args: FlagValues,
  environment: Readonly<Record<string, string | undefined>>
): FlagValues | BadFlag => {
  const variables = parseEnvironment(environment)
  const file = args.get("config-file") ?? variables.get("config-file")
  return file === undefined ? new Map([...variables, ...args]) : parseConfigFile(file)
}
