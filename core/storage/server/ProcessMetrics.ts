// What the operating system tells of this process, under Prometheus' usual names.
// Owns the reading of /proc, where there is one; elsewhere the families that need it are left out.
import { readdirSync, readFileSync } from "node:fs"
import { counter, type Family, gauge } from "./MetricFamily.ts"

const readOrNothing = <A>(read: () => A): A | undefined => {
  try {
    return read()
  } catch {
    return undefined
  }
}

const optional = (value: number | undefined, family: (value: number) => Family): ReadonlyArray<Family> =>
  value === undefined || Number.isNaN(value) ? [] : [family(value)]

/** CPU, memory and open files. Memory that no file backs is shown by itself: pages of the data file are the system's cache. */
export const processFamilies = (startedAtMs: number): ReadonlyArray<Family> => {
  const { rss } = process.memoryUsage()
  const { system, user } = process.cpuUsage()
  const status = readOrNothing(() => readFileSync("/proc/self/status", "utf8")) ?? ""
  const kilobytes = (field: string): number => Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1]) * 1024
  const limits = readOrNothing(() => readFileSync("/proc/self/limits", "utf8")) ?? ""
  return [
    counter("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", (user + system) / 1e6),
    gauge("process_resident_memory_bytes", "Resident memory size in bytes.", rss),
    gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds.", startedAtMs / 1000),
    ...optional(kilobytes("VmSize"), (bytes) =>
      gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.", bytes)
    ),
    gauge(
      "process_resident_anonymous_memory_bytes",
      "Resident memory that no file backs, in bytes.",
      Number.isNaN(kilobytes("RssAnon")) ? rss : kilobytes("RssAnon")
    ),
    ...optional(
      readOrNothing(() => readdirSync("/proc/self/fd").length),
      (files) => gauge("process_open_fds", "Number of open file descriptors.", files)
    ),
    ...optional(Number(/Max open files\s+(\d+)/.exec(limits)?.[1]), (files) =>
      gauge("process_max_fds", "Maximum number of open file descriptors.", files)
    )
  ]
}
