// Where requests ask for a part of their tenant's quota: a new namespace for its share, and a creation that was refused though the
// tenant has something left elsewhere.
// Owns that one division at a time runs for a tenant; refuses to divide by itself, which QuotaKeeping.ts does.
import {
  type Client,
  type Clockwork,
  type ClockworkRuntime,
  effectClient,
  type EffectClient,
  makeClockworkRuntime
} from "#kube"
import type { TenantNamespaces } from "../lifecycle/TenantNamespaces.ts"
import type { Tenant } from "../lifecycle/Tenants.ts"
import type { WholeAnswer } from "../upstream/Upstream.ts"
import { shareQuota } from "./QuotaKeeping.ts"
import { declaredQuota, SHARE_NAME } from "./QuotaShares.ts"
import { shareInForce } from "./SharesInForce.ts"

/** Requests of one tenant that wait for a division; more are refused as they were. */
const WAITING_MAX = 256

const decoder = new TextDecoder()

/** Whether upstream refused a creation because of the namespace's share. */
export const exceedsShare = ({ body, code }: WholeAnswer): boolean =>
  code === 403 && decoder.decode(body.subarray(0, 4096)).includes(`exceeded quota: ${SHARE_NAME}`)

export class QuotaDesk {
  private readonly client: EffectClient
  private readonly runtime: ClockworkRuntime
  private readonly namespaces: TenantNamespaces
  private readonly waiting = new Map<string, Array<() => void>>()

  constructor(client: Client, clockwork: Clockwork, namespaces: TenantNamespaces) {
    this.client = effectClient(client)
    this.runtime = makeClockworkRuntime(clockwork)
    this.namespaces = namespaces
  }

  /** Divides so that a namespace gets what can be spared; `done` is told, once that is in force, whether it may have got something. */
  want(tenant: Tenant, namespace: string, done: (divided: boolean) => void): void {
    if (declaredQuota(tenant.object) === undefined) return done(false)
    const line = this.waiting.get(tenant.id)
    const run = (): void => {
      const names = [...new Set([...this.namespaces.of(tenant.id), namespace])]
      this.runtime.run(shareQuota(this.client, tenant.id, names, namespace), (exit) => {
        const next = this.waiting.get(tenant.id)?.shift()
        if (next === undefined) this.waiting.delete(tenant.id)
        if (exit._tag === "Failure") done(false)
        // Also when it is not in force in time: what was asked for is done, or refused once more.
        else this.runtime.run(shareInForce(this.client, namespace), () => done(true))
        next?.()
      })
    }
    if (line === undefined) {
      this.waiting.set(tenant.id, [])
      run()
    } else if (line.length < WAITING_MAX) line.push(run)
    else done(false)
  }
}
