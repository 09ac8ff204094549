// A bbolt file on disk as a source of bytes, and the checksum behind a snapshot.
// Owns the open file for the life of a scope; refuses to interpret it.
import { createHash } from "node:crypto"
import { closeSync, createReadStream, existsSync, fstatSync, openSync, readSync, statSync } from "node:fs"
import { join } from "node:path"
import { Effect } from "effect"
import type { BoltSource } from "./BoltReader.ts"
import { TransferError } from "./Transfer.ts"

const SHA_BYTES = 32
/** A database is a whole number of pages, so a rest of 32 bytes is the checksum that a snapshot ends with. */
const BLOCK_BYTES = 512

/** What a path is: an etcd database or snapshot, the database in etcd's data directory, or our own data directory. */
export type Place =
  | { readonly kind: "database"; readonly path: string }
  | { readonly kind: "store"; readonly path: string }

/** Finds out what lies at a path; fails when it is nothing that can be read. */
export const placeOf = (path: string): Effect.Effect<Place, TransferError> =>
  Effect.suspend((): Effect.Effect<Place, TransferError> => {
    const database = join(path, "member", "snap", "db")
    if (!existsSync(path)) return refuse(path, "does not exist")
    if (!statSync(path).isDirectory()) return Effect.succeed({ kind: "database", path })
    if (existsSync(database)) return Effect.succeed({ kind: "database", path: database })
    if (existsSync(join(path, "store", "data.mdb"))) return Effect.succeed({ kind: "store", path })
    return refuse(path, "holds neither etcd's member/snap/db nor this store's store/data.mdb")
  })

const refuse = (subject: string, rule: string) => Effect.fail(new TransferError({ subject, rule }))

/** Opens a file for the life of the scope. */
export const openBoltFile = (path: string) =>
  Effect.acquireRelease(
    Effect.try({
      try: () => openSync(path, "r"),
      catch: (error) => new TransferError({ subject: path, rule: "must be a readable file", detail: String(error) })
    }),
    (fd) => Effect.sync(() => closeSync(fd))
  ).pipe(
    Effect.map((fd): BoltSource => ({
      sizeBytes: fstatSync(fd).size,
      read: (offset, length) => {
        const bytes = Buffer.alloc(length)
        return bytes.subarray(0, readSync(fd, bytes, 0, length, offset))
      }
    }))
  )

/** Compares a snapshot's last 32 bytes with the SHA-256 of the rest; files without them pass. */
export const checkTrailer = (path: string): Effect.Effect<void, TransferError> =>
  Effect.callback<void, TransferError>((resume) => {
    const { size } = statSync(path)
    if (size % BLOCK_BYTES !== SHA_BYTES) return resume(Effect.void)
    const hash = createHash("sha256")
    const stream = createReadStream(path, { highWaterMark: 2 ** 20 })
    let seen = 0
    let trailer = Buffer.alloc(0)
    stream.on("data", (chunk) => {
      const bytes = Buffer.from(chunk)
      const body = Math.max(0, Math.min(bytes.length, size - SHA_BYTES - seen))
      hash.update(bytes.subarray(0, body))
      trailer = Buffer.concat([trailer, bytes.subarray(body)])
      seen += bytes.length
    })
    stream.once("error", (error) =>
      resume(Effect.fail(new TransferError({ subject: path, rule: "must be a readable file", detail: error.message })))
    )
    stream.once("end", () =>
      resume(
        hash.digest().equals(trailer)
          ? Effect.void
          : Effect.fail(new TransferError({ subject: path, rule: "must match the SHA-256 at its end: it is damaged" }))
      )
    )
  })
