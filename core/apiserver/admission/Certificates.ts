// Certificate signing requests: who may approve and sign for a signer, and that nobody is signed into system:masters.
// Owns these plugins; signing itself is a controller's.
import { sameJson } from "#kube"
import type { AdmissionPlugin, AdmissionRequest, Authorizer } from "../Access.ts"
import type { UserInfo } from "../Request.ts"
import { fieldsOf, textOf } from "../resources/Fields.ts"
import { csrOrganizations } from "./CsrSubject.ts"
import { isAbout, validator } from "./Plugin.ts"

const GROUP = "certificates.k8s.io"
const CSRS = "certificatesigningrequests"

const signerOf = (object: AdmissionRequest["object"]): string => textOf(fieldsOf(object?.spec)["signerName"])

/** Whether a user may do something for a signer, or for all signers of its domain ("example.com/*"). */
const mayFor = (authorizer: Authorizer, user: UserInfo, verb: string, signer: string): boolean => {
  const ask = (name: string): boolean =>
    authorizer.authorize({
      resourceRequest: true,
      user,
      verb,
      group: GROUP,
      version: "*",
      resource: "signers",
      subresource: "",
      namespace: "",
      name
    }).allowed
  return ask(signer) || ask(`${signer.split("/", 1)[0]}/*`)
}

/** CertificateApproval. */
export const certificateApproval = (authorizer: Authorizer): AdmissionPlugin =>
  validator(
    "CertificateApproval",
    (admission) => admission.operation === "UPDATE" && isAbout(admission, GROUP, CSRS, "approval"),
    ({ oldObject, request }) => {
      // The old object's signer counts: a request cannot name itself another on the way.
      const signer = signerOf(oldObject)
      return mayFor(authorizer, request.user, "approve", signer)
        ? undefined
        : `user not permitted to approve requests with signerName ${JSON.stringify(signer)}`
    }
  )

/** CertificateSigning. */
export const certificateSigning = (authorizer: Authorizer): AdmissionPlugin =>
  validator(
    "CertificateSigning",
    (admission) => admission.operation === "UPDATE" && isAbout(admission, GROUP, CSRS, "status"),
    ({ object, oldObject, request }) => {
      const [status, old] = [fieldsOf(object?.status), fieldsOf(oldObject?.status)]
      const same = (field: string): boolean => sameJson(status[field], old[field])
      if (same("certificate") && same("conditions")) return undefined
      const signer = signerOf(oldObject)
      return mayFor(authorizer, request.user, "sign", signer)
        ? undefined
        : `user not permitted to sign requests with signerName ${JSON.stringify(signer)}`
    }
  )

const CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client"

/** CertificateSubjectRestriction. */
export const certificateSubjectRestriction: AdmissionPlugin = validator(
  "CertificateSubjectRestriction",
  (admission) => admission.operation === "CREATE" && isAbout(admission, GROUP, CSRS),
  ({ object }) => {
    if (signerOf(object) !== CLIENT_SIGNER) return undefined
    const organizations = csrOrganizations(
      Buffer.from(textOf(fieldsOf(object?.spec)["request"]), "base64").toString("latin1")
    )
    if (organizations === undefined) return "failed to parse CSR: PEM block type must be CERTIFICATE REQUEST"
    return organizations.includes("system:masters")
      ? `use of ${CLIENT_SIGNER} signer with system:masters group is not allowed`
      : undefined
  }
)
