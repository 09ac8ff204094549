// Which fields a write resets, whatever it says: nobody comes to own them by it. The table is that of Kubernetes' own strategies.
// Owns the rule and its exceptions; refuses to reset anything, which strategies do.
import type { FieldSet } from "./FieldSet.ts"
import { LEAF } from "./FieldSet.ts"

const STATUS: FieldSet = { "f:status": LEAF }
const SPEC: FieldSet = { "f:spec": LEAF }
const SPEC_AND_METADATA: FieldSet = { "f:metadata": LEAF, "f:spec": LEAF }

/** Kinds whose status is written without touching metadata. */
const METADATA_STAYS: ReadonlySet<string> = new Set([
  "validatingadmissionpolicies.admissionregistration.k8s.io",
  "podcertificaterequests.certificates.k8s.io",
  "flowschemas.flowcontrol.apiserver.k8s.io",
  "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io",
  "servicecidrs.networking.k8s.io",
  "devicetaintrules.resource.k8s.io",
  "resourceclaims.resource.k8s.io",
  "csinodes.storage.k8s.io",
  "volumeattachments.storage.k8s.io",
  "storageversionmigrations.storagemigration.k8s.io",
  "apiservices.apiregistration.k8s.io"
])

/** By resource and subresource, where the rule does not hold. */
const EXCEPTIONS: Readonly<Record<string, FieldSet>> = {
  "deployments.apps/status": { "f:spec": LEAF, "f:metadata": { "f:labels": LEAF } },
  "pods/status": { "f:spec": LEAF, "f:metadata": { "f:deletionTimestamp": LEAF, "f:ownerReferences": LEAF } },
  "certificatesigningrequests.certificates.k8s.io": { "f:spec": LEAF, "f:status": LEAF },
  "certificatesigningrequests.certificates.k8s.io/status": { "f:spec": LEAF, "f:status": { "f:conditions": LEAF } },
  "certificatesigningrequests.certificates.k8s.io/approval": { "f:spec": LEAF, "f:status": { "f:certificate": LEAF } },
  "namespaces/finalize": STATUS
}

/** What a write to a resource resets; undefined when nothing. `resource` like "deployments.apps", `custom` for custom resources. */
export const resetFieldsOf = (
  resource: string,
  subresource: string,
  facts: { readonly hasStatus: boolean; readonly custom: boolean }
): FieldSet | undefined => {
  const exception = EXCEPTIONS[subresource === "" ? resource : `${resource}/${subresource}`]
  if (exception !== undefined) return exception
  if (!facts.hasStatus) return undefined
  if (subresource === "") return STATUS
  if (subresource !== "status") return undefined
  return facts.custom || METADATA_STAYS.has(resource) ? SPEC_AND_METADATA : SPEC
}
