// What a person sees of a simulated cluster while it lives and when it is over, in one line each.
// Owns the words; where they are written is Progress.ts's.
import { type RecordedCluster, waitOfAll, wallRate } from "#reports"
import type { RunLabel } from "../Progress.ts"
import type { WorldProgress } from "../world/Protocol.ts"

/** Virtual time as hours, minutes and seconds; with the hours where it is one of a time, `ofMs`, that has some. */
export const virtualTime = (ms: number, ofMs: number = ms): string => {
  const seconds = Math.floor(ms / 1000)
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60]
  const rest = `${String(minutes).padStart(2, "0")}:${String(seconds % 60).padStart(2, "0")}`
  return ofMs >= 3_600_000 ? `${hours}:${rest}` : rest
}

const times = (speed: number): string => `${speed >= 10 ? Math.round(speed).toLocaleString("en") : speed.toFixed(1)}×`
const count = (value: number): string => value.toLocaleString("en")

/** One line about the cluster as it is now. */
export const clusterLine = ({ backend, of, position }: RunLabel, now: WorldProgress): string => {
  const label = `[${position + 1}/${of}] ${backend}`
  if (now.shrinking) return `${label}  a guarantee is broken; looking for the smallest case that breaks it …`
  const ready = now.zones.reduce((sum, zone) => sum + zone.ready, 0)
  const nodes = now.zones.reduce((sum, zone) => sum + zone.nodes, 0)
  const parts = [
    label,
    `${virtualTime(now.virtualMs, now.durationMs)} of ${virtualTime(now.durationMs)}`,
    `${times(now.speed)} real time`,
    `${count(ready)}/${count(nodes)} nodes ready`,
    `${count(now.pods["Running"] ?? 0)} pods running`,
    `${Math.round(now.residentBytes / 2 ** 20)} MiB`
  ]
  if (now.violations > 0) parts.push(`${now.violations} violations`)
  return parts.join("  ")
}

const schedulingWords = ({ scheduling }: RecordedCluster): ReadonlyArray<string> => {
  if (scheduling === undefined || scheduling.bound === 0) return []
  const { bound, victims, waiting } = scheduling
  const [rate, { p99 }] = [wallRate(scheduling), waitOfAll(scheduling)]
  return [
    `${count(bound)} pods bound${rate === undefined ? "" : ` at ${count(Math.round(rate))}/s of real time`}`,
    ...(p99 === null ? [] : [`p99 ${(p99 / 1000).toFixed(0)} ms without a node`]),
    ...(victims === 0 ? [] : [`${count(victims)} preempted`]),
    ...(waiting === 0 ? [] : [`${count(waiting)} still waiting`])
  ]
}

/** One line about a finished run. */
export const finishedClusterLine = (run: RunLabel, cluster: RecordedCluster): string => {
  const { eventLogHash, events, podsMax, residentMaxBytes, virtualMs, wallMs } = cluster
  const p99 = cluster.podStarts.whole.p99
  const parts = [
    `${count(cluster.nodes)} nodes`,
    `up to ${count(podsMax)} pods`,
    `${virtualTime(virtualMs)} of virtual time at ${times(virtualMs / Math.max(1, wallMs))} real time`,
    ...(p99 === null ? [] : [`pod start p99 ${(p99 / 1e6).toFixed(2)} s`]),
    ...schedulingWords(cluster),
    `${count(events)} events`,
    `${Math.round(residentMaxBytes / 2 ** 20)} MiB`,
    `event log ${eventLogHash}`
  ]
  return `[${run.position + 1}/${run.of}] ${run.backend} done in ${(wallMs / 1000).toFixed(1)} s: ${parts.join(", ")}`
}
