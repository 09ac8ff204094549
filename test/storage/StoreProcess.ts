// Our store as a process of its own, on an empty folder: started by its command line, gone at the end.
// Owns the process; refuses to speak gRPC, which is the test's business.
import { spawn, type ChildProcess } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { request } from "node:http"
import { createServer, type AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { Effect } from "effect"

/** The store behind etcd's command line. */
export const storeBinary = fileURLToPath(new URL("../../bin/etcd", import.meta.url))
const START_MS = 60_000

export interface StoreProcess {
  readonly port: number
  readonly folder: string
  readonly child: ChildProcess
  /** What it has logged. */
  readonly log: () => string
  /** The body of a page, whatever its status. */
  readonly get: (path: string) => Effect.Effect<string>
  /** Resolves with the exit code or the name of the signal. */
  readonly ended: Promise<number | string>
}

/** A port that was free a moment ago. */
export const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, "close")
  return port
}

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

const launch = async (flags: ReadonlyArray<string>, folder: string): Promise<StoreProcess> => {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const own = flags.some((flag) => flag.startsWith("--listen-client-urls"))
    ? []
    : [`--listen-client-urls=${url}`, `--advertise-client-urls=${url}`]
  const child = spawn(storeBinary, [`--data-dir=${join(folder, "data")}`, ...own, ...flags], {
    stdio: ["ignore", "ignore", "pipe"]
  })
  let log = ""
  child.stderr.on("data", (chunk: Buffer) => void (log += chunk.toString()))
  const ended = once(child, "exit").then(([code, signal]) => (code ?? signal) as number | string)
  const until = performance.now() + START_MS
  while (!log.includes("ready to serve client requests")) {
    if (child.exitCode !== null || performance.now() > until) throw new Error(`the store does not start: ${log}`)
    await sleep(20)
  }
  const get = (path: string) => Effect.map(Effect.orDie(httpGet({ port }, path)), ({ body }) => body)
  return { port, folder, child, log: () => log, get, ended }
}

/** Starts a store for the life of the scope; a listen URL among the flags replaces the one on a free port. */
export const startStore = (flags: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "wharf-store-"))),
      (made) => Effect.sync(() => rmSync(made, { recursive: true, force: true }))
    )
    return yield* Effect.acquireRelease(
      Effect.promise(() => launch(flags, folder)),
      ({ child, ended }) =>
        Effect.promise(async () => {
          child.kill("SIGKILL")
          await ended
        })
    )
  })
