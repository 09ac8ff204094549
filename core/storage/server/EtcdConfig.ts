// What the flags mean: every value checked and in its unit, so that nothing behind this file reads a string.
// Owns defaults and the rule that each value keeps; refuses to open anything.
import type { Int64 } from "#net"
import type { AutoCompactionOptions } from "../mvcc/AutoCompaction.ts"
import { BadFlag, etcdFlags, type FlagValues } from "./EtcdFlags.ts"
import { BadKeyPrefix, TikvRows } from "../tikv/TikvRows.ts"
import { clusterIdOf, memberIdOf } from "./Members.ts"
import type { MemberNames } from "./PeerCall.ts"

/** Where to listen. */
export interface ListenUrl {
  readonly text: string
  readonly secure: boolean
  readonly host: string
  readonly port: number
  readonly unixPath: string | undefined
}

/** One member of the cluster as `--initial-cluster` names it. */
export interface InitialMember {
  readonly name: string
  readonly peerUrls: ReadonlyArray<string>
  readonly id: Int64
}

/** Where the TiKV cluster is, and how this store lies in it. */
export interface TikvConfig {
  readonly pdEndpoints: ReadonlyArray<string>
  readonly keyPrefix: string
  readonly tls: { readonly caFile: string; readonly certFile: string; readonly keyFile: string }
  readonly ways: { readonly onePhase: boolean; readonly asynchronous: boolean }
}

/** What members show one another, and whom they trust. */
export interface PeerTlsConfig {
  readonly certFile: string
  readonly keyFile: string
  /** Shown to others in place of the first two. */
  readonly clientCertFile: string
  readonly clientKeyFile: string
  readonly caFile: string
  readonly clientAuth: boolean
  /** Whose certificates members accept of each other. */
  readonly allowed: MemberNames
  readonly auto: boolean
  readonly validityYears: number
}

export interface EtcdConfig {
  readonly name: string
  readonly dataDir: string
  readonly backend: "lmdb" | "memory" | "tikv"
  readonly tikv: TikvConfig
  readonly listenClient: ReadonlyArray<ListenUrl>
  readonly listenMetrics: ReadonlyArray<ListenUrl>
  readonly listenPeer: ReadonlyArray<ListenUrl>
  readonly advertiseClient: ReadonlyArray<string>
  readonly advertisePeer: ReadonlyArray<string>
  /** All members that the cluster begins with, this one among them. */
  readonly initialCluster: ReadonlyArray<InitialMember>
  readonly initialState: "new" | "existing"
  readonly identity: { readonly clusterId: Int64; readonly memberId: Int64; readonly term: number }
  readonly tls: {
    readonly certFile: string
    readonly keyFile: string
    readonly caFile: string
    readonly clientAuth: boolean
    readonly auto: boolean
    readonly autoValidityYears: number
  }
  readonly peerTls: PeerTlsConfig
  readonly quotaBytes: number
  readonly txnOpsMax: number
  readonly requestBytesMax: number
  readonly streamsMax: number
  readonly keepalive: { readonly minClientIntervalMs: number; readonly intervalMs: number; readonly timeoutMs: number }
  readonly reusePort: boolean
  readonly autoCompaction: AutoCompactionOptions
  readonly authToken: string
  readonly authTokenTtlSeconds: number
  readonly bcryptCost: number
  /** How long a leader on a shared engine may be silent before another takes over, in milliseconds (`--election-timeout`). */
  readonly electionMs: number
  readonly minLeaseTtlSeconds: number
  readonly progressIntervalMs: number
  readonly logLevel: string
  readonly logOutputs: ReadonlyArray<string>
  readonly logFormat: "json" | "console"
  readonly sync: boolean
  /** Flags that were given and mean nothing here, to be said in the log. */
  readonly unused: ReadonlyArray<string>
}

const QUOTA_DEFAULT_BYTES = 2 * 2 ** 30
const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000
}

class Reader {
  readonly values: FlagValues
  constructor(values: FlagValues) {
    this.values = values
  }

  text(name: string): string {
    return this.values.get(name) ?? etcdFlags.find((spec) => spec.name === name)?.fallback ?? ""
  }

  list(name: string): ReadonlyArray<string> {
    return this.text(name)
      .split(",")
      .map((part) => part.trim())
      .filter((part) => part !== "")
  }

  oneOf<T extends string>(name: string, allowed: ReadonlyArray<T>): T {
    const found = allowed.find((candidate) => candidate === this.text(name))
    if (found === undefined) throw new BadFlag({ flag: name, rule: `must be one of ${allowed.join(", ")}` })
    return found
  }

  boolean(name: string): boolean {
    const text = this.text(name).toLowerCase()
    if (["true", "1", "t"].includes(text)) return true
    if (["false", "0", "f", ""].includes(text)) return false
    throw new BadFlag({ flag: name, rule: "must be true or false" })
  }

  integer(name: string, minimum: number, maximum = Number.MAX_SAFE_INTEGER): number {
    const value = Number(this.text(name))
    if (!Number.isSafeInteger(value) || value < minimum || value > maximum) {
      throw new BadFlag({ flag: name, rule: `must be a whole number from ${minimum} to ${maximum}` })
    }
    return value
  }

  durationMs(name: string): number {
    return parseDuration(name, this.text(name))
  }

  urls(name: string): ReadonlyArray<ListenUrl> {
    return this.list(name).map((text) => parseUrl(name, text))
  }
}

/** A Go duration in milliseconds; BadFlag when it is none. */
export const parseDuration = (flag: string, text: string): number => {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)]
  if (text === "0") return 0
  if (parts.length === 0 || parts.map(([part]) => part).join("") !== text) {
    throw new BadFlag({ flag, rule: 'must be a duration such as "10m" or "1h30m"' })
  }
  return parts.reduce((total, [, amount, unit]) => total + Number(amount) * UNIT_MS[unit], 0)
}

const parseUrl = (flag: string, text: string): ListenUrl => {
  const unix = /^unixs?:\/\/(.+)$/.exec(text)
  if (unix !== null) return { text, secure: text.startsWith("unixs"), host: "", port: 0, unixPath: unix[1] }
  const match = /^(https?):\/\/(\[[0-9a-fA-F:]+\]|[^:/]*):(\d+)\/?$/.exec(text)
  if (match === null || Number(match[3]) > 65_535) {
    throw new BadFlag({ flag, rule: `"${text}" must be a URL such as http://127.0.0.1:2379` })
  }
  return {
    text,
    secure: match[1] === "https",
    host: match[2].replace(/^\[|\]$/g, ""),
    port: Number(match[3]),
    unixPath: undefined
  }
}

/** A bare number counts hours in periodic mode, as in etcd. */
const autoCompaction = (reader: Reader): AutoCompactionOptions => {
  const mode = reader.oneOf("auto-compaction-mode", ["periodic", "revision"])
  const text = reader.text("auto-compaction-retention")
  if (mode === "revision") return { mode, retention: reader.integer("auto-compaction-retention", 0) }
  const hours = /^\d+$/.test(text)
  return { mode, retention: hours ? Number(text) * UNIT_MS["h"] : reader.durationMs("auto-compaction-retention") }
}

/** The members that `--initial-cluster` names ("a=http://…,b=http://…"; a name may come again with another URL). */
const initialCluster = (reader: Reader, advertisePeer: ReadonlyArray<string>): ReadonlyArray<InitialMember> => {
  const token = reader.text("initial-cluster-token")
  const urlsOf = new Map<string, Array<string>>()
  for (const part of reader.list("initial-cluster")) {
    const at = part.indexOf("=")
    if (at < 1) throw new BadFlag({ flag: "initial-cluster", rule: `"${part}" must be NAME=URL` })
    const name = part.slice(0, at)
    const urls = urlsOf.get(name)
    if (urls === undefined) urlsOf.set(name, [part.slice(at + 1)])
    else urls.push(part.slice(at + 1))
  }
  const name = reader.text("name")
  if (!urlsOf.has(name)) {
    if (urlsOf.size > 1) throw new BadFlag({ flag: "initial-cluster", rule: `must name this member, "${name}"` })
    return [{ name, peerUrls: advertisePeer, id: memberIdOf(advertisePeer, token) }]
  }
  return [...urlsOf].map(([member, peerUrls]) => ({ name: member, peerUrls, id: memberIdOf(peerUrls, token) }))
}

const tikvConfig = (reader: Reader): TikvConfig => {
  const pdEndpoints = reader.list("pd-endpoints")
  if (reader.text("backend") === "tikv" && pdEndpoints.length === 0) {
    throw new BadFlag({ flag: "pd-endpoints", rule: "must name a placement driver of the TiKV cluster" })
  }
  const keyPrefix = reader.text("tikv-key-prefix")
  const layout = TikvRows.under(keyPrefix)
  if (layout instanceof BadKeyPrefix) throw new BadFlag({ flag: "tikv-key-prefix", rule: layout.rule })
  const ways = reader.list("tikv-commit")
  const unknown = ways.find((way) => !["2pc", "async", "1pc"].includes(way))
  if (unknown !== undefined) throw new BadFlag({ flag: "tikv-commit", rule: "must be 2pc, async, 1pc, or async,1pc" })
  const [caFile, certFile, keyFile] = ["ca", "cert", "key"].map((file) => reader.text(`tikv-${file}-file`))
  if ((certFile === "") !== (keyFile === "")) {
    throw new BadFlag({ flag: "tikv-cert-file", rule: "and --tikv-key-file go together" })
  }
  return {
    pdEndpoints,
    keyPrefix,
    tls: { caFile, certFile, keyFile },
    ways: { onePhase: ways.includes("1pc"), asynchronous: ways.includes("async") }
  }
}

const peerTlsConfig = (reader: Reader): PeerTlsConfig => {
  for (const side of ["peer", "peer-client"]) {
    if ((reader.text(`${side}-cert-file`) === "") === (reader.text(`${side}-key-file`) === "")) continue
    throw new BadFlag({ flag: `${side}-cert-file`, rule: `and --${side}-key-file go together` })
  }
  const config = {
    certFile: reader.text("peer-cert-file"),
    keyFile: reader.text("peer-key-file"),
    clientCertFile: reader.text("peer-client-cert-file"),
    clientKeyFile: reader.text("peer-client-key-file"),
    caFile: reader.text("peer-trusted-ca-file"),
    clientAuth: reader.boolean("peer-client-cert-auth"),
    allowed: {
      commonNames: reader.list("peer-cert-allowed-cn"),
      hostnames: reader.list("peer-cert-allowed-hostname")
    },
    auto: reader.boolean("peer-auto-tls"),
    validityYears: reader.integer("self-signed-cert-validity", 1, 100)
  }
  const { commonNames, hostnames } = config.allowed
  if (commonNames.length > 0 && hostnames.length > 0) {
    throw new BadFlag({ flag: "peer-cert-allowed-hostname", rule: "and --peer-cert-allowed-cn exclude each other" })
  }
  const asks = config.clientAuth || commonNames.length + hostnames.length > 0
  if (asks && config.caFile === "") {
    throw new BadFlag({
      flag: "peer-trusted-ca-file",
      rule: "is needed to tell whose certificates --peer-client-cert-auth and the --peer-cert-allowed-* flags accept"
    })
  }
  return config
}

/** Checks all values; throws the first BadFlag. */
const read = (reader: Reader): EtcdConfig => {
  const name = reader.text("name")
  const ownPeer = reader.list("peer-urls").length > 0
  const advertisePeer = reader.list(ownPeer ? "peer-urls" : "initial-advertise-peer-urls")
  const cluster = initialCluster(reader, advertisePeer)
  const electionMs = reader.integer("election-timeout", 1)
  const quota = reader.integer("quota-backend-bytes", Number.MIN_SAFE_INTEGER)
  const dataDir = reader.text("data-dir")
  const backend = reader.oneOf("backend", ["lmdb", "memory", "tikv"])
  return {
    name,
    dataDir: dataDir === "" ? `${name}.etcd` : dataDir,
    backend,
    tikv: tikvConfig(reader),
    listenClient: reader.urls("listen-client-urls"),
    listenMetrics: reader.urls("listen-metrics-urls"),
    advertiseClient: reader.list("advertise-client-urls"),
    advertisePeer,
    listenPeer: reader.urls(ownPeer ? "peer-urls" : "listen-peer-urls"),
    initialCluster: cluster,
    initialState: reader.oneOf("initial-cluster-state", ["new", "existing"]),
    identity: {
      // Nodes on a shared engine come and go; what they have in common is the token.
      clusterId: clusterIdOf(
        backend === "tikv" ? [memberIdOf([], reader.text("initial-cluster-token"))] : cluster.map(({ id }) => id)
      ),
      memberId: cluster.find((member) => member.name === name)?.id ?? cluster[0].id,
      term: 2
    },
    tls: {
      certFile: reader.text("cert-file"),
      keyFile: reader.text("key-file"),
      caFile: reader.text("trusted-ca-file"),
      clientAuth: reader.boolean("client-cert-auth"),
      auto: reader.boolean("auto-tls"),
      autoValidityYears: reader.integer("self-signed-cert-validity", 1, 100)
    },
    peerTls: peerTlsConfig(reader),
    quotaBytes: quota === 0 ? (backend === "tikv" ? 0 : QUOTA_DEFAULT_BYTES) : Math.max(0, quota),
    txnOpsMax: reader.integer("max-txn-ops", 1),
    requestBytesMax: reader.integer("max-request-bytes", 1, 512 * 2 ** 20),
    streamsMax: reader.integer("max-concurrent-streams", 1, 2 ** 32 - 1),
    keepalive: {
      minClientIntervalMs: reader.durationMs("grpc-keepalive-min-time"),
      intervalMs: reader.durationMs("grpc-keepalive-interval"),
      timeoutMs: reader.durationMs("grpc-keepalive-timeout")
    },
    reusePort: reader.boolean("socket-reuse-port"),
    autoCompaction: autoCompaction(reader),
    authToken: reader.text("auth-token"),
    authTokenTtlSeconds: reader.integer("auth-token-ttl", 1),
    bcryptCost: reader.integer("bcrypt-cost", 4, 31),
    electionMs,
    minLeaseTtlSeconds: Math.ceil((electionMs * 1.5) / 1000),
    progressIntervalMs: reader.durationMs("watch-progress-notify-interval"),
    logLevel: reader.oneOf("log-level", ["debug", "info", "warn", "error", "panic", "fatal"]),
    logOutputs: reader.list("log-outputs"),
    logFormat: reader.oneOf("log-format", ["json", "console"]),
    sync: !reader.boolean("unsafe-no-fsync"),
    unused: etcdFlags.filter((spec) => !spec.used && reader.values.has(spec.name)).map((spec) => spec.name)
  }
}

/** The configuration that the given flags come to, or the first value that breaks its rule. */
export const etcdConfig = (values: FlagValues): EtcdConfig | BadFlag => {
  try {
    const config = read(new Reader(values))
    const secure = [...config.listenClient, ...config.listenMetrics].some((url) => url.secure)
    if (secure && !config.tls.auto && (config.tls.certFile === "" || config.tls.keyFile === "")) {
      return new BadFlag({
        flag: "cert-file",
        rule: "and --key-file are needed for https:// listen URLs (or --auto-tls)"
      })
    }
    const { auto, certFile } = config.peerTls
    if (certFile === "" && !auto && config.listenPeer.some((url) => url.secure)) {
      return new BadFlag({
        flag: "peer-cert-file",
        rule: "and --peer-key-file are needed for https:// peer URLs (or --peer-auto-tls)"
      })
    }
    return config.listenClient.length > 0
      ? config
      : new BadFlag({ flag: "listen-client-urls", rule: "must name at least one URL" })
  } catch (error) {
    if (error instanceof BadFlag) return error
    throw error
  }
}
