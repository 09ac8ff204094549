// An access as it stands in a kubeconfig that a server gave out, with certificates in files of their own.
// Owns reading the one form that our servers write; refuses any other.
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { parse } from "yaml"
import type { Access } from "./Access.ts"

interface Kubeconfig {
  readonly clusters: ReadonlyArray<{
    readonly cluster: { readonly server: string; readonly "certificate-authority-data": string }
  }>
  readonly users: ReadonlyArray<{
    readonly user: { readonly "client-certificate-data": string; readonly "client-key-data": string }
  }>
}

/** The first cluster and user of a kubeconfig; its certificates are written beside it under a name. */
export const accessIn = (text: string, folder: string, name: string): Access => {
  // SAFETY: written by our own server a moment ago.
  const { clusters, users } = parse(text) as Kubeconfig
  const [cluster, user] = [clusters[0]?.cluster, users[0]?.user]
  if (cluster === undefined || user === undefined) throw new Error(`no kubeconfig: ${text.slice(0, 200)}`)
  const file = (what: string, base64: string): string => {
    const path = join(folder, `${name}-${what}.pem`)
    writeFileSync(path, Buffer.from(base64, "base64"), { mode: 0o600 })
    return path
  }
  return {
    url: cluster.server,
    caFile: file("ca", cluster["certificate-authority-data"]),
    certFile: file("cert", user["client-certificate-data"]),
    keyFile: file("key", user["client-key-data"])
  }
}
