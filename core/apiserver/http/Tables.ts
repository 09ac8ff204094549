// meta/v1 Table and PartialObjectMetadata: an object as rows for people, or as its metadata alone.
// Owns the conversion; the columns are the definition's, the bytes are the caller's.
import { ApiFailure, Failures, type KubeObject } from "#kube"
import type { Column, Definition } from "../Definition.ts"

export type IncludeObject = "None" | "Metadata" | "Object"

export interface TableForm {
  readonly includeObject: IncludeObject
  /** "meta.k8s.io/v1" or the beta before it. */
  readonly apiVersion: string
  /** Milliseconds since the epoch; ages are counted to it. */
  readonly nowMs: number
  /** All objects of the answer when it is a list. */
  readonly listed?: ReadonlyArray<KubeObject>
}

export interface Table {
  readonly kind: "Table"
  readonly apiVersion: string
  readonly metadata: unknown
  readonly columnDefinitions: ReadonlyArray<unknown> | null
  readonly rows: ReadonlyArray<unknown>
}

const creationDescription =
  "CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be set " +
  "in happens-before order across separate operations. Clients may not set this value. It is represented in RFC3339 form and " +
  "is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: " +
  "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata"

const nameDescription =
  "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to " +
  "request the generation of an appropriate name automatically. Name is primarily intended for creation idempotence and " +
  "configuration definition. Cannot be updated. More info: " +
  "https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names"

/** The columns of what declares none: its name and when it was made. */
export const defaultColumns: ReadonlyArray<Column> = [
  { name: "Name", type: "string", format: "name", priority: 0, value: ({ metadata }) => metadata.name },
  {
    name: "Created At",
    type: "date",
    priority: 0,
    value: ({ metadata }) => metadata.creationTimestamp ?? "<unknown>"
  }
]

const columnsOf = (definition: Definition): ReadonlyArray<Column> =>
  definition.columns.length === 0 ? defaultColumns : definition.columns

const descriptions: Readonly<Record<string, string>> = { Name: nameDescription, Age: creationDescription }

const definitionOf = (column: Column & { readonly description?: string }): unknown => ({
  name: column.name,
  type: column.type,
  format: column.format ?? "",
  description: column.description ?? descriptions[column.name] ?? "",
  priority: column.priority
})

/** How `includeObject` of the query is understood. */
export const includeObjectOf = (text: string): IncludeObject | ApiFailure => {
  if (text === "") return "Metadata"
  if (text === "None" || text === "Metadata" || text === "Object") return text
  return Failures.badRequest(
    `Unable to convert to Table as requested: includeObject: Invalid value: ${JSON.stringify(text)}: ` +
      "must be 'Metadata', 'Object', 'None', or empty"
  )
}

/** An object's metadata alone. */
export const partialMetadata = (object: KubeObject, apiVersion: string): unknown => ({
  kind: "PartialObjectMetadata",
  apiVersion,
  metadata: object.metadata
})

const rowOf = (columns: ReadonlyArray<Column>, object: KubeObject, form: TableForm): unknown => {
  const cells = columns.map((column) => column.value(object, form.nowMs, form.listed) ?? null)
  if (form.includeObject === "None") return { cells, object: null }
  return { cells, object: form.includeObject === "Object" ? object : partialMetadata(object, form.apiVersion) }
}

/** A Table of objects; `metadata` is a list's, or has the object's resourceVersion. */
export const tableOf = (
  definition: Definition,
  objects: ReadonlyArray<KubeObject>,
  metadata: unknown,
  form: TableForm,
  withColumns = true
): Table => {
  const columns = columnsOf(definition)
  return {
    kind: "Table",
    apiVersion: form.apiVersion,
    metadata,
    columnDefinitions: withColumns ? columns.map(definitionOf) : null,
    rows: objects.map((object) => rowOf(columns, object, form))
  }
}

/** A bookmark of a Table watch: one row without content, as kube-apiserver sends it. */
export const bookmarkTable = (definition: Definition, object: KubeObject, form: TableForm): Table => {
  const columns = columnsOf(definition)
  const cells = columns.map(({ name }) => (name === "Age" ? "<unknown>" : ""))
  const row =
    form.includeObject === "None"
      ? { cells, object: null }
      : { cells, object: partialMetadata(object, form.apiVersion) }
  return {
    kind: "Table",
    apiVersion: form.apiVersion,
    metadata: { resourceVersion: object.metadata.resourceVersion ?? "" },
    columnDefinitions: null,
    rows: [row]
  }
}

/** A Status as a Table: what a delete answers to a client that wants Tables. */
export const statusTable = (status: KubeObject, form: TableForm): Table => ({
  kind: "Table",
  apiVersion: form.apiVersion,
  metadata: {},
  columnDefinitions: ["Status", "Reason", "Message"].map((name) => ({
    name,
    type: "string",
    format: "",
    description: "",
    priority: 0
  })),
  rows: [
    {
      cells: [status.status ?? "", status["reason"] ?? "", status["message"] ?? ""],
      object: form.includeObject === "Object" ? status : null
    }
  ]
})
