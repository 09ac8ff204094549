// Two servers that ought to be one: a real etcd and our store, asked the same by grpc-js, an independent client.
// Owns processes, sockets and calls; refuses to compare, which the tests do.
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type ChannelCredentials, Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js"
import { Effect, Exit, Scope } from "effect"
import { freePort } from "../FreePort.ts"
import { listen, type Message, type ServerTls } from "../../core/net/index.ts"
import type { AuthOptions } from "../../core/storage/auth/AuthStore.ts"
import { makeMemoryEngine } from "../../core/storage/engine/MemoryEngine.ts"
import { makeSnapshotFiles } from "../../core/storage/snapshot/SnapshotFileAdapter.ts"
import { machineClockwork } from "#kube"
import { Storage } from "../../core/storage/server/Storage.ts"
import { AuthStatusResponse, Empty } from "../../core/storage/rpc/AdminMessages.ts"

/** What a call came to: a decoded answer, or code and message. */
export type Outcome<T> = { readonly ok: T } | { readonly code: number; readonly message: string }

export type Headers = Readonly<Record<string, string>>

/** A client of one server. */
export class Endpoint {
  private readonly client: Client

  constructor(port: number, channel: ChannelCredentials = credentials.createInsecure()) {
    this.client = new Client(`127.0.0.1:${port}`, channel, { "grpc.ssl_target_name_override": "localhost" })
  }

  private metadata(headers: Headers): Metadata {
    const metadata = new Metadata()
    for (const [name, value] of Object.entries(headers)) metadata.set(name, value)
    return metadata
  }

  unary<Q extends object, A extends object>(
    method: string,
    request: Message<Q>,
    answer: Message<A>,
    fields: Partial<Q>,
    headers: Headers = {}
  ): Promise<Outcome<A>> {
    return new Promise((resolve) => {
      this.client.makeUnaryRequest(
        `/etcdserverpb.${method}`,
        (message: Q) => Buffer.from(request.encode(message)),
        (bytes) => answer.decode(bytes),
        fields as Q,
        this.metadata(headers),
        { deadline: Date.now() + 5000 },
        (error: ServiceError | null, value?: A) =>
          resolve(error === null ? { ok: value! } : { code: error.code, message: error.details })
      )
    })
  }

  /** Sends one message on a stream, which stays open unless it is the last, and takes the first thing that comes back. */
  first<Q extends object, A extends object>(
    method: string,
    request: Message<Q>,
    answer: Message<A>,
    fields: Partial<Q>,
    headers: Headers = {},
    isLast = false
  ): Promise<Outcome<A>> {
    return new Promise((resolve) => {
      const stream = this.client.makeBidiStreamRequest(
        `/etcdserverpb.${method}`,
        (message: Q) => Buffer.from(request.encode(message)),
        (bytes) => answer.decode(bytes),
        this.metadata(headers),
        { deadline: Date.now() + 5000 }
      )
      stream.on("data", (value: A) => {
        resolve({ ok: value })
        stream.cancel()
      })
      stream.on("error", (error: ServiceError) => resolve({ code: error.code, message: error.details }))
      stream.write(fields as Q)
      if (isLast) stream.end()
    })
  }

  close(): void {
    this.client.close()
  }
}

export interface Running {
  readonly port: number
  readonly stop: () => Promise<void>
}

/** A quick etcd: nothing here is about durability or the strength of hashes. */
const etcdFlags = ["--name=default", "--log-level=fatal", "--unsafe-no-fsync", "--bcrypt-cost=4"]

/** Starts a real etcd on free ports and waits until it answers. */
export const startEtcd = async (
  path: string,
  args: ReadonlyArray<string>,
  channel?: ChannelCredentials
): Promise<Running> => {
  const [port, peerPort] = [await freePort(), await freePort()]
  const directory = mkdtempSync(join(tmpdir(), "etcd-auth-"))
  const scheme = channel === undefined ? "http" : "https"
  const url = `${scheme}://127.0.0.1:${port}`
  const peerUrl = `http://127.0.0.1:${peerPort}`
  const child = spawn(
    path,
    [
      ...etcdFlags,
      ...Object.entries({
        "data-dir": directory,
        "listen-client-urls": url,
        "advertise-client-urls": url,
        "listen-peer-urls": peerUrl,
        "initial-advertise-peer-urls": peerUrl,
        "initial-cluster": `default=${peerUrl}`
      }).map(([name, value]) => `--${name}=${value}`),
      ...args
    ],
    { stdio: ["ignore", "ignore", "inherit"] }
  )
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()))
  const endpoint = new Endpoint(port, channel)
  for (let tries = 0; tries < 100; tries++) {
    const status = await endpoint.unary("Auth/AuthStatus", Empty, AuthStatusResponse, {})
    if ("ok" in status) break
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  endpoint.close()
  return {
    port,
    stop: async () => {
      child.kill("SIGTERM")
      await exited
      rmSync(directory, { recursive: true, force: true })
    }
  }
}

/** Starts our store in this process, in memory. */
export const startStore = async (auth: AuthOptions, tls?: ServerTls): Promise<Running & { storage: Storage }> => {
  const engine = makeMemoryEngine({ defer: machineClockwork.defer, clock: machineClockwork.now })
  const storage = new Storage(engine, machineClockwork, {
    limits: { txnOpsMax: 128, requestBytesMax: 1.5 * 2 ** 20, progressIntervalMs: 600_000 },
    quotaBytes: 0,
    minLeaseTtlSeconds: 2,
    autoCompaction: { mode: "periodic", retention: 0 },
    auth,
    identity: { clusterId: 1, memberId: 2, term: 2 },
    member: () => ({ name: "default", peerUrls: [], clientUrls: [] }),
    snapshotFiles: makeSnapshotFiles(tmpdir)
  })
  const scope = Scope.makeUnsafe()
  const options = { host: "127.0.0.1", port: 0, methods: storage.methods, ...(tls === undefined ? {} : { tls }) }
  const listening = await Effect.runPromise(Scope.provide(listen(options), scope))
  return {
    port: listening.port,
    storage,
    stop: async () => {
      storage.stop()
      await Effect.runPromise(Scope.close(scope, Exit.void))
      engine.close()
    }
  }
}
