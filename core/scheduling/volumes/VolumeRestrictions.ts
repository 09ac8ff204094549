// Disks that two pods on one node cannot share: GCE, EBS, iSCSI and RBD volumes named in pods themselves.
// Owns the rules of sharing (upstream's isVolumeConflict); claims that one pod alone may use are counted elsewhere.
import type { VolumeFields } from "../pod/PodFields.ts"

export const isDisk = ({ awsElasticBlockStore, gcePersistentDisk, iscsi, rbd }: VolumeFields): boolean =>
  (gcePersistentDisk ?? awsElasticBlockStore ?? rbd ?? iscsi) !== undefined

const bothReadOnly = (a: { readonly readOnly?: boolean }, b: { readonly readOnly?: boolean }): boolean =>
  a.readOnly === true && b.readOnly === true

const conflicts = (a: VolumeFields, b: VolumeFields): boolean => {
  if (a.gcePersistentDisk !== undefined && b.gcePersistentDisk !== undefined) {
    const same = a.gcePersistentDisk.pdName === b.gcePersistentDisk.pdName
    if (same && !bothReadOnly(a.gcePersistentDisk, b.gcePersistentDisk)) return true
  }
  if (a.awsElasticBlockStore !== undefined && b.awsElasticBlockStore !== undefined)
    if (a.awsElasticBlockStore.volumeID === b.awsElasticBlockStore.volumeID) return true
  if (a.iscsi !== undefined && b.iscsi !== undefined)
    if (a.iscsi.iqn === b.iscsi.iqn && !bothReadOnly(a.iscsi, b.iscsi)) return true
  if (a.rbd === undefined || b.rbd === undefined) return false
  const other = b.rbd
  const shared = (a.rbd.monitors ?? []).some((monitor) => (other.monitors ?? []).includes(monitor))
  const same = (a.rbd.pool ?? "rbd") === (other.pool ?? "rbd") && a.rbd.image === other.image
  return shared && same && !bothReadOnly(a.rbd, other)
}

/** Whether pods with these volumes cannot be on one node. */
export const disksConflict = (wanted: ReadonlyArray<VolumeFields>, there: ReadonlyArray<VolumeFields>): boolean =>
  wanted.some((one) => isDisk(one) && there.some((other) => conflicts(one, other)))
