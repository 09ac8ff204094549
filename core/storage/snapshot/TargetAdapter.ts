// Files and folders that appear whole or not at all: written beside their place, flushed, and renamed at the end.
// Owns names, flushing and clean-up; refuses to know what is in them.
import { createHash } from "node:crypto"
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeSync
} from "node:fs"
import { tmpdir } from "node:os"
import { basename, dirname, join, resolve } from "node:path"
import { Effect, type Scope } from "effect"
import { TransferError } from "./Transfer.ts"

const reworded =
  (subject: string, rule: string) =>
  (error: unknown): TransferError =>
    new TransferError({ subject, rule, detail: error instanceof Error ? error.message : String(error) })

const attempt = <A>(subject: string, rule: string, run: () => A): Effect.Effect<A, TransferError> =>
  Effect.try({ try: run, catch: reworded(subject, rule) })

const flush = (path: string): void => {
  const fd = openSync(path, "r")
  fsyncSync(fd)
  closeSync(fd)
}

/** A directory that is gone with the scope. */
export const temporaryDirectory: Effect.Effect<string, TransferError, Scope.Scope> = Effect.acquireRelease(
  attempt(tmpdir(), "must be a writable folder", () => mkdtempSync(join(tmpdir(), "wharf-import-"))),
  (made) => Effect.sync(() => rmSync(made, { recursive: true, force: true }))
)

/** A new directory: `path` to fill, `publish` to move it to its place once everything in it is closed. */
export interface NewDirectory {
  readonly path: string
  readonly publish: Effect.Effect<void, TransferError>
}

/** Begins a directory that must not exist yet or be empty; without `publish` nothing of it is left after the scope. */
export const beginDirectory = (target: string): Effect.Effect<NewDirectory, TransferError, Scope.Scope> =>
  Effect.gen(function* () {
    const place = resolve(target)
    if (existsSync(place) && (yield* attempt(target, "must be a directory", () => readdirSync(place))).length > 0) {
      return yield* new TransferError({ subject: target, rule: "must be an empty directory or not exist" })
    }
    const path = yield* Effect.acquireRelease(
      attempt(target, "must be in a writable folder", () => {
        mkdirSync(dirname(place), { recursive: true })
        return mkdtempSync(join(dirname(place), `.${basename(place)}.importing-`))
      }),
      (made) => Effect.sync(() => rmSync(made, { recursive: true, force: true }))
    )
    const publish = attempt(target, "could not be put into place", () => {
      for (const entry of readdirSync(path, { recursive: true, encoding: "utf8" })) flush(join(path, entry))
      flush(path)
      if (existsSync(place)) rmdirSync(place)
      renameSync(path, place)
      flush(dirname(place))
    })
    return { path, publish }
  })

const HASH_BYTES = 2 ** 20

const hashOf = (fd: number): Buffer => {
  const hash = createHash("sha256")
  const bytes = Buffer.alloc(HASH_BYTES)
  for (let position = 0; ;) {
    const count = readSync(fd, bytes, 0, bytes.length, position)
    if (count === 0) return hash.digest()
    hash.update(bytes.subarray(0, count))
    position += count
  }
}

/** A new file: `write` appends, `patchHead` overwrites the first bytes, `publish` gives it its name. */
export interface NewFile {
  readonly write: (bytes: Uint8Array) => void
  readonly patchHead: (bytes: Uint8Array) => void
  /** The SHA-256 of all that was written, read back from the file. */
  readonly sha256: () => Buffer
  readonly publish: Effect.Effect<void, TransferError>
}

/** Begins a file that must not exist yet; without `publish` nothing of it is left after the scope. Writes raise TransferError. */
export const beginFile = (target: string): Effect.Effect<NewFile, TransferError, Scope.Scope> =>
  Effect.gen(function* () {
    if (existsSync(target)) return yield* new TransferError({ subject: target, rule: "must not exist yet" })
    const part = `${target}.part`
    const fd = yield* Effect.acquireRelease(
      attempt(target, "must be in a writable folder", () => openSync(part, "w+", 0o600)),
      (opened) =>
        Effect.sync(() => {
          closeSync(opened)
          rmSync(part, { force: true })
        })
    )
    const writeAll = (bytes: Uint8Array, position: number | null): void => {
      try {
        for (let at = 0; at < bytes.length;) {
          at += writeSync(fd, bytes, at, bytes.length - at, position === null ? null : position + at)
        }
      } catch (error) {
        throw reworded(target, "could not be written")(error)
      }
    }
    return {
      write: (bytes) => writeAll(bytes, null),
      patchHead: (bytes) => writeAll(bytes, 0),
      sha256: () => hashOf(fd),
      publish: attempt(target, "could not be put into place", () => {
        fsyncSync(fd)
        renameSync(part, target)
        flush(dirname(resolve(target)))
      })
    }
  })
