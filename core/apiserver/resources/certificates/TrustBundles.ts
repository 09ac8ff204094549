// Bundles of trusted certificates, and pods' own requests for certificates.
// Owns their columns and the bundles' rules; refuses to sign anything. Source: kubernetes pkg/apis/certificates/validation.
import type { KubeObject } from "#kube"
import type { Definition } from "../../Definition.ts"
import { column, labelsText, nameColumn } from "../Columns.ts"
import { define } from "../Define.ts"
import { type Fields, fieldsOf, itemsOf, mapOf, textOf } from "../Fields.ts"

const GROUP = "certificates.k8s.io"

const specOf = ({ spec }: KubeObject): Fields => fieldsOf(spec)

const stateOf = ({ status }: KubeObject): string => {
  let state = "Pending"
  for (const { type } of itemsOf(fieldsOf(status)["conditions"])) {
    if (type === "Issued" || type === "Denied" || type === "Failed") state = type
  }
  return state
}

/** The definition of trust bundles. */
export const clusterTrustBundles = (): Definition =>
  define(GROUP, "v1", "ClusterTrustBundle", {
    columns: [nameColumn, column("SignerName", (object) => textOf(specOf(object)["signerName"]) || "<none>")],
    selectableFields: { "spec.signerName": (object) => textOf(specOf(object)["signerName"]) }
  })

/** The definition of pods' requests. */
export const podCertificateRequests = (): Definition =>
  define(GROUP, "v1", "PodCertificateRequest", {
    columns: [
      nameColumn,
      column("PodName", (object) => textOf(specOf(object)["podName"])),
      column("ServiceAccountName", (object) => textOf(specOf(object)["serviceAccountName"])),
      column("NodeName", (object) => textOf(specOf(object)["nodeName"])),
      column("SignerName", (object) => textOf(specOf(object)["signerName"])),
      column("State", stateOf),
      column("UnverifiedUserAnnotations", (object) => labelsText(mapOf(specOf(object)["unverifiedUserAnnotations"])))
    ]
  })
