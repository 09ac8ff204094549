// A store as a process of its own, ours or a real etcd: started on free ports, watched until it serves, ended for certain.
// Owns ports, folders and the ready line; refuses to speak to what it started (GrpcDriver.ts does).
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { freePort } from "../FreePort.ts"

/** Which program: a real etcd, or ours on one of its engines. */
export type Program = "etcd" | "lmdb" | "memory" | "tikv"

export interface ServerOptions {
  readonly program: Program
  /** The real etcd's path; needed for "etcd" only. */
  readonly etcdPath?: string
  /** Kept when the server stops; without it a folder is made and removed. */
  readonly directory?: string
  readonly port?: number
  /** Further flags, which both programs take. */
  readonly flags?: ReadonlyArray<string>
  /** Shown in the member list; the same one gives both programs the same ids. */
  readonly peerUrl?: string
  /** Put before the command, such as `prlimit --fsize=…`. */
  readonly wrapper?: ReadonlyArray<string>
}

export interface ServerProcess {
  readonly program: Program
  readonly port: number
  readonly address: string
  readonly directory: string
  readonly process: ChildProcess
  /** Everything written to standard error so far. */
  readonly log: () => string
  /** Resolves with the exit code, or the signal's name. */
  readonly ended: Promise<number | string>
  /** Ends it (SIGKILL) and removes a folder that was made for it. */
  readonly destroy: () => Promise<void>
}

const repository = new URL("../..", import.meta.url).pathname

/** The command line of a server, without flags. */
export const commandOf = (program: Program, etcdPath = "etcd"): ReadonlyArray<string> =>
  program === "etcd"
    ? [etcdPath]
    : [process.execPath, "--disable-warning=ExperimentalWarning", join(repository, "wharf.ts"), "etcd"]

const running = new Set<ChildProcess>()
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL")
})

/** Starts a server without waiting for it. */
export const spawnServer = async (options: ServerOptions): Promise<ServerProcess> => {
  const { directory = mkdtempSync(join(tmpdir(), "store-")), program } = options
  const port = options.port ?? (await freePort())
  const peerUrl = options.peerUrl ?? `http://127.0.0.1:${await freePort()}`
  const url = `http://127.0.0.1:${port}`
  const own: ReadonlyArray<ReadonlyArray<string>> = [
    ["--data-dir", directory, "--listen-client-urls", url, "--advertise-client-urls", url],
    ["--listen-peer-urls", peerUrl, "--initial-advertise-peer-urls", peerUrl],
    ["--initial-cluster", `default=${peerUrl}`],
    program === "etcd" ? [] : ["--backend", program],
    options.flags ?? []
  ]
  const [command, ...args] = [...(options.wrapper ?? []), ...commandOf(program, options.etcdPath), ...own.flat()]
  const child = spawn(command, args, { stdio: ["ignore", "ignore", "pipe"] })
  running.add(child)
  let log = ""
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    log = (log + text).slice(-1_000_000)
  })
  const ended = new Promise<number | string>((resolve) => {
    child.once("close", (code, signal) => {
      running.delete(child)
      resolve(code ?? signal ?? "unknown")
    })
  })
  return {
    program,
    port,
    address: `127.0.0.1:${port}`,
    directory,
    process: child,
    log: () => log,
    ended,
    destroy: async () => {
      child.kill("SIGKILL")
      await ended
      if (options.directory === undefined) rmSync(directory, { recursive: true, force: true })
    }
  }
}

/** Resolves when the server says that it serves; fails with its log when it ends before. */
export const untilReady = (server: ServerProcess): Promise<void> =>
  new Promise((resolve, reject) => {
    const look = (): void => {
      if (!server.log().includes("ready to serve client requests")) return
      server.process.stderr?.off("data", look)
      resolve()
    }
    server.process.stderr?.on("data", look)
    look()
    void server.ended.then((code) => reject(new Error(`the server ended with ${code}:\n${server.log()}`)))
  })

/** Starts a server and waits until it serves. */
export const startServer = async (options: ServerOptions): Promise<ServerProcess> => {
  const server = await spawnServer(options)
  await untilReady(server)
  return server
}
