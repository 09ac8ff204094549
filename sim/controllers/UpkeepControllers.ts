// The controllers that keep a cluster: garbage, namespaces, quotas, nodes, endpoints, volumes and identities.
// Owns their list, by upstream's names and numbers of workers; refuses to know what they do. Those that need a key, an authority or
// ranges of addresses are made by whoever has these.
import { bootstrapSigner, bootstrapTokenCleaner } from "./identity/BootstrapTokens.ts"
import {
  requestApproving,
  requestCleaner,
  requestSigning,
  type SigningOptions
} from "./identity/CertificateRequests.ts"
import { clusterRoleAggregation } from "./identity/ClusterRoleAggregation.ts"
import { legacyTokenCleaner } from "./identity/LegacyTokens.ts"
import { rootCaPublisher } from "./identity/RootCaPublisher.ts"
import { serviceAccountController } from "./identity/ServiceAccounts.ts"
import { tokenSecrets, type TokenSecretsOptions } from "./identity/TokenSecrets.ts"
import type { NamedController } from "./Manager.ts"
import { endpointsController } from "./network/EndpointsController.ts"
import { endpointSliceController } from "./network/EndpointSliceController.ts"
import { sliceMirroring } from "./network/SliceMirroring.ts"
import { nodeIpam, type NodeIpamOptions } from "./nodes/NodeIpam.ts"
import { nodeLifecycle } from "./nodes/NodeLifecycle.ts"
import { nodeTtl } from "./nodes/NodeTtl.ts"
import { podGarbage } from "./nodes/PodGarbage.ts"
import { taintEviction } from "./nodes/TaintEviction.ts"
import { garbageCollector } from "./upkeep/GarbageCollector.ts"
import { namespaceController } from "./upkeep/NamespaceController.ts"
import { quotaController } from "./upkeep/QuotaController.ts"
import { ephemeralClaims } from "./volumes/EphemeralClaims.ts"
import { claimProtection, volumeProtection } from "./volumes/Protection.ts"
import { simulatedProvisioner, type SimulatedProvisionerOptions } from "./volumes/SimulatedProvisioner.ts"
import { volumeBinder } from "./volumes/VolumeBinder.ts"

/** All that need nothing beyond a manager. */
export const upkeepControllers: ReadonlyArray<NamedController> = [
  { name: "serviceaccount-controller", make: serviceAccountController },
  { name: "clusterrole-aggregation-controller", make: clusterRoleAggregation, syncs: 5 },
  { name: "namespace-controller", make: namespaceController, syncs: 10, syncsFlag: "concurrent-namespace-syncs" },
  { name: "garbage-collector-controller", make: garbageCollector, syncs: 20, syncsFlag: "concurrent-gc-syncs" },
  { name: "resourcequota-controller", make: quotaController, syncs: 5, syncsFlag: "concurrent-resource-quota-syncs" },
  { name: "node-lifecycle-controller", make: nodeLifecycle, syncs: 8 },
  { name: "taint-eviction-controller", make: taintEviction, syncs: 8 },
  { name: "pod-garbage-collector-controller", make: podGarbage },
  { name: "ttl-controller", make: nodeTtl, syncs: 5 },
  {
    name: "endpointslice-controller",
    make: endpointSliceController,
    syncs: 5,
    syncsFlag: "concurrent-service-endpoint-syncs"
  },
  {
    name: "endpointslice-mirroring-controller",
    make: sliceMirroring,
    syncs: 5,
    syncsFlag: "mirroring-concurrent-service-endpoint-syncs"
  },
  { name: "endpoints-controller", make: endpointsController, syncs: 5, syncsFlag: "concurrent-endpoint-syncs" },
  { name: "persistentvolume-binder-controller", make: volumeBinder },
  { name: "persistentvolumeclaim-protection-controller", make: claimProtection },
  { name: "persistentvolume-protection-controller", make: volumeProtection },
  {
    name: "ephemeral-volume-controller",
    make: ephemeralClaims,
    syncs: 5,
    syncsFlag: "concurrent-ephemeralvolume-syncs"
  },
  { name: "legacy-serviceaccount-token-cleaner-controller", make: legacyTokenCleaner },
  { name: "certificatesigningrequest-cleaner-controller", make: requestCleaner() },
  { name: "token-cleaner-controller", make: bootstrapTokenCleaner, offByDefault: true },
  { name: "bootstrap-signer-controller", make: bootstrapSigner, offByDefault: true }
]

/** What more a cluster's controllers can do when somebody gives them the means. */
export interface UpkeepMeans {
  /** PEM of the API server's authority. */
  readonly rootCa?: string
  readonly tokens?: TokenSecretsOptions
  readonly certificates?: SigningOptions
  readonly nodeRanges?: NodeIpamOptions
  /** For simulated clusters, which have no storage of their own. */
  readonly storage?: SimulatedProvisionerOptions
}

/** The controllers that these means allow, beside `upkeepControllers`. */
export const upkeepControllersWith = (means: UpkeepMeans): ReadonlyArray<NamedController> => {
  const { certificates, nodeRanges, rootCa, storage, tokens } = means
  return [
    ...(rootCa === undefined
      ? []
      : [{ name: "root-ca-certificate-publisher-controller", make: rootCaPublisher(rootCa) }]),
    ...(tokens === undefined
      ? []
      : [{ name: "serviceaccount-token-controller", make: tokenSecrets(tokens), syncs: 5 }]),
    ...(certificates === undefined
      ? []
      : [
          {
            name: "certificatesigningrequest-approving-controller",
            make: requestApproving(certificates.port),
            syncs: 5
          },
          { name: "certificatesigningrequest-signing-controller", make: requestSigning(certificates), syncs: 5 }
        ]),
    ...(nodeRanges === undefined ? [] : [{ name: "node-ipam-controller", make: nodeIpam(nodeRanges), syncs: 30 }]),
    ...(storage === undefined
      ? []
      : [{ name: "simulated-provisioner", make: simulatedProvisioner(storage), syncs: 10 }])
  ]
}
