// The ways between a run's clients and a real API server that faults may cut: each such client reaches the server by a relay of its own,
// on which nothing moves while its way is cut, as when a network loses every packet.
// Owns which clients those are and their relays; refuses faults that need more than that (latency, loss), which the scenario's rules
// keep out.
import { openRelay, type Relay, type RelayFailed } from "#kind"
import type { KubeAccess } from "#kube"
import type { FaultPlan, FaultyNetwork } from "#sim"
import { Effect, type Scope } from "effect"
import { isIP } from "node:net"

const SERVER = "apiserver"

/** Clients that a fault cuts off from the server; "*" is everyone. */
const cutClients = (plan: FaultPlan): ReadonlySet<string> =>
  new Set(
    plan.flatMap((step) => {
      if (step.kind !== "partition" && step.kind !== "one-way") return []
      return [...step.side, ...step.other].filter((name) => name !== SERVER)
    })
  )

export interface RelayedWays {
  /** The access of a client: by its relay where its way may be cut. */
  readonly accessOf: (name: string) => KubeAccess
  readonly network: FaultyNetwork
  /** Names whose ways may be cut. */
  readonly names: ReadonlyArray<string>
}

const EVERYONE = "*"

/** The same access by a relay; the server keeps its name, for its certificate and for fronts that go by it. */
const relayed = (access: KubeAccess, { host, port }: Relay): KubeAccess => {
  const url = new URL(access.cluster.server)
  const named = isIP(url.hostname) === 0 ? { tlsServerName: access.cluster.tlsServerName ?? url.hostname } : {}
  url.hostname = host
  url.port = `${port}`
  return { ...access, cluster: { ...access.cluster, ...named, server: url.href } }
}

/** Opens a relay for each client that the plan cuts off; `reach` says how each would reach the server without. */
export const openWays = (
  plan: FaultPlan,
  reach: (name: string) => KubeAccess
): Effect.Effect<RelayedWays, RelayFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const relays = new Map<string, Relay>()
    for (const name of cutClients(plan)) {
      const server = new URL(reach(name).cluster.server)
      relays.set(name, yield* openRelay({ host: server.hostname, port: Number(server.port || "443") }))
    }
    const relayOf = (name: string): Relay | undefined => relays.get(name) ?? relays.get(EVERYONE)
    return {
      accessOf: (name) => {
        const relay = relayOf(name)
        return relay === undefined ? reach(name) : relayed(reach(name), relay)
      },
      network: {
        setBlocked: (from, to, blocked) => {
          const name = from.name === SERVER ? to.name : from.name
          relayOf(name)?.setStalled(blocked)
        },
        setProfile: () => undefined
      },
      names: [...relays.keys()]
    }
  })
