// An attempt in which extenders have a say: what the profile found goes through their filters, their scores are added to its own.
// Owns that conversation for one pod; refuses to assume or bind. While it goes on no other pod is attempted, so the snapshot stands still.
import type { KubeObject } from "#kube"
import type { Chosen, Decider } from "../decide/Decider.ts"
import { Diagnosis } from "../decide/Diagnosis.ts"
import { type Candidate, candidateOf } from "../decide/DryRuns.ts"
import { type Extender, ExtenderFailure, type ExtenderVictims } from "../extenders/Extender.ts"
import { filterRound, scoreRound, victimRound } from "../extenders/ExtenderRounds.ts"

export interface ExtendedAttempt {
  readonly decider: Decider
  readonly extenders: ReadonlyArray<Extender>
  readonly pod: KubeObject
  readonly random: () => number
}

/** One of the nodes with the highest total, each as likely. */
const bestOf = (totals: ReadonlyMap<number, number>, random: () => number): number => {
  const most = Math.max(...totals.values())
  const ties = Array.from(totals).flatMap(([node, total]) => (total === most ? [node] : []))
  return ties.length === 1 ? ties[0] : ties[Math.floor(random() * ties.length)]
}

/** Decides with extenders. */
export const extendedDecision = (
  { decider, extenders, pod, random }: ExtendedAttempt,
  done: (outcome: Chosen | Diagnosis | ExtenderFailure) => void
): void => {
  const shortlist = decider.shortlist(pod)
  if (shortlist instanceof Diagnosis) return done(shortlist)
  const { rows } = decider.cluster
  const objectOf = (node: number): ReadonlyArray<KubeObject> => {
    const { object } = rows[node]
    return object === undefined ? [] : [object]
  }
  const nodes = [...shortlist.totals.keys()].flatMap(objectOf)
  filterRound(extenders, pod, nodes, (round) => {
    if (round instanceof ExtenderFailure) return done(round)
    const left = round.nodes.flatMap((name) => decider.cluster.find(name) ?? [])
    if (left.length === 0) return done(decider.withObjections(shortlist.diagnosis, round.failed, "Extender"))
    const choose = (more: ReadonlyMap<string, number>): void => {
      const totals = new Map(
        left.map((node) => [node, (shortlist.totals.get(node) ?? 0) + (more.get(rows[node].name) ?? 0)])
      )
      const node = bestOf(totals, random)
      done({ node, name: rows[node].name, evaluated: decider.cluster.nodeCount, feasible: left.length })
    }
    // One node: whatever it scores, it is the one.
    if (left.length === 1) return choose(new Map())
    scoreRound(extenders, pod, left.flatMap(objectOf), choose)
  })
}

/** The candidates that extenders leave, with the victims that they want. */
export const extendedCandidates = (
  { extenders, pod }: Pick<ExtendedAttempt, "extenders" | "pod">,
  candidates: ReadonlyArray<Candidate>,
  done: (kept: ReadonlyArray<Candidate> | ExtenderFailure) => void
): void => {
  const victims = new Map<string, ExtenderVictims>(
    candidates.map(({ name, victims: placed, violations }) => [
      name,
      { pods: placed.map((one) => one.pod), violations }
    ])
  )
  victimRound(extenders, pod, victims, (answer) => {
    if (answer instanceof ExtenderFailure) return done(answer)
    done(
      candidates.flatMap((candidate) => {
        const kept = answer.get(candidate.name)
        if (kept === undefined) return []
        const wanted = new Set(kept.uids)
        const left = candidate.victims.filter(({ uid }) => wanted.has(uid))
        return [candidateOf(candidate, left, kept.violations)]
      })
    )
  })
}
