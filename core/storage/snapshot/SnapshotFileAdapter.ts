// Snapshot files on the machine's disk, in a folder of the caller's choice.
// Owns their life: a file loses its name as soon as it is open, so that nothing is left however the process ends.
import { close, open, read, unlink, write } from "node:fs"
import { randomUUID } from "node:crypto"
import { join } from "node:path"
import type { SnapshotFile, SnapshotFiles } from "./SnapshotFile.ts"

type Done = (error: Error | undefined) => void

/** Writes all bytes at a position, however many calls that takes. */
const writeAll = (fd: number, bytes: Uint8Array, position: number, done: Done): void => {
  write(fd, bytes, 0, bytes.length, position, (error, written) => {
    if (error !== null) done(error)
    else if (written < bytes.length) writeAll(fd, bytes.subarray(written), position + written, done)
    else done(undefined)
  })
}

const readAll = (
  fd: number,
  target: Buffer,
  filled: number,
  position: number,
  done: (error: Error | undefined, bytes: Buffer) => void
): void => {
  read(fd, target, filled, target.length - filled, position, (error, count) => {
    if (error !== null) done(error, target)
    else if (count === 0 || filled + count === target.length) done(undefined, target.subarray(0, filled + count))
    else readAll(fd, target, filled + count, position + count, done)
  })
}

const openFile = (fd: number): SnapshotFile => {
  let size = 0
  let busy = false
  let discarded = false
  const start = (): Error | undefined => {
    busy = !discarded
    return discarded ? new Error("the snapshot file has been discarded") : undefined
  }
  const release = (): void => {
    busy = false
    if (discarded) close(fd)
  }
  return {
    append: (chunks, done) => {
      const refused = start()
      if (refused !== undefined) return done(refused)
      const bytes = Buffer.concat(chunks)
      writeAll(fd, bytes, size, (error) => {
        size += bytes.length
        release()
        done(error)
      })
    },
    patchHead: (bytes, done) => {
      const refused = start()
      if (refused !== undefined) return done(refused)
      writeAll(fd, bytes, 0, (error) => {
        release()
        done(error)
      })
    },
    read: (offset, length, done) => {
      const refused = start()
      if (refused !== undefined) return done(refused, Buffer.alloc(0))
      readAll(fd, Buffer.allocUnsafe(length), 0, offset, (error, bytes) => {
        release()
        done(error, bytes)
      })
    },
    discard: () => {
      if (discarded) return
      discarded = true
      if (!busy) close(fd)
    }
  }
}

/** Snapshot files without a name in the given folder, for their owner alone. */
export const makeSnapshotFiles = (directory: () => string): SnapshotFiles => ({
  create: (done) => {
    const path = join(directory(), `snapshot-${randomUUID()}.tmp`)
    open(path, "wx+", 0o600, (error, fd) => {
      if (error !== null) return done(error, undefined)
      unlink(path, (failed) => {
        if (failed === null) return done(undefined, openFile(fd))
        close(fd)
        done(failed, undefined)
      })
    })
  }
})
