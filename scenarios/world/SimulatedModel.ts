// What takes virtual time in a simulated cluster: the way to the server, the server, its disk, its scheduler. What the scenario says
// goes first, then what was measured (its calibration), then constants of the model.
// Owns this choice and its words on reports; refuses to draw times, which the simulator does.
import { onePassBinder, type SchedulerTimes, timedKubeScheduler, type WorldParts } from "#sim"
import { type Calibration, latenciesOf, listsOf } from "../calibration/Calibration.ts"
import { machineCount } from "../cluster/Capacity.ts"
import type { Cluster } from "../cluster/Cluster.ts"

/** Without a calibration: a network between machines, a fast disk. */
const MODEL = { network: { medianMs: 0.5, sigma: 0.4 }, commit: { medianMs: 0.2, sigma: 0.2 } }

interface LogNormal {
  readonly medianMs: number
  readonly sigma: number
}

/** The way, in one direction; undefined where clients call the server in process. */
export const wayOf = ({ network }: Cluster, calibration: Calibration | undefined): LogNormal | undefined => {
  if (network === "none") return undefined
  const { medianMs, sigma } = calibration?.constants.network ?? MODEL.network
  return { medianMs: network.median ?? medianMs, sigma: network.sigma ?? sigma }
}

/** One flush of the disk. */
export const flushOf = ({ disk }: Cluster, calibration: Calibration | undefined): LogNormal => {
  const { medianMs, sigma } = calibration?.constants.commit ?? MODEL.commit
  return { medianMs: disk.flush ?? medianMs, sigma: disk.sigma ?? sigma }
}

/** A control plane of stated cores is another machine than the measured one, and its scheduler ours: some 6,000 attempts a second. */
const MODEL_SCHEDULER: SchedulerTimes = { turnMs: 5, attemptMs: 0, missMs: 0 }
/**
 * Milliseconds of a processor for each node that a measured scheduler looks at in vain: kube-scheduler 1.37.2 took 2.45 ms for 1,000
 * nodes, by its own metrics.
 */
const MISS_MS_PER_NODE = 0.0024
/** kube-scheduler looks at so many nodes at once. */
const PARALLELISM = 16
const CORES = 2

const schedulerTimes = (cluster: Cluster, calibration: Calibration | undefined): SchedulerTimes => {
  if (calibration === undefined || cluster.controlPlane.cores !== undefined) return MODEL_SCHEDULER
  const { atOnce = CORES, scheduler } = calibration.constants
  return { ...scheduler, missMs: (machineCount(cluster) * MISS_MS_PER_NODE) / Math.min(PARALLELISM, atOnce) }
}

const placerOf = (cluster: Cluster, calibration: Calibration | undefined) =>
  cluster.scheduler === "one-pass"
    ? onePassBinder(cluster.bindingsPerSecond)
    : timedKubeScheduler(schedulerTimes(cluster, calibration))

/** How many calls are worked on at once: a crowd waits where that was measured. */
const coresOf = ({ controlPlane }: Cluster, { constants }: Calibration): { readonly atOnce?: number } =>
  constants.atOnce === undefined ? {} : { atOnce: controlPlane.cores ?? constants.atOnce }

/** What calls and the telling of watchers cost of those cores. */
const workOf = ({ constants: { eventMs, workShare } }: Calibration) => ({
  ...(workShare !== undefined && { workShare }),
  ...(eventMs !== undefined && { eventMs })
})

type Model = Pick<WorldParts, "network" | "disk" | "serverTimes" | "placer">

/** The parts of a simulated world that take time. */
export const modelOf = (cluster: Cluster, calibration: Calibration | undefined): Model => {
  const { medianMs, sigma } = flushOf(cluster, calibration)
  const disk = {
    flush: sigma === 0 ? { kind: "constant" as const, ms: medianMs } : { kind: "log-normal" as const, medianMs, sigma }
  }
  const placer = placerOf(cluster, calibration)
  const way = wayOf(cluster, calibration)
  if (way === undefined || cluster.network === "none") return { disk, placer }
  const { breakAfter, lossRate, resetRate } = cluster.network
  return {
    disk,
    placer,
    network: { profile: { latency: { kind: "log-normal", ...way }, lossRate, resetRate }, breakAfterMs: breakAfter },
    ...(calibration && {
      serverTimes: {
        calls: latenciesOf(calibration.constants.calls),
        lists: listsOf(calibration.constants.calls),
        events: latenciesOf(calibration.constants.events),
        ...coresOf(cluster, calibration),
        ...workOf(calibration)
      }
    })
  }
}

const crowdWords = (cluster: Cluster, calibration: Calibration | undefined): string => {
  const { atOnce } = calibration === undefined ? {} : coresOf(cluster, calibration)
  const { eventMs = 0, workShare } = calibration?.constants ?? {}
  if (atOnce === undefined) return ": a crowd of calls does not slow it down"
  if (workShare === undefined) return `, and works on ${atOnce} at once`
  return `; for each ms that it takes at the median a call keeps one of ${atOnce} processors busy for ${workShare} ms, over all programs that it makes work, and each watcher that is told of a change for ${eventMs} ms more, so that a crowd waits`
}

const startWords = ({ pods }: Cluster): string =>
  pods === "kubelet"
    ? "Pods start within 0.8 to 3 s of being seen by their node, as on a kubelet whose images are there."
    : "Pods start at once, as with kwok's fast stages."

const networkWords = (cluster: Cluster, calibration: Calibration | undefined): string => {
  const way = wayOf(cluster, calibration)
  if (way === undefined || cluster.network === "none")
    return "Network: none. Clients call the server in process, so that only the disk and waiting take virtual time."
  const { lossRate, resetRate } = cluster.network
  return `Network: log-normal with a median of ${way.medianMs} ms each way (deviation of its logarithm ${way.sigma}), ${lossRate * 100} % lost and sent again, ${resetRate * 100} % of messages take their connection down.`
}

const schedulerWords = (cluster: Cluster, calibration: Calibration | undefined): ReadonlyArray<string> => {
  if (cluster.scheduler === "one-pass") return []
  const { attemptMs, missMs, turnMs } = schedulerTimes(cluster, calibration)
  return [
    attemptMs === 0
      ? `The scheduler attempts up to 32 pods every ${turnMs} ms; how long its decisions really take is the rate per second of real time.`
      : `The scheduler turns to a pod after ${turnMs} ms and spends ${attemptMs} ms on each attempt, as measured, and ${missMs.toPrecision(2)} ms more where it has looked at all nodes in vain.`
  ]
}

/** The model in sentences. */
export const modelWords = (cluster: Cluster, calibration: Calibration | undefined): ReadonlyArray<string> => {
  const { medianMs, sigma } = flushOf(cluster, calibration)
  const isTimed = calibration !== undefined && cluster.network !== "none"
  return [
    networkWords(cluster, calibration),
    `Disk: a flush takes ${medianMs} ms at the median (deviation of its logarithm ${sigma}).`,
    startWords(cluster),
    ...schedulerWords(cluster, calibration),
    ...(cluster.systems.length === 0
      ? []
      : [`Around a real control plane stand ${cluster.systems.join(", ")} as well; a simulated one does without.`]),
    isTimed
      ? `The server takes as long as a real one took for calls of the same verb and resource, drawn one by one${crowdWords(cluster, calibration)}; a list by what it holds.`
      : "The server's own computing takes no virtual time: what a figure shows comes from the network, the disk, queues, retries and pace."
  ]
}

/** The same of a cluster on real programs. */
export const realWords = (cluster: Cluster): ReadonlyArray<string> => [
  "Real time: the API server, the store, the controllers and the scheduler are real programs on this machine; nodes and pods are hollow.",
  startWords(cluster),
  "A watch event's lag counts from the moment at which any client of the run first heard of its revision."
]
