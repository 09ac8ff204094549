// One process at a time on a data directory: a listening socket that the kernel frees however the process ends.
// Owns that lock and its message; refuses pid files, which outlive a SIGKILL.
// On Linux the socket is abstract and named for the directory's device and inode; elsewhere it is a file in the temp folder.
import { createHash } from "node:crypto"
import { rmSync, statSync } from "node:fs"
import { connect, createServer, type Server } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Schema } from "effect"

/** Another process holds the directory. */
export class DirectoryHeld extends Schema.TaggedError<DirectoryHeld>()("DirectoryHeld", { message: Schema.String }) {}

const socketName = (directory: string): string => {
  const { dev, ino } = statSync(directory)
  const id = createHash("sha256").update(`${dev}:${ino}`).digest("hex").slice(0, 24)
  return process.platform === "linux" ? `\0kubewharf-store-${id}` : join(tmpdir(), `kubewharf-store-${id}.sock`)
}

const listen = (name: string): Effect.Effect<Server, Error> =>
  Effect.callback<Server, Error>((resume) => {
    const server = createServer((socket) => socket.destroy())
    server.once("error", (error) => resume(Effect.fail(error)))
    server.listen(name, () => resume(Effect.succeed(server.unref())))
  })

const answers = (name: string): Effect.Effect<boolean> =>
  Effect.callback<boolean>((resume) => {
    const socket = connect(name, () => resume(Effect.succeed(true)))
    socket.once("error", () => resume(Effect.succeed(false)))
    socket.once("connect", () => socket.destroy())
  })

/** Holds the directory for the life of the scope; fails when another process has it. */
export const holdDirectory = (directory: string) => {
  const name = socketName(directory)
  const clearStale = answers(name).pipe(
    Effect.flatMap((alive) =>
      alive || process.platform === "linux"
        ? new DirectoryHeld({ message: "another process has it open" })
        : Effect.sync(() => rmSync(name, { force: true }))
    )
  )
  return Effect.acquireRelease(
    listen(name).pipe(Effect.catch(() => clearStale.pipe(Effect.andThen(listen(name))))),
    (server) => Effect.sync(() => server.close())
  )
}
