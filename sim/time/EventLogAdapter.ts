// The whole event log on disk, one event a line, and the first line where two logs part: how a run that is not what it was is explained.
// Owns the file's form and the comparison; refuses to keep a log open longer than its run. Written in blocks, without an end: the disk's
// size is the bound.
import { closeSync, openSync, readFileSync, writeSync } from "node:fs"
import type { Kernel } from "./Kernel.ts"

const BLOCK = 1 << 16

/** Writes every event of a kernel from now on: time, process, kind and digest. The returned function ends and closes the file. */
export const writeEventLog = (kernel: Kernel, path: string): (() => void) => {
  const file = openSync(path, "w")
  let block = ""
  const flush = (): void => {
    writeSync(file, block)
    block = ""
  }
  kernel.log.tap = (timeMs, component, kind, digest) => {
    block += `${timeMs} ${kernel.processName(component).replaceAll(" ", "_")} ${kind} ${digest}\n`
    if (block.length > BLOCK) flush()
  }
  return () => {
    kernel.log.tap = undefined
    flush()
    closeSync(file)
  }
}

/** Where two logs part. */
export interface LogDifference {
  /** Counted from 1. */
  readonly line: number
  /** The lines themselves; undefined where one log has ended. */
  readonly one: string | undefined
  readonly other: string | undefined
}

/** The first line in which two logs differ; undefined when they are the same. */
export const firstDifference = (path: string, otherPath: string): LogDifference | undefined => {
  const [lines, others] = [path, otherPath].map((file) => readFileSync(file, "utf8").split("\n"))
  for (let at = 0; at < Math.max(lines.length, others.length); at++)
    if (lines[at] !== others[at]) return { line: at + 1, one: lines[at], other: others[at] }
  return undefined
}
