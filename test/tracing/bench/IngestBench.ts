// How many audit events a second one process takes, durable and indexed, over its webhook; and how late they are at half of that.
//   node test/tracing/bench/IngestBench.ts [seconds, default 15]
// The server is a process of its own, whose processor time is read from the system; the sender is this one, with batches made before.
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { readFileSync, rmSync } from "node:fs"
import { Agent, request } from "node:http"
import { fileURLToPath } from "node:url"
import { auditToken } from "../Served.ts"
import { temporaryFolder } from "../Stores.ts"
import { firehoseBatch } from "./Firehose.ts"

const SECONDS = Number(process.argv[2] ?? 15)
const BATCH = 400
const CONNECTIONS = 4
const TICKS = 100

const agent = new Agent({ keepAlive: true, maxSockets: 64 })

const send = (port: number, body: Buffer): Promise<number> =>
  new Promise((resolve, reject) => {
    const headers = {
      "content-type": "application/json",
      "content-length": body.length,
      authorization: `Bearer ${auditToken}`
    }
    const sent = request(
      { agent, host: "127.0.0.1", port, method: "POST", path: "/audit/prod", headers },
      (response) => {
        response.resume()
        response.once("end", () => resolve(response.statusCode ?? 0))
      }
    )
    sent.once("error", reject)
    sent.end(body)
  })

/** Processor seconds of all threads of a process. */
const cpuSeconds = (child: ChildProcess): number => {
  const fields = readFileSync(`/proc/${child.pid}/stat`, "utf8").split(") ")[1].split(" ")
  return (Number(fields[11]) + Number(fields[12])) / TICKS
}

const residentMiB = (child: ChildProcess): number =>
  Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1] ?? 0) / 1024)

const dataDir = temporaryFolder()
const program = fileURLToPath(new URL("../serve/CrashProcess.ts", import.meta.url))
const child = spawn(process.execPath, [program, dataDir], { stdio: ["ignore", "pipe", "inherit"] })
const [line] = await once(child.stdout, "data")
const port = Number(String(line))

const nowUs = Date.now() * 1000
const spacingUs = 40
const made = (from: number, batches: number): ReadonlyArray<Buffer> =>
  Array.from({ length: batches }, (_, at) =>
    firehoseBatch({ batch: from + at, events: BATCH, startUs: nowUs + (from + at) * BATCH * spacingUs, spacingUs })
  )

/** As fast as it goes. */
const flood = async (bodies: ReadonlyArray<Buffer>, seconds: number): Promise<number> => {
  let next = 0
  const until = performance.now() + seconds * 1000
  const senders = Array.from({ length: CONNECTIONS }, async () => {
    let taken = 0
    while (performance.now() < until && next < bodies.length) {
      const body = bodies[next++]
      const code = await send(port, body)
      if (code !== 200) throw new Error(`answered ${code}`)
      taken += BATCH
    }
    return taken
  })
  return (await Promise.all(senders)).reduce((sum, taken) => sum + taken, 0)
}

const warm = made(0, 50)
await flood(warm, 60)
// No batch comes twice: what is known already would be cheap.
const bodies = made(50, Math.ceil((SECONDS * 40_000) / BATCH))
const bytes = bodies[0].length
const [cpu, began] = [cpuSeconds(child), performance.now()]
const taken = await flood(bodies, SECONDS)
const [used, elapsed] = [cpuSeconds(child) - cpu, (performance.now() - began) / 1000]
const perSecond = taken / elapsed
const perCore = taken / used
console.log(
  `closed loop: ${taken} events of ${Math.round(bytes / BATCH)} bytes in ${elapsed.toFixed(1)} s: ${Math.round(perSecond)} events/s, ${used.toFixed(1)} processor seconds, ${Math.round(perCore)} events/s/core, ${residentMiB(child)} MiB resident`
)

/** On schedule: from when the batch's last event was due until it was durable. */
const rate = Math.min(10_000, perCore / 2)
const lags: Array<number> = []
const open = made(50 + bodies.length, Math.ceil((rate * SECONDS) / BATCH))
const start = performance.now()
await Promise.all(
  open.map(async (body, at) => {
    const due = start + (at * BATCH * 1000) / rate
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())))
    await send(port, body)
    lags.push(performance.now() - due)
  })
)
lags.sort((a, b) => a - b)
const at = (part: number): string => `${lags[Math.min(lags.length - 1, Math.floor(lags.length * part))].toFixed(1)} ms`
console.log(
  `open loop at ${Math.round(rate)} events/s: from due to durable p50 ${at(0.5)}, p99 ${at(0.99)}, max ${at(1)}, ${lags.length} batches`
)
child.kill("SIGTERM")
agent.destroy()
rmSync(dataDir, { recursive: true, force: true })
process.exit(0)
