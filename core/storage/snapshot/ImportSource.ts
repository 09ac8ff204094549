// The sources of an import: an etcd database file, or a running server.
// Owns how each becomes a stream of versions; refuses targets. All is of one revision: a file's last, or a server's at the start.
import { Effect } from "effect"
import { keyText } from "../engine/Engine.ts"
import { checkTrailer, openBoltFile, placeOf } from "./BoltFileAdapter.ts"
import type { BoltCorrupt } from "./BoltFormat.ts"
import { BoltReader } from "./BoltReader.ts"
import { isEndpoint, openEndpoint, type EndpointOptions } from "./EtcdClient.ts"
import { EtcdFile } from "./EtcdFile.ts"
import { attempt, safeInteger, TransferError, type SourceSummary, type SourceVersion } from "./Transfer.ts"

export interface ImportSource {
  /** The source in words. */
  readonly name: string
  readonly summary: SourceSummary
  /** Hands all versions over, a stretch at a time: as written, from a file; in key order, from a server. */
  readonly each: <E>(
    take: (versions: ReadonlyArray<SourceVersion>) => Effect.Effect<void, E>
  ) => Effect.Effect<void, E | TransferError | BoltCorrupt>
  /** The same, but only versions that live at the source's revision. */
  readonly eachLiving: ImportSource["each"]
}

const ROWS_PER_STRETCH = 1000
const START = Buffer.alloc(0)

/** Opens the source that a text names, for the life of the scope. */
export const openSource = (endpoint: EndpointOptions, prefix: Uint8Array) =>
  isEndpoint(endpoint.url) ? endpointSource(endpoint, prefix) : fileSource(endpoint.url, prefix)

const endpointSource = Effect.fn("storage.import.endpoint")(function* (options: EndpointOptions, prefix: Uint8Array) {
  const client = yield* openEndpoint(options)
  const revision = yield* client.revision(prefix)
  const leases = yield* client.leases()
  const each: ImportSource["each"] = (take) =>
    client.pages(prefix, revision, (kvs) =>
      Effect.forEach(kvs, (kv) => {
        const mod = safeInteger(kv.modRevision, options.url)
        return mod instanceof TransferError
          ? Effect.fail(mod)
          : Effect.succeed({ revision: mod, sub: undefined, tombstone: false, kv })
      }).pipe(Effect.flatMap(take))
    )
  // What a server has deleted before or will have changed since is not told: reads below its revision are refused here.
  const summary: SourceSummary = { revision, compacted: revision, leases, auth: undefined }
  return { name: options.url, summary, each, eachLiving: each } satisfies ImportSource
})

const startsWith = (key: Uint8Array, prefix: Uint8Array): boolean =>
  key.length >= prefix.length && Buffer.compare(key.subarray(0, prefix.length), prefix) === 0

const fileSource = Effect.fn("storage.import.file")(function* (given: string, prefix: Uint8Array) {
  const { kind, path } = yield* placeOf(given)
  if (kind === "store") {
    return yield* new TransferError({
      subject: given,
      rule: "is a store of this kind already: serve it, or export it first"
    })
  }
  yield* checkTrailer(path)
  const bytes = yield* openBoltFile(path)
  const reader = yield* attempt(() => new BoltReader(bytes))
  const file = yield* attempt(() => new EtcdFile(reader, path))
  const stretches = Effect.fnUntraced(function* <E>(
    wanted: (version: SourceVersion) => boolean,
    take: (versions: ReadonlyArray<SourceVersion>) => Effect.Effect<void, E>
  ) {
    let from: Buffer | undefined = START
    while (from !== undefined) {
      const start: Buffer = from
      const versions: Array<SourceVersion> = []
      from = yield* attempt(() =>
        file.read(start, ROWS_PER_STRETCH, (version) => {
          if (startsWith(version.kv.key, prefix) && wanted(version)) versions.push(version)
        })
      )
      yield* take(versions)
    }
    const now = yield* attempt(() => new BoltReader(bytes))
    if (now.meta.txid !== reader.meta.txid) {
      return yield* new TransferError({
        subject: path,
        rule: "must not change meanwhile: stop the etcd that runs on it"
      })
    }
  })
  const eachLiving: ImportSource["each"] = Effect.fnUntraced(function* (take) {
    const last = new Map<string, string>()
    const place = ({ revision, sub }: SourceVersion): string => `${revision}_${sub}`
    yield* stretches(
      (version) => {
        if (version.tombstone) last.delete(keyText(version.kv.key))
        else last.set(keyText(version.kv.key), place(version))
        return false
      },
      () => Effect.void
    )
    yield* stretches((version) => last.get(keyText(version.kv.key)) === place(version), take)
  })
  return {
    name: path,
    summary: file.summary,
    each: (take) => stretches(() => true, take),
    eachLiving
  } satisfies ImportSource
})
