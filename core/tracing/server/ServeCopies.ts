// The copies of what audit webhooks send: batches to other webhooks, events to files, as configured.
// Owns their opening and closing; refuses what is in them.
import { readFileSync } from "node:fs"
import { Effect, Schema } from "effect"
import type { Clockwork } from "#kube"
import type { TracingConfig } from "../config/TracingConfig.ts"
import { DumpFiles } from "../ingest/DumpFilesAdapter.ts"
import { Forward, type ForwardTarget } from "../ingest/Forward.ts"
import { postOverHttp } from "../ingest/PostAdapter.ts"

/** A file with a token cannot be read. */
export class TokenUnreadable extends Schema.TaggedError<TokenUnreadable>()("TokenUnreadable", {
  path: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `forward.tokenFile ${this.path}: ${this.detail}`
  }
}

const DUMP_MIB = 1024
const MIB = 2 ** 20

/** Files of events for the life of the scope; undefined when none is configured. */
export const openDump = Effect.fnUntraced(function* ({ dump }: TracingConfig, say: (line: string) => void) {
  if (dump === undefined) return undefined
  const { maxMib = DUMP_MIB, path } = dump
  const onTrouble = (detail: string): void => say(`dump: ${detail}`)
  return yield* Effect.acquireRelease(
    Effect.sync(() => new DumpFiles({ path, fileBytesMax: maxMib * MIB, onTrouble })),
    (files) => Effect.callback<void>((resume) => files.stop(() => resume(Effect.void)))
  )
})

const tokenIn = (path: string) =>
  Effect.try({
    try: () => readFileSync(path, "utf8").trim(),
    catch: (error) => new TokenUnreadable({ path, detail: error instanceof Error ? error.message : "cannot be read" })
  })

/** Sends batches on for the life of the scope; undefined when no target is configured. */
export const openForward = Effect.fnUntraced(function* ({ forward = [] }: TracingConfig, clockwork: Clockwork) {
  if (forward.length === 0) return undefined
  const targets: Array<ForwardTarget> = []
  for (const { tokenFile, url } of forward) {
    targets.push({ url, token: tokenFile === undefined ? undefined : yield* tokenIn(tokenFile) })
  }
  return yield* Effect.acquireRelease(
    Effect.sync(() => new Forward({ targets, clockwork, post: postOverHttp })),
    (opened) => Effect.sync(() => opened.stop())
  )
})
