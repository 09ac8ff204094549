// The clients of a load or a group of watchers: an identity each, on connections of their own over HTTP/2 and TLS. A connection
// that is lost is made anew, a little later each time it fails. Owns connections and who is next; sends no request.
// Bound: the clients and connections that the scenario asks for.
import { connectHttp, type ConnectFailed, type HttpClient, type HttpFields } from "#net"
import { Effect, Scope } from "effect"
import { createSecureContext, type SecureContext } from "node:tls"
import type { Identity } from "../FrontPhase.ts"
import { type FrontEndpoint, tokenOf, userName } from "./FrontEndpoint.ts"

const atOnce = 32
const connectTimeoutMs = 60_000
const backoffFirstMs = 20
const backoffMostMs = 1000
const windowBytes = 16 * 1024 * 1024
/** Connections that are looked at for one that is ready. */
const lookedAt = 16

const plainFields: HttpFields = [
  ["accept", "application/json"],
  ["user-agent", "wharf-load"]
]

/** What clients are made of. */
export interface ClientsOptions {
  readonly endpoint: FrontEndpoint
  readonly identity: Identity
  readonly clients: number
  /** Of each client. */
  readonly connections: number
  /** Tenants in turn; 0 without tenants. */
  readonly tenants: number
  /** Only this tenant, counted from 1. */
  readonly tenant: number | undefined
}

/** One connection of one client. */
export interface FrontConnection {
  readonly tenant: number
  /** Undefined while it is lost. */
  http: HttpClient | undefined
  /** Fields of a request by this client. */
  readonly fields: () => HttpFields
}

let freshTokens = 0

const fieldsOf = ({ by, fresh }: Identity, user: string, token: string | undefined): (() => HttpFields) => {
  if (token === undefined && by === "certificate") return () => plainFields
  if (fresh && token === undefined) {
    return () => [...plainFields, ["authorization", `Bearer ${tokenOf(user, ++freshTokens)}`]]
  }
  const fields: HttpFields = [...plainFields, ["authorization", `Bearer ${token ?? tokenOf(user)}`]]
  return () => fields
}

/** The contexts of TLS, which connections of one user share. */
class Contexts {
  readonly #made = new Map<string, SecureContext>()
  readonly #endpoint: FrontEndpoint

  constructor(endpoint: FrontEndpoint) {
    this.#endpoint = endpoint
  }

  of(identity: Identity, user: string, tenant: number): SecureContext {
    const { ca, pairs, tenants } = this.#endpoint
    const own = tenants[tenant]
    const key = own === undefined ? user : `tenant ${tenant}`
    const known = this.#made.get(key)
    if (known !== undefined) return known
    const pair = own === undefined ? (identity.by === "certificate" ? pairs[user] : undefined) : own.pair
    const made = createSecureContext({ ca: own?.ca ?? ca, minVersion: "TLSv1.2", ...pair })
    this.#made.set(key, made)
    return made
  }
}

/** All clients of one load. */
export class FrontClients {
  readonly connections: Array<FrontConnection> = []
  readonly #options: ClientsOptions
  readonly #scope: Scope.Scope
  readonly #onLost: () => void
  readonly #contexts: Contexts
  #next = 0
  #closed = false

  constructor(options: ClientsOptions, scope: Scope.Scope, onLost: () => void) {
    this.#options = options
    this.#scope = scope
    this.#onLost = onLost
    this.#contexts = new Contexts(options.endpoint)
  }

  /** Opens every connection; they close with the scope. */
  readonly open: Effect.Effect<void, ConnectFailed> = Effect.suspend(() => {
    const { clients, connections } = this.#options
    const places = Array.from({ length: clients * connections }, (_, place) => place)
    return Effect.andThen(
      Scope.addFinalizer(
        this.#scope,
        Effect.sync(() => void (this.#closed = true))
      ),
      Effect.forEach(places, (place) => this.#first(place), { concurrency: atOnce, discard: true })
    )
  })

  #first(place: number): Effect.Effect<void, ConnectFailed> {
    const { clients, identity, tenant, tenants } = this.#options
    const client = place % clients
    const of = tenant === undefined ? (tenants === 0 ? 0 : client % tenants) : tenant - 1
    const user = userName(identity.user, client % identity.users)
    const { token } = this.#options.endpoint.tenants[of] ?? {}
    const connection: FrontConnection = { tenant: of, http: undefined, fields: fieldsOf(identity, user, token) }
    const context = this.#contexts.of(identity, user, of)
    this.connections[place] = connection
    return this.#connect(connection, context, place)
  }

  #connect(connection: FrontConnection, context: SecureContext, place: number): Effect.Effect<void, ConnectFailed> {
    const { serverName, targets } = this.#options.endpoint
    return connectHttp({
      ...targets[place % targets.length],
      protocol: "h2",
      authority: serverName,
      tls: { context, serverName },
      connectTimeoutMs,
      streamWindowBytes: windowBytes,
      connectionWindowBytes: windowBytes
    }).pipe(
      Effect.provideService(Scope.Scope, this.#scope),
      Effect.map((http) => {
        connection.http = http
        http.onClose = () => {
          connection.http = undefined
          if (this.#closed) return
          this.#onLost()
          this.#again(connection, context, place, backoffFirstMs)
        }
      })
    )
  }

  #again(connection: FrontConnection, context: SecureContext, place: number, waitMs: number): void {
    const later = (): void => {
      if (this.#closed) return
      const next = Math.min(backoffMostMs, waitMs * 2)
      const retry = Effect.sync(() => this.#again(connection, context, place, next))
      Effect.runFork(Effect.catch(this.#connect(connection, context, place), () => retry))
    }
    setTimeout(later, waitMs).unref()
  }

  /** Whether every connection stands. */
  get connected(): boolean {
    return this.connections.every(({ http }) => http?.ready === true)
  }

  /** The next connection in turn that takes a request; undefined when those that were looked at do not. */
  take(): FrontConnection | undefined {
    const { connections } = this
    for (let look = 0; look < lookedAt; look++) {
      const connection = connections[this.#next]
      this.#next = this.#next + 1 === connections.length ? 0 : this.#next + 1
      if (connection.http?.ready === true) return connection
    }
    return undefined
  }
}
