// Reads how a real kube-apiserver describes the columns of its tables into core/apiserver/resources/gen/columns.json: one list of
// texts, and for each resource the place of each column's text in it. Run this file to write it anew.
// Owns the compact form's writing; core/apiserver/resources/ColumnTextsAdapter.ts reads it.
import { writeFileSync } from "node:fs"
import { NodeServices } from "@effect/platform-node"
import { Effect } from "effect"
import { findAsset } from "#kind"
import { type RealApiServer, startApiServer } from "../../kube/RealApiServer.ts"

const FILE = new URL("../../../core/apiserver/resources/gen/columns.json", import.meta.url)

export interface ColumnDefinition {
  readonly name: string
  readonly type: string
  readonly format: string
  readonly description: string
  readonly priority: number
}

interface Discovered {
  readonly items: ReadonlyArray<{
    readonly metadata: { readonly name?: string }
    readonly versions: ReadonlyArray<{
      readonly version: string
      readonly resources?: ReadonlyArray<{ readonly resource: string; readonly verbs: ReadonlyArray<string> }>
    }>
  }>
}

type Call = RealApiServer["call"]

const DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
const TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"

/** Paths of all lists, by "group/version/resource". */
const listedResources = async (call: Call): Promise<ReadonlyMap<string, string>> => {
  const paths = new Map<string, string>()
  for (const root of ["/api", "/apis"]) {
    const { body } = await call("GET", root, { headers: { accept: DISCOVERY } })
    for (const { metadata, versions } of (JSON.parse(body) as Discovered).items) {
      const { name: group = "" } = metadata
      for (const { resources = [], version } of versions) {
        for (const { resource, verbs } of resources) {
          const base = group === "" ? `/api/${version}` : `/apis/${group}/${version}`
          if (verbs.includes("list")) paths.set(`${group}/${version}/${resource}`, `${base}/${resource}`)
        }
      }
    }
  }
  return paths
}

/** The columns of every resource that can be listed, as a server tells them. */
export const columnsOf = async (call: Call): Promise<ReadonlyMap<string, ReadonlyArray<ColumnDefinition>>> => {
  const found = new Map<string, ReadonlyArray<ColumnDefinition>>()
  for (const [name, path] of await listedResources(call)) {
    const { body } = await call("GET", `${path}?limit=1`, { headers: { accept: TABLE } })
    found.set(name, (JSON.parse(body) as { columnDefinitions: ReadonlyArray<ColumnDefinition> }).columnDefinitions)
  }
  return found
}

const generate = async (): Promise<void> => {
  const path = async (name: "etcd" | "kube-apiserver") =>
    (await Effect.runPromise(findAsset(name).pipe(Effect.provide(NodeServices.layer)))).path
  const server = await startApiServer({ etcd: await path("etcd"), "kube-apiserver": await path("kube-apiserver") })
  try {
    const texts: Array<string> = []
    const resources: Record<string, Record<string, number>> = {}
    for (const [name, columns] of await columnsOf(server.call)) {
      const places: Record<string, number> = {}
      for (const column of columns) {
        if (!texts.includes(column.description)) texts.push(column.description)
        places[column.name] = texts.indexOf(column.description)
      }
      resources[name] = places
    }
    writeFileSync(FILE, `${JSON.stringify({ texts, resources })}\n`)
  } finally {
    await server.stop()
  }
}

if (process.argv[1] === import.meta.filename) await generate()
