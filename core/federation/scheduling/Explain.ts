// A decision told: what ruled clusters out, why the chosen ones are chosen, what bounds their replicas, and what was not kept to.
// Owns the telling, from what an attempt found; refuses to decide, and to cost anything before somebody asks.
import type { PropagationPolicy, Requirements } from "../api/PropagationPolicy.ts"
import type { SchedulingProfile } from "../api/SchedulingProfile.ts"
import type { ClassView } from "./ClassView.ts"
import type { Division } from "./Division.ts"
import type { ExplainedCluster, Explanation, Outcome, Placement, ScheduleReason, ScheduleRequest } from "./Outcome.ts"
import { unitKey } from "./SchedulingUnit.ts"
import { ruledOutBy, type Standing } from "./Standing.ts"

/** Clusters that are named one by one; of the others there are counts. */
const NAMED_MAX = 100

/** What an attempt came to, before it is told. */
export type Told = Pick<Outcome, "scheduled" | "reason" | "message" | "unassigned">

/** What an attempt found. */
export interface Explainable {
  readonly request: ScheduleRequest
  readonly policy: PropagationPolicy
  readonly profile: SchedulingProfile
  readonly requirements: Requirements
  readonly notes: ReadonlyArray<string>
  readonly view: ClassView
  readonly standing: Standing
  readonly totals: Float64Array
  readonly ranked: ReadonlyArray<number> | Int32Array
  readonly chosen: ReadonlyArray<number> | Int32Array
  readonly division: Division | undefined
}

const policyName = (policy: ScheduleRequest["policy"]): string => {
  if (typeof policy === "string") return policy === "none" ? "" : "(not found)"
  return `${policy.kind} ${policy.namespace === "" ? "" : `${policy.namespace}/`}${policy.name}`
}

const objectName = ({ unit }: ScheduleRequest): string => `${unit.kind} ${unitKey(unit)}`

/** The explanation of a last placement that stays unlooked at. */
export const explainKept = (request: ScheduleRequest, reason: ScheduleReason, message: string): Explanation => ({
  object: objectName(request),
  policy: policyName(request.policy),
  profile: request.profile === "missing" ? "(not found)" : request.profile.name,
  reason,
  message,
  clusterCount: request.fleet.size,
  feasible: 0,
  ...(request.unit.replicas === undefined ? {} : { replicas: request.unit.replicas }),
  unassigned: 0,
  ruledOut: [],
  chosen: Array.from(request.previous.clusters, ([cluster, replicas]) => ({
    cluster,
    ...(replicas === undefined ? {} : { replicas }),
    reasons: ["it is there, and stays"]
  })),
  rejected: [],
  notes: []
})

const boundsText = (
  { hardCaps, mins, overflow, planned, softCaps }: Division,
  place: number
): ReadonlyArray<string> => {
  const reasons: Array<string> = []
  const replicas = planned[place] + overflow[place]
  if (replicas > 0 && replicas === mins[place]) reasons.push(`its minimum is ${mins[place]}`)
  if (replicas === hardCaps[place]) reasons.push(`may have no more than ${hardCaps[place]}`)
  else if (planned[place] === softCaps[place]) reasons.push(`has room for ${softCaps[place]}`)
  if (overflow[place] > 0) reasons.push(`${overflow[place]} of them will wait for room`)
  return reasons
}

const scoresOf = ({ totals, view }: Explainable, at: number): Pick<ExplainedCluster, "scores" | "total"> => {
  const scores: Record<string, number> = {}
  for (const [plugin, values] of view.byPlugin) scores[plugin] = values[at]
  const webhooks = totals[at] - view.totals[at]
  if (webhooks !== 0) scores["webhooks"] = webhooks
  return { scores, total: totals[at] }
}

/** Why a cluster's part is what it is. */
const chosenReasons = (found: Explainable, at: number): ReadonlyArray<string> => {
  const { division, request, standing } = found
  const place = found.chosen.indexOf(at)
  return [
    ...(standing.isCurrent(at) ? ["the object is there already"] : []),
    ...(request.unit.limited.has(request.fleet.clusters[at].name) ? ["its replicas are limited by migration"] : []),
    ...(found.view.frozen[at] === 1 ? ["takes no more replicas than it has"] : []),
    ...(division === undefined || place < 0 ? [] : boundsText(division, place))
  ]
}

const explainChosen = (found: Explainable, placement: Placement): ReadonlyArray<ExplainedCluster> => {
  const { fleet } = found.request
  const best = Array.from(placement.clusters).flatMap(([cluster, replicas]) => {
    const at = fleet.indexOf(cluster)
    const leaving = placement.leaving.get(cluster)
    const told: ExplainedCluster = {
      cluster,
      ...(replicas === undefined ? {} : { replicas }),
      ...(at === undefined ? {} : scoresOf(found, at)),
      reasons: [
        ...(leaving === undefined ? [] : [`is left when what replaces it is ready: ${leaving.reason}`]),
        ...(at === undefined ? ["is no member any more"] : chosenReasons(found, at))
      ]
    }
    return [told]
  })
  return best.sort((a, b) => (b.total ?? 0) - (a.total ?? 0) || (a.cluster < b.cluster ? -1 : 1)).slice(0, NAMED_MAX)
}

const rejectedReason = (found: Explainable, at: number): string => {
  const { division, requirements } = found
  const place = found.chosen.indexOf(at)
  if (place < 0 || division === undefined) {
    return requirements.maxClusters < found.request.fleet.size
      ? `is not among the best ${requirements.maxClusters}`
      : "is not chosen: groups, spread or a plugin leave it out"
  }
  if (division.hardCaps[place] === 0) return "may have no replica"
  return division.weights[place] === 0 ? "has no weight" : "its share comes to less than one replica"
}

const explainRejected = (found: Explainable, placement: Placement): ReadonlyArray<ExplainedCluster> => {
  const { request, standing, view } = found
  const { fleet } = request
  const ousted = Array.from(standing.ousted, ([at, why]) => ({
    cluster: fleet.clusters[at].name,
    reasons: [why]
  })).filter(({ cluster }) => !placement.clusters.has(cluster))
  const fits: Array<ExplainedCluster> = []
  for (const at of view.ranked) {
    const { name } = fleet.clusters[at]
    if (placement.clusters.has(name) || standing.ousted.has(at)) continue
    if (fits.length >= NAMED_MAX) break
    fits.push({ cluster: name, ...scoresOf(found, at), reasons: [rejectedReason(found, at)] })
  }
  return [...ousted, ...fits].slice(0, NAMED_MAX)
}

/** The explanation of an attempt. */
export const explainAttempt = (found: Explainable, placement: Placement, told: Told): Explanation => {
  const { fleet, nowMs, unit } = found.request
  return {
    object: objectName(found.request),
    policy: policyName(found.policy),
    profile: found.profile.name,
    reason: told.reason,
    message: told.message,
    clusterCount: fleet.size,
    feasible: found.view.feasible.length,
    ...(unit.replicas === undefined ? {} : { replicas: unit.replicas }),
    unassigned: told.unassigned,
    ruledOut: ruledOutBy({ fleet, nowMs, view: found.view }, found.profile),
    chosen: explainChosen(found, placement),
    rejected: explainRejected(found, placement),
    notes: found.notes
  }
}
