// How a cluster's clients are served: certificate, authorities, host names.
// Owns what a host name may be and KubeGateway's leniency (half a pair counts as none); refuses clashes between clusters.
import { isIP } from "node:net"
import { type Fields, textsOf } from "#apiserver"
import { type Json, Names } from "#kube"
import type { SecureServing } from "../config/UpstreamCluster.ts"
import { checkedAuthorities, checkedPair } from "./Certificates.ts"
import { decodedBytes, type Findings } from "./Decoding.ts"
import { secretContent, secretRefOf } from "./SecretRefs.ts"

const FIELD = "spec.secureServing"

/** spec.secureServing, but its names. */
export const decodeServing = (serving: Fields, secret: Json, findings: Findings): SecureServing => {
  const { problems, unresolved, warnings } = findings
  const content = secretContent(secretRefOf(serving), secret, FIELD, unresolved)
  const inlineCert = decodedBytes(serving, "certData", FIELD, problems)
  const inlineKey = decodedBytes(serving, "keyData", FIELD, problems)
  const hasInlinePair = inlineCert !== undefined || inlineKey !== undefined
  const cert = hasInlinePair ? inlineCert : content.cert
  const key = hasInlinePair ? inlineKey : content.key
  if ((cert === undefined) !== (key === undefined))
    warnings.push(`${FIELD}: certData and keyData count only together; the gateway's own certificate is shown`)
  const fields = { cert: `${FIELD}.certData`, key: `${FIELD}.keyData` }
  const clientCa = decodedBytes(serving, "clientCAData", FIELD, problems) ?? content.ca
  return {
    keyPair: cert === undefined || key === undefined ? undefined : checkedPair(cert, key, fields, problems),
    clientCa: checkedAuthorities(clientCa, `${FIELD}.clientCAData`, problems),
    useGatewayClientCa: serving["useGatewayClientCA"] !== false
  }
}

const isHost = (host: string): boolean =>
  isIP(host) !== 0 || Names.dnsSubdomain(host.startsWith("*.") ? host.slice(2) : host).length === 0

/** The names under which a cluster is served, in lower case, its own first. */
export const decodeHosts = (name: string, serving: Fields, { warnings }: Findings): ReadonlyArray<string> => {
  const hosts = new Set([name.toLowerCase()])
  for (const [at, written] of textsOf(serving["serverNames"]).entries()) {
    const host = written.toLowerCase().replace(/\.$/, "")
    if (isHost(host)) hosts.add(host)
    else
      warnings.push(
        `${FIELD}.serverNames[${at}]: ${JSON.stringify(written)} is no host name, and no request can have it as its host`
      )
  }
  return [...hosts]
}
