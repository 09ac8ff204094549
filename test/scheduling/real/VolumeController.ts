// The volume controller's part in binding, in its place: claims that the scheduler has promised a volume get it, and those that it has told
// a node get one made.
import type { KubeObject } from "#kube"
import type { RealScheduler } from "./RealScheduler.ts"
import { volumeOf } from "./SceneVolumes.ts"

interface Volume {
  readonly claimRef?: { readonly uid?: string }
}

const SELECTED = "volume.kubernetes.io/selected-node"

/** Does what is to be done now. */
export const bindVolumes = async (real: RealScheduler): Promise<void> => {
  const [claims, volumes] = await Promise.all([real.list("PersistentVolumeClaim"), real.list("PersistentVolume")])
  for (const claim of claims) {
    // SAFETY: fields of the kind.
    const spec = claim.spec as { readonly volumeName?: string; readonly storageClassName: string }
    if (spec.volumeName !== undefined) continue
    const promised = volumes.find((one) => (one.spec as Volume).claimRef?.uid === claim.metadata.uid)
    const isTold = claim.metadata.annotations?.[SELECTED] !== undefined
    if (promised === undefined && !isTold) continue
    const volume = promised ?? (await real.create(made(claim, spec.storageClassName)))
    await real.merge(claim, {
      metadata: { annotations: { "pv.kubernetes.io/bind-completed": "yes" } },
      spec: { volumeName: volume.metadata.name ?? "" }
    })
  }
}

const made = (claim: KubeObject, className: string): KubeObject =>
  volumeOf({ name: `made-${claim.metadata.name}`, className, size: "10Gi", claim })
