// The ways between a run's clients and a real API server that faults may cut: each such client reaches the server by a relay of its own,
// on which nothing moves while its way is cut, as when a network loses every packet.
// Owns which clients those are and their relays; refuses faults that need more than that (latency, loss), which the scenario's rules
// keep out.
import { openRelay, type Relay, type RelayFailed } from "#kind"
import type { KubeAccess } from "#kube"
import type { FaultPlan, FaultyNetwork } from "#sim"
import { Effect, type Scope } from "effect"

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

/** Opens a relay for each client that the plan cuts off. */
export const openWays = (plan: FaultPlan, access: KubeAccess): Effect.Effect<RelayedWays, RelayFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const server = new URL(access.cluster.server)
    const relays = new Map<string, Relay>()
    for (const name of cutClients(plan))
      relays.set(name, yield* openRelay({ host: server.hostname, port: Number(server.port || "443") }))
    const relayOf = (name: string): Relay | undefined => relays.get(name) ?? relays.get(EVERYONE)
    return {
      accessOf: (name) => {
        const relay = relayOf(name)
        if (relay === undefined) return access
        const url = new URL(server)
        url.hostname = relay.host
        url.port = `${relay.port}`
        return { ...access, cluster: { ...access.cluster, server: url.href } }
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
