// The upstream API server over pooled connections: HTTP/2 where it speaks it, so that many requests share one socket.
// Owns the credential on each request and the one-off connections of upgrades; refuses to retry, which only a client may decide.
import { Effect, Exit, Scope } from "effect"
import { ApiFailure, connectOptions, ConnectionPool, type Credential, CredentialsAdapter, Failures } from "#kube"
import { machineClockwork, type KubeAccess } from "#kube"
import { type HttpAnswerListener, type HttpClientRequest, type HttpRequestHead, upgradeHttp } from "#net"
import type { Upstream, UpstreamCall } from "./Upstream.ts"

/** A call before and after it has a connection: what is asked of it meanwhile is kept. */
class PooledCall implements UpstreamCall {
  request: HttpClientRequest | undefined
  cancelled = false
  private paused = false
  private ended = false
  private kept: Array<Uint8Array> = []
  private readonly released: () => void

  constructor(released: () => void) {
    this.released = released
  }

  /** Takes the request and tells it what was asked for before. */
  begin(request: HttpClientRequest, streams: boolean): void {
    this.request = request
    if (this.paused) request.pause()
    if (!streams) return
    for (const bytes of this.kept) request.write(bytes)
    this.kept = []
    if (this.ended) request.end()
  }

  pause(): void {
    this.paused = true
    this.request?.pause()
  }

  resume(): void {
    this.paused = false
    this.request?.resume()
  }

  write(bytes: Uint8Array): boolean {
    if (this.request !== undefined) return this.request.write(bytes)
    this.kept.push(bytes)
    return false
  }

  end(): void {
    this.ended = true
    this.request?.end()
  }

  cancel(): void {
    if (this.cancelled) return
    this.cancelled = true
    if (this.request === undefined) return
    this.request.cancel()
    this.released()
  }
}

class PooledUpstream implements Upstream {
  private readonly access: KubeAccess
  private readonly pool: ConnectionPool
  private readonly credentials: CredentialsAdapter
  private readonly base: string

  constructor(access: KubeAccess) {
    this.access = access
    this.base = new URL(access.cluster.server).pathname.replace(/\/+$/, "")
    this.pool = new ConnectionPool(access.cluster)
    this.credentials = new CredentialsAdapter(machineClockwork, access)
  }

  close(): void {
    this.pool.close()
  }

  send(head: HttpRequestHead, body: Uint8Array | "stream" | undefined, listener: HttpAnswerListener): UpstreamCall {
    const call = new PooledCall(() => this.pool.released())
    // Not within the call: it must have returned first.
    const refuse = (failure: ApiFailure): void =>
      machineClockwork.defer(() => {
        if (!call.cancelled) listener.failed(failure, false)
      })
    this.credentials.current((credential) => {
      if (call.cancelled) return
      if (credential instanceof ApiFailure) refuse(credential)
      else this.begin(call, { head, body, credential, listener, refuse })
    })
    return call
  }

  private begin(call: PooledCall, sending: Sending): void {
    const { body, credential, head, listener, refuse } = sending
    this.pool.take(credential, (connection) => {
      if (call.cancelled) {
        // Its place is somebody else's.
        if (!(connection instanceof ApiFailure)) this.pool.released()
        return
      }
      if (connection instanceof ApiFailure) return refuse(connection)
      const request = connection.request(this.headOf(head, credential), {
        head: (status, fields) => listener.head(status, fields),
        body: (bytes) => listener.body(bytes),
        end: (trailers) => {
          this.pool.released()
          listener.end(trailers)
        },
        failed: (error, sent) => {
          this.pool.released()
          listener.failed(error, sent)
        },
        drain: () => listener.drain?.()
      })
      call.begin(request, body === "stream")
      if (body !== "stream") request.end(body)
      else listener.drain?.()
    })
  }

  private headOf(head: HttpRequestHead, { authorization }: Credential): HttpRequestHead {
    const { fields, method, path } = head
    return {
      method,
      path: this.base + path,
      fields: authorization === undefined ? fields : [...fields, ["authorization", authorization]]
    }
  }

  upgrade(head: HttpRequestHead, done: Parameters<Upstream["upgrade"]>[1]): () => void {
    const scope = Scope.makeUnsafe()
    let over = false
    this.credentials.current((credential) => {
      if (credential instanceof ApiFailure) return done(credential)
      const asked = upgradeHttp(connectOptions(this.access.cluster, credential), this.headOf(head, credential))
      Effect.runFork(asked.pipe(Scope.provide(scope))).addObserver((exit) => {
        if (over) return
        if (Exit.isSuccess(exit)) return done(exit.value)
        const [reason] = exit.cause.reasons
        done(Failures.unavailable(reason?._tag === "Fail" ? reason.error.message : "cannot connect"))
      })
    })
    return () => {
      if (over) return
      over = true
      Effect.runFork(Scope.close(scope, Exit.void))
    }
  }
}

interface Sending {
  readonly head: HttpRequestHead
  readonly body: Uint8Array | "stream" | undefined
  readonly credential: Credential
  readonly listener: HttpAnswerListener
  readonly refuse: (failure: ApiFailure) => void
}

/** The API server that an access names; its connections close with the scope. */
export const openUpstream = (access: KubeAccess): Effect.Effect<Upstream, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => new PooledUpstream(access)),
    (upstream) => Effect.sync(() => upstream.close())
  )
