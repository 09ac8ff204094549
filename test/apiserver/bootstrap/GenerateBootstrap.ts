// Reads what a real kube-apiserver makes of roles, bindings and priority classes at its first start into
// core/apiserver/bootstrap/gen/objects.json: names, labels and rules alone. Run this file to write it anew.
// Owns the compact form's writing; core/apiserver/bootstrap/BootstrapTableAdapter.ts reads it.
import { writeFileSync } from "node:fs"
import { NodeServices } from "@effect/platform-node"
import { Effect } from "effect"
import { findAsset } from "#kind"
import { type RealApiServer, startApiServer } from "../../kube/RealApiServer.ts"

const RBAC = "rbac.authorization.k8s.io"
const collections: ReadonlyArray<readonly [group: string, resource: string]> = [
  [RBAC, "clusterroles"],
  [RBAC, "clusterrolebindings"],
  [RBAC, "roles"],
  [RBAC, "rolebindings"],
  ["scheduling.k8s.io", "priorityclasses"]
]
const FILE = new URL("../../../core/apiserver/bootstrap/gen/objects.json", import.meta.url)

interface Listed {
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly description?: string
  readonly [field: string]: unknown
}

const compact = ({ description: _words, metadata, ...fields }: Listed): object => ({
  name: metadata.name,
  ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
  ...(metadata.labels === undefined ? {} : { labels: metadata.labels }),
  ...(metadata.annotations === undefined ? {} : { annotations: metadata.annotations }),
  ...(fields["rules"] === null ? { ...fields, rules: undefined } : fields)
})

/** The table as a real server tells it now. */
export const readBootstrap = async (
  server: RealApiServer
): Promise<Readonly<Record<string, ReadonlyArray<object>>>> => {
  const table: Record<string, ReadonlyArray<object>> = {}
  for (const [group, resource] of collections) {
    const { body } = await server.call("GET", `/apis/${group}/v1/${resource}`)
    const { items } = JSON.parse(body) as { readonly items: ReadonlyArray<Listed> }
    table[resource] = items.map(compact)
  }
  // Without what is undefined.
  return JSON.parse(JSON.stringify(table))
}

/** Ready does not mean that all of it is there: waits until two readings agree. */
export const settledBootstrap = async (server: RealApiServer): ReturnType<typeof readBootstrap> => {
  let last = await readBootstrap(server)
  for (let attempt = 0; attempt < 50; attempt++) {
    await new Promise((resolve) => setTimeout(resolve, 1000))
    const next = await readBootstrap(server)
    if (JSON.stringify(next) === JSON.stringify(last)) return next
    last = next
  }
  throw new Error("the server's roles did not settle within 50 s")
}

if (import.meta.main) {
  const path = (name: "etcd" | "kube-apiserver"): Promise<string> =>
    findAsset(name).pipe(
      Effect.map((asset) => asset.path),
      Effect.provide(NodeServices.layer),
      Effect.runPromise
    )
  const server = await startApiServer({ etcd: await path("etcd"), "kube-apiserver": await path("kube-apiserver") })
  try {
    const table = await settledBootstrap(server)
    const lines = Object.entries(table).map(
      ([resource, items]) =>
        `${JSON.stringify(resource)}: [\n${items.map((item) => JSON.stringify(item)).join(",\n")}\n]`
    )
    writeFileSync(FILE, `{\n${lines.join(",\n")}\n}\n`)
  } finally {
    await server.stop()
  }
}
