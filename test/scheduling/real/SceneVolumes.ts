// Claims and volumes of a random cluster: bound ones, ones that wait for their pod, lost ones, and disks that two pods cannot share.
// Owns their objects; refuses to bind, which RealScheduler.ts's callers do in the volume controller's place.
import * as fc from "fast-check"
import type { JsonObject, KubeObject } from "#kube"

const ZONE = "topology.kubernetes.io/zone"

const place = fc.constantFrom<ReadonlyArray<string> | null>(null, [ZONE, "a"], [ZONE, "b", "c"], ["disk", "ssd"])

export const claimParts = fc.record({
  kind: fc.constantFrom("bound", "bound", "bound", "local", "local", "csi", "csi", "now", "lost", "missing"),
  mode: fc.constantFrom("ReadWriteOnce", "ReadWriteOnce", "ReadWriteOncePod"),
  place,
  zone: fc.constantFrom(null, null, "a", "a__b"),
  size: fc.constantFrom("1Gi", "5Gi")
})
export type ClaimParts = typeof claimParts extends fc.Arbitrary<infer A> ? A : never

export const volumeParts = fc.record({ place, size: fc.constantFrom("1Gi", "5Gi", "10Gi") })
export type VolumeParts = typeof volumeParts extends fc.Arbitrary<infer A> ? A : never

const affinityOf = (where: ReadonlyArray<string> | null): JsonObject => {
  if (where === null) return {}
  const [key, ...values] = where
  return {
    nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [{ key, operator: "In", values }] }] } }
  }
}

interface VolumeFields {
  readonly name: string
  readonly className: string
  readonly mode?: string
  readonly size: string
  readonly place?: ReadonlyArray<string> | null
  readonly labels?: Readonly<Record<string, string>>
  readonly claim?: KubeObject
}

/** A volume of the driver, free or promised to a claim. */
export const volumeOf = (fields: VolumeFields): KubeObject => {
  const { claim, className, labels, mode = "ReadWriteOnce", name, size } = fields
  return {
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: { name, ...(labels && { labels }) },
    spec: {
      capacity: { storage: size },
      accessModes: [mode],
      storageClassName: className,
      persistentVolumeReclaimPolicy: "Retain",
      csi: { driver: "csi.example.com", volumeHandle: name },
      ...affinityOf(fields.place ?? null),
      ...(claim === undefined
        ? {}
        : {
            claimRef: {
              kind: "PersistentVolumeClaim",
              namespace: "default",
              name: claim.metadata.name ?? "",
              uid: claim.metadata.uid ?? ""
            }
          })
    }
  }
}

const classes: Readonly<Record<string, string>> = { bound: "local", lost: "local" }

export const claimOf = (name: string, { kind, mode, size }: ClaimParts): KubeObject => ({
  apiVersion: "v1",
  kind: "PersistentVolumeClaim",
  metadata: {
    name,
    namespace: "default",
    ...(kind === "bound" || kind === "lost" ? { annotations: { "pv.kubernetes.io/bind-completed": "yes" } } : {})
  },
  spec: {
    accessModes: [kind === "local" ? "ReadWriteOnce" : mode],
    storageClassName: classes[kind] ?? kind,
    resources: { requests: { storage: size } },
    ...(kind === "bound" || kind === "lost" ? { volumeName: `pv-${name}` } : {})
  }
})

/** The volume that a bound claim is bound to. */
export const volumeOfClaim = (claim: KubeObject, { mode, place: where, size, zone }: ClaimParts): KubeObject =>
  volumeOf({
    name: `pv-${claim.metadata.name}`,
    className: "local",
    mode,
    size,
    place: where,
    claim,
    ...(zone === null ? {} : { labels: { [ZONE]: zone } })
  })

/** What a node's driver takes. */
export const driversOf = (node: KubeObject, count: number): KubeObject => ({
  apiVersion: "storage.k8s.io/v1",
  kind: "CSINode",
  metadata: { name: node.metadata.name ?? "" },
  spec: { drivers: [{ name: "csi.example.com", nodeID: node.metadata.name ?? "", allocatable: { count } }] }
})

/** A pod's volume: a claim, or a disk of which there is one. */
export const claimVolume = (claimName: string): JsonObject => ({
  name: "claimed",
  persistentVolumeClaim: { claimName }
})

const disks: Readonly<Record<string, JsonObject>> = {
  gce: { gcePersistentDisk: { pdName: "one" } },
  iscsi: { iscsi: { targetPortal: "10.0.0.1:3260", iqn: "iqn.2001-04.com.example:one", lun: 0 } },
  rbd: { rbd: { monitors: ["10.0.0.1"], image: "one", pool: "p" } }
}

export const diskVolume = (kind: string): JsonObject => ({ name: "disk", ...disks[kind] })
