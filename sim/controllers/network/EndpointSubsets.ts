// The subsets of an Endpoints object: addresses grouped by the ports that they share, in one order, and never more than a thousand.
// Owns grouping, order, truncation and comparison; refuses to read pods.
import { type Json, type JsonObject, sameJson } from "#kube"
import { fieldsOf, itemsOf, textOf } from "#apiserver"

/** One address at one port; without a port for services that have none. */
export interface EndpointPair {
  readonly address: JsonObject
  readonly port: JsonObject | undefined
  readonly ready: boolean
}

export interface Subset {
  readonly addresses?: ReadonlyArray<JsonObject>
  readonly notReadyAddresses?: ReadonlyArray<JsonObject>
  readonly ports?: ReadonlyArray<JsonObject>
}

export const CAPACITY = 1000

const keys = new WeakMap<JsonObject, string>()

const addressKey = (address: JsonObject): string => {
  const known = keys.get(address)
  if (known !== undefined) return known
  const key = `${textOf(address["ip"])} ${textOf(fieldsOf(address["targetRef"])["uid"])}`
  keys.set(address, key)
  return key
}

const portKey = (port: JsonObject | undefined): string => {
  if (port === undefined) return ""
  const known = keys.get(port)
  if (known !== undefined) return known
  const { appProtocol = null, name = "", port: number, protocol = "TCP" } = port
  const key = JSON.stringify([name, number, protocol, appProtocol])
  keys.set(port, key)
  return key
}

/** The pairs that subsets stand for. */
export const pairsOf = (subsets: Json | undefined): ReadonlyArray<EndpointPair> =>
  itemsOf(subsets).flatMap((subset) => {
    const ports: ReadonlyArray<JsonObject | undefined> = itemsOf(subset["ports"])
    const each = ports.length === 0 ? [undefined] : ports
    const of = (addresses: Json | undefined, ready: boolean): ReadonlyArray<EndpointPair> =>
      itemsOf(addresses).flatMap((address) => each.map((port) => ({ address, port, ready })))
    return [...of(subset["addresses"], true), ...of(subset["notReadyAddresses"], false)]
  })

/** Subsets in which every set of addresses with the same ports stands once. An address that is not ready at a port is not ready there. */
export const subsetsOf = (pairs: ReadonlyArray<EndpointPair>): ReadonlyArray<Subset> => {
  const addresses = new Map<string, JsonObject>()
  const ports = new Map<string, JsonObject | undefined>()
  const byPort = new Map<string, Map<string, boolean>>()
  for (const { address, port, ready } of pairs) {
    const [at, to] = [addressKey(address), portKey(port)]
    if (!addresses.has(at)) addresses.set(at, address)
    ports.set(to, port)
    const states = byPort.get(to) ?? new Map<string, boolean>()
    byPort.set(to, states.set(at, ready && states.get(at) !== false))
  }
  const groups = new Map<string, { readonly states: ReadonlyMap<string, boolean>; readonly ports: Array<JsonObject> }>()
  for (const [to, states] of [...byPort].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const key = [...states]
      .map(([at, ready]) => `${at} ${ready}`)
      .sort()
      .join()
    const group = groups.get(key) ?? { states, ports: [] }
    const port = ports.get(to)
    if (port !== undefined) group.ports.push(port)
    groups.set(key, group)
  }
  return [...groups.values()].map(({ ports, states }) => {
    const sorted = [...states].sort(([a], [b]) => (a < b ? -1 : 1))
    const pick = (ready: boolean): ReadonlyArray<JsonObject> =>
      sorted.flatMap(([at, state]) => (state === ready ? [addresses.get(at) ?? {}] : []))
    const [up, down] = [pick(true), pick(false)]
    return {
      ...(up.length === 0 ? {} : { addresses: up }),
      ...(down.length === 0 ? {} : { notReadyAddresses: down }),
      ...(ports.length === 0 ? {} : { ports })
    }
  })
}

const countOf = (subsets: ReadonlyArray<Subset>, field: "addresses" | "notReadyAddresses"): number =>
  subsets.reduce((sum, subset) => sum + (subset[field]?.length ?? 0), 0)

export const addressCount = (subsets: ReadonlyArray<Subset>): number =>
  countOf(subsets, "addresses") + countOf(subsets, "notReadyAddresses")

/** At most CAPACITY addresses, ready ones before others, from each subset its share; undefined when there are no more. */
export const truncated = (subsets: ReadonlyArray<Subset>): ReadonlyArray<Subset> | undefined => {
  const [ready, notReady] = [countOf(subsets, "addresses"), countOf(subsets, "notReadyAddresses")]
  if (ready + notReady <= CAPACITY) return undefined
  const isReadyCut = ready > CAPACITY
  const [room, total] = isReadyCut ? [CAPACITY, ready] : [CAPACITY - ready, notReady]
  let left = room
  const cut = (addresses: ReadonlyArray<JsonObject> = []): ReadonlyArray<JsonObject> => {
    const share = Math.min(Math.ceil((addresses.length / total) * room), left)
    const kept = addresses.slice(0, share)
    left -= kept.length
    return kept
  }
  return subsets.map(({ addresses, notReadyAddresses, ports }) => {
    const up = isReadyCut ? cut(addresses) : addresses
    const down = isReadyCut ? undefined : cut(notReadyAddresses)
    return {
      ...(up === undefined || up.length === 0 ? {} : { addresses: up }),
      ...(down === undefined || down.length === 0 ? {} : { notReadyAddresses: down }),
      ...(ports === undefined ? {} : { ports })
    }
  })
}

/** Whether what is held says the same as what is wanted, however it is grouped. */
export const sameSubsets = (held: Json | undefined, wanted: ReadonlyArray<Subset>): boolean => {
  const asked = wanted as unknown as Json
  if (sameJson(held ?? [], asked)) return true
  // What is wanted says nothing twice: who holds fewer pairs cannot say the same.
  const pairs = pairsOf(held)
  return pairs.length >= pairsOf(asked).length && sameJson(subsetsOf(pairs) as unknown as Json, asked)
}
