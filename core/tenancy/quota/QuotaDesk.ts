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
import type { Wanting } from "./QuotaHold.ts"
import { shareQuota } from "./QuotaKeeping.ts"
import { declaredQuota } from "./QuotaShares.ts"
import { shareInForce } from "./SharesInForce.ts"

/** Requests of one tenant that wait for a division; more are refused as they were. */
const WAITING_MAX = 256

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

  /** Divides so that a namespace gets what it wants, if the whole has it; `done` is told whether, once that is in force. */
  want(tenant: Tenant, wanting: Wanting, done: (hasRoom: boolean) => void): void {
    const { namespace } = wanting
    if (declaredQuota(tenant.object) === undefined) return done(false)
    const line = this.waiting.get(tenant.id)
    const run = (): void => {
      const names = [...new Set([...this.namespaces.of(tenant.id), namespace])]
      this.runtime.run(shareQuota(this.client, tenant.id, names, wanting), (exit) => {
        const next = this.waiting.get(tenant.id)?.shift()
        if (next === undefined) this.waiting.delete(tenant.id)
        if (exit._tag === "Failure" || !exit.value.hasRoom) done(false)
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
