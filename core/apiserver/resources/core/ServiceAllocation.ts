// Which cluster IPs and node ports are taken: by the services of the view, and by those that are being made right now.
// Owns the picking; refuses to change services. What a create took that failed later is free again after PENDING_MS.
import type { Clockwork, KubeObject } from "#kube"
import type { Api } from "../../Api.ts"
import { type Address, addressText, type Cidr, contains, parseAddress, parseCidr } from "../Addresses.ts"
import type { ResourcesContext } from "../Context.ts"
import { fieldsOf, itemsOf, numberOf, textsOf } from "../Fields.ts"

/** How long something is kept for a service that the view does not show yet. */
const PENDING_MS = 30_000

/** Tries at random before the block is walked from its start. */
const TRIES = 32

/** Things that one service each may have: taken by those of the view, and kept for a while for those that are to come. */
class Pool<T extends string | number> {
  readonly #taken = new Map<T, number>()
  readonly #pending = new Map<T, number>()

  take(value: T): void {
    this.#pending.delete(value)
    this.#taken.set(value, (this.#taken.get(value) ?? 0) + 1)
  }

  release(value: T): void {
    const count = this.#taken.get(value) ?? 0
    if (count > 1) this.#taken.set(value, count - 1)
    else this.#taken.delete(value)
  }

  isFree(value: T, nowMs: number): boolean {
    if (this.#taken.has(value)) return false
    const since = this.#pending.get(value)
    return since === undefined || nowMs - since > PENDING_MS
  }

  keep(value: T, nowMs: number): void {
    this.#pending.set(value, nowMs)
  }

  forget(value: T): void {
    this.#pending.delete(value)
  }

  get size(): number {
    return this.#taken.size
  }
}

/** The ports that a service has on every node. */
const nodePortsOf = (service: KubeObject): ReadonlySet<number> => {
  const spec = fieldsOf(service.spec)
  const ports = itemsOf(spec["ports"]).map((port) => numberOf(port["nodePort"]))
  return new Set([...ports, numberOf(spec["healthCheckNodePort"])].filter((port) => port !== 0))
}

const addressesOf = (service: KubeObject): ReadonlyArray<string> =>
  textsOf(fieldsOf(service.spec)["clusterIPs"]).filter((ip) => ip !== "" && ip !== "None")

/** The allocator of one server; it begins to follow the services when it is first asked. */
export class ServiceAllocation {
  readonly cidrs: ReadonlyArray<Cidr>
  readonly #ports: ResourcesContext["nodePorts"]
  readonly #addresses = new Pool<string>()
  readonly #nodePorts = new Pool<number>()
  #clockwork: Clockwork | undefined

  constructor({ nodePorts, serviceCidrs }: ResourcesContext) {
    this.cidrs = serviceCidrs.flatMap((text) => parseCidr(text) ?? [])
    this.#ports = nodePorts
  }

  /** Follows the services of this server from now on. */
  follow(api: Api): void {
    if (this.#clockwork !== undefined) return
    this.#clockwork = api.clockwork
    const view = api.view("", "services")
    for (const service of view.list("")) this.#enter(service)
    view.onChange((before, after) => {
      // What stays is entered before it is left, so that it is never free in between.
      if (after !== undefined) this.#enter(after)
      if (before !== undefined) this.#leave(before)
    })
  }

  cidrOf(family: string): Cidr | undefined {
    return this.cidrs.find((cidr) => cidr.family === family)
  }

  /** A free address of a family, kept for the caller; undefined when there is none. */
  nextAddress(family: string, keep: boolean): string | undefined {
    const cidr = this.cidrOf(family)
    if (cidr === undefined) return undefined
    // The first address is the network's, the last is IPv4's broadcast.
    const usable = cidr.size > 2n ? cidr.size - 2n : 0n
    const span = usable > 65_536n ? 65_536n : usable
    for (let attempt = 0; attempt < TRIES && span > 0n; attempt++) {
      const offset = BigInt(Math.floor(this.#random() * Number(span)))
      const found = this.#offer({ family: cidr.family, value: cidr.base + 1n + offset }, keep)
      if (found !== undefined) return found
    }
    for (let offset = 0n; offset < span; offset++) {
      const found = this.#offer({ family: cidr.family, value: cidr.base + 1n + offset }, keep)
      if (found !== undefined) return found
    }
    return undefined
  }

  /** Takes an address that was asked for; the message says why it cannot be had. */
  takeAddress(ip: string, keep: boolean): string | undefined {
    const address = parseAddress(ip)
    const cidr = address === undefined ? undefined : this.cidrOf(address.family)
    if (address === undefined || cidr === undefined || !contains(cidr, address)) {
      const blocks = this.cidrs.map((one) => `${addressText({ family: one.family, value: one.base })}/${one.prefix}`)
      return `the provided network does not match the current range: valid IPs are in ${blocks.join(", ")}`
    }
    const last = cidr.base + cidr.size - 1n
    if (address.value === cidr.base || (cidr.family === "IPv4" && address.value === last)) {
      return "provided IP is not in the valid range"
    }
    return this.#offer(address, keep) === undefined ? "provided IP is already allocated" : undefined
  }

  /** A free port, kept for the caller; undefined when there is none. */
  nextPort(keep: boolean): number | undefined {
    const { first, last } = this.#ports
    const count = last - first + 1
    const start = Math.floor(this.#random() * count)
    for (let at = 0; at < count; at++) {
      const port = first + ((start + at) % count)
      if (this.#offerPort(port, keep)) return port
    }
    return undefined
  }

  /** Takes a port that was asked for; the message says why it cannot be had. */
  takePort(port: number, keep: boolean): string | undefined {
    const { first, last } = this.#ports
    if (port < first || port > last) {
      return `provided port is not in the valid range. The range of valid ports is ${first}-${last}`
    }
    return this.#offerPort(port, keep) ? undefined : "provided port is already allocated"
  }

  /** Gives back what was kept for a service that is not to be. */
  forget(service: Pick<KubeObject, "spec">): void {
    for (const ip of addressesOf(service as KubeObject)) this.#addresses.forget(ip)
    for (const port of nodePortsOf(service as KubeObject)) this.#nodePorts.forget(port)
  }

  #offer(address: Address, keep: boolean): string | undefined {
    const text = addressText(address)
    const nowMs = this.#now()
    if (!this.#addresses.isFree(text, nowMs)) return undefined
    if (keep) this.#addresses.keep(text, nowMs)
    return text
  }

  #offerPort(port: number, keep: boolean): boolean {
    const nowMs = this.#now()
    if (!this.#nodePorts.isFree(port, nowMs)) return false
    if (keep) this.#nodePorts.keep(port, nowMs)
    return true
  }

  #enter(service: KubeObject): void {
    for (const ip of addressesOf(service)) this.#addresses.take(ip)
    for (const port of nodePortsOf(service)) this.#nodePorts.take(port)
  }

  #leave(service: KubeObject): void {
    for (const ip of addressesOf(service)) this.#addresses.release(ip)
    for (const port of nodePortsOf(service)) this.#nodePorts.release(port)
  }

  #now(): number {
    return this.#clockwork?.monotonic() ?? 0
  }

  #random(): number {
    return this.#clockwork?.random() ?? 0
  }
}
