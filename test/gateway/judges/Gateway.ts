// A gateway before clusters of the rig, configured by a folder of manifests that can be rewritten while it runs.
// Owns the folder and the process; refuses to judge.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { until } from "../../apiserver/kubectl/Rig.ts"
import { type Access, asking } from "../../front/Access.ts"
import { type Front, startWharf } from "../../front/Front.ts"
import type { Upstream } from "../../front/Upstream.ts"

export type Spec = Readonly<Record<string, unknown>>

/** Everything goes to every endpoint. */
export const ALL_RULES = [{ verbs: ["*"], apiGroups: ["*"], resources: ["*"], nonResourceURLs: ["*"] }]

const base64 = (file: string): string => readFileSync(file).toString("base64")

export interface ManifestParts {
  readonly servers: ReadonlyArray<string>
  /** The gateway's own, and the authority of the servers. */
  readonly identity: { readonly certFile: string; readonly keyFile: string; readonly caFile: string }
  readonly serving: { readonly certFile: string; readonly keyFile: string; readonly clientCaFile: string }
  readonly serverNames?: ReadonlyArray<string>
}

/** An UpstreamCluster from its files; a spec's parts are put over it. */
export const manifestWith = (name: string, parts: ManifestParts, spec: Spec = {}): object => {
  const { identity, servers, serverNames = ["localhost"], serving } = parts
  return {
    apiVersion: "proxy.kubegateway.io/v1alpha1",
    kind: "UpstreamCluster",
    metadata: { name },
    spec: {
      servers: servers.map((endpoint) => ({ endpoint })),
      clientConfig: {
        keyData: base64(identity.keyFile),
        certData: base64(identity.certFile),
        caData: base64(identity.caFile)
      },
      secureServing: {
        keyData: base64(serving.keyFile),
        certData: base64(serving.certFile),
        clientCAData: base64(serving.clientCaFile),
        serverNames
      },
      dispatchPolicies: [{ rules: ALL_RULES }],
      ...spec
    }
  }
}

/** An UpstreamCluster of a cluster of the rig: reached as itself, with its own authority for clients and certificate for servers. */
export const manifestOf = (upstream: Upstream, spec: Spec = {}, name = upstream.name): object => {
  const { authority, certificate, endpoints } = upstream
  const serving = authority.sign(`front-${name}`, name, { names: [name, `alias-of-${name}`] })
  const parts: ManifestParts = {
    servers: endpoints.map(({ url }) => url),
    identity: { ...certificate("gateway/O=system:masters"), caFile: authority.caFile },
    serving: { ...serving, clientCaFile: authority.caFile },
    serverNames: ["localhost", `alias-of-${name}`]
  }
  return manifestWith(name, parts, spec)
}

export interface Gateway {
  readonly front: Front
  readonly folder: string
  /** Puts a manifest into the folder, whole. */
  readonly write: (name: string, manifest: object) => void
  /** The way of an access through the gateway; without a server name as localhost. */
  readonly through: (access: Access, serverName?: string) => Access
  readonly stop: () => Promise<void>
}

const SERVES = /proxying on https:\/\/[^\s:]+:(\d+)/

/** Starts it with these manifests; ready when the access reaches its cluster's /readyz. */
export const startGateway = async (
  manifests: Readonly<Record<string, object>>,
  options: {
    readonly folder: string
    readonly probe?: Access
    readonly port?: number
    readonly flags?: ReadonlyArray<string>
  }
): Promise<Gateway> => {
  const folder = join(options.folder, "clusters")
  mkdirSync(folder, { recursive: true })
  const write = (name: string, manifest: object): void => {
    const file = join(folder, `${name}.yaml`)
    writeFileSync(`${file}.new`, JSON.stringify(manifest))
    renameSync(`${file}.new`, file)
  }
  for (const [name, manifest] of Object.entries(manifests)) write(name, manifest)
  const args = ["gateway", "--config-dir", folder, "--secure-port", "0", "--proxy-secure-ports", `${options.port ?? 0}`]
  const front = await startWharf([...args, ...(options.flags ?? [])], { folder: options.folder, serves: SERVES })
  const through: Gateway["through"] = (access, serverName) => ({
    ...access,
    url: serverName === undefined ? `https://localhost:${front.port}` : `https://127.0.0.1:${front.port}`,
    ...(serverName === undefined ? {} : { serverName })
  })
  try {
    const { probe } = options
    if (probe !== undefined) {
      const { ask, close } = asking(through(probe))
      await until("the gateway's first answer", async () => (await ask("/readyz").catch(() => undefined))?.code === 200)
      close()
    }
  } catch (failure) {
    process.stderr.write(front.said().slice(-3000))
    await front.stop()
    throw failure
  }
  return { front, folder, write, through, stop: () => front.stop() }
}
