// Our store as a process for the life of a scope, and plain HTTP to it. Owns nothing that ServerProcess.ts does not start.
import { request } from "node:http"
import { Effect } from "effect"
import { startServer, type ServerOptions } from "./ServerProcess.ts"

/** Starts our store; a flag given here wins over the one that the process is started with. */
export const startStore = (flags: ReadonlyArray<string>, options: Partial<ServerOptions> = {}) =>
  Effect.acquireRelease(
    Effect.promise(() => startServer({ program: "lmdb", flags, ...options })),
    (server) => Effect.promise(() => server.destroy())
  )

/** A plain HTTP answer, from a port or a unix socket. */
export const httpGet = (where: { readonly port: number } | { readonly socketPath: string }, path: string) =>
  Effect.callback<{ readonly status: number; readonly body: string }, Error>((resume) => {
    const asked = request({ host: "127.0.0.1", ...where, path }, (response) => {
      let body = ""
      response.on("data", (chunk: Buffer) => void (body += chunk.toString()))
      response.on("end", () => resume(Effect.succeed({ status: response.statusCode ?? 0, body })))
    })
    asked.on("error", (error) => resume(Effect.fail(error)))
    asked.end()
  })
