// Why a conformance spec does not pass as a tenant, by its name: what is the platform's by design, and what is a mistake that is known.
// Owns these reasons; what has none is a mistake that nobody has looked at.

const CLASSES =
  "Classes, drivers and volumes reach past a tenant's namespaces: a tenant reads what the platform publishes."
const WITHHELD = "The platform's kind; tenants are not served it."

export const tenantReasons: ReadonlyArray<readonly [name: RegExp, reason: string]> = [
  [/FlowSchema|PriorityLevelConfiguration/, WITHHELD],
  [/CSR API|PodCertificateRequest|ClusterTrustBundle/, WITHHELD],
  [/ServiceCIDR|IPAddress/, WITHHELD],
  [/CSINode|VolumeAttachment|CSIStorageCapacit|DeviceTaintRule|ResourceSlice|StorageVersionMigration/, WITHHELD],
  [
    /AggregatedDiscovery|Discovery should locate/,
    "It looks for apiregistration.k8s.io, and APIServices are the platform's."
  ],
  [/CSIDriver|PersistentVolumes CSI|StorageClasses|VolumeAttributesClass|DeviceClass/, CLASSES],
  [/Node Lifecycle/, "Nodes are the platform's: a tenant only reads them."],
  [/API chunking/, "The number of remaining items counts the whole cluster and is never passed on."],
  [
    /Endpoints and EndpointSlices pointing to API Server/,
    "**Open:** a tenant's default namespace has no Service and Endpoints named kubernetes (for this run the Service was made by hand)."
  ],
  [
    /lifecycle of a ResourceQuota/,
    "**A mistake of ours, open:** the policy kept.tenant.kubezoo.io cannot be evaluated where a collection is deleted."
  ],
  [
    /SubjectReview|406 for a backend/,
    "**A mistake of ours, open:** some access reviews are refused, with a tenant's label and managed fields in the message."
  ],
  [
    /detect duplicates in a CR/,
    "**A mistake of ours, open:** a field that a custom resource says twice is not refused."
  ],
  [
    /listing custom resource definition objects works/,
    "**A mistake of ours, open:** deleting a collection of definitions took longer than the spec waits."
  ]
]
