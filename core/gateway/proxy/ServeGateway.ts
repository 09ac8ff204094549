// The data path as a server: a listener, the directory of clusters behind it, and a request for each exchange.
// Owns their common life; refuses configuration, which comes as snapshots, and commands.
import { Effect, type Scope } from "effect"
import { type Clockwork, machineClockwork } from "#kube"
import { type HttpExchangeHandler, listen, type Listening, type ListenFailed, type TlsIdentity } from "#net"
import { type Dial, machineDial } from "../balance/DialAdapter.ts"
import type { EndpointReports, Snapshots } from "../config/Snapshot.ts"
import { type Admission, openAdmission } from "../limits/Admission.ts"
import { type Observer, silentObserver } from "../observe/Observer.ts"
import { Directory } from "./Directory.ts"
import type { GoAway } from "./LoadPressure.ts"
import type { ProxyContext } from "./ProxyContext.ts"
import { ProxyRequest } from "./ProxyRequest.ts"

export interface GatewayOptions {
  readonly host: string
  /** 0 takes any free port. */
  readonly port: number
  /** Ports beside the first, to the same clusters. */
  readonly morePorts?: ReadonlyArray<number>
  readonly snapshots: Snapshots
  /** What is shown where no cluster has its own, and to clients that name no server; undefined with `plain`. */
  readonly own: TlsIdentity | undefined
  /** Without TLS, for loopback and tests: no certificate proves anybody. */
  readonly plain?: boolean
  readonly admission?: Admission
  readonly observer?: Observer
  readonly reports?: EndpointReports
  /** Answers hosts that are no cluster's; by default 421. */
  readonly others?: HttpExchangeHandler
  /** How likely a request makes the gateway say goodbye on its connection (kube-apiserver's --goaway-chance). Default: never. */
  readonly goAway?: GoAway
  /** Streams of one client connection at once. Default 1,000. */
  readonly maxConcurrentStreams?: number
  /** Lets several processes share the port. */
  readonly reusePort?: boolean
  readonly clockwork?: Clockwork
  readonly dial?: Dial
  readonly onDefect?: (defect: unknown) => void
}

/** A gateway that serves. */
export interface RunningGateway {
  readonly listening: Listening
  /** That one, and those of `morePorts`. */
  readonly ports: ReadonlyArray<number>
  readonly directory: Directory
  /** Whether there is a configuration and every endpoint was checked once. */
  readonly ready: () => boolean
  /** Says goodbye to clients and waits for what is open, at most so long. */
  readonly drain: (graceMs: number) => Effect.Effect<void>
}

const silentReports: EndpointReports = { report: () => undefined }

/** Opens a gateway that closes with the scope. */
export const serveGateway = (options: GatewayOptions): Effect.Effect<RunningGateway, ListenFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const { clockwork = machineClockwork, dial = machineDial, own, snapshots } = options
    const onDefect = options.onDefect ?? ((defect: unknown) => process.emitWarning(String(defect)))
    const directory = yield* Effect.acquireRelease(
      Effect.sync(() => new Directory({ clockwork, dial, own, reports: options.reports ?? silentReports }, snapshots)),
      (opened) => Effect.sync(() => opened.close())
    )
    const context: ProxyContext = {
      clockwork,
      dial,
      directory,
      admission: options.admission ?? openAdmission,
      observer: options.observer ?? silentObserver,
      others: options.others,
      goAway: options.goAway ?? { chance: 0 },
      onDefect
    }
    const open = (port: number) =>
      listen({
        host: options.host,
        port,
        methods: [],
        exchange: (exchange) => new ProxyRequest(context, exchange).begin(),
        maxConcurrentStreams: options.maxConcurrentStreams ?? 1000,
        // Clients that are gone without a word are found out before their watches pile up.
        keepalive: { intervalMs: 30_000, timeoutMs: 15_000 },
        reusePort: options.reusePort ?? false,
        onDefect,
        ...(options.plain === true ? {} : { tls: { select: directory.select } })
      })
    const listening = yield* open(options.port)
    const all = [listening, ...(yield* Effect.forEach(options.morePorts ?? [], open))]
    return {
      listening,
      ports: all.map(({ port }) => port),
      directory,
      ready: () => directory.ready,
      drain: (graceMs) =>
        Effect.forEach(all, ({ drain }) => drain(graceMs), { concurrency: "unbounded", discard: true })
    }
  })
