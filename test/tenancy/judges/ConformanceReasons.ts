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
  [
    /v1 ResourceClaim( |$)/,
    "Whose a device is, only schedulers say: kube-apiserver asks for resourceclaims/binding in all the cluster."
  ],
  [
    /ForbidConcurrent/,
    "A race with kwok, which ends a job's pod a second after its start: on a busy machine the job is over before it is listed."
  ],
  [/Node Lifecycle/, "Nodes are the platform's: a tenant only reads them."]
]
