// What one turn of the gateway's configuration changes against the one before: every kind of change that a manifest can make, one
// after the other, so that a run of swaps meets them all.
// Owns these kinds. Kinds that take a server away need more than one, and are left out where there is only one.
import type { PemPair } from "../load/FrontEndpoint.ts"
import type { FrontCertificates } from "../upstream/FrontCertificates.ts"

/** The part of a manifest's spec that turns change. */
export interface SwappedSpec {
  readonly servers: ReadonlyArray<{ readonly endpoint: string }>
  readonly authentication: Readonly<Record<string, number>>
  readonly flowControl: { readonly flowControlSchemas: ReadonlyArray<unknown> }
  readonly dispatchPolicies: ReadonlyArray<unknown>
}

type Change = (spec: SwappedSpec, turn: number) => object

/** What a limit is for that nobody's requests come under. */
const spare = (turn: number) => ({ name: "spare", tokenBucket: { qps: 1 + (turn % 100), burst: 1 + (turn % 100) } })

const ofSeveral: ReadonlyArray<Change> = [
  ({ servers }, turn) => ({ servers: servers.filter((_, at) => at !== turn % servers.length) }),
  ({ servers }, turn) => ({
    servers: servers.map((server, at) => ({ ...server, disabled: at === turn % servers.length }))
  }),
  ({ dispatchPolicies, servers }, turn) => ({
    dispatchPolicies: dispatchPolicies.map((policy) => ({
      ...(policy as object),
      upstreamSubset: [servers[turn % servers.length]?.endpoint, servers[(turn + 1) % servers.length]?.endpoint]
    }))
  })
]

const changes: ReadonlyArray<Change> = [
  // The rule that is for nobody, which each turn changes.
  () => ({}),
  ({ servers }, turn) => ({ servers: servers.map((server, at) => ({ ...server, weight: 1 + ((turn + at) % 3) })) }),
  ({ authentication }, turn) => ({ authentication: { ...authentication, tokenSuccessTTLSeconds: 60 + (turn % 60) } }),
  (_, turn) => ({ retry: { attempts: 2 + (turn % 3) } }),
  (_, turn) => ({ timeouts: { responseHeaderSeconds: 30 + (turn % 30), drainSeconds: 5 } }),
  (_, turn) => ({ healthCheck: { intervalSeconds: 1 + (turn % 5) } }),
  (_, turn) => ({ balancing: { slowStartSeconds: turn % 3 } }),
  ({ dispatchPolicies }, turn) => ({
    dispatchPolicies: dispatchPolicies.map((policy) => ({
      ...(policy as object),
      strategy: turn % 2 === 0 ? "LeastInflight" : "PowerOfTwoChoices"
    }))
  }),
  ({ flowControl }, turn) => ({
    flowControl: { flowControlSchemas: [...flowControl.flowControlSchemas, spare(turn)] }
  })
]

/** Certificates are renewed every other turn, the front's own and the one that it shows its clients by turns. */
export const pairsOf = (
  { front, renewed, server }: Pick<FrontCertificates, "front" | "renewed" | "server">,
  turn: number
): { readonly front: PemPair; readonly server: PemPair } => ({
  front: turn % 4 >= 2 ? renewed.front : front,
  server: turn % 4 === 1 || turn % 4 === 2 ? renewed.server : server
})

/** How many kinds of change there are with so many servers, the two renewals among them. */
export const changesWith = (servers: number): number => changes.length + (servers > 1 ? ofSeveral.length : 0) + 2

/** The spec of a turn; the first is the spec itself. */
export const swapped = <Spec extends SwappedSpec>(spec: Spec, turn: number): Spec => {
  if (turn === 0) return spec
  const all = spec.servers.length > 1 ? [...changes, ...ofSeveral] : changes
  return { ...spec, ...all[turn % all.length]?.(spec, turn) }
}
