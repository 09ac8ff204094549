// Which cluster has which host name, when several want one: whoever serves it now keeps it, else the oldest manifest gets it.
// Owns this decision, the same for the default cluster; refuses to know anything else of clusters. Host names are in lower case.

/** One cluster's wish, and what it falls back to when it may not have all of it. */
export interface Claim {
  readonly name: string
  /** Comparable: the older is the smaller. */
  readonly age: string
  /** Undefined when the newest manifest cannot be used at all. */
  readonly wanted: ReadonlyArray<string> | undefined
  /** What it serves now; undefined when it serves nothing. */
  readonly held: ReadonlyArray<string> | undefined
}

export interface Settled {
  readonly takes: "wanted" | "held" | "nothing"
  /** The host that it may not have, and who has it, where `wanted` was refused for that. */
  readonly clash: { readonly host: string; readonly owner: string } | undefined
}

type State = { readonly claim: Claim; settled: Settled }

const hostsOf = ({ claim, settled }: State): ReadonlyArray<string> =>
  (settled.takes === "wanted" ? claim.wanted : settled.takes === "held" ? claim.held : undefined) ?? []

const isBefore = (host: string, a: Claim, b: Claim): boolean => {
  const aHolds = a.held?.includes(host) === true
  const bHolds = b.held?.includes(host) === true
  if (aHolds !== bHolds) return aHolds
  return a.age === b.age ? a.name < b.name : a.age < b.age
}

/** Takes away what a state may not have; false when it keeps all. */
const stepDown = (state: State, host: string, owner: string): void => {
  const { claim, settled } = state
  const clash = settled.clash ?? { host, owner }
  state.settled = { takes: settled.takes === "wanted" && claim.held !== undefined ? "held" : "nothing", clash }
}

/** Settles all claims together. Ends, since each round takes something from somebody. */
export const settleClaims = (claims: ReadonlyArray<Claim>): ReadonlyMap<string, Settled> => {
  const states = claims.map((claim): State => {
    const takes = claim.wanted === undefined ? (claim.held === undefined ? "nothing" : "held") : "wanted"
    return { claim, settled: { takes, clash: undefined } }
  })
  for (let settling = true; settling;) {
    settling = false
    const owners = new Map<string, State>()
    for (const state of states) {
      for (const host of hostsOf(state)) {
        const owner = owners.get(host)
        if (owner === undefined) {
          owners.set(host, state)
          continue
        }
        const [winner, loser] = isBefore(host, owner.claim, state.claim) ? [owner, state] : [state, owner]
        owners.set(host, winner)
        stepDown(loser, host, winner.claim.name)
        settling = true
        break
      }
    }
  }
  return new Map(states.map(({ claim, settled }) => [claim.name, settled]))
}
