// Killed at any moment between the arrival of a batch and its answer: what was answered with 200 is there, what was not is sent again, and
// nothing is there twice. A few kills here; CRASHES=300 makes it hundreds:
//   CRASHES=300 npx vitest run --config test/vitest.config.ts test/tracing/serve/Crash.test.ts
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { rmSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { expect, it } from "vitest"
import { machineClockwork } from "#kube"
import { eventListFacts, ingestSetting, MemorySpanStore } from "#tracing"
import { auditStream, eventList } from "../AuditStreams.ts"
import { asker, auditToken } from "../Served.ts"
import { append, everything, openOnDisk, temporaryFolder } from "../Stores.ts"
import { runSeed } from "../../Seed.ts"

const CRASHES = Number(process.env["CRASHES"] ?? 3)
const BATCHES_MAX = 100_000

const start = async (dataDir: string): Promise<{ readonly child: ChildProcess; readonly port: number }> => {
  const program = fileURLToPath(new URL("CrashProcess.ts", import.meta.url))
  const child = spawn(process.execPath, [program, dataDir], { stdio: ["ignore", "pipe", "inherit"] })
  const [line] = await once(child.stdout, "data")
  return { child, port: Number(String(line)) }
}

const events = auditStream(
  Array.from({ length: 4000 }, (_, at) => ({
    verb: at < 40 ? ("create" as const) : ("update" as const),
    object: at % 40,
    afterUs: 1_000_001,
    code: 200,
    level: "RequestResponse" as const
  }))
)

const batchOf = (at: number): Buffer => eventList(events.slice((at * 20) % 4000, ((at * 20) % 4000) + 20))

it(
  "loses nothing that it took, and doubles nothing",
  async () => {
    const seed = runSeed()
    let chance = seed || 1
    const next = (below: number): number => (chance = (chance * 48_271) % 2_147_483_647) % below
    const dataDir = temporaryFolder()
    const sent = new Set<number>()
    let batch = 0
    for (let crash = 0; crash < CRASHES; crash++) {
      const { child, port } = await start(dataDir)
      const ask = asker(port)
      const life = { over: false }
      const killer = setTimeout(() => {
        life.over = true
        child.kill("SIGKILL")
      }, next(120))
      const senders = Array.from({ length: 4 }, async () => {
        while (!life.over && batch < BATCHES_MAX) {
          const mine = batch++
          // Like an API server: the same batch again until it is answered, by the next process if need be.
          const reply = await ask("POST", "/audit/prod", { body: batchOf(mine), token: auditToken }).catch(
            () => undefined
          )
          if (reply?.code === 200) sent.add(mine)
        }
      })
      await Promise.all(senders)
      clearTimeout(killer)
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit")
    }
    const setting = ingestSetting({}, 1800)
    const reference = new MemorySpanStore({ clockwork: machineClockwork })
    for (const at of sent) await append(reference, eventListFacts("prod", batchOf(at), setting, () => {}).facts)
    // It remembers more ids than there are, as a server does: what is forgotten is stored again, and told apart on reading.
    const { store, close } = await openOnDisk({ directory: dataDir, bounds: { recentMax: 65_536 } })
    const shown = await everything(store)
    for (const at of sent) {
      const { facts } = eventListFacts("prod", batchOf(at), setting, () => {})
      expect(await append(store, facts), `seed ${seed}`).toEqual({ kind: "durable", added: 0, known: facts.length })
    }
    // Batches that were on their way when the process died may be there or not, whole either way.
    for (let at = 0; at < batch; at++)
      await append(reference, eventListFacts("prod", batchOf(at), setting, () => {}).facts)
    for (let at = 0; at < batch; at++) await append(store, eventListFacts("prod", batchOf(at), setting, () => {}).facts)
    expect(await everything(store)).toBe(await everything(reference))
    expect(shown.length).toBeGreaterThan(sent.size > 0 ? 0 : -1)
    expect(store.stats().facts).toBe(reference.stats().facts)
    await close()
    rmSync(dataDir, { recursive: true })
  },
  60_000 + CRASHES * 5000
)
