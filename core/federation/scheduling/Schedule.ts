// One attempt to place one object: Filter, Score, Select, Replicas, and what stays when any of them comes to nothing.
// Owns the order of steps and that nothing is deleted on doubt: without a better placement the last one stays, with a reason. Refuses
// time and calls: webhooks are asked by whoever runs the steps.
import { controlAnnotations } from "../api/FederationNames.ts"
import { PluginFailed } from "../FederationError.ts"
import { Attempt, type Steps } from "./Attempt.ts"
import { explainKept } from "./Explain.ts"
import { nowhere, type Outcome, type ScheduleReason, type ScheduleRequest } from "./Outcome.ts"

interface Unfit {
  readonly reason: ScheduleReason
  readonly message: string
  readonly waiting?: boolean
}

/** The last placement stays. */
const kept = (request: ScheduleRequest, { message, reason, waiting = false }: Unfit): Outcome => ({
  placement: request.previous,
  scheduled: false,
  reason,
  message,
  changed: false,
  unassigned: 0,
  waiting,
  wakeAtMs: Infinity,
  explain: () => explainKept(request, reason, message)
})

const divider = {
  Spread: "ClusterCapacityWeight",
  Capacity: "ClusterCapacityWeight",
  Binpack: "PreferenceBinPack"
} as const

const unfit = (request: ScheduleRequest): Unfit | undefined => {
  const { fleet, policy, profile, unit } = request
  if (unit.annotations[controlAnnotations.noScheduling] !== undefined) {
    return { reason: "NotAsked", message: `annotation ${controlAnnotations.noScheduling} is set` }
  }
  if (policy === "none") return { reason: "NoPolicy", message: "no policy is named and none selects the object" }
  if (policy === "missing")
    return { reason: "PolicyNotFound", message: "the policy that the object names does not exist" }
  const wrong = policy.problems[0]
  if (wrong !== undefined)
    return { reason: "PolicyInvalid", message: `${policy.name}: ${wrong.field}: ${wrong.detail}` }
  if (profile === "missing") {
    return { reason: "ProfileNotFound", message: `the policy's scheduling profile ${policy.profile} does not exist` }
  }
  const odd = profile.problems[0]
  if (odd !== undefined) return { reason: "ProfileInvalid", message: `${profile.name}: ${odd.field}: ${odd.detail}` }
  if (fleet.size === 0) return { reason: "NoClusters", message: "no cluster has joined", waiting: true }
  return undefined
}

/** The steps of an attempt; each question is answered, or failed, before the next. */
export const scheduleSteps = function* (request: ScheduleRequest): Steps<Outcome> {
  const wrong = unfit(request)
  const { policy, profile } = request
  if (wrong !== undefined || typeof policy === "string" || profile === "missing") {
    return kept(request, wrong ?? { reason: "NoPolicy", message: "" })
  }
  const attempt = new Attempt(request, policy, profile)
  const { requirements, total } = attempt
  if (requirements.maxClusters === 0) {
    const told = {
      scheduled: true,
      reason: "Withdrawn",
      message: "the policy wants no clusters",
      unassigned: 0
    } as const
    return attempt.outcome(nowhere, told)
  }
  const plugin = divider[requirements.strategy]
  if (total !== undefined && !profile.plugins.replicas.some(({ name }) => name === plugin)) {
    return attempt.kept("ProfileInvalid", `profile ${profile.name} has not the plugin ${plugin}`)
  }
  if (total === 0) return attempt.scaledToZero()
  if (attempt.stick()) return attempt.conclude()
  yield* attempt.filter()
  if (attempt.ranked.length === 0) {
    return attempt.kept(attempt.doubtful ? "PluginFailed" : "Unschedulable", attempt.histogram())
  }
  yield* attempt.score()
  const failure = yield* attempt.select()
  if (failure !== undefined) return attempt.kept(attempt.doubtful ? "PluginFailed" : "Unschedulable", failure)
  if (attempt.chosen.length === 0) return attempt.kept("Unschedulable", "plugins choose no cluster")
  return attempt.conclude()
}

/** Decides at once; webhook plugins of the profile count as not answering. */
export const schedule = (request: ScheduleRequest): Outcome => {
  const steps = scheduleSteps(request)
  let step = steps.next()
  while (step.done !== true) {
    const { plugin, point } = step.value
    step = steps.next(new PluginFailed({ plugin, point, reason: "it was not asked" }))
  }
  return step.value
}
