// How limiter servers come to lead shards: by one Lease a shard, or, where there is one server only, at once.
// Owns names, times and epochs; refuses to know what a leader does. The holder's identity begins with the address that gateways dial, as
// with the original, and ends in a random part, so that a server that starts again is another holder and the lease counts a transition.
import { type Client, type Clockwork, electLeader, randomSuffix } from "#kube"
import type { Election } from "./LimiterServer.ts"

export interface LeaseElectionOptions {
  readonly clockwork: Clockwork
  readonly client: Client
  /** HOST:PORT that gateways dial. */
  readonly address: string
  /** Of the Leases. Default kube-gateway. */
  readonly namespace?: string
  /** Default 3 s, of which the last renewal may be 2 s old; looked at every 0.5 s. */
  readonly leaseDurationMs?: number
  readonly renewDeadlineMs?: number
  readonly retryPeriodMs?: number
}

/** Terms of one holder between two transitions; far more than there can be. */
const TERMS_MAX = 1_000_000

/** Of "10.0.0.1:18443_x7k2p" the address. */
export const addressOfIdentity = (identity: string): string => {
  const at = identity.lastIndexOf("_")
  return at < 0 ? identity : identity.slice(0, at)
}

/** Stands for each shard by its Lease, `kube-gateway-ratelimiter-<shard>`. */
export const leaseElection = (options: LeaseElectionOptions): Election => {
  const { address, client, clockwork } = options
  const identity = `${address}_${randomSuffix(clockwork.random, 8)}`
  let terms = 0
  return {
    stand: (shard, lead) =>
      electLeader({
        clockwork,
        client,
        namespace: options.namespace ?? "kube-gateway",
        name: `kube-gateway-ratelimiter-${shard}`,
        identity,
        leaseDurationMs: options.leaseDurationMs ?? 3000,
        renewDeadlineMs: options.renewDeadlineMs ?? 2000,
        retryPeriodMs: options.retryPeriodMs ?? 500,
        started: (transitions) => {
          terms++
          lead.started(transitions * TERMS_MAX + terms, transitions > 0 || terms > 1)
        },
        stopped: lead.stopped,
        leader: (holder) => lead.leader(addressOfIdentity(holder))
      })
  }
}

/** The only server leads every shard; its start is its epoch, and leases of the one before may still be out. */
export const singleElection = (clockwork: Clockwork, address: string): Election => ({
  stand: (_shard, lead) => {
    lead.started(clockwork.now(), true)
    lead.leader(address)
    return lead.stopped
  }
})
