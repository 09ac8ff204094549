// What a serving process may be told, and what it does when it is told nothing.
// Owns names, defaults and bounds; refuses to read flags or files.
import type { Definition } from "../Definition.ts"
import type { HealthCheck } from "../http/HealthChecks.ts"
import type { InFlightLimits } from "../http/InFlight.ts"
import type { Streams } from "../http/Streams.ts"

export interface ServerOptions {
  readonly host: string
  /** 0 takes any free port. */
  readonly port: number
  /** Ports beside the first, to the same server. */
  readonly morePorts: ReadonlyArray<number>
  /** Without TLS everyone who reaches the port is the administrator: for loopback and tests. */
  readonly insecure: boolean
  /** Undefined keeps everything in memory. */
  readonly dataDir: string | undefined
  /** Whether each commit of the store waits for the disk. */
  readonly sync: boolean
  /** Host names and addresses that the serving certificate also carries. */
  readonly hosts: ReadonlyArray<string>
  /** Where the administrator's kubeconfig is written; undefined writes none. */
  readonly kubeconfig: string | undefined
  /** Of cluster, user and context in the kubeconfig. */
  readonly clusterName: string
  /** PEM files of further authorities of client certificates. */
  readonly clientCaFile: string | undefined
  readonly tokenAuthFile: string | undefined
  readonly anonymous: boolean
  readonly serviceCidrs: ReadonlyArray<string>
  readonly limits: InFlightLimits
  readonly requestTimeoutMs: number
  readonly eventTtlSeconds: number
  /** Admission plugins by kube-apiserver's names that are to be off, like "ServiceAccount". */
  readonly disableAdmissionPlugins: ReadonlyArray<string>
  /** Those that are on beside the usual ones, like "NodeRestriction". */
  readonly enableAdmissionPlugins: ReadonlyArray<string>
  readonly audit: AuditOptions | undefined
  /** Carries logs, exec and their like to nodes. */
  readonly streams: Streams | undefined
  readonly extensions: ServerExtensions
}

/** What a system brings that has its control plane here. */
export interface ServerExtensions {
  /** Resources beside the built-in ones. */
  readonly definitions: ReadonlyArray<Definition>
  readonly checks: ReadonlyArray<HealthCheck>
  /** Further pages of `/metrics`. */
  readonly metrics: ReadonlyArray<() => string>
  /** What paths that are no API's answer to a GET, to whom RBAC lets get it. */
  readonly pages: ReadonlyMap<string, () => ServerPage>
}

/** A page of text. */
export interface ServerPage {
  readonly contentType: string
  readonly body: string
}

export const noExtensions: ServerExtensions = { definitions: [], checks: [], metrics: [], pages: new Map() }

export interface AuditOptions {
  readonly policyFile: string
  /** "-" is the standard output; undefined writes no log. */
  readonly logPath: string | undefined
  readonly logMaxBytes: number
  readonly logMaxBackups: number
  /** Where batches are sent; undefined sends none. */
  readonly webhookUrl: string | undefined
}

/** A server for one machine, as kube-apiserver's own defaults have it. */
export const defaultServerOptions: ServerOptions = {
  host: "127.0.0.1",
  port: 6443,
  morePorts: [],
  insecure: false,
  dataDir: undefined,
  sync: true,
  hosts: [],
  kubeconfig: undefined,
  clusterName: "wharf",
  clientCaFile: undefined,
  tokenAuthFile: undefined,
  anonymous: true,
  serviceCidrs: ["10.0.0.0/16"],
  limits: { readOnlyMax: 400, mutatingMax: 200 },
  requestTimeoutMs: 60_000,
  eventTtlSeconds: 3600,
  disableAdmissionPlugins: [],
  enableAdmissionPlugins: [],
  audit: undefined,
  streams: undefined,
  extensions: noExtensions
}
