// A control plane of real programs on this machine over a store that is there: kube-apiserver and, as asked, kube-controller-manager and
// kube-scheduler, with certificates of their own on free ports. Owns their command lines, the order of their start and their end with the scope, also
// when the process that owns it dies without a word; refuses nodes and whatever is done with the cluster.
import { Effect, type FileSystem, type Path, Schema, type Scope } from "effect"
import type { ChildProcessSpawner } from "effect/process"
import { join } from "node:path"
import { type AssetMissing, findAsset } from "../Assets.ts"
import { launch, type ServerFailed, stop } from "./ChildServer.ts"
import { freePort } from "./FreePort.ts"
import { answersOk } from "./HttpsProbe.ts"
import { type PlaneFiles, type PlanePart, planeParts, writePlaneFiles } from "./PlaneFiles.ts"

export interface ControlPlaneOptions {
  /** Its name in the kubeconfig. */
  readonly name: string
  /** A folder that is the control plane's own; it is removed when the owner dies without a word. */
  readonly directory: string
  /** URL of the store, which speaks etcd's API and is its owner's to start and to end. */
  readonly storeUrl: string
  /** Default: both. */
  readonly parts?: ReadonlyArray<PlanePart>
  /** More flags for kube-apiserver, as for an audit webhook. */
  readonly apiServerFlags?: ReadonlyArray<string>
  /** More flags for kube-controller-manager, as for the choice of controllers. */
  readonly controllerFlags?: ReadonlyArray<string>
}

/** One program of the control plane. */
export interface PlaneProcess {
  readonly name: string
  /** Where it answers /healthz and /metrics, over TLS. */
  readonly port: number
  readonly pid: () => number | undefined
  /** Sends SIGSTOP, SIGCONT or another signal to it. */
  readonly signal: (signal: NodeJS.Signals) => void
  /** Ends it at once, as a power cut would. */
  readonly kill: Effect.Effect<void>
  /** Starts it again on the same data; gives the ms from start to readiness. */
  readonly start: Effect.Effect<number, ServerFailed>
}

/** A control plane that is ready. */
export interface RunningPlane {
  readonly url: string
  /** Path of the administrator's kubeconfig. */
  readonly kubeconfig: string
  readonly files: PlaneFiles
  readonly processes: ReadonlyArray<PlaneProcess>
}

/** The folder or the certificates cannot be written. */
export class PlaneUnusable extends Schema.TaggedError<PlaneUnusable>()("PlaneUnusable", {
  directory: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `no control plane can be kept in ${this.directory}: ${this.reason}`
  }
}

/** What finding programs may need of the platform. */
export type PlaneServices = FileSystem.FileSystem | Path.Path | ChildProcessSpawner.ChildProcessSpawner

const SERVICE_CIDR = "10.96.0.0/16"

interface Program {
  readonly name: string
  readonly port: number
  readonly command: string
  readonly args: ReadonlyArray<string>
  readonly ready: Effect.Effect<boolean>
}

/** Starts a program that lives as long as the scope. */
const open = (directory: string, program: Program): Effect.Effect<PlaneProcess, ServerFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const { args, command, name, port, ready } = program
    const start = launch({ backend: name, command, args, directory, ready })
    const current = yield* Effect.acquireRelease(
      Effect.map(start, (child) => ({ child })),
      ({ child }) => stop(child)
    )
    return {
      name,
      port,
      pid: () => current.child.process.pid,
      signal: (signal) => void current.child.process.kill(signal),
      kill: Effect.suspend(() => stop(current.child, "SIGKILL")),
      start: Effect.map(start, (child) => {
        current.child = child
        return child.startMs
      })
    }
  })

const apiServerFlags = (files: PlaneFiles, folder: string, store: string, port: number): ReadonlyArray<string> => [
  `--etcd-servers=${store}`,
  `--secure-port=${port}`,
  "--bind-address=127.0.0.1",
  "--advertise-address=127.0.0.1",
  `--cert-dir=${folder}`,
  `--tls-cert-file=${files.serverCertFile}`,
  `--tls-private-key-file=${files.serverKeyFile}`,
  `--client-ca-file=${files.caFile}`,
  "--authorization-mode=Node,RBAC",
  "--service-account-issuer=https://kubernetes.default.svc",
  `--service-account-key-file=${files.serviceAccountKeyFile}`,
  `--service-account-signing-key-file=${files.serviceAccountKeyFile}`,
  `--service-cluster-ip-range=${SERVICE_CIDR}`,
  "--endpoint-reconciler-type=none"
]

/** Clients of a scenario are not braked, so neither are the components: what is seen is the control plane. */
const UNBRAKED = ["--kube-api-qps=1000", "--kube-api-burst=2000"]

const partFlags = (part: PlanePart, files: PlaneFiles, port: number): ReadonlyArray<string> => [
  `--kubeconfig=${files.kubeconfigOf(part)}`,
  "--leader-elect=false",
  "--bind-address=127.0.0.1",
  // Without a kubeconfig for it there is nobody to ask whether a reader of metrics is allowed to.
  "--authorization-always-allow-paths=/healthz,/readyz,/livez,/metrics",
  `--secure-port=${port}`,
  `--tls-cert-file=${files.serverCertFile}`,
  `--tls-private-key-file=${files.serverKeyFile}`,
  ...UNBRAKED,
  ...(part === "kube-scheduler"
    ? []
    : [
        "--use-service-account-credentials=true",
        `--service-account-private-key-file=${files.serviceAccountKeyFile}`,
        `--root-ca-file=${files.caFile}`,
        `--cluster-signing-cert-file=${files.caFile}`,
        `--cluster-signing-key-file=${files.caKeyFile}`
      ])
]

/** Starts a control plane that lives as long as the scope, and waits until all of it is ready. */
export const openControlPlane = Effect.fn("kind.openControlPlane")(function* (
  options: ControlPlaneOptions
): Effect.fn.Return<RunningPlane, AssetMissing | PlaneUnusable | ServerFailed, PlaneServices | Scope.Scope> {
  const { directory, name, parts = planeParts, storeUrl } = options
  // All programs are found before any is started: what is missing is said at once.
  const server = yield* findAsset("kube-apiserver")
  const programs = yield* Effect.forEach(parts, (part) => Effect.map(findAsset(part), ({ path }) => ({ part, path })))
  const port = yield* freePort
  const folder = join(directory, "pki")
  const files = yield* Effect.tryPromise({
    try: () => writePlaneFiles(folder, name, port),
    catch: (cause) => new PlaneUnusable({ directory, reason: cause instanceof Error ? cause.message : String(cause) })
  })
  const { ca } = files
  const apiServer = yield* open(directory, {
    name: "kube-apiserver",
    port,
    command: server.path,
    args: [...apiServerFlags(files, folder, storeUrl, port), ...(options.apiServerFlags ?? [])],
    ready: answersOk({ port, path: "/readyz", ca })
  })
  const others = yield* Effect.forEach(
    programs,
    ({ part, path }) =>
      Effect.gen(function* () {
        const healthPort = yield* freePort
        const given = part === "kube-controller-manager" ? (options.controllerFlags ?? []) : []
        const args = [...partFlags(part, files, healthPort), ...given]
        return yield* open(directory, {
          name: part,
          port: healthPort,
          command: path,
          args,
          ready: answersOk({ port: healthPort, path: "/healthz", ca })
        })
      }),
    { concurrency: "unbounded" }
  )
  return {
    url: `https://127.0.0.1:${port}`,
    kubeconfig: files.kubeconfig,
    files,
    processes: [apiServer, ...others]
  }
})
