// Who a cluster's clients may be, with the defaults of what is not said: KubeGateway's where it has them.
// Owns these defaults; refuses authentication itself.
import { type Fields, fieldsIn, fieldsOf, required, textsOf } from "#apiserver"
import type { Authentication, FrontProxy } from "../config/UpstreamCluster.ts"
import { checkedAuthorities } from "./Certificates.ts"
import { choiceOr, decodedBytes, type Findings, numberOr, secondsOr } from "./Decoding.ts"

const FIELD = "spec.authentication"

const headersOr = (value: unknown, byDefault: string): ReadonlyArray<string> => {
  const written = textsOf(value)
  return (written.length === 0 ? [byDefault] : written).map((name) => name.toLowerCase())
}

const frontProxyOf = (fields: Fields, { problems }: Findings): FrontProxy | undefined => {
  const path = `${FIELD}.frontProxy`
  const before = problems.length
  const ca = checkedAuthorities(decodedBytes(fields, "caData", path, problems), `${path}.caData`, problems)
  if (ca === undefined) {
    if (problems.length === before) problems.push(required(`${path}.caData`, "a proxy is known by its certificate"))
    return undefined
  }
  return {
    ca,
    allowedNames: textsOf(fields["allowedNames"]),
    usernameHeaders: headersOr(fields["usernameHeaders"], "X-Remote-User"),
    groupHeaders: headersOr(fields["groupHeaders"], "X-Remote-Group"),
    uidHeaders: headersOr(fields["uidHeaders"], "X-Remote-Uid"),
    extraHeaderPrefixes: headersOr(fields["extraHeaderPrefixes"], "X-Remote-Extra-")
  }
}

/** spec.authentication. */
export const decodeAuthentication = (fields: Fields, findings: Findings): Authentication => {
  const never = fieldsOf(fields["neverImpersonate"])
  const proxy = fieldsIn(fields["frontProxy"])
  const reviews = numberOr(fields["tokenReviewsPerSecond"], 50)
  return {
    anonymous: fields["anonymous"] !== false,
    tokens: choiceOr(fields["tokens"], "Review"),
    tokenSuccessTtlMs: secondsOr(fields["tokenSuccessTTLSeconds"], 600),
    tokenFailureTtlMs: secondsOr(fields["tokenFailureTTLSeconds"], 10),
    tokenReviewsPerSecond: reviews,
    tokenReviewsBurst: numberOr(fields["tokenReviewsBurst"], 2 * reviews),
    neverImpersonate: {
      users: textsOf(never["users"]),
      groups: textsOf(never["groups"]),
      exceptCertificates: never["exceptCertificates"] === true
    },
    frontProxy: proxy === undefined ? undefined : frontProxyOf(proxy, findings)
  }
}
