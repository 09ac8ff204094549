// The shares of a tenant's quota in upstream's ResourceQuotas, which enforce them at each creation, whoever creates.
// Owns the ledger in the Tenant's status, by which servers that divide at the same time never promise the same part twice; refuses
// to count objects, which upstream does.
import { Clock, Effect } from "effect"
import { ApiFailure, type EffectClient, isJsonObject, type Json, type JsonObject, type KubeObject } from "#kube"
import { TENANTS } from "../lifecycle/Tenants.ts"
import { TENANT_LABEL } from "../rules/Sorts.ts"
import { INTERNAL_LABEL } from "../serve/UpstreamHead.ts"
import { type Hold, needsOf, type Wanting, withHold } from "./QuotaHold.ts"
import {
  type Amounts,
  amountsOf,
  declaredQuota,
  divide,
  fieldOf,
  grows,
  isSame,
  quotaObject,
  QUOTAS,
  type Share,
  SHARE_NAME,
  shareOf,
  sum,
  textOf,
  withinWhole,
  zero
} from "./QuotaShares.ts"

/** Divisions that are begun anew because somebody else divided meanwhile. */
const CONFLICTS_MAX = 5

const none: Amounts = new Map()

/** A namespace that goes away has no share, and one that changed is divided again at its next event. */
const lost = (failure: ApiFailure): Effect.Effect<undefined, ApiFailure> =>
  failure.code === 404 || failure.code === 409 || failure.code === 403
    ? Effect.succeed(undefined)
    : Effect.fail(failure)

const sharesOf = Effect.fnUntraced(function* (client: EffectClient, id: string) {
  const labelSelector = `${INTERNAL_LABEL}=true,${TENANT_LABEL}=${id}`
  const list = yield* client.list({ resource: QUOTAS, namespace: "" }, { labelSelector })
  return new Map(list.items.map((object) => [object.metadata.namespace ?? "", object]))
})

/** What the ledger holds for each namespace. */
const ledgerOf = (tenant: KubeObject): ReadonlyMap<string, Amounts> => {
  const quota = fieldOf(tenant, "status", "quota")
  const shares = isJsonObject(quota) ? quota["shares"] : undefined
  return new Map(
    Object.entries(isJsonObject(shares) ? shares : {}).map(([name, amounts]) => [name, amountsOf(amounts)] as const)
  )
}

/** Writes a share under the version that was read: whoever used something meanwhile makes it fail. */
const write = Effect.fnUntraced(function* (
  client: EffectClient,
  tenant: string,
  share: Share,
  hard: Amounts,
  hold?: Hold
) {
  const { namespace, object, written } = share
  if (object === undefined) {
    const fresh = withHold(quotaObject(tenant, namespace, hard), hold)
    yield* client.create({ resource: QUOTAS, namespace }, fresh).pipe(Effect.catch(lost))
    return
  }
  if (isSame(written, hard)) return
  const target = { resource: QUOTAS, namespace, name: SHARE_NAME }
  yield* client.update(target, withHold({ ...object, spec: { hard: textOf(hard) } }, hold)).pipe(Effect.catch(lost))
})

const removeAll = Effect.fnUntraced(function* (client: EffectClient, id: string) {
  for (const namespace of (yield* sharesOf(client, id)).keys()) {
    yield* client.delete({ resource: QUOTAS, namespace, name: SHARE_NAME }).pipe(Effect.catch(lost))
  }
})

interface Plan {
  readonly growing: ReadonlyArray<readonly [Share, Amounts]>
  readonly ledger: ReadonlyMap<string, Amounts>
}

const planOf = (hard: Amounts, shares: ReadonlyArray<Share>, targets: ReadonlyMap<string, Amounts>): Plan => {
  const ledger = new Map(shares.map((share) => [share.namespace, share.bound]))
  const growing: Array<readonly [Share, Amounts]> = []
  for (const share of shares) {
    const target = targets.get(share.namespace) ?? none
    if (share.object !== undefined && !grows(share.bound, target) && isSame(share.written, target)) continue
    const others = [...ledger].flatMap(([name, bound]) => (name === share.namespace ? [] : [bound]))
    const amounts = withinWhole(hard, target, others)
    if (share.object !== undefined && !grows(share.written, amounts)) continue
    growing.push([share, amounts])
    ledger.set(share.namespace, shareOf(share.namespace, share.object, amounts).bound)
  }
  return { growing, ledger }
}

/** One division; undefined when somebody else divided at the same time. */
const attempt = Effect.fnUntraced(function* (
  client: EffectClient,
  id: string,
  namespaces: ReadonlyArray<string>,
  wanting: Wanting | undefined
) {
  const target = { resource: TENANTS, namespace: "", name: id }
  const tenant = yield* client.get(target)
  const hard = declaredQuota(tenant)
  if (hard === undefined) {
    yield* removeAll(client, id)
    return { quota: undefined, hasRoom: true }
  }
  const ledger = ledgerOf(tenant)
  const read = Effect.map(sharesOf(client, id), (known) =>
    [...new Set([...namespaces, ...known.keys()])]
      .sort()
      .map((name) => shareOf(name, known.get(name), ledger.get(name) ?? none))
  )
  const before = yield* read
  const { hasRoom, hold, needs } = needsOf(hard, before, wanting, yield* Clock.currentTimeMillis)
  const targets = divide(hard, needs, wanting?.namespace)
  // Smaller first: what is given back can be given out, as soon as upstream has taken it in.
  for (const share of before) {
    const wanted = targets.get(share.namespace) ?? none
    if (share.object !== undefined && !grows(share.written, wanted)) yield* write(client, id, share, wanted)
  }
  const unreserved = yield* Effect.map(sharesOf(client, id), (known) =>
    before.map(({ namespace }) => {
      const object = known.get(namespace)
      // The reservation of a share that is written has done its service.
      const reserved = object === undefined ? (ledger.get(namespace) ?? none) : none
      return shareOf(namespace, object, reserved)
    })
  )
  const plan = planOf(hard, unreserved, targets)
  const used = new Map([...hard.keys()].map((name) => [name, sum(before.map((share) => share.used.get(name) ?? zero))]))
  const shares: JsonObject = Object.fromEntries([...plan.ledger].map(([name, amounts]) => [name, textOf(amounts)]))
  const quota: JsonObject = { hard: textOf(hard), used: textOf(used), shares }
  const status: Json = { ...(isJsonObject(tenant.status) ? tenant.status : {}), quota }
  const reserved = yield* client.update({ ...target, subresource: "status" }, { ...tenant, status }).pipe(
    Effect.as(true),
    Effect.catch((failure) => (failure.code === 409 ? Effect.succeed(false) : Effect.fail(failure)))
  )
  if (!reserved) return undefined
  for (const [share, amounts] of plan.growing)
    yield* write(client, id, share, amounts, share.namespace === wanting?.namespace ? hold : undefined)
  return { quota, hasRoom }
})

/**
 * Divides a tenant's quota among its namespaces; `wanting` gets what it asks for, if the whole has it, and what cannot be divided.
 * Answers what the status now says, and whether the whole has what was asked for.
 */
export const shareQuota = Effect.fnUntraced(function* (
  client: EffectClient,
  id: string,
  namespaces: ReadonlyArray<string>,
  wanting?: Wanting
) {
  for (let tries = 0; tries < CONFLICTS_MAX; tries++) {
    const divided = yield* attempt(client, id, namespaces, wanting)
    if (divided !== undefined) return divided
  }
  return { quota: undefined, hasRoom: true }
})
