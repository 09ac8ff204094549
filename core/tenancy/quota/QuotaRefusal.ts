// Upstream's refusal of a creation that a namespace's share has no room for, and what it says was asked for.
// Owns reading that text, Kubernetes' own ("exceeded quota: NAME, requested: pods=1,requests.cpu=2, used: …, limited: …").
import type { WholeAnswer } from "../upstream/Upstream.ts"
import { type Amounts, amountsOf, SHARE_NAME } from "./QuotaShares.ts"

const decoder = new TextDecoder()
const BODY_MAX = 4096
const REFUSAL = new RegExp(`exceeded quota: ${SHARE_NAME.replaceAll(".", "\\.")}(?:, requested: ([^ ]*), used: )?`)

/** The amounts that a share had too little of; without any when upstream did not say them; undefined: refused for something else. */
export const beyondShare = ({ body, code }: WholeAnswer): Amounts | undefined => {
  if (code !== 403) return undefined
  const refusal = REFUSAL.exec(decoder.decode(body.subarray(0, BODY_MAX)))
  if (refusal === null) return undefined
  const [, requested = ""] = refusal
  return amountsOf(Object.fromEntries(requested.split(",").map((each) => each.split("=", 2))))
}
