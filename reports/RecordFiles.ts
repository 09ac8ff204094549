// Reads run records and published tables from files and run folders, with typed errors for everything that can be
// wrong with them.
// Owns the reading and its bounds: at most 10,000 files of a folder and its direct subfolders.
import { Effect, FileSystem, Path, Schema, SchemaIssue } from "effect"
import type { RunGroup } from "./Compare.ts"
import { jsonErrorPosition } from "./JsonPosition.ts"
import { PublishedTable } from "./LintRow.ts"
import { groupByBackend } from "./Report.ts"
import { FileMissing, FileUnreadable, NotARecord, NothingFound, NotJson, SchemaViolated } from "./ReportErrors.ts"
import { RunRecord, runRecordSchema } from "./RunRecord.ts"

const filesMax = 10_000

/** Text of a file. */
const readText = Effect.fnUntraced(function* (path: string) {
  const files = yield* FileSystem.FileSystem
  return yield* files
    .readFileString(path)
    .pipe(
      Effect.mapError((error) =>
        error.reason._tag === "NotFound"
          ? new FileMissing({ path })
          : new FileUnreadable({ path, cause: error.reason._tag })
      )
    )
})

/** A file's JSON. */
const readJson = Effect.fnUntraced(function* (path: string) {
  const text = yield* readText(path)
  return yield* Effect.try({
    try: (): unknown => JSON.parse(text),
    catch: () => new NotJson({ path, ...jsonErrorPosition(text) })
  })
})

const issues = SchemaIssue.makeFormatterStandardSchemaV1()

const keyText = (key: unknown): string => (typeof key === "string" ? key : "?")

const violated = (path: string, error: Schema.SchemaError): SchemaViolated => {
  const found = issues(error.issue).issues
  const [first] = found
  const field = (first?.path ?? []).map((key) => (typeof key === "number" ? `[${key}]` : `.${keyText(key)}`)).join("")
  const rule = first?.message ?? "does not fit the schema"
  return new SchemaViolated({ path, field: field.replace(/^\./, ""), rule, more: Math.max(0, found.length - 1) })
}

const schemaOf = (json: unknown): unknown =>
  typeof json === "object" && json !== null && "schema" in json ? json.schema : undefined

const decodeRecord = (path: string, json: unknown) =>
  Schema.decodeUnknownEffect(RunRecord)(json, { errors: "all" }).pipe(Effect.mapError((error) => violated(path, error)))

/** One record from one file. */
export const readRecord = Effect.fnUntraced(function* (path: string) {
  const json = yield* readJson(path)
  if (schemaOf(json) !== runRecordSchema) return yield* new NotARecord({ path, expected: `"${runRecordSchema}"` })
  return yield* decodeRecord(path, json)
})

const isFolder = Effect.fnUntraced(function* (path: string) {
  const files = yield* FileSystem.FileSystem
  return yield* files.stat(path).pipe(
    Effect.map(({ type }) => type === "Directory"),
    Effect.mapError(() => new FileMissing({ path }))
  )
})

const jsonFiles = Effect.fnUntraced(function* (folder: string) {
  const files = yield* FileSystem.FileSystem
  const paths = yield* Path.Path
  const names = yield* files
    .readDirectory(folder, { recursive: true })
    .pipe(Effect.mapError((error) => new FileUnreadable({ path: folder, cause: error.reason._tag })))
  return names
    .filter((name) => name.endsWith(".json") && name.split(/[\\/]/).length <= 2)
    .sort()
    .slice(0, filesMax)
    .map((name) => paths.join(folder, name))
})

/** The records of a file, or of a folder in which other JSON files may lie beside them. */
export const readRecords = Effect.fnUntraced(function* (path: string) {
  if (!(yield* isFolder(path))) return [yield* readRecord(path)]
  const records: Array<RunRecord> = []
  for (const file of yield* jsonFiles(path)) {
    const json = yield* readJson(file)
    if (schemaOf(json) === runRecordSchema) records.push(yield* decodeRecord(file, json))
  }
  if (records.length === 0) return yield* new NothingFound({ path, wanted: "run records" })
  return records
})

/** Runs from several paths as groups: by backend, and by path as well where two paths hold the same backend. */
export const readGroups = Effect.fnUntraced(function* (paths: ReadonlyArray<string>) {
  const read: Array<RunGroup & { readonly path: string }> = []
  for (const path of paths) {
    const records = yield* readRecords(path)
    read.push(...groupByBackend(records).map((group) => ({ ...group, path })))
  }
  const isShared = (name: string) =>
    new Set(read.filter((group) => group.name === name).map(({ path }) => path)).size > 1
  const groups = Map.groupBy(read, ({ name, path }) =>
    isShared(name) && paths.length > 1 ? `${name} (${path})` : name
  )
  return [...groups].map(([name, parts]): RunGroup => ({ name, records: parts.flatMap(({ records }) => records) }))
})

/** What the linter can read: a record, a folder of records, or a published table. */
export const readLintable = Effect.fnUntraced(function* (path: string) {
  if (yield* isFolder(path)) return { records: yield* readRecords(path), rows: [] }
  const json = yield* readJson(path)
  if (schemaOf(json) === runRecordSchema) return { records: [yield* decodeRecord(path, json)], rows: [] }
  if (schemaOf(json) !== "kubewharf/published-table") {
    return yield* new NotARecord({ path, expected: `"${runRecordSchema}" or "kubewharf/published-table"` })
  }
  const table = yield* Schema.decodeUnknownEffect(PublishedTable)(json, { errors: "all" }).pipe(
    Effect.mapError((error) => violated(path, error))
  )
  return { records: [], rows: table.rows }
})

/** Writes a file, with the folders above it. */
export const writeText = Effect.fnUntraced(function* (path: string, text: string) {
  const files = yield* FileSystem.FileSystem
  const paths = yield* Path.Path
  yield* files.makeDirectory(paths.dirname(path), { recursive: true }).pipe(
    Effect.andThen(files.writeFileString(path, text)),
    Effect.mapError((error) => new FileUnreadable({ path, cause: error.reason._tag }))
  )
})
