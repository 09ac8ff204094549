// What the webhook's batches are copied to: another webhook, which gets them whole and in order however it fails, and a file, which holds
// nothing secret and can be read again; and who needs no cluster in the path.
import { readFileSync, rmSync } from "node:fs"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { expect, it } from "vitest"
import { machineClockwork } from "#kube"
import { eventLineFacts, eventListFacts, ingestSetting, MemorySpanStore } from "#tracing"
import { Forward, type Posted } from "../../../core/tracing/ingest/Forward.ts"
import { auditStream, eventList, SECRET_MARK } from "../AuditStreams.ts"
import { auditToken, readToken, serve } from "../Served.ts"
import { append, everything, temporaryFolder } from "../Stores.ts"

const events = auditStream(
  Array.from({ length: 24 }, (_, at) => ({
    verb: at < 8 ? ("create" as const) : ("update" as const),
    object: at % 8,
    afterUs: 1_000_001,
    code: at % 8 === 3 && at > 8 ? 422 : 200,
    level: "RequestResponse" as const
  }))
)
const setting = ingestSetting({}, 1800)

const until = async (what: string, holds: () => boolean): Promise<void> => {
  for (let tries = 0; !holds(); tries++) {
    if (tries > 1200) throw new Error(`waited in vain for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

const webhook = async (
  codes: Array<number>
): Promise<{ readonly server: Server; readonly got: Array<readonly [string, string]>; readonly url: string }> => {
  const got: Array<readonly [string, string]> = []
  const server = createServer((request, response) => {
    const parts: Array<Buffer> = []
    request.on("data", (part: Buffer) => parts.push(part))
    request.on("end", () => {
      got.push([`${request.url} ${request.headers.authorization ?? ""}`, Buffer.concat(parts).toString()])
      response.writeHead(codes.shift() ?? 200).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  // SAFETY: it listens on TCP.
  return { server, got, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

it("sends batches on, dumps what may be kept, and knows a cluster by its address", async () => {
  const folder = temporaryFolder()
  const { got, server, url } = await webhook([503, 200])
  const served = await serve({
    config: {
      forward: [{ url: `${url}/audit/:cluster` }],
      dump: { path: join(folder, ":cluster.jsonl") },
      clusters: [{ name: "prod", peerAddresses: ["127.0.0.1"] }]
    }
  })
  const batches = [events.slice(0, 12), events.slice(12)].map(eventList)
  for (const [at, body] of batches.entries()) {
    const path = at === 0 ? "/audit/prod" : "/audit"
    expect((await served.ask("POST", path, { body, token: auditToken })).code).toBe(200)
  }
  expect((await served.ask("POST", "/audit", { body: "{}", token: readToken })).code).toBe(403)
  await until("both batches", () => got.length === 3)
  expect(got).toEqual([batches[0], batches[0], batches[1]].map((body) => ["/audit/prod ", body.toString()]))
  const { body: metrics } = await served.ask("GET", "/metrics", { token: readToken })
  expect(metrics).toContain(`kelemetry_audit_forward_batches_total{target="${new URL(url).host}",outcome="sent"} 2`)
  const shown = await everything(served.store)
  await served.close()
  server.close()
  const dumped = readFileSync(join(folder, "prod.jsonl"))
  expect(dumped.includes(SECRET_MARK)).toBe(false)
  const lines = dumped.toString().trim().split("\n")
  expect(lines.length).toBe(events.length)
  const again = new MemorySpanStore({ clockwork: machineClockwork })
  for (const line of lines)
    await append(
      again,
      eventLineFacts("prod", Buffer.from(line), setting, () => {})
    )
  const first = new MemorySpanStore({ clockwork: machineClockwork })
  for (const body of batches) await append(first, eventListFacts("prod", body, setting, () => {}).facts)
  expect(await everything(first)).toBe(shown)
  expect((await everything(again)).length).toBeGreaterThan(shown.length / 2)
  rmSync(folder, { recursive: true })
})

it("keeps the order, tries again, gives up in time, and bounds what waits", () => {
  const sent: Array<string> = []
  const answers: Array<Posted["status"]> = [undefined, 429, 200, 400, 500, 500, 500, 500, 500, 500]
  let nowMs = 0
  const timers: Array<{ readonly atMs: number; readonly run: () => void }> = []
  const clockwork = {
    monotonic: () => nowMs,
    defer: (run: () => void) => void timers.push({ atMs: nowMs, run }),
    after: (delayMs: number, run: () => void) => {
      timers.push({ atMs: nowMs + delayMs, run })
      return () => {}
    }
  }
  const forward = new Forward({
    targets: [{ url: "http://other/:cluster", token: undefined }],
    clockwork,
    waitingBytesMax: 12,
    retryMs: 20_000,
    post: (_, url, body, done) => {
      sent.push(`${url} ${Buffer.from(body).toString()}`)
      const status = answers.shift()
      clockwork.defer(() => done({ status, retryAfterMs: undefined }))
    }
  })
  for (const name of ["one", "two", "three", "four"]) forward.add("a", Buffer.from(name))
  while (timers.length > 0) {
    timers.sort((a, b) => a.atMs - b.atMs)
    const next = timers.shift()
    nowMs = Math.max(nowMs, next?.atMs ?? 0)
    next?.run()
  }
  expect(sent.slice(0, 4)).toEqual([
    "http://other/a one",
    "http://other/a one",
    "http://other/a one",
    "http://other/a two"
  ])
  expect(new Set(sent.slice(4))).toEqual(new Set(["http://other/a three"]))
  const count = (outcome: string): string => `{target="other",outcome="${outcome}"} 1`
  for (const outcome of ["sent", "refused", "expired", "dropped"]) expect(forward.metrics()).toContain(count(outcome))
})
