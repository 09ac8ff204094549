// Roles, bindings and priority classes that every cluster has, as test/apiserver/bootstrap/GenerateBootstrap.ts read them from a
// real kube-apiserver. Owns the file's reading, once, when it is first asked for.
import { readFileSync } from "node:fs"
import type { Json } from "#kube"

/** One object without its type; fields beside these are the object's own. */
export interface BootstrapEntry {
  readonly name: string
  readonly namespace?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly [field: string]: Json | undefined
}

type Resource = "clusterroles" | "clusterrolebindings" | "roles" | "rolebindings" | "priorityclasses"
export type BootstrapTable = Readonly<Record<Resource, ReadonlyArray<BootstrapEntry>>>

let table: BootstrapTable | undefined

export const bootstrapTable = (): BootstrapTable => {
  // SAFETY: our own file, which a test compares with the server that it was read from.
  table ??= JSON.parse(readFileSync(new URL("./gen/objects.json", import.meta.url), "utf8")) as BootstrapTable
  return table
}
