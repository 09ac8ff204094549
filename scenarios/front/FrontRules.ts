// Rules of a front scenario that no single field can check: names that must exist, bounds that depend on another field, what a
// backend or an upstream cannot do. Owns only such rules; what one field may hold is said by Front.ts and FrontPhase.ts.
import type { FieldPath } from "../Diagnostic.ts"
import { shapeName } from "../LoadShape.ts"
import { duplicates, unknownName } from "../NameRules.ts"
import type { Problem } from "../Problems.ts"
import type { Scenario } from "../Scenario.ts"
import { nearest } from "../Suggest.ts"
import type { Front, FrontLimit } from "./Front.ts"
import type { FrontLoad, FrontPhase, FrontWatch, Identity } from "./FrontPhase.ts"

/** The fronts that can be put under load, in the order of the documentation. */
export const frontNames = ["direct", "gateway", "nginx", "tenancy"] as const

export type FrontName = (typeof frontNames)[number]

const PRESET_MAX = 2_000_000

const limitProblems = (limit: FrontLimit, index: number, users: ReadonlyArray<string>): ReadonlyArray<Problem> => {
  const path: FieldPath = ["front", "limits", index]
  const problems: Array<Problem> = []
  if ((limit.qps === undefined) === (limit.inFlight === undefined)) {
    problems.push({ path, rule: "needs exactly one of qps and inFlight" })
  }
  if (limit.burst !== undefined && limit.burst < (limit.qps ?? 0)) {
    problems.push({ path: [...path, "burst"], rule: "must not be smaller than qps" })
  }
  if (limit.user !== undefined && !users.includes(limit.user)) {
    problems.push(unknownName([...path, "user"], "identity", limit.user, users))
  }
  return problems
}

const objectsProblem = (named: string | undefined, path: FieldPath, { objects }: Front): ReadonlyArray<Problem> => {
  const known = objects.map(({ name }) => name)
  if (named === undefined) {
    return known.length === 1
      ? []
      : [{ path: [...path, "objects"], rule: "is required when there are several kinds of objects" }]
  }
  return known.includes(named) ? [] : [unknownName([...path, "objects"], "kind of objects", named, known)]
}

const identityProblems = (identity: Identity, path: FieldPath, { upstream }: Front): ReadonlyArray<Problem> => {
  if (!identity.fresh) return []
  const at = [...path, "identity", "fresh"]
  if (identity.by !== "token")
    return [{ path: at, rule: "is about tokens; a certificate is shown once per connection" }]
  return upstream === "fixed"
    ? []
    : [{ path: at, rule: `needs the upstream fixed, which knows every token; ${upstream} knows a list` }]
}

const tenantProblems = (tenant: number | undefined, path: FieldPath, { tenants }: Front): ReadonlyArray<Problem> => {
  if (tenant === undefined) return []
  if (tenants === undefined) return [{ path: [...path, "tenant"], rule: "there are no tenants in this front" }]
  return tenant <= tenants.count ? [] : [{ path: [...path, "tenant"], rule: `there are only ${tenants.count} tenants` }]
}

const loadProblems = (load: FrontLoad, path: FieldPath, front: Front): ReadonlyArray<Problem> => {
  const problems = [
    ...load.mix.flatMap(({ objects }, index) => objectsProblem(objects, [...path, "mix", index], front)),
    ...identityProblems(load.identity, path, front),
    ...tenantProblems(load.tenant, path, front)
  ]
  const shape = shapeName(load.shape)
  const timed = shape === "timeLimitedLoad" || shape === "randomizedTimeLimitedLoad"
  if (timed && load.actions === undefined) {
    problems.push({ path, rule: `needs actions: ${shape} spreads a known number of actions over its timeLimit` })
  }
  if (!timed && load.actions === undefined && load.duration === undefined) {
    problems.push({ path, rule: "needs duration or actions, or it would never end" })
  }
  return problems
}

const watchProblems = (watch: FrontWatch, path: FieldPath, front: Front): ReadonlyArray<Problem> => [
  ...objectsProblem(watch.objects, path, front),
  ...identityProblems(watch.identity, path, front),
  ...tenantProblems(watch.tenant, path, front),
  ...(watch.connections > watch.watchers
    ? [{ path: [...path, "connections"], rule: "must not be more than the watchers, who share them" }]
    : []),
  ...(front.tenants !== undefined && watch.tenant === undefined && watch.connections < front.tenants.count
    ? [{ path: [...path, "connections"], rule: `must be at least ${front.tenants.count}: tenants share no connection` }]
    : [])
]

const eventProblems = (phase: FrontPhase, path: FieldPath, { limits, upstream }: Front): ReadonlyArray<Problem> =>
  phase.events.flatMap((event, index): ReadonlyArray<Problem> => {
    const at: FieldPath = [...path, "events", index]
    if (event.kind === "swap") return []
    const problems: Array<Problem> = []
    if (event.every !== undefined)
      problems.push({ path: [...at, "every"], rule: "is about swap; a restart happens once" })
    if (event.of === "limiter" && !limits.some(({ scope }) => scope === "global")) {
      problems.push({ path: [...at, "of"], rule: "there is no limiter: no limit has the scope global" })
    }
    if (event.of === "upstream" && upstream !== "fixed") {
      problems.push({
        path: [...at, "of"],
        rule: `only the upstream fixed can be restarted; ${upstream} forgets its objects`
      })
    }
    const closed = phase.load.findIndex(({ shape }) => shape.parallelismLimitedLoad !== undefined)
    if (closed >= 0) {
      problems.push({
        path: [...path, "load", closed, "shape"],
        rule: "a closed loop ends when its connections are lost; a phase with a restart needs open ones"
      })
    }
    return problems
  })

const phaseProblems = (phase: FrontPhase, index: number, front: Front): ReadonlyArray<Problem> => {
  const path: FieldPath = ["front", "phases", index]
  const problems = [
    ...duplicates(phase.load, [...path, "load"]),
    ...duplicates(phase.watch, [...path, "watch"]),
    ...phase.load.flatMap((load, at) => loadProblems(load, [...path, "load", at], front)),
    ...phase.watch.flatMap((watch, at) => watchProblems(watch, [...path, "watch", at], front)),
    ...eventProblems(phase, path, front)
  ]
  if (phase.watch.length > 0 && front.upstreams > 1) {
    problems.push({ path: [...path, "watch"], rule: "a watcher sees one upstream's writes only, and here are several" })
  }
  if (phase.idle !== undefined && phase.watch.length === 0) {
    problems.push({ path: [...path, "idle"], rule: "is about watchers, and this phase has none" })
  }
  return problems
}

/** Whether a backend of the file or the command line is a front, and why not. */
export const frontProblem = (name: string, { tenants, upstream }: Front): Omit<Problem, "path"> | undefined => {
  if (!(frontNames as ReadonlyArray<string>).includes(name)) {
    const near = nearest(name, frontNames)
    const hint = near === undefined ? `known: ${frontNames.join(", ")}` : `did you mean "${near}"?`
    return { rule: `${name} is not a front of a Kubernetes API`, hint }
  }
  if (name !== "tenancy") return undefined
  if (tenants === undefined) return { rule: "tenancy needs tenants: front.tenants says how many" }
  return upstream === "fixed"
    ? { rule: "tenancy needs a real API behind it: the upstream apiserver or kube-apiserver" }
    : undefined
}

/** The names of identities that some load or watch uses. */
const usersOf = ({ phases }: Front): ReadonlyArray<string> => [
  ...new Set(phases.flatMap(({ load, watch }) => [...load, ...watch].map(({ identity }) => identity.user)))
]

/** Every broken rule of the front part, with the path of the field to change. */
export const frontProblems = (front: Front, scenario: Pick<Scenario, "backends">): ReadonlyArray<Problem> => {
  const problems: Array<Problem> = [
    ...duplicates(front.objects, ["front", "objects"]),
    ...duplicates(front.limits, ["front", "limits"]),
    ...duplicates(front.phases, ["front", "phases"]),
    ...front.limits.flatMap((limit, index) => limitProblems(limit, index, usersOf(front))),
    ...front.phases.flatMap((phase, index) => phaseProblems(phase, index, front)),
    ...scenario.backends.flatMap((name, index) => {
      const problem = frontProblem(name, front)
      return problem === undefined ? [] : [{ path: ["backends", index], ...problem }]
    })
  ]
  front.objects.forEach(({ count, namespaces }, index) => {
    const all = count * (front.tenants?.count ?? 1)
    if (all > PRESET_MAX) {
      const rule = `${all.toLocaleString("en")} objects with all tenants are more than ${PRESET_MAX.toLocaleString("en")}`
      problems.push({ path: ["front", "objects", index, "count"], rule })
    }
    if (namespaces > count) {
      problems.push({ path: ["front", "objects", index, "namespaces"], rule: "must not be more than the objects" })
    }
  })
  if (front.upstreams > 1 && front.upstream !== "fixed") {
    problems.push({
      path: ["front", "upstreams"],
      rule: `only the upstream fixed stands more than once, not ${front.upstream}`
    })
  }
  if (!front.phases.some(({ kind }) => kind === "measure")) {
    problems.push({ path: ["front", "phases"], rule: "needs at least one phase of kind measure" })
  }
  return problems
}
