// When upstream enforces what a share says: its admission goes by the share's status, which its controller writes after a while.
// Owns the wait, without which a namespace made a moment ago is bounded by nothing; refuses to divide, which QuotaKeeping.ts does.
import { Effect } from "effect"
import { ApiFailure, type EffectClient, type KubeObject } from "#kube"
import { amountsOf, fieldOf, isSame, QUOTAS, SHARE_NAME } from "./QuotaShares.ts"

/** Milliseconds until the first look again, then twice as many each time: some six seconds in all. */
const LOOK_AGAIN_MS = 25
const LOOKS_MAX = 8
/** Milliseconds in which upstream's admission hears of a status that can be read already. */
const HEARD_MS = 50

const isInForce = (share: KubeObject): boolean =>
  isSame(amountsOf(fieldOf(share, "spec", "hard")), amountsOf(fieldOf(share, "status", "hard")))

/** Waits until a namespace's share is in force, and answers whether it is; a namespace without a share has none to wait for. */
export const shareInForce = Effect.fnUntraced(function* (client: EffectClient, namespace: string) {
  const find = client
    .get({ resource: QUOTAS, namespace, name: SHARE_NAME })
    .pipe(Effect.catch((failure: ApiFailure) => (failure.code === 404 ? Effect.undefined : Effect.fail(failure))))
  for (let looks = 0; looks < LOOKS_MAX; looks++) {
    const share = yield* find
    if (share === undefined || isInForce(share)) {
      if (looks > 0) yield* Effect.sleep(HEARD_MS)
      return true
    }
    yield* Effect.sleep(LOOK_AGAIN_MS * 2 ** looks)
  }
  return false
})
