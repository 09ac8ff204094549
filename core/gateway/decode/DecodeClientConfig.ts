// How the gateway proves itself to a cluster's servers, from the manifest and the secret that it points to.
// Owns which of the two counts (what is written inline, field by field) and KubeGateway's rules; refuses to show any of it.
import { Redacted } from "effect"
import { type Fields, invalid, required, textOf } from "#apiserver"
import type { Json } from "#kube"
import type { ClientIdentity } from "../config/UpstreamCluster.ts"
import { checkedAuthorities, checkedPair } from "./Certificates.ts"
import { decodedBytes, type Findings, isNegative, numberOr } from "./Decoding.ts"
import { secretContent, secretRefOf } from "./SecretRefs.ts"

const FIELD = "spec.clientConfig"
const ONE_PROOF = "clientConfig must supply at least one user authentication when endpoint schema is HTTPS"

interface ClientInput {
  readonly config: Fields
  /** The data of the secret; null when there is none. */
  readonly secret: Json
  readonly cluster: string
  readonly secure: boolean
}

const checkLimits = (config: Fields, { problems }: Findings): void => {
  for (const name of ["qps", "burst", "qpsDivisor"]) isNegative(config, name, FIELD, problems)
  const qps = numberOr(config["qps"], 0)
  const burst = numberOr(config["burst"], 0)
  if (qps > 0 && burst < qps)
    problems.push(invalid(`${FIELD}.burst`, burst, "burst must be bigger than qps when qps is not equal to 0"))
}

interface Proofs {
  readonly token: string | undefined
  readonly cert: string | undefined
  readonly key: string | undefined
  readonly ca: string | undefined
}

/** What is there is enough for https; a secret that is not there yet may bring the rest. */
const checkSecure = (config: Fields, found: Proofs, waits: boolean, { problems, warnings }: Findings): void => {
  const { ca, cert, key, token } = found
  const insecure = config["insecure"] === true
  if (insecure && ca !== undefined) warnings.push(`${FIELD}.caData: counts for nothing while insecure is true`)
  if (waits) return
  if (!insecure && ca === undefined)
    problems.push(required(`${FIELD}.caData`, "clientConfig must supply caData when using secure mode"))
  if (token === undefined && cert === undefined && key === undefined) problems.push(required(FIELD, ONE_PROOF))
  else if (cert !== undefined && key === undefined) problems.push(required(`${FIELD}.keyData`, ONE_PROOF))
  else if (key !== undefined && cert === undefined) problems.push(required(`${FIELD}.certData`, ONE_PROOF))
}

/** spec.clientConfig. */
export const decodeClientConfig = (input: ClientInput, findings: Findings): ClientIdentity => {
  const { cluster, config, secret, secure } = input
  const { problems, unresolved } = findings
  const place = secretRefOf(config)
  const content = secretContent(place, secret, FIELD, unresolved)
  checkLimits(config, findings)
  const inline = {
    token: decodedBytes(config, "bearerToken", FIELD, problems),
    cert: decodedBytes(config, "certData", FIELD, problems),
    key: decodedBytes(config, "keyData", FIELD, problems),
    ca: decodedBytes(config, "caData", FIELD, problems)
  }
  // A certificate never goes with a key from elsewhere.
  const hasInlinePair = inline.cert !== undefined || inline.key !== undefined
  const found: Proofs = {
    token: inline.token ?? content.token,
    cert: hasInlinePair ? inline.cert : content.cert,
    key: hasInlinePair ? inline.key : content.key,
    ca: inline.ca ?? content.ca
  }
  if (secure) checkSecure(config, found, place !== undefined && secret === null, findings)
  const fields = { cert: `${FIELD}.certData`, key: `${FIELD}.keyData` }
  const pair =
    found.cert === undefined || found.key === undefined
      ? undefined
      : checkedPair(found.cert, found.key, fields, problems)
  const divisor = Math.max(1, numberOr(config["qpsDivisor"], 1))
  return {
    insecure: config["insecure"] === true,
    token: found.token === undefined ? undefined : Redacted.make(found.token.trim(), { label: "token" }),
    keyPair: pair,
    ca: checkedAuthorities(found.ca, `${FIELD}.caData`, problems),
    serverName: textOf(config["serverName"]) === "" ? cluster : textOf(config["serverName"]),
    ownCallsPerSecond: numberOr(config["qps"], 0) / divisor,
    ownCallsBurst: numberOr(config["burst"], 0)
  }
}
