// A program of this machine that answers `kubectl exec` in place of a container that does not exist.
// Owns the child process of one such session and its end; refuses to decide which program, which whoever serves the cluster names.
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process"
import { ChannelSocket, CHANNELS } from "./ChannelSocket.ts"
import type { HttpExchange } from "#net"

export interface LocalCommand {
  readonly program: string
  readonly args: ReadonlyArray<string>
  /** What the program learns of the container that it stands for. */
  readonly environment: Readonly<Record<string, string>>
  readonly stdin: boolean
}

/** The Status that ends a remote command; its exit code stands among the causes. */
const statusOf = (code: number, message: string): string =>
  JSON.stringify(
    code === 0
      ? { metadata: {}, status: "Success" }
      : {
          metadata: {},
          status: "Failure",
          message,
          reason: "NonZeroExitCode",
          details: { causes: [{ reason: "ExitCode", message: String(code) }] }
        }
  )

const CANNOT_START = 126

/** Runs the program on the channels of a connection; false when the connection cannot be taken over. */
export const runOnChannels = (exchange: HttpExchange, command: LocalCommand, finished: () => void): boolean => {
  let child: ChildProcessWithoutNullStreams | undefined
  const socket = ChannelSocket.open(exchange, {
    data: (channel, bytes) => {
      if (channel === CHANNELS.stdin) child?.stdin.write(bytes)
    },
    closed: (channel) => {
      if (channel === CHANNELS.stdin) child?.stdin.end()
    },
    ended: () => {
      child?.kill("SIGKILL")
      finished()
    }
  })
  if (socket === undefined) return false
  const end = (code: number, message: string): void => {
    socket.send(CHANNELS.error, Buffer.from(statusOf(code, message)))
    socket.close()
  }
  const started = spawn(command.program, command.args, { env: { ...process.env, ...command.environment } })
  child = started
  started.stdin.on("error", () => started.stdin.destroy())
  if (!command.stdin) started.stdin.end()
  started.stdout.on("data", (bytes: Buffer) => socket.send(CHANNELS.stdout, bytes))
  started.stderr.on("data", (bytes: Buffer) => socket.send(CHANNELS.stderr, bytes))
  started.once("error", (error) => end(CANNOT_START, error.message))
  started.once("close", (code) => {
    if (code !== null) end(code, `command terminated with non-zero exit code: exit status ${code}`)
  })
  return true
}
