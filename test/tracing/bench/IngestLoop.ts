// What taking audit events costs by itself, without sockets: facts from bytes, and the store's commits, in one process, for a profiler.
//   node --cpu-prof test/tracing/bench/IngestLoop.ts [full|lean|recorded, default full] [seconds, default 5] [facts: without a store]
// For figures of a whole server: wharf run scenarios/audit-firehose.yaml.
import { readdirSync, readFileSync } from "node:fs"
import { ingestSetting, takeEventList } from "#tracing"
import { auditPool } from "../../../scenarios/traces/load/AuditPool.ts"
import { openOnDisk } from "../Stores.ts"

const [, , source = "full", seconds = "5", only = ""] = process.argv
if (source !== "full" && source !== "lean" && source !== "recorded")
  throw new Error(`${source}: full, lean or recorded`)
const pool = auditPool({ source, batch: 400, every: 0.05 }, Date.now() * 1000)
const setting = ingestSetting({}, 1800)
const bounds = { segmentRows: 65_536, recentMax: 2_097_152 }
const { close, store } = await openOnDisk({ bounds })
let events = 0

/** Processor time of each kind of thread, in ticks of 10 ms. */
const threadTimes = (): ReadonlyMap<string, number> => {
  const times = new Map<string, number>()
  for (const task of readdirSync("/proc/self/task")) {
    const stat = readFileSync(`/proc/self/task/${task}/stat`, "utf8")
    const end = stat.lastIndexOf(")")
    const name = Number(task) === process.pid ? "main" : stat.slice(stat.indexOf("(") + 1, end)
    const fields = stat.slice(end + 2).split(" ")
    times.set(name, (times.get(name) ?? 0) + Number(fields[11]) + Number(fields[12]))
  }
  return times
}

const turn = async (): Promise<void> => {
  const { body, events: some, path } = pool.next()
  events += some
  if (only === "facts")
    return void takeEventList(
      path,
      body,
      setting,
      () => {},
      () => {}
    )
  await new Promise<void>((resolve, reject) => {
    store.appendFrom(
      (take) => void takeEventList(path, body, setting, () => {}, take),
      ({ kind }) => (kind === "durable" ? resolve() : reject(new Error(kind)))
    )
  })
}

// Once for each of the pods, whose links are new then.
for (let warm = 0; warm < 150; warm++) await turn()
events = 0
const threadsBefore = threadTimes()
const before = process.resourceUsage()
const until = performance.now() + Number(seconds) * 1000
while (performance.now() < until) await turn()
const after = process.resourceUsage()
const threads = Array.from(
  threadTimes(),
  ([name, ticks]) => `${name} ${(((ticks - (threadsBefore.get(name) ?? 0)) * 10_000) / events).toFixed(1)}`
)
const user = (after.userCPUTime - before.userCPUTime) / events
const system = (after.systemCPUTime - before.systemCPUTime) / events
const faults = (after.minorPageFault - before.minorPageFault) / events
console.log(
  `${source}, ${pool.eventBytes} bytes an event: ${events} events, ${Math.round(1e6 / (user + system))} for a second of processor time (${user.toFixed(1)} µs and ${system.toFixed(1)} µs in the kernel each, ${faults.toFixed(2)} page faults)`
)
console.log(`by thread, in µs: ${threads.join(", ")}`)
await close()
