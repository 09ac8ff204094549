// What the columns of tables mean, as test/apiserver/kubectl/GenerateColumns.ts read it from a real kube-apiserver.
// Owns the file's reading, once, when it is first asked for; refuses to say which columns a kind has.
import { readFileSync } from "node:fs"

interface ColumnTexts {
  readonly texts: ReadonlyArray<string>
  /** By "group/version/resource" and the column's name: the place of its text. */
  readonly resources: Readonly<Record<string, Readonly<Record<string, number>>>>
}

let table: ColumnTexts | undefined

/** The description of a column of a built-in resource; undefined for all others. */
export const columnText = (group: string, version: string, resource: string, column: string): string | undefined => {
  // SAFETY: our own file, which a test compares with the server that it was read from.
  table ??= JSON.parse(readFileSync(new URL("./gen/columns.json", import.meta.url), "utf8")) as ColumnTexts
  const place = table.resources[`${group}/${version}/${resource}`]?.[column]
  return place === undefined ? undefined : table.texts[place]
}
