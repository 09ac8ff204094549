// Why a conformance spec does not pass as a tenant, by its name.
// Owns these reasons; what has none is a mistake of ours.

export const tenantReasons: ReadonlyArray<readonly [name: RegExp, reason: string]> = [
  [
    /FlowSchema|PriorityLevelConfiguration/,
    "Priority and fairness of the shared cluster is the platform's: tenants are not served these kinds."
  ],
  [
    /CertificateSigningRequest|PodCertificateRequest|ClusterTrustBundle/,
    "Signing certificates of the shared cluster is the platform's: tenants are not served these kinds."
  ],
  [
    /ServiceCIDR|IPAddress/,
    "Address ranges of the shared cluster are the platform's: tenants are not served these kinds."
  ],
  [
    /CSINode|VolumeAttachment|CSIStorageCapacit/,
    "Bookkeeping of drivers and nodes is the platform's: tenants are not served these kinds."
  ],
  [
    /StorageClass|VolumeAttributesClass|CSIDriver|PersistentVolume|PriorityClass|DeviceClass/,
    "Classes and volumes reach past a tenant's namespaces: a tenant reads what the platform publishes and makes none."
  ],
  [
    /\[sig-node\].*[Nn]ode|taint|NodeStatus|kubelet|Lease lease API should be available/,
    "Nodes are the platform's: a tenant only reads them."
  ],
  [
    /hostPath|host network|HostPort|privileged|sysctl/i,
    "What reaches past the pod on its node is refused to a tenant's pods."
  ]
]
