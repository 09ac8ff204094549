// Where a snapshot is built before it is sent: the port to a temporary file.
// Owns the contract only; a real file stands behind it in a process, memory in the simulator.

/** A file that only its owner sees. Calls never overlap: the next comes after `done`. */
export interface SnapshotFile {
  /** Appends chunks in order. */
  readonly append: (chunks: ReadonlyArray<Uint8Array>, done: (error: Error | undefined) => void) => void
  /** Overwrites the first bytes. */
  readonly patchHead: (bytes: Uint8Array, done: (error: Error | undefined) => void) => void
  /** Reads bytes; fewer than asked for only at the end. */
  readonly read: (offset: number, length: number, done: (error: Error | undefined, bytes: Buffer) => void) => void
  /** Gives the file up; nothing of it remains. Calls under way end first. */
  readonly discard: () => void
}

/** Makes empty files. */
export interface SnapshotFiles {
  readonly create: (done: (error: Error | undefined, file: SnapshotFile | undefined) => void) => void
}
