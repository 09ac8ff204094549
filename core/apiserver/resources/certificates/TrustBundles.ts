// Bundles of trusted certificates, and pods' own requests for certificates.
// Owns their columns and the bundles' rules; refuses to sign anything. Source: kubernetes pkg/apis/certificates/validation.
import type { KubeObject } from "#kube"
import type { Definition } from "../../Definition.ts"
import { column, labelsText, nameColumn } from "../Columns.ts"
import { define } from "../Define.ts"
import { type Fields, fieldsOf, itemsOf, mapOf, textOf } from "../Fields.ts"
import { checkImmutable, pathSegmentName } from "../Meta.ts"
import { invalidEach, type Problems } from "../Problems.ts"
import { bundleNameProblems, checkBundle } from "./BundleRules.ts"
import { checkSignerName } from "./PemRules.ts"

const GROUP = "certificates.k8s.io"

const specOf = ({ spec }: KubeObject): Fields => fieldsOf(spec)

const stateOf = ({ status }: KubeObject): string => {
  let state = "Pending"
  for (const { type } of itemsOf(fieldsOf(status)["conditions"])) {
    if (type === "Issued" || type === "Denied" || type === "Failed") state = type
  }
  return state
}

const checkTrustBundle = (object: KubeObject, problems: Problems): void => {
  const signerName = textOf(specOf(object)["signerName"])
  const { name = "", resourceVersion } = object.metadata
  if (resourceVersion === undefined) {
    if (name !== "") invalidEach("metadata.name", name, bundleNameProblems(name, signerName), problems)
    checkBundle(textOf(specOf(object)["trustBundle"]), "spec.trustBundle", problems)
  }
  if (signerName !== "") checkSignerName(signerName, "spec.signerName", problems)
}

/** The definition of trust bundles. */
export const clusterTrustBundles = (): Definition =>
  define(GROUP, "v1", "ClusterTrustBundle", {
    name: pathSegmentName,
    check: checkTrustBundle,
    checkUpdate: (object, old, problems) => {
      checkImmutable("spec.signerName", specOf(object)["signerName"], specOf(old)["signerName"], problems)
      // What was taken once is not read again.
      const pem = textOf(specOf(object)["trustBundle"])
      if (pem !== textOf(specOf(old)["trustBundle"])) checkBundle(pem, "spec.trustBundle", problems)
    },
    columns: [nameColumn, column("SignerName", (object) => textOf(specOf(object)["signerName"]) || "<none>")],
    selectableFields: { "spec.signerName": (object) => textOf(specOf(object)["signerName"]) }
  })

/** The definition of pods' requests. */
export const podCertificateRequests = (): Definition =>
  define(GROUP, "v1", "PodCertificateRequest", {
    status: { keepsMetadata: true },
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
