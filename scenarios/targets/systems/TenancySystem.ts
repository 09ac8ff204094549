// Our tenancy before a real kube-apiserver: users, watchers and readers of the run are a tenant's, and see a cluster of their own; nodes
// and the observer see the one below.
// Owns its command line, the tenant, and the look at the end whether everything that the tenant made lies within its own walls.
import { type Asked, answersOk, askOnce, freePort } from "#kind"
import { Effect } from "effect"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { credentialsIn, tenantKubeconfig, tenantsPath } from "../../front/backends/Tenancy.ts"
import { type Finish, type OpenedSystem, openOwn, type SystemPlace } from "./System.ts"

const TENANT = "wharf1"
const UNLIMITED = "1000000"
/** Namespaces that every cluster begins with. */
const FIRST = new Set(["default", "kube-system", "kube-public", "kube-node-lease"])

interface Named {
  readonly items: ReadonlyArray<{ readonly metadata: { readonly name: string } }>
}

const namesIn = (text: string): ReadonlyArray<string> => {
  try {
    return (JSON.parse(text) as Named).items.map(({ metadata }) => metadata.name)
  } catch {
    return []
  }
}

/** Every namespace that is not the cluster's own is the tenant's by its name, and there are some. */
const walls = (upstream: Asked): Effect.Effect<Finish> =>
  askOnce(upstream).pipe(
    Effect.map(({ text }) => {
      const names = namesIn(text).filter((name) => !FIRST.has(name))
      const outside = names.filter((name) => !name.startsWith(`${TENANT}-`))
      const within = names.length - outside.length
      const rule = "what a tenant makes lies within its walls"
      const broken = outside.map((name) => ({ rule, text: `namespace ${name}` }))
      return {
        violations: within === 0 ? [...broken, { rule, text: "nothing of the tenant's is there" }] : broken,
        facts: { "tenancy: the tenant's namespaces": within }
      }
    })
  )

/** Starts the server and makes the tenant; both live as long as the scope. */
export const openTenancy = ({ folder, plane }: SystemPlace) =>
  Effect.gen(function* () {
    const port = yield* freePort
    const operatorFile = join(folder, "operator.conf")
    const operator = () => (existsSync(operatorFile) ? credentialsIn(readFileSync(operatorFile, "utf8")) : undefined)
    const process = yield* openOwn(
      "tenancy",
      [
        ["serve", "tenancy", "--upstream-kubeconfig", plane.kubeconfig, "--listen", `127.0.0.1:${port}`],
        ["--data-dir", join(folder, "tenancy"), "--kubeconfig", operatorFile],
        ["--tenant-requests-per-second", UNLIMITED, "--tenant-burst", UNLIMITED],
        ["--tenant-in-flight", UNLIMITED, "--tenant-watches", UNLIMITED]
      ].flat(),
      folder,
      Effect.suspend(() => {
        const known = operator()
        return known === undefined ? Effect.succeed(false) : answersOk({ port, ...known, path: tenantsPath })
      })
    )
    const text = yield* tenantKubeconfig(port, operator() ?? { ca: "", pair: { cert: "", key: "" } }, TENANT)
    const kubeconfig = join(folder, "tenant.conf")
    writeFileSync(kubeconfig, text, { mode: 0o600 })
    const { admin, ca } = plane.files
    const upstream = { port: Number(new URL(plane.url).port), path: "/api/v1/namespaces", ca, pair: admin }
    const opened: OpenedSystem = {
      processes: [process],
      front: { kubeconfig, clients: "users" },
      finish: walls(upstream)
    }
    return opened
  })
