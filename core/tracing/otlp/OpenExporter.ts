// An exporter to a collector at an address: its connection, made when needed and made anew when lost.
// Owns addresses and connections; refuses what is sent on them.
import { Effect, Exit, Schema, Scope } from "effect"
import { type ClockworkRuntime, makeClockworkRuntime, type Clockwork } from "#kube"
import { connect, type ConnectFailed, connectHttp, type HttpFields } from "#net"
import type { SpanStore } from "../store/SpanStore.ts"
import { type Connected, grpcSender, httpSender } from "./SendBatch.ts"
import { type BatchSender, type ExporterOptions, SpanExporter } from "./SpanExporter.ts"

export interface CollectorOptions {
  /** Like "http://127.0.0.1:4317" for gRPC, "https://collector:4318/v1/traces" for HTTP. */
  readonly endpoint: string
  readonly protocol: "grpc" | "http/protobuf" | "http/json"
  /** Sent with every request, like an API key; never logged. */
  readonly headers: HttpFields
  /** PEM of further authorities. */
  readonly ca?: string
}

/** The collector's address cannot be used; the message says why. */
export class CollectorInvalid extends Schema.TaggedError<CollectorInvalid>()("CollectorInvalid", {
  field: Schema.String,
  rule: Schema.String
}) {
  override get message(): string {
    return `${this.field}: ${this.rule}`
  }
}

const ports = { grpc: 4317, "http/protobuf": 4318, "http/json": 4318 } as const

const addressOf = Effect.fnUntraced(function* ({ ca, endpoint, protocol }: CollectorOptions) {
  const rule = "must be like http://127.0.0.1:4317"
  const url = URL.parse(endpoint)
  if (url === null || !/^https?:$/.test(url.protocol)) return yield* new CollectorInvalid({ field: "endpoint", rule })
  if (url.username !== "" || url.password !== "") {
    return yield* new CollectorInvalid({ field: "endpoint", rule: "must hold no credentials; they belong in headers" })
  }
  const { hostname, pathname, port } = url
  const tls = ca === undefined ? {} : { ca }
  const options = {
    host: hostname.replaceAll(/[[\]]/g, ""),
    port: port === "" ? ports[protocol] : Number(port),
    ...(url.protocol === "https:" ? { tls } : {})
  }
  return { options, path: pathname === "/" ? "/v1/traces" : pathname }
})

interface Lasting {
  readonly ready: boolean
}

/** One connection at a time, made when it is asked for. */
class Reconnecting<Client extends Lasting> {
  private readonly open: Effect.Effect<Client, ConnectFailed, Scope.Scope>
  private readonly runtime: ClockworkRuntime
  private client: Client | undefined
  private scope: Scope.Closeable | undefined

  constructor(open: Effect.Effect<Client, ConnectFailed, Scope.Scope>, runtime: ClockworkRuntime) {
    this.open = open
    this.runtime = runtime
  }

  readonly connected: Connected<Client> = (done) => {
    if (this.client?.ready === true) return done(this.client, "")
    this.close()
    const scope = Scope.makeUnsafe()
    this.scope = scope
    this.runtime.run(Scope.provide(this.open, scope), (exit) => {
      if (Exit.isSuccess(exit)) {
        this.client = exit.value
        return done(exit.value, "")
      }
      const failure = Exit.findErrorOption(exit)
      done(undefined, failure._tag === "Some" ? failure.value.message : "the connection was given up")
    })
  }

  readonly close = (): void => {
    const { scope } = this
    this.client = undefined
    this.scope = undefined
    if (scope !== undefined) this.runtime.fork(Scope.close(scope, Exit.void))
  }
}

const senderOf = Effect.fnUntraced(function* (options: CollectorOptions, runtime: ClockworkRuntime) {
  const { headers, protocol } = options
  const { options: address, path } = yield* addressOf(options)
  if (protocol === "grpc") {
    const connection = new Reconnecting(connect(address), runtime)
    return grpcSender(connection.connected, connection.close, headers)
  }
  const connection = new Reconnecting(connectHttp(address), runtime)
  const encoding = protocol === "http/json" ? "json" : "protobuf"
  return httpSender(connection.connected, connection.close, { path, encoding, fields: headers })
})

/** Exports everything that becomes known from now on, until the scope closes. */
export const openExporter = Effect.fn("tracing.openExporter")(function* (
  store: SpanStore,
  collector: CollectorOptions,
  clockwork: Clockwork,
  limits: Omit<ExporterOptions, "clockwork"> = {}
) {
  const sender: BatchSender = yield* senderOf(collector, makeClockworkRuntime(clockwork))
  return yield* Effect.acquireRelease(
    Effect.sync(() => new SpanExporter(store, sender, { ...limits, clockwork })),
    (exporter) => Effect.sync(() => exporter.close())
  )
})
