// From the record of a real run to the constants of a simulation: each time as it was measured, less what the simulator adds by itself.
// Owns that arithmetic and its correction by simulated runs of the same file, which takes the waiting for one another out of measured
// times, quantile by quantile; refuses to run anything itself. What calls cost in work is Work.ts's.
import { Latency, type RecordedCluster, type RecordedHistogram } from "#reports"
import { quantileShares } from "#sim"
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
  commitP90: "store write, p90 us",
  attemptP50: "scheduling attempt without its binding, p50 us"
} as const

const spread = (facts: Readonly<Record<string, number>>, p50: string, p90: string, unknownMs: number) => {
  const [middle, late] = [facts[p50], facts[p90]]
  if (middle === undefined || late === undefined || middle <= 0) return { medianMs: unknownMs, sigma: SIGMA_LEAST }
  const sigma = Math.min(SIGMA_MOST, Math.max(SIGMA_LEAST, Math.log(late / middle) / Z90))
  return { medianMs: rounded(middle / 1000), sigma: Number(sigma.toFixed(3)) }
}

type Calls = RecordedCluster["calls"][number]

/** The name of recorded calls' kind, as the simulator has it. */
export const kindOf = ({ resource, scope, verb }: Calls): string =>
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

/** The same times; evictions, which come in crowds that wait for one another, begin with what the calls take that they are made of. */
const withEvictions = (times: Constants["calls"]): Constants["calls"] => {
  const parts = EVICTION_CALLS.map((name) => times[name])
  const count = Math.min(...parts.map((part) => part?.count ?? 0))
  if (count === 0) return times
  const ms = quantileShares.map((_share, at) => rounded(parts.reduce((sum, part) => sum + (part?.ms[at] ?? 0), 0)))
  return { ...times, [`create ${EVICTION}`]: { count, ms } }
}

/** Calls of all runs. */
const callsOf = (runs: ReadonlyArray<RecordedCluster>) => runs.flatMap(({ calls }) => calls)

const callTimes = (runs: ReadonlyArray<RecordedCluster>, wayMs: number, commitMs: number): Constants["calls"] => {
  const calls = callsOf(runs).filter(({ by }) => by === undefined)
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
  return withEvictions(withBindings(Object.fromEntries(measuredTimes)))
}

/** A real scheduler makes this call itself; how long pods wait for a node tells how long it takes. */
const BINDING = "create pods/binding"
/** Which writes a pod as well. */
const LIKE_BINDING = "update pods/status"

const withBindings = (times: Constants["calls"]): Constants["calls"] => {
  const like = times[LIKE_BINDING]
  return like === undefined ? times : { ...times, [BINDING]: like }
}

const eventTimes = (runs: ReadonlyArray<RecordedCluster>, wayMs: number): Constants["events"] => {
  const informers = runs.flatMap((run) => run.informers)
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
 * half of the fastest writes, of any kind; its spread is then unknown, and stays in the times of the calls.
 */
const commitOfRuns = (runs: ReadonlyArray<RecordedCluster>, told: Constants["commit"]): Constants["commit"] => {
  const fastest = callsOf(runs)
    .filter(
      ({ by, latency, resource, verb }) =>
        by === undefined && isWrite(verb) && resource !== EVICTION && latency.count >= FEWEST
    )
    .map(({ latency }) => (Latency.merge([latency]).percentile(FASTEST_PERCENT) ?? Infinity) / 1000)
  const most = Math.min(...fastest) * STORE_SHARE
  return told.medianMs <= most ? told : { medianMs: rounded(most), sigma: SIGMA_LEAST }
}

/** Before anything is known of them. */
const WAY_MS = 0.05
const COMMIT_MS = 1
/** Of a scheduler that does not say: a pod's way through the filters and scores of a small cluster. */
const ATTEMPT_MS = 0.5

/** The constants that real runs of one scenario show; `corrected` takes from their times what calls waited for one another. */
export const constantsOf = (runs: ReadonlyArray<RecordedCluster>): Constants => {
  const [{ facts = {} }] = runs
  const network = spread(facts, factNames.wayP50, factNames.wayP90, WAY_MS)
  const commit = commitOfRuns(runs, spread(facts, factNames.commitP50, factNames.commitP90, COMMIT_MS))
  const attempt = facts[factNames.attemptP50]
  const calls = callTimes(runs, network.medianMs, commit.medianMs)
  return {
    network,
    commit,
    calls: unwaited(calls, steadySpread(calls)),
    events: eventTimes(runs, network.medianMs),
    scheduler: { turnMs: 0, attemptMs: attempt === undefined ? ATTEMPT_MS : rounded(attempt / 1000) }
  }
}

const AT_MEDIAN = quantileShares.indexOf(0.5)

/** The median in ms that a simulation takes for a kind of calls; 0 where it takes none. */
export const medianOfKind = (calls: Constants["calls"], kind: string, verb: string): number =>
  (calls[kind] ?? calls[`${verb} *`])?.ms[AT_MEDIAN] ?? 0

type Histograms = ReadonlyMap<string, ReadonlyArray<RecordedHistogram>>

/** What nodes, users and readers waited for, by the names of constants. */
const callsByName = (runs: ReadonlyArray<RecordedCluster>): Histograms => {
  const own = callsOf(runs).filter(({ by }) => by === undefined)
  const single = own.filter(({ resource }) => resource !== EVICTION)
  const groups = [...grouped(own, kindOf), ...grouped(single, ({ verb }) => `${verb} *`)]
  const times = groups.map(([name, group]) => [name, group.map(({ latency }) => latency)] as const)
  return new Map([...times, [BINDING, runs.map(({ podStarts }) => podStarts.scheduled)]])
}

const eventsByName = (runs: ReadonlyArray<RecordedCluster>): Histograms => {
  const groups = grouped(
    runs.flatMap(({ informers }) => informers),
    ({ resource }) => resource
  )
  return new Map([...groups].map(([name, group]) => [name, group.map(({ lag }) => lag)]))
}

/** Real runs of one scenario and its simulation. */
export interface Pair {
  readonly real: ReadonlyArray<RecordedCluster>
  readonly simulated: RecordedCluster
}

/** What was measured on both sides; undefined where that is too little. */
const bothOf = (real: ReadonlyArray<RecordedHistogram> = [], simulated: ReadonlyArray<RecordedHistogram> = []) => {
  const [a, b] = [Latency.merge(real), Latency.merge(simulated)]
  return a.count < FEWEST || b.count < FEWEST ? undefined : { real: a, simulated: b }
}

type Both = Exclude<ReturnType<typeof bothOf>, undefined>

/** What a latency's histogram tells apart, in µs. */
const GRAIN_US = 20

/** By how many ms simulations are too fast at a share, over all runs alike; 0 where nothing is known. */
const offAt = (runs: ReadonlyArray<Both>, share: number): number => {
  if (runs.length === 0) return 0
  const us = (latency: Latency): number => Math.max(GRAIN_US, latency.percentile(share * 100) ?? 0)
  const logs = runs.reduce((sum, { real, simulated }) => sum + Math.log(us(real) / us(simulated)), 0)
  const factor = Math.exp(logs / runs.length)
  return runs.reduce((sum, { simulated }) => sum + us(simulated) * (factor - 1), 0) / runs.length / 1000
}

/** Of what a time is off it is moved by so much, and no further than to so many times or so much less: more swings to and fro. */
const DAMPING = 0.6
const STEP = 2

/** A time, each of its quantiles moved by what it was off: what is waiting for others in it goes, what is its own stays. */
const moved = (time: MeasuredTime, runs: ReadonlyArray<Both>): MeasuredTime => {
  const next = (ms: number, share: number): number =>
    Math.max(LEAST_MS, ms / STEP, Math.min(ms * STEP, ms + DAMPING * offAt(runs, share)))
  return {
    ...time,
    ms: time.ms.map((ms, at) => rounded(next(ms, quantileShares[at]))).toSorted((left, right) => left - right)
  }
}

const movedAll = (
  times: Constants["calls"],
  pairs: ReadonlyArray<Pair>,
  byName: (runs: ReadonlyArray<RecordedCluster>) => Histograms
): Constants["calls"] => {
  const sides = pairs.map(({ real, simulated }) => ({ real: byName(real), simulated: byName([simulated]) }))
  return Object.fromEntries(
    Object.entries(times).map(([name, time]) => [
      name,
      moved(
        time,
        sides.flatMap(({ real, simulated }) => bothOf(real.get(name), simulated.get(name)) ?? [])
      )
    ])
  )
}

/** Calls that come evenly over a whole run: few of them meet a crowd, so that they show how far a server's own times spread. */
const STEADY = "update leases.coordination.k8s.io"
const AT_FAST = quantileShares.findIndex((share) => share * 100 >= FASTEST_PERCENT)

/** How far steady calls of a real run spread: each quantile by their fastest tenth; undefined where it has none. */
const steadySpread = (calls: Constants["calls"]): ReadonlyArray<number> | undefined => {
  const steady = calls[STEADY]?.ms
  return steady?.map((ms) => ms / steady[AT_FAST])
}

/**
 * The same times; none spreads further than steady calls do, from its fastest tenth on. What is beyond is waiting in a crowd, which the
 * simulation has of its own. Lists spread by what they hold.
 */
const unwaited = (times: Constants["calls"], spread: ReadonlyArray<number> | undefined): Constants["calls"] => {
  if (spread === undefined) return times
  const least = ({ ms }: MeasuredTime) =>
    ms.map((one, at) => (at <= AT_FAST ? one : rounded(Math.min(one, ms[AT_FAST] * spread[at]))))
  return Object.fromEntries(
    Object.entries(times).map(([name, time]) => [name, name.startsWith("list ") ? time : { ...time, ms: least(time) }])
  )
}

/** The constants after simulations with them were set beside real runs. */
export const corrected = (constants: Constants, pairs: ReadonlyArray<Pair>): Constants => {
  const { commit, network } = constants
  const spread = steadySpread(callTimes(pairs[0].real, network.medianMs, commit.medianMs))
  return {
    ...constants,
    calls: unwaited(movedAll(constants.calls, pairs, callsByName), spread),
    events: movedAll(constants.events, pairs, eventsByName)
  }
}
