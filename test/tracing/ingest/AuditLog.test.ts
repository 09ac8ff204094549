// An audit log that is written, rotated and read on by another process after a restart: every event is there, and none twice.
import { appendFileSync, mkdtempSync, renameSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, it } from "vitest"
import { auditStream } from "../AuditStreams.ts"
import { serve, type Served } from "../Served.ts"
import { search } from "../Stores.ts"

const events = auditStream(
  Array.from({ length: 60 }, (_, at) => ({
    verb: "update" as const,
    object: at,
    afterUs: 1_000_001,
    code: 200,
    level: "RequestResponse" as const
  }))
)

const count = async ({ store }: Served): Promise<number> =>
  (await search(store, { service: "audit", limit: 1000 })).length

const until = async (served: Served, wanted: number): Promise<void> => {
  for (let tries = 0; (await count(served)) < wanted; tries++) {
    if (tries > 600) throw new Error(`waited in vain for ${wanted} events`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

it("goes on through rotation and restart", async () => {
  const folder = mkdtempSync(join(tmpdir(), "wharf-audit-log-"))
  const path = join(folder, "audit.log")
  const write = (from: number, to: number): void => appendFileSync(path, `${events.slice(from, to).join("\n")}\n`)
  const options = { dataDir: join(folder, "traces"), config: { clusters: [{ name: "prod", auditLog: path }] } }
  write(0, 10)
  const first = await serve(options)
  await until(first, 10)
  write(10, 20)
  renameSync(path, join(folder, "audit-2026-11-28T10-00-00.000.log"))
  write(20, 30)
  await until(first, 30)
  await first.close()
  // While nobody reads: the open file grows, is rotated, and so is the next.
  write(30, 40)
  renameSync(path, join(folder, "audit-2026-11-28T11-00-00.000.log"))
  write(40, 50)
  renameSync(path, join(folder, "audit-2026-11-28T12-00-00.000.log"))
  write(50, 55)
  appendFileSync(path, "not an event\n")
  write(55, 60)
  const second = await serve(options)
  await until(second, 60)
  expect(await count(second)).toBe(60)
  await second.close()
  rmSync(folder, { recursive: true })
}, 90_000)
