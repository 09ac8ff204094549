// ResourceQuotas are never exceeded: what a request will use is written into the quota's status before the object is stored.
// Owns the charge, made by compare-and-swap for all requests of a namespace that wait together; the quota controller gives back
// what was charged for objects that were never stored or are gone.
import { ApiFailure, Failures, gvr, type KubeObject, type Quantity } from "#kube"
import type { AdmissionPlugin, AdmissionRequest } from "../Access.ts"
import type { Api, ResourceView } from "../Api.ts"
import { askAsServer } from "../Loopback.ts"
import { fieldsOf } from "../resources/Fields.ts"
import { refusal } from "./Plugin.ts"
import { type Amounts, amountsJson, amountsOf, sumOf } from "./PodAmounts.ts"
import { isCountedBy, isInScopes, missingAmounts, quotaUsage } from "./QuotaUsage.ts"

const QUOTAS = gvr("", "v1", "resourcequotas")
/** How often a charge that somebody overtook is made again. */
const ATTEMPTS = 8
const UNCOUNTED: ReadonlySet<string> = new Set(["events", "events.events.k8s.io", "bindings"])

type Settle = (failure: ApiFailure | undefined) => void

interface Waiter {
  readonly admission: AdmissionRequest
  readonly object: KubeObject
  readonly done: Settle
}

/** A quota with what is charged to it in this round. */
interface Charge {
  readonly quota: KubeObject
  readonly hard: Amounts
  used: Amounts
  changed: boolean
}

const shown = (amounts: Amounts, names: ReadonlyArray<string>): string =>
  names.map((name) => `${name}=${amounts.get(name)?.toString() ?? "0"}`).join(",")

/** What an update adds to the usage; nothing is given back before the controller sees it. */
const increase = (now: Amounts, before: Amounts): Amounts => {
  const more = new Map<string, Quantity>()
  for (const [name, amount] of now) {
    const held = before.get(name)
    const delta = held === undefined ? amount : amount.sub(held)
    if (delta.sign > 0) more.set(name, delta)
  }
  return more
}

class NamespaceCharges {
  private readonly api: Api
  private readonly quotas: ResourceView
  private readonly namespace: string
  private readonly idle: () => void
  private waiting: Array<Waiter> = []
  private running = false
  /** What this server wrote last, which the watch cache may not have heard of yet. */
  private readonly written = new Map<string, KubeObject>()

  constructor(api: Api, quotas: ResourceView, namespace: string, idle: () => void) {
    this.api = api
    this.quotas = quotas
    this.namespace = namespace
    this.idle = idle
  }

  add(waiter: Waiter): void {
    this.waiting.push(waiter)
    if (this.running) return
    this.running = true
    this.api.clockwork.defer(() => this.next())
  }

  private next(): void {
    const batch = this.waiting
    this.waiting = []
    if (batch.length === 0) {
      this.running = false
      return this.idle()
    }
    this.round(batch, this.newest(), ATTEMPTS)
  }

  private newest(): ReadonlyArray<KubeObject> {
    return this.quotas.list(this.namespace).map((quota) => {
      const own = this.written.get(quota.metadata.name ?? "")
      return own !== undefined && own.metadata.uid === quota.metadata.uid && revisionOf(own) > revisionOf(quota)
        ? own
        : quota
    })
  }

  private round(batch: ReadonlyArray<Waiter>, quotas: ReadonlyArray<KubeObject>, attempts: number): void {
    const charges = quotas.map((quota): Charge => {
      const status = fieldsOf(quota.status)
      return { quota, hard: amountsOf(status["hard"]), used: amountsOf(status["used"]), changed: false }
    })
    const now = this.api.clockwork.now()
    const admitted = batch.filter((waiter) => {
      const why = charge(waiter, charges, now)
      if (why !== undefined) waiter.done(refusal(waiter.admission, why))
      return why === undefined
    })
    const changed = charges.filter((one) => one.changed)
    if (changed.length === 0 || admitted.length === 0) return this.settle(admitted, undefined)
    this.write(admitted, changed, attempts)
  }

  private write(admitted: ReadonlyArray<Waiter>, changed: ReadonlyArray<Charge>, attempts: number): void {
    const overtaken: Array<KubeObject> = []
    let left = changed.length
    let failure: ApiFailure | undefined
    const finish = (): void => {
      if (--left > 0) return
      if (failure !== undefined) return this.settle(admitted, failure)
      if (overtaken.length === 0) return this.settle(admitted, undefined)
      // Quotas that were written stay charged: the rest is checked and charged again, on what is there now.
      if (attempts > 1) this.round(admitted, overtaken, attempts - 1)
      else
        this.settle(
          admitted,
          Failures.conflict(
            { group: "", resource: "resourcequotas", name: overtaken[0]?.metadata.name ?? "" },
            "the quota changes too often to be charged"
          )
        )
    }
    for (const { quota, used } of changed) {
      const { name = "", namespace = "" } = quota.metadata
      const status = { ...fieldsOf(quota.status), used: amountsJson(used) }
      const target = { resource: QUOTAS, subresource: "status", namespace, name }
      askAsServer(this.api, { verb: "update", ...target, body: { ...quota, status } }, (answer) => {
        if (!(answer instanceof ApiFailure)) {
          this.written.set(name, answer)
          return finish()
        }
        if (answer.reason !== "Conflict") {
          // A quota that is gone limits nothing.
          if (answer.reason !== "NotFound") failure = answer
          return finish()
        }
        askAsServer(this.api, { verb: "get", resource: QUOTAS, namespace, name }, (fresh) => {
          if (!(fresh instanceof ApiFailure)) overtaken.push(fresh)
          else if (fresh.reason !== "NotFound") failure = fresh
          finish()
        })
      })
    }
  }

  private settle(waiters: ReadonlyArray<Waiter>, failure: ApiFailure | undefined): void {
    for (const { done } of waiters) done(failure)
    this.next()
  }
}

const revisionOf = ({ metadata: { resourceVersion = "0" } }: KubeObject): number => Number(resourceVersion)

/** Charges one request to every quota that it falls under, or says why not; nothing is charged then. */
const charge = ({ admission, object }: Waiter, charges: ReadonlyArray<Charge>, nowMs: number): string | undefined => {
  const { oldObject, operation, request } = admission
  const { group, resource } = request.resource
  const planned: Array<readonly [Charge, Amounts]> = []
  let usage: Amounts | undefined
  for (const one of charges) {
    const names = [...one.hard.keys()].filter((name) => isCountedBy(name, group, resource)).sort()
    if (names.length === 0 || !isInScopes(one.quota, group, resource, object)) continue
    const quotaName = one.quota.metadata.name ?? ""
    const missing = group === "" && resource === "pods" ? missingAmounts(object, names) : undefined
    if (missing !== undefined) return `failed quota: ${quotaName}: ${missing}`
    if (names.some((name) => !one.used.has(name)))
      return `status unknown for quota: ${quotaName}, resources: ${names.join()}`
    usage ??= quotaUsage(group, resource, object, nowMs)
    const before =
      operation === "UPDATE" && oldObject !== undefined && isInScopes(one.quota, group, resource, oldObject)
    const asked = increase(usage, before ? quotaUsage(group, resource, oldObject, nowMs) : new Map())
    const counted = new Map([...asked].filter(([name]) => one.hard.has(name)))
    if (counted.size === 0) continue
    const total = sumOf(one.used, counted)
    const exceeded = [...counted.keys()].filter((name) => {
      const [sum, limit] = [total.get(name), one.hard.get(name)]
      return sum !== undefined && limit !== undefined && sum.compare(limit) > 0
    })
    if (exceeded.length > 0) {
      exceeded.sort()
      return `exceeded quota: ${quotaName}, requested: ${shown(counted, exceeded)}, used: ${shown(one.used, exceeded)}, limited: ${shown(one.hard, exceeded)}`
    }
    planned.push([one, total])
  }
  if (request.options.dryRun === true) return undefined
  for (const [one, total] of planned) {
    one.used = total
    one.changed = true
  }
  return undefined
}

const isTerminatingPod = (object: KubeObject | undefined): boolean =>
  fieldsOf(object?.spec)["activeDeadlineSeconds"] !== undefined

const isCharged = ({ object, oldObject, operation, request }: AdmissionRequest): boolean => {
  if (request.namespace === "" || object === undefined) return false
  const { group, resource } = request.resource
  const isPod = group === "" && resource === "pods"
  if (request.subresource !== "") return isPod && request.subresource === "resize" && operation === "UPDATE"
  if (operation === "CREATE") return !UNCOUNTED.has(group === "" ? resource : `${resource}.${group}`)
  if (operation !== "UPDATE" || group !== "") return false
  if (isPod) return isTerminatingPod(object) !== isTerminatingPod(oldObject)
  return resource === "services" || resource === "persistentvolumeclaims"
}

/** ResourceQuota. */
export const resourceQuota = (api: Api): AdmissionPlugin => {
  const quotas = api.view("", "resourcequotas")
  /** Namespaces with requests under way. */
  const busy = new Map<string, NamespaceCharges>()
  return {
    name: "ResourceQuota",
    handles: isCharged,
    validate: (admission, done) => {
      const { object, request } = admission
      const { namespace } = request
      if (object === undefined || quotas.list(namespace).length === 0) return done(undefined)
      let charges = busy.get(namespace)
      if (charges === undefined) {
        charges = new NamespaceCharges(api, quotas, namespace, () => busy.delete(namespace))
        busy.set(namespace, charges)
      }
      charges.add({ admission, object, done })
    }
  }
}

/** A quota's status as the quota controller writes it: its own hard limits and what was counted. */
export const quotaStatus = (quota: KubeObject, used: Amounts): KubeObject => {
  const hard = fieldsOf(fieldsOf(quota.spec)["hard"])
  const counted = new Map([...used].filter(([name]) => hard[name] !== undefined))
  return { ...quota, status: { hard, used: amountsJson(counted) } }
}
