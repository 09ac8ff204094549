// From the record of a real run to the constants of a simulation: each time as it was measured, less what the simulator adds by itself.
// Owns that arithmetic and its correction by simulated runs of the same file; refuses to run anything itself.
import { type Fidelity, Latency, type RecordedCluster, type RecordedHistogram } from "#reports"
import { quantileShares } from "#sim"
import { Effect } from "effect"
import type { Constants, MeasuredTime } from "./Calibration.ts"

/** Fewer values say nothing of a distribution; such a kind takes the times of its verb over all resources. */
const FEWEST = 20
/** No server answers sooner. */
const LEAST_MS = 0.02
const SIGMA_LEAST = 0.05
/** A machine that was busy when it was asked says more of itself than of the way. */
const SIGMA_MOST = 1
/** The standard normal's quantile at 0.9: what the spread from p50 to p90 says of a log-normal. */
const Z90 = 1.2816

const measured = (
  parts: ReadonlyArray<RecordedHistogram>,
  lessMs: number
): Pick<MeasuredTime, "count"> & { readonly ms: ReadonlyArray<number> } => {
  const latency = Latency.merge(parts)
  const ms = quantileShares.map((share) =>
    rounded(Math.max(LEAST_MS, (latency.percentile(share * 100) ?? 0) / 1000 - lessMs))
  )
  return { count: latency.count, ms }
}

const rounded = (ms: number): number => Number(ms.toPrecision(4))

const grouped = <Item>(
  items: ReadonlyArray<Item>,
  nameOf: (item: Item) => string
): ReadonlyMap<string, Array<Item>> => {
  const groups = new Map<string, Array<Item>>()
  for (const item of items) groups.set(nameOf(item), [...(groups.get(nameOf(item)) ?? []), item])
  return groups
}

/** What the programs of a control plane say of themselves, and the way to them, in µs. */
export const factNames = {
  wayP50: "way to the server, p50 us",
  wayP90: "way to the server, p90 us",
  commitP50: "store write, p50 us",
  commitP90: "store write, p90 us"
} as const

const spread = (facts: Readonly<Record<string, number>>, p50: string, p90: string, unknownMs: number) => {
  const [middle, late] = [facts[p50], facts[p90]]
  if (middle === undefined || late === undefined || middle <= 0) return { medianMs: unknownMs, sigma: SIGMA_LEAST }
  const sigma = Math.min(SIGMA_MOST, Math.max(SIGMA_LEAST, Math.log(late / middle) / Z90))
  return { medianMs: rounded(middle / 1000), sigma: Number(sigma.toFixed(3)) }
}

type Calls = RecordedCluster["calls"][number]

const kindOf = ({ resource, scope, verb }: Calls): string =>
  scope === "object" ? `${verb} ${resource}` : `${verb} ${resource} (${scope})`

/** Objects in an answer, on average over all lists of a group; 0 where there are none. */
const itemsOf = (group: ReadonlyArray<Calls>): number => {
  const lists = group.filter(({ items }) => items !== undefined)
  const all = lists.reduce((sum, { answered }) => sum + answered, 0)
  return all === 0 ? 0 : rounded(lists.reduce((sum, { answered, items = 0 }) => sum + items * answered, 0) / all)
}

const isWrite = (kind: string): boolean => /^(create|update|patch|delete)/.test(kind)
/** An eviction is several calls, and waits for other evictions: it stands for no other creation. */
const EVICTION = "pods/eviction"
/** Inside the server it reads the pod and its budget, takes one of the budget, marks the pod and deletes it. */
const EVICTION_CALLS = ["get *", "update *", "update *", "delete *"]

/** The same times; evictions, which come in crowds that wait for one another, take what the calls take that they are made of. */
const withEvictions = (times: Constants["calls"]): Constants["calls"] => {
  const parts = EVICTION_CALLS.map((name) => times[name])
  const count = Math.min(...parts.map((part) => part?.count ?? 0))
  if (count === 0) return times
  const ms = quantileShares.map((_share, at) => rounded(parts.reduce((sum, part) => sum + (part?.ms[at] ?? 0), 0)))
  return { ...times, [`create ${EVICTION}`]: { count, ms } }
}

const callTimes = (cluster: RecordedCluster, wayMs: number, commitMs: number): Constants["calls"] => {
  const calls = cluster.calls.filter(({ by }) => by === undefined)
  const times = (groups: ReadonlyMap<string, Array<Calls>>) =>
    [...groups].flatMap(([name, group]) => {
      const [{ verb }] = group
      const isRead = verb === "get" || verb === "list"
      const time = measured(
        group.map(({ latency }) => latency),
        2 * wayMs + (isRead ? 0 : commitMs)
      )
      const items = itemsOf(group)
      return time.count < FEWEST ? [] : [[name, { ...time, ...(items > 0 && { items }) }] as const]
    })
  const single = calls.filter(({ resource }) => resource !== EVICTION)
  const measuredTimes = [...times(grouped(single, kindOf)), ...times(grouped(single, ({ verb }) => `${verb} *`))]
  return withEvictions(Object.fromEntries(measuredTimes))
}

const eventTimes = ({ informers }: RecordedCluster, wayMs: number): Constants["events"] => {
  const times = [...grouped(informers, ({ resource }) => resource), ["*", [...informers]] as const].flatMap(
    ([name, group]) => {
      const time = measured(
        group.map(({ lag }) => lag),
        wayMs
      )
      return time.count < FEWEST ? [] : [[name, time] as const]
    }
  )
  return Object.fromEntries(times)
}

/** Of the time of the fastest writes, what the store may be given at most. */
const STORE_SHARE = 0.5
const FASTEST_PERCENT = 10

/**
 * The API server's histogram begins at 5 ms: what lies below is even there, which says too much of a fast store. It takes no longer than
 * half of the fastest writes, of any kind.
 */
const commitOfRun = ({ calls }: RecordedCluster, told: Constants["commit"]): Constants["commit"] => {
  const fastest = calls
    .filter(
      ({ by, latency, resource, verb }) =>
        by === undefined && isWrite(verb) && resource !== EVICTION && latency.count >= FEWEST
    )
    .map(({ latency }) => (Latency.merge([latency]).percentile(FASTEST_PERCENT) ?? Infinity) / 1000)
  return { ...told, medianMs: rounded(Math.min(told.medianMs, ...fastest.map((ms) => ms * STORE_SHARE))) }
}

/** Before anything is known of them. */
const WAY_MS = 0.05
const COMMIT_MS = 1
const TURN_MS = 1

/**
 * The constants that a real run shows; the scheduler's are a beginning, which `corrected` mends: a crowd, where one was measured, shows
 * how fast it is.
 */
export const constantsOf = (cluster: RecordedCluster, crowd = cluster): Constants => {
  const { facts = {} } = cluster
  const network = spread(facts, factNames.wayP50, factNames.wayP90, WAY_MS)
  const commit = commitOfRun(cluster, spread(facts, factNames.commitP50, factNames.commitP90, COMMIT_MS))
  const most = crowd.scheduling?.mostInSecond ?? 0
  return {
    network,
    commit,
    calls: callTimes(cluster, network.medianMs, commit.medianMs),
    events: eventTimes(cluster, network.medianMs),
    scheduler: { turnMs: TURN_MS, attemptMs: most === 0 ? 0 : rounded(1000 / most) }
  }
}

const MEDIAN = " p50"
const SCHEDULED = "created → scheduled"
const AT_MEDIAN = quantileShares.indexOf(0.5)

/** By how many ms the simulation's median was too short, by group and name. */
const missing = ({ rows }: Fidelity): ReadonlyMap<string, number> =>
  new Map(
    rows
      .filter(({ isMedian }) => isMedian)
      .map(({ group, label, real, simulated }) => [
        `${group} ${label.slice(0, -MEDIAN.length)}`,
        (real - simulated) / 1000
      ])
  )

/**
 * Writers of a busy store wait for the commit under way as well, which the API server's own figure holds already. Where most kinds of
 * writes are too slow though the server takes nothing, the commit is what is too long.
 */
const commitOf = ({ calls, commit }: Constants, offMs: ReadonlyMap<string, number>): Constants["commit"] => {
  const writes = Object.entries(calls).filter(([name]) => isWrite(name) && offMs.has(`API latency ${name}`))
  const late = writes.filter(
    ([name, { ms }]) => ms[AT_MEDIAN] <= LEAST_MS && (offMs.get(`API latency ${name}`) ?? 0) < 0
  )
  return late.length * 2 < writes.length || late.length === 0
    ? commit
    : { ...commit, medianMs: rounded(commit.medianMs * SHORTER) }
}

const SHORTER = 2 / 3

/** What a kind's median was off; a verb over all resources, which stands for kinds that were not measured, by what its kinds were off. */
const offOf = (name: string, offMs: ReadonlyMap<string, number>): number => {
  if (!name.endsWith(" *")) return offMs.get(`API latency ${name}`) ?? 0
  const beginning = `API latency ${name.slice(0, -1)}`
  const offs = [...offMs].filter(([key]) => key.startsWith(beginning) && !key.endsWith(EVICTION)).map(([, off]) => off)
  return offs.length === 0 ? 0 : offs.reduce((sum, off) => sum + off, 0) / offs.length
}

/** The constants after a simulation with them was set beside the run: each is moved by what its median was off. */
export const corrected = (constants: Constants, fidelity: Fidelity): Constants => {
  const offMs = missing(fidelity)
  const moved = (time: MeasuredTime, byMs: number): MeasuredTime => ({
    ...time,
    ms: time.ms.map((ms) => rounded(Math.max(LEAST_MS, ms + byMs)))
  })
  const calls = Object.fromEntries(
    Object.entries(constants.calls).map(([name, time]) => [name, moved(time, offOf(name, offMs))])
  )
  const mended = withEvictions(calls)
  return {
    ...constants,
    commit: commitOf(constants, offMs),
    calls: mended,
    scheduler: schedulerOf(constants, fidelity)
  }
}

/** The scheduler's constants, moved by what the median of its stage was off where nothing waits for it. */
const schedulerOf = ({ scheduler }: Constants, fidelity: Fidelity): Constants["scheduler"] => {
  const { attemptMs, turnMs } = scheduler
  const late = missing(fidelity).get(`pod start ${SCHEDULED}`) ?? 0
  // What no shorter turn can mend comes from attempts that were paid for too dearly.
  const dear = turnMs + late < 0 ? attemptMs * SHORTER : attemptMs
  return { turnMs: rounded(Math.max(0, turnMs + late)), attemptMs: rounded(dear) }
}

/** By which factor the median of what the crowd asked for most is too long in a simulation. */
const crowdFactor = ({ rows }: Fidelity): number => {
  const creation = rows.find(({ group, label }) => group === "API latency" && label === `create pods${MEDIAN}`)
  return creation === undefined || creation.real === 0 ? 1 : creation.simulated / creation.real
}

/** Between these a write's work is looked for, in so many halvings of the factor between them. */
const WORK_MS = { least: 0.05, most: 25 }
const HALVINGS = 6
/** As near as the crowd's median tells works apart: beyond some work it rises steeply, below it hardly changes. */
const NEAR = Math.log(1.5)

/** Finds, by simulations of a crowd, the least work of a write with which the crowd's median is about as long as it was. */
export const workOf = <E, R>(
  constants: Constants,
  simulate: (constants: Constants) => Effect.Effect<Fidelity, E, R>
): Effect.Effect<number, E, R> =>
  Effect.gen(function* () {
    let { least, most } = WORK_MS
    const tried: Array<{ readonly workMs: number; readonly off: number }> = []
    for (let at = 0; at < HALVINGS; at++) {
      const workMs = rounded(Math.sqrt(least * most))
      const factor = crowdFactor(yield* simulate({ ...constants, workMs }))
      tried.push({ workMs, off: Math.abs(Math.log(factor)) })
      if (factor > 1) most = workMs
      else least = workMs
    }
    const near = tried.filter(({ off }) => off <= NEAR).map(({ workMs }) => workMs)
    if (near.length > 0) return Math.min(...near)
    return tried.reduce((best, one) => (one.off < best.off ? one : best)).workMs
  })
