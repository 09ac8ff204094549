// What a pod's volumes say of nodes: the port behind which the volume plugins stand.
// Owns the interface only; volumes/ fills it from claims, volumes, classes and CSI objects.

export interface VolumeCheck {
  /** Why the pod's volumes cannot be on the node, or FITS. */
  readonly verdict: (node: number) => number
  /** 0 to 100: how well storage of the node's size class is used. */
  readonly score: (node: number) => number
}
