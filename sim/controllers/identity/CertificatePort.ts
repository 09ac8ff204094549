// What the controllers of certificate signing requests ask of whoever can read and sign certificates.
// Owns the shapes and the rules of each signer, in upstream's words; refuses to touch a key, which an adapter does.
import type { Effect } from "effect"
import type { ApiFailure } from "#kube"

/** What a request (PKCS#10) says. */
export interface RequestFacts {
  readonly commonName: string
  readonly organizations: ReadonlyArray<string>
  readonly dnsNames: ReadonlyArray<string>
  readonly ipAddresses: ReadonlyArray<string>
  readonly emails: ReadonlyArray<string>
  readonly uris: ReadonlyArray<string>
}

export interface SigningOrder {
  /** PEM of the request. */
  readonly request: string
  readonly usages: ReadonlyArray<string>
  readonly notBeforeMs: number
  readonly notAfterMs: number
}

export interface CertificatePort {
  /** Fails when the text is no request. */
  readonly read: (request: string) => Effect.Effect<RequestFacts, ApiFailure>
  /** PEM of the signed certificate. */
  readonly sign: (order: SigningOrder) => Effect.Effect<string, ApiFailure>
  /** When the authority itself ends. */
  readonly endsMs: number
  /** When a certificate in PEM ends; undefined when it cannot be read. */
  readonly endOf: (certificate: string) => number | undefined
}

export const SIGNERS = {
  serving: "kubernetes.io/kubelet-serving",
  kubeletClient: "kubernetes.io/kube-apiserver-client-kubelet",
  client: "kubernetes.io/kube-apiserver-client",
  legacy: "kubernetes.io/legacy-unknown"
} as const

const SYSTEM_NODES = "system:nodes"
const NODE = "system:node:"

const sameUsages = (usages: ReadonlyArray<string>, wanted: ReadonlyArray<string>): boolean =>
  new Set(usages).size === wanted.length && wanted.every((one) => usages.includes(one))

const usageProblem = (usages: ReadonlyArray<string>, auth: string): string | undefined => {
  const without = ["digital signature", auth]
  if (sameUsages(usages, without) || sameUsages(usages, [...without, "key encipherment"])) return undefined
  return `usages did not match [${["digital signature", "key encipherment", auth].sort().join(" ")}]`
}

const isOfNodes = ({ organizations }: RequestFacts): boolean =>
  organizations.length === 1 && organizations[0] === SYSTEM_NODES

const NOT_NODES = "organization in CSR is not system:nodes"
const NOT_NODE = "subject common name does not begin with system:node: "

/** Why a request is none of a kubelet for its client certificate; undefined when it is one. */
export const kubeletClientProblem = (facts: RequestFacts, usages: ReadonlyArray<string>): string | undefined => {
  if (!isOfNodes(facts)) return NOT_NODES
  if (facts.dnsNames.length > 0) return "DNS subjectAltNames are not allowed"
  if (facts.emails.length > 0) return "Email subjectAltNames are not allowed"
  if (facts.ipAddresses.length > 0) return "IP subjectAltNames are not allowed"
  if (facts.uris.length > 0) return "URI subjectAltNames are not allowed"
  if (!facts.commonName.startsWith(NODE)) return NOT_NODE
  return usageProblem(usages, "client auth")
}

const servingProblem = (facts: RequestFacts, usages: ReadonlyArray<string>): string | undefined => {
  if (!isOfNodes(facts)) return NOT_NODES
  if (facts.dnsNames.length === 0 && facts.ipAddresses.length === 0) return "DNS or IP subjectAltName is required"
  if (facts.emails.length > 0) return "Email subjectAltNames are not allowed"
  if (facts.uris.length > 0) return "URI subjectAltNames are not allowed"
  const usage = usageProblem(usages, "server auth")
  if (usage !== undefined) return usage
  return facts.commonName.startsWith(NODE) ? undefined : NOT_NODE
}

const clientProblem = (usages: ReadonlyArray<string>): string | undefined => {
  const allowed = new Set(["digital signature", "key encipherment", "client auth"])
  const other = usages.find((usage) => !allowed.has(usage))
  if (other !== undefined) return `invalid usage for client certificate: ${other}`
  return usages.includes("client auth") ? undefined : "missing required usage for client certificate: client auth"
}

/** Why a signer refuses a request; undefined when it signs it. */
export const signerProblem = (
  signer: string,
  facts: RequestFacts,
  usages: ReadonlyArray<string>
): string | undefined => {
  switch (signer) {
    case SIGNERS.serving:
      return servingProblem(facts, usages)
    case SIGNERS.kubeletClient:
      return kubeletClientProblem(facts, usages)
    case SIGNERS.client:
      return clientProblem(usages)
    default:
      return undefined
  }
}
