// The connections of one client to one server: opened when needed, shared as far as their protocol allows, replaced when lost.
// Owns how many there are and who waits for one; refuses to send requests. Bounds: connections, and callers that wait.
import { Effect, Exit, Scope } from "effect"
import { type ClientTls, connectHttp, type ConnectHttpOptions, type HttpClient } from "#net"
import { type ApiFailure, Failures } from "../Status.ts"
import type { Credential } from "./CredentialsAdapter.ts"
import type { KubeCluster, PemSource } from "./Kubeconfig.ts"

/** Over HTTP/1.1 each request under way has one of its own. */
const CONNECTIONS_MAX = 128
const WAITING_MAX = 10_000
/** When all connections are busy: they say when a request is over, and this is for when one did not. */
const LOOK_AGAIN_MS = 50

/** Uses the connection within the call, or not at all. */
type Take = (connection: HttpClient | ApiFailure) => void

const pem = (name: "ca" | "cert" | "key", source: PemSource | undefined): ClientTls => {
  if (source === undefined) return {}
  return "text" in source ? { [name]: source.text } : { [`${name}File`]: source.file }
}

/** How to reach a cluster with a credential: for connections of one's own, such as those that are upgraded. */
export const connectOptions = (cluster: KubeCluster, credential: Credential | undefined): ConnectHttpOptions => {
  const { certificateAuthority, insecureSkipTlsVerify, proxyUrl, tlsServerName } = cluster
  const { hostname, port, protocol } = new URL(cluster.server)
  const secure = protocol === "https:"
  const tls: ClientTls = {
    ...pem("ca", certificateAuthority),
    ...pem("cert", credential?.certificate),
    ...pem("key", credential?.key),
    ...(tlsServerName === undefined ? {} : { serverName: tlsServerName }),
    ...(insecureSkipTlsVerify ? { insecure: true } : {})
  }
  return {
    host: hostname.replaceAll(/[[\]]/g, ""),
    port: port === "" ? (secure ? 443 : 80) : Number(port),
    ...(secure ? { tls } : {}),
    ...(proxyUrl === undefined ? {} : { proxy: proxyUrl })
  }
}

/** Connections of one client to one server, handed out one request at a time. */
export class ConnectionPool {
  readonly #cluster: KubeCluster
  #connections: Array<HttpClient> = []
  #waiting: Array<Take> = []
  #connecting = 0
  #looking = false
  /** What the connections of now have shown. */
  #credential: Credential | undefined
  #generation = 0
  #closed = false

  constructor(cluster: KubeCluster) {
    this.#cluster = cluster
  }

  /** Hands out a connection that can take a request now, perhaps before it returns. */
  take(credential: Credential, take: Take): void {
    this.#renew(credential)
    const connection = this.#closed ? Failures.unavailable("the client is closed") : this.#ready()
    if (connection !== undefined) take(connection)
    else if (this.#waiting.length >= WAITING_MAX) take(Failures.tooManyRequests("too many requests wait to be sent", 1))
    else {
      this.#waiting.push(take)
      if (this.#connections.length === 0) this.#connect()
      else this.#look(0)
    }
  }

  /** A request is over: who waits may have its place, as soon as the connection is ready for it. */
  released(): void {
    if (this.#waiting.length > 0) this.#look(0)
  }

  #look(delayMs: number): void {
    if (this.#looking) return
    this.#looking = true
    const look = (): void => {
      this.#looking = false
      this.#serve()
    }
    if (delayMs === 0) setImmediate(look)
    else setTimeout(look, delayMs).unref()
  }

  #serve(): void {
    while (this.#waiting.length > 0) {
      const connection = this.#ready()
      if (connection === undefined) {
        this.#connect()
        if (this.#connecting === 0) this.#look(LOOK_AGAIN_MS)
        return
      }
      this.#waiting.shift()?.(connection)
    }
  }

  close(): void {
    this.#closed = true
    this.#generation++
    for (const connection of this.#connections) connection.close()
    this.#connections = []
    this.#fail(Failures.unavailable("the client is closed"))
  }

  #ready(): HttpClient | undefined {
    return this.#connections.find(({ ready }) => ready)
  }

  #fail(failure: ApiFailure): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const take of waiting) take(failure)
  }

  /** A client certificate belongs to a connection: another one needs new connections. */
  #renew(credential: Credential): void {
    const before = this.#credential
    this.#credential = credential
    if (before === undefined || before.certificate === credential.certificate) return
    this.#generation++
    for (const connection of this.#connections) connection.closeWhenIdle()
    this.#connections = []
  }

  #connect(): void {
    const known = this.#connections[0]?.protocol
    // One connection of HTTP/2 has room for many: which protocol it is, the first one tells.
    const wanted = known === "http/1.1" ? this.#waiting.length : 1
    while (!this.#closed && this.#connecting < wanted) {
      if (this.#connections.length + this.#connecting >= CONNECTIONS_MAX) return
      this.#connecting++
      this.#dial()
    }
  }

  #dial(): void {
    const generation = this.#generation
    const scope = Scope.makeUnsafe()
    Effect.runFork(connectHttp(connectOptions(this.#cluster, this.#credential)).pipe(Scope.provide(scope))).addObserver(
      (exit) => {
        this.#connecting--
        if (Exit.isSuccess(exit)) this.#opened(exit.value, scope, generation)
        else {
          const [reason] = exit.cause.reasons
          const why = reason?._tag === "Fail" ? reason.error.message : "cannot connect"
          this.#fail(Failures.unavailable(why))
        }
      }
    )
  }

  #opened(connection: HttpClient, scope: Scope.Closeable, generation: number): void {
    connection.onClose = () => {
      Effect.runFork(Scope.close(scope, Exit.void))
      this.#connections = this.#connections.filter((other) => other !== connection)
      this.#serve()
    }
    if (generation !== this.#generation) connection.close()
    else this.#connections.push(connection)
    this.#serve()
  }
}
