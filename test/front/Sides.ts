// Two fresh clusters for the kubectl tour, one reached directly, the other through something that stands before it.
// Owns both clusters and kubectl's folders; what stands before the second is the caller's.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Cluster, clusterOf } from "../apiserver/kubectl/Rig.ts"
import type { Sides } from "../apiserver/kubectl/Tour.ts"
import { type Access, kubeconfigOf } from "./Access.ts"
import { callOf, startUpstream, type Upstream, type UpstreamOptions, type UpstreamPrograms } from "./Upstream.ts"

export interface Before {
  /** Through what stands before the cluster. */
  readonly access: Access
  /** In the place of one that is made of the access. */
  readonly kubeconfig?: string
  readonly stop: () => void | Promise<void>
}

export interface FrontSides extends Sides {
  readonly direct: Upstream
  readonly behind: Upstream
  readonly before: Before
  readonly stop: () => Promise<void>
}

/** Starts two clusters and the front of the second; "ours" is the side behind the front. */
export const startSides = async (
  programs: UpstreamPrograms & { readonly kubectl: string },
  front: (upstream: Upstream) => Promise<Before>,
  options: UpstreamOptions = {}
): Promise<FrontSides> => {
  const folder = mkdtempSync(join(tmpdir(), "front-tour-"))
  const stopping: Array<() => void | Promise<void>> = []
  const stop = async (): Promise<void> => {
    for (const one of stopping.toReversed()) await one()
    rmSync(folder, { recursive: true, force: true })
  }
  const side = (name: "ours" | "real", access: Access, kubeconfig?: string): Cluster => {
    const own = join(folder, name)
    mkdirSync(own)
    const { call, close } = callOf(access)
    stopping.push(close)
    return clusterOf(name, own, programs.kubectl, { url: access.url, call }, kubeconfig ?? kubeconfigOf(access))
  }
  try {
    const [direct, behind] = await Promise.all([startUpstream(programs, options), startUpstream(programs, options)])
    stopping.push(direct.stop, behind.stop)
    const before = await front(behind)
    stopping.push(() => before.stop())
    const real = side("real", direct.owner)
    return { ours: side("ours", before.access, before.kubeconfig), real, direct, behind, before, stop }
  } catch (failure) {
    await stop()
    throw failure
  }
}
