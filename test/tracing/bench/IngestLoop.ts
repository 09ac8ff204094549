// What taking audit events costs by itself, without sockets: facts from bytes, and the store's commits, in one process, for a profiler.
//   node --cpu-prof test/tracing/bench/IngestLoop.ts [full|lean|recorded, default full] [seconds, default 5]
// For figures of a whole server: wharf run scenarios/audit-firehose.yaml.
import { eventListFacts, ingestSetting } from "#tracing"
import { auditPool } from "../../../scenarios/traces/load/AuditPool.ts"
import { append, openOnDisk } from "../Stores.ts"

const [, , source = "full", seconds = "5"] = process.argv
if (source !== "full" && source !== "lean" && source !== "recorded")
  throw new Error(`${source}: full, lean or recorded`)
const pool = auditPool({ source, batch: 400, every: 0.05 }, Date.now() * 1000)
const setting = ingestSetting({}, 1800)
const bounds = { segmentRows: 65_536, recentMax: 2_097_152 }
const { close, store } = await openOnDisk({ bounds })
const times = { facts: 0, store: 0 }
let events = 0

const turn = async (): Promise<void> => {
  const { body, events: some, path } = pool.next()
  const begun = performance.now()
  const { facts } = eventListFacts(path, body, setting, () => {})
  const read = performance.now()
  await append(store, facts)
  times.facts += read - begun
  times.store += performance.now() - read
  events += some
}

// Once for each of the pods, whose links are new then.
for (let warm = 0; warm < 50; warm++) await turn()
Object.assign(times, { facts: 0, store: 0 })
events = 0
const cpu = process.cpuUsage()
const until = performance.now() + Number(seconds) * 1000
while (performance.now() < until) await turn()
const { system, user } = process.cpuUsage(cpu)
const each = (ms: number): string => `${((ms * 1000) / events).toFixed(1)} µs`
console.log(
  `${source}, ${pool.eventBytes} bytes an event: ${events} events, ${each((user + system) / 1000)} of processor time each (${Math.round((events * 1e6) / (user + system))} a second), ${each(times.facts)} for facts, ${each(times.store)} until they are stored`
)
await close()
