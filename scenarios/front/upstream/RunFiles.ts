// The files that servers of a run read: certificates, keys, tokens; and the right of the run's users to do everything.
// Owns their names and contents. They lie in the run's directory, which is removed after it, readable by nobody else.
import { askOnce, ServerFailed } from "#kind"
import { Effect } from "effect"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Front } from "../Front.ts"
import { adminUser, clusterHost, tokenOf, userName } from "../load/FrontEndpoint.ts"
import { type FrontCertificates, loadGroup, usersOf } from "./FrontCertificates.ts"

const secretMode = 0o600
const waitMs = 200
const attempts = 50

/** Paths of what was written. */
export interface RunFiles {
  readonly ca: string
  readonly serverCert: string
  readonly serverKey: string
  readonly frontCert: string
  readonly frontKey: string
  readonly tokens: string
}

/** Writes them into a directory, which is made. */
export const writeRunFiles = (front: Front, certificates: FrontCertificates, directory: string): RunFiles => {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const write = (name: string, text: string): string => {
    const file = join(directory, name)
    writeFileSync(file, text, { mode: secretMode })
    return file
  }
  const tokens = usersOf(front).map((user) => `${tokenOf(user)},${user},uid-of-${user},"${loadGroup}"`)
  return {
    ca: write("ca.crt", certificates.ca),
    serverCert: write("server.crt", certificates.server.cert),
    serverKey: write("server.key", certificates.server.key),
    frontCert: write("front.crt", certificates.front.cert),
    frontKey: write("front.key", certificates.front.key),
    tokens: write("tokens.csv", `${tokens.join("\n")}\n`)
  }
}

/** The administrator's pair. */
export const adminPair = ({ users }: FrontCertificates) => users[userName(adminUser, 0)]

const binding = JSON.stringify({
  apiVersion: "rbac.authorization.k8s.io/v1",
  kind: "ClusterRoleBinding",
  metadata: { name: "wharf-load" },
  roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "cluster-admin" },
  subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "Group", name: loadGroup }]
})

/** Lets the run's users do everything at an API server that asks RBAC; a server that has only just begun is asked again. */
export const letLoadIn = (
  port: number,
  ca: string,
  certificates: FrontCertificates
): Effect.Effect<void, ServerFailed> =>
  Effect.gen(function* () {
    const path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
    let last = ""
    for (let attempt = 0; attempt < attempts; attempt++) {
      const asked = { port, path, ca, pair: adminPair(certificates), host: clusterHost, method: "POST", body: binding }
      const { status, text } = yield* askOnce(asked)
      if (status === 201 || status === 409) return
      last = `${status} ${text.slice(0, 200)}`
      yield* Effect.sleep(waitMs)
    }
    return yield* new ServerFailed({ backend: "upstream", reason: `refused the run's role binding: ${last}`, log: "" })
  })
