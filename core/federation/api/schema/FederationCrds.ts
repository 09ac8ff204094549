// The federation's whole API as CustomResourceDefinitions: what a foreign host must have, and what our own serves from the start.
// Owns the list; refuses the fields, which stand beside it.
import type { KubeObject } from "#kube"
import { federatedCluster, federatedTypeConfig } from "./ClusterSchemas.ts"
import { objectKinds } from "./ObjectSchemas.ts"
import { policyKinds } from "./PolicySchemas.ts"
import { profileKinds } from "./ProfileSchemas.ts"
import { serviceKinds } from "./ServiceSchemas.ts"

/** Group core.kubeadmiral.io/v1alpha1 with KubeAdmiral's field names, and ours; multicluster.x-k8s.io/v1alpha1 beside it. */
export const federationCrds: ReadonlyArray<KubeObject> = [
  federatedCluster,
  federatedTypeConfig,
  ...policyKinds,
  ...objectKinds,
  ...profileKinds,
  ...serviceKinds
]
