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

/** An UpstreamCluster of a cluster of the rig: reached as itself, with its own authority for clients and certificate for servers. */
export const manifestOf = (upstream: Upstream, spec: Spec = {}, name = upstream.name): object => {
  const gateway = upstream.certificate("gateway/O=system:masters")
  const serving = upstream.authority.sign(`front-${name}`, name, { names: [name, `alias-of-${name}`] })
  return {
    apiVersion: "proxy.kubegateway.io/v1alpha1",
    kind: "UpstreamCluster",
    metadata: { name },
    spec: {
      servers: upstream.endpoints.map(({ url }) => ({ endpoint: url })),
      clientConfig: {
        keyData: base64(gateway.keyFile),
        certData: base64(gateway.certFile),
        caData: base64(upstream.authority.caFile)
      },
      secureServing: {
        keyData: base64(serving.keyFile),
        certData: base64(serving.certFile),
        clientCAData: base64(upstream.authority.caFile),
        serverNames: ["localhost", `alias-of-${name}`]
      },
      dispatchPolicies: [{ rules: ALL_RULES }],
      ...spec
    }
  }
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
