// Asking all extenders about one pod: filters one after another, scores all at once, victims one after another.
// Owns the order and what a failure means (an ignorable extender is passed over); refuses to know nodes beyond their objects.
import type { KubeObject } from "#kube"
import { type Extender, ExtenderFailure, type ExtenderVictims, type VictimIds } from "./Extender.ts"

export interface FilterRound {
  readonly nodes: ReadonlyArray<string>
  /** Why extenders turned nodes down, and whether evicting pods could help. */
  readonly failed: ReadonlyMap<string, { readonly reason: string; readonly resolvable: boolean }>
}

const SCORE_FACTOR = 10

/** Lets each extender in turn narrow down the nodes. */
export const filterRound = (
  extenders: ReadonlyArray<Extender>,
  pod: KubeObject,
  nodes: ReadonlyArray<KubeObject>,
  done: (round: FilterRound | ExtenderFailure) => void
): void => {
  const failed = new Map<string, { readonly reason: string; readonly resolvable: boolean }>()
  const asked = extenders.filter((extender) => extender.filters && extender.isInterested(pod))
  const next = (at: number, left: ReadonlyArray<KubeObject>): void => {
    const extender = asked[at]
    if (extender === undefined || left.length === 0)
      return done({ nodes: left.map(({ metadata }) => metadata.name ?? ""), failed })
    extender.filter(pod, left, (answer) => {
      if (answer instanceof ExtenderFailure) return extender.ignorable ? next(at + 1, left) : done(answer)
      for (const [node, reason] of answer.failed) failed.set(node, { reason, resolvable: true })
      for (const [node, reason] of answer.unresolvable) failed.set(node, { reason, resolvable: false })
      const kept = new Set(answer.nodes)
      next(
        at + 1,
        left.filter(({ metadata }) => kept.has(metadata.name ?? ""))
      )
    })
  }
  next(0, nodes)
}

/** The weighed sum of all extenders' scores by node; an extender that fails gives none. */
export const scoreRound = (
  extenders: ReadonlyArray<Extender>,
  pod: KubeObject,
  nodes: ReadonlyArray<KubeObject>,
  done: (scores: ReadonlyMap<string, number>) => void
): void => {
  const sums = new Map<string, number>()
  const asked = extenders.filter((extender) => extender.prioritizes && extender.isInterested(pod))
  let left = asked.length
  if (left === 0) return done(sums)
  for (const extender of asked)
    extender.prioritize(pod, nodes, (answer) => {
      if (!(answer instanceof ExtenderFailure))
        for (const [node, score] of answer)
          sums.set(node, (sums.get(node) ?? 0) + score * extender.weight * SCORE_FACTOR)
      if (--left === 0) done(sums)
    })
}

/** Lets each extender in turn drop nodes and change victims. */
export const victimRound = (
  extenders: ReadonlyArray<Extender>,
  pod: KubeObject,
  victims: ReadonlyMap<string, ExtenderVictims>,
  done: (kept: VictimIds | ExtenderFailure) => void
): void => {
  const idsOf = (all: ReadonlyMap<string, ExtenderVictims>): VictimIds =>
    new Map(
      Array.from(all, ([node, { pods, violations }]) => [
        node,
        { uids: pods.map(({ metadata }) => metadata.uid ?? ""), violations }
      ])
    )
  const pods = new Map<string, KubeObject>()
  for (const one of victims.values()) for (const victim of one.pods) pods.set(victim.metadata.uid ?? "", victim)
  const asked = extenders.filter((extender) => extender.preempts && extender.isInterested(pod))
  const next = (at: number, left: ReadonlyMap<string, ExtenderVictims>): void => {
    const extender = asked[at]
    if (extender === undefined || left.size === 0) return done(idsOf(left))
    extender.preempt(pod, left, (answer) => {
      if (answer instanceof ExtenderFailure) return extender.ignorable ? next(at + 1, left) : done(answer)
      const kept = new Map<string, ExtenderVictims>()
      for (const [node, { uids, violations }] of answer) {
        const known = uids.flatMap((uid) => pods.get(uid) ?? [])
        if (known.length > 0) kept.set(node, { pods: known, violations })
        else if (!extender.ignorable)
          return done(new ExtenderFailure(`expected at least one victim pod on node "${node}"`))
      }
      next(at + 1, kept)
    })
  }
  next(0, victims)
}
