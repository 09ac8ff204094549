// A tracing server within a test: started on a free port and a folder of its own, asked over HTTP.
// Owns its life and the asking; refuses to judge answers.
import { rmSync } from "node:fs"
import { request } from "node:http"
import { Effect, Exit, Scope } from "effect"
import { defaultStoreBounds, type RunningTracing, serveTracing, type ServeTracingOptions, Access } from "#tracing"
import { temporaryFolder } from "./Stores.ts"

export interface Reply {
  readonly code: number
  readonly headers: NodeJS.Dict<string | ReadonlyArray<string>>
  readonly body: string
}

export interface Served extends RunningTracing {
  readonly close: () => Promise<void>
  readonly ask: (
    method: string,
    path: string,
    options?: { readonly body?: Buffer | string; readonly token?: string }
  ) => Promise<Reply>
}

export const auditToken = "audit-token-of-prod-1234"
export const readToken = "read-token-0123456789"

const tokens = `${auditToken},prod,audit/prod\n${readToken},reader,read\n`

export const serve = async (options: Partial<ServeTracingOptions> = {}): Promise<Served> => {
  const dataDir = options.dataDir ?? temporaryFolder()
  const scope = Scope.makeUnsafe()
  const running = await Effect.runPromise(
    serveTracing({
      host: "127.0.0.1",
      port: 0,
      dataDir,
      access: new Access({ tokens, open: false }),
      tls: undefined,
      config: {},
      windowSeconds: 1800,
      bounds: { ...defaultStoreBounds, ageMaxMs: 3650 * 86_400_000, recentMax: 65_536 },
      say: () => {},
      ...options
    }).pipe(Scope.provide(scope))
  )
  const close = async (): Promise<void> => {
    await Effect.runPromise(Scope.close(scope, Exit.void))
    if (options.dataDir === undefined) rmSync(dataDir, { recursive: true, force: true })
  }
  return { ...running, close, ask: asker(running.port) }
}

/** Asks a server on a port of this machine. */
export const asker =
  (port: number): Served["ask"] =>
  (method, path, { body, token } = {}) =>
    new Promise((resolve, reject) => {
      const headers = {
        ...(body === undefined
          ? {}
          : { "content-type": "application/json", "content-length": Buffer.byteLength(body) }),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` })
      }
      const sent = request({ host: "127.0.0.1", port, method, path, headers }, (response) => {
        const chunks: Array<Buffer> = []
        response.on("data", (chunk: Buffer) => chunks.push(chunk))
        response.once("error", reject)
        response.once("end", () =>
          resolve({ code: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks).toString() })
        )
      })
      sent.once("error", reject)
      sent.end(body)
    })
