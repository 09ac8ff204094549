// The LMDB file of a store, opened: its tables and the row that says which commits are in it.
// Owns the options that reader and writer thread share; refuses to read or write rows.
import { readFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { type Database, open, type RootDatabase } from "lmdb"
import { revisionRow } from "../mvcc/Layout.ts"
import { tableNames } from "./Engine.ts"

export type BinaryDatabase = Database<Buffer, Uint8Array>
export type BinaryRoot = RootDatabase<Buffer, Uint8Array>

export interface TreeOptions {
  readonly directory: string
  /** Bytes of address space; the data itself is bounded by the store's quota. */
  readonly mapSizeBytes: number
  /** false leaves flushing to the operating system. */
  readonly sync: boolean
}

/** The row of the Meta table that holds the sequence of the last commit in the tree. */
export const APPLIED_ROW = Buffer.from("applied-commit")
export const sequenceRow = revisionRow

/** Where the tree lies in a data directory. */
export const treePath = (directory: string): string => join(resolve(directory), "data.mdb")

/** Opens the tree; in a second thread of the same process it is the same one. */
export const openTables = ({ directory, mapSizeBytes, sync }: TreeOptions) => {
  const binary = { keyEncoding: "binary", encoding: "binary" } as const
  const root: BinaryRoot = open<Buffer, Uint8Array>({
    path: treePath(directory),
    noSubdir: true,
    maxDbs: tableNames.length + 1,
    mapSize: mapSizeBytes,
    overlappingSync: false,
    noSync: !sync,
    noMemInit: true,
    ...binary
  })
  const tables = tableNames.map((name) => root.openDB<Buffer, Uint8Array>({ name, ...binary }))
  return { root, tables }
}

/** Where this process maps the tree's file; undefined where the system does not tell. */
export const mappedAddress = (path: string): number | undefined => {
  if (process.platform !== "linux") return undefined
  const line = readFileSync("/proc/self/maps", "utf8")
    .split("\n")
    .find((entry) => entry.endsWith(` ${path}`))
  return line === undefined ? undefined : Number.parseInt(line.slice(0, line.indexOf("-")), 16)
}
