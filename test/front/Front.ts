// A program before a cluster: how it is started from our own command line, and how tests reach what is behind it.
// Owns the process; refuses to know which of the fronts it is.
import { join } from "node:path"
import { run, type Running, until } from "../apiserver/kubectl/Rig.ts"

export interface Front {
  readonly url: string
  readonly port: number
  /** What it has printed. */
  readonly said: () => string
  readonly pid: number | undefined
  /** SIGTERM, or the signal that is named; done when it is gone. */
  readonly stop: (signal?: NodeJS.Signals) => Promise<void>
}

const root = new URL("../..", import.meta.url).pathname

/** Starts `wharf serve …` in a process of its own; ready when it says where it serves. */
export const startWharf = async (
  args: ReadonlyArray<string>,
  options: {
    readonly folder: string
    readonly env?: NodeJS.ProcessEnv
    /** How it says where it serves; the port is the first group. */
    readonly serves?: RegExp
  }
): Promise<Front> => {
  const server: Running = run(process.execPath, [join(root, "wharf.ts"), "serve", ...args], {
    cwd: root,
    env: { HOME: options.folder, ...options.env }
  })
  let ended = false
  void server.ended.then(() => (ended = true))
  const address = options.serves ?? /serving https:\/\/[^\s:]+:(\d+)/
  await until(`the start of wharf serve ${args[0]}`, () => {
    if (ended) throw new Error(`wharf serve ${args.join(" ")} ended: ${server.said().slice(-3000)}`)
    return address.test(server.said())
  })
  const port = Number(address.exec(server.said())?.[1])
  const stop: Front["stop"] = async (signal) => void (await server.stop(signal))
  return { url: `https://127.0.0.1:${port}`, port, said: server.said, pid: server.pid, stop }
}
