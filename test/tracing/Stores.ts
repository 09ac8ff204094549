// Stores for tests: the plain one and the one on disk, in a folder of their own, and everything that a store shows.
// Owns their opening and closing; refuses to judge.
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Exit, Scope } from "effect"
import { machineClockwork } from "#kube"
import {
  defaultStoreBounds,
  type Fact,
  type FoundTrace,
  openTracingStore,
  type ServeTracingOptions,
  type Span,
  type SpanStore,
  type TraceQuery
} from "#tracing"

export interface OpenStore {
  readonly store: SpanStore
  readonly directory: string
  readonly close: () => Promise<void>
}

export const temporaryFolder = (): string => mkdtempSync(join(tmpdir(), "wharf-tracing-"))

/** Opens the store on disk; a folder that was not named is removed at the end. */
export const openOnDisk = async (
  options: {
    readonly directory?: string
    readonly bounds?: Partial<ServeTracingOptions["bounds"]>
    readonly compress?: boolean
    readonly windowSeconds?: number
  } = {}
): Promise<OpenStore> => {
  const directory = options.directory ?? temporaryFolder()
  const scope = Effect.runSync(Scope.make())
  const store = await Effect.runPromise(
    openTracingStore({
      dataDir: directory,
      windowSeconds: options.windowSeconds ?? 1800,
      bounds: {
        ...defaultStoreBounds,
        ageMaxMs: 3650 * 86_400_000,
        recentMax: 4096,
        segmentRows: 512,
        ...options.bounds
      },
      clockwork: machineClockwork,
      compress: options.compress ?? true
    }).pipe(
      Scope.provide(scope),
      // What it held before it failed is given back at once: other tests live in the same process.
      Effect.onError(() => Scope.close(scope, Exit.void))
    )
  )
  const close = async (): Promise<void> => {
    await Effect.runPromise(Scope.close(scope, Exit.void))
    if (options.directory === undefined) rmSync(directory, { recursive: true, force: true })
  }
  return { store, directory, close }
}

/** Appends facts and waits until they are durable. */
export const append = (
  store: SpanStore,
  facts: ReadonlyArray<Fact>
): Promise<{ readonly added: number; readonly known: number }> =>
  new Promise((resolve, reject) => {
    store.append(facts, (outcome) =>
      outcome.kind === "durable" ? resolve(outcome) : reject(new Error(JSON.stringify(outcome)))
    )
  })

export const search = (store: SpanStore, query: TraceQuery): Promise<ReadonlyArray<FoundTrace>> =>
  new Promise((resolve) => store.search(query, resolve))

export const spansOf = (store: SpanStore, traceId: string, spansMax?: number): ReadonlyArray<Span> => {
  const chunks = store.trace(traceId, spansMax)
  const spans: Array<Span> = []
  for (let chunk = chunks.next(); chunk !== undefined; chunk = chunks.next()) spans.push(...chunk)
  return spans
}

/** Every span that a store shows, as one text. */
export const everything = async (store: SpanStore): Promise<string> => {
  const found = await search(store, { service: "object", limit: 100_000 })
  return found
    .map(({ traceId }) => traceId)
    .sort()
    .map((traceId) => JSON.stringify(spansOf(store, traceId)))
    .join("\n")
}
