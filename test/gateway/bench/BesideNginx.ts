// The gateway beside nginx and beside no gateway at all, in turns, on one machine: throughput per second of processor time, latency
// added at a steady pace, what idle watches cost, how fast an event reaches all watchers, and connections to the endpoint.
// nginx is Debian's, with one worker, TLS and HTTP/2 to clients, TLS and kept-alive HTTP/1.1 to the endpoint; it authenticates nobody.
// Run: node test/gateway/bench/BesideNginx.ts [part…], parts: throughput pace watches connections. PROFILE=folder profiles the
// gateway; CASE=text narrows throughput to the cases with this text, watches to those that begin so.
import { execFile, execFileSync, spawn } from "node:child_process"
import { readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { freePort } from "../../FreePort.ts"
import { makeCertificates } from "./Certificates.ts"
import { type Child, processorSeconds, residentBytes, start } from "./Control.ts"

const wanted = new Set(process.argv.slice(2))
const does = (part: string): boolean => wanted.size === 0 || wanted.has(part)
const path = "/api/v1/namespaces/n/configmaps/c"
const folder = await makeCertificates()
const upstream = await start("BenchUpstream.ts", [folder])
const gateway = await start("BenchGateway.ts", [folder, String(upstream.port)])
const client = await start("BenchClient.ts", [folder])
const say = (text: string): void => console.log(text)
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

const nginxPort = await freePort()
writeFileSync(
  join(folder, "nginx.conf"),
  `worker_processes 1; daemon off; pid ${folder}/nginx.pid; error_log ${folder}/error.log;
events { worker_connections 8192; }
http {
  access_log off; client_body_temp_path ${folder}/t1; proxy_temp_path ${folder}/t2; fastcgi_temp_path ${folder}/t3;
  uwsgi_temp_path ${folder}/t4; scgi_temp_path ${folder}/t5; keepalive_requests 100000000;
  upstream endpoint { server 127.0.0.1:${upstream.port}; keepalive 1024; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${nginxPort} ssl http2; http2_max_concurrent_streams 1000;
    ssl_certificate ${folder}/server.pem; ssl_certificate_key ${folder}/server.key;
    location / {
      proxy_pass https://endpoint; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
      proxy_ssl_session_reuse on; proxy_ssl_verify on; proxy_ssl_trusted_certificate ${folder}/ca.pem;
      proxy_ssl_name upstream; proxy_read_timeout 3600s;
    }
  }
}
`
)
const nginx = spawn("nginx", ["-c", join(folder, "nginx.conf")], { stdio: "inherit" })
await sleep(500)
const worker = Number(
  execFileSync("pgrep", ["-P", String(nginx.pid)], { encoding: "utf8" })
    .trim()
    .split("\n")[0]
)

interface Way {
  readonly name: string
  readonly port: number
  /** Of the process between client and endpoint. */
  readonly pid: number | undefined
}
const ours: Way = { name: "ours", port: gateway.port, pid: gateway.child.pid }
const theirs: Way = { name: "nginx", port: nginxPort, pid: worker }
const direct: Way = { name: "direct", port: upstream.port, pid: undefined }

const counts = (): Promise<{ requests: number; reviews: number; connections: number; watchers: number }> =>
  upstream.ask("counts")
const median = (values: ReadonlyArray<number>): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0

const loadOptions = (
  way: Way,
  extent: ReadonlyArray<string>,
  connections: number,
  streams: number,
  file: string
): Array<string> => [
  ...extent,
  "-c",
  String(connections),
  "-m",
  String(streams),
  `--connect-to=127.0.0.1:${way.port}`,
  "-H",
  `authorization: Bearer ${"t".repeat(600)}`,
  "-H",
  "accept: application/json",
  "-H",
  "user-agent: kubectl/v1.37.0 (linux/amd64) kubernetes/abcdef",
  "-i",
  file
]

/** The good answers of a load; any other outcome is an error. */
const succeeded = (text: string): number => {
  const good = /(\d+) succeeded, (\d+) failed, (\d+) errored/.exec(text)
  if (good === null || good[2] !== "0" || good[3] !== "0" || good[1] === "0")
    throw new Error(`h2load saw failures:\n${text}`)
  return Number(good[1])
}

const urisOf = (count: number): string => {
  const file = join(folder, `uris-${count}`)
  const lines = Array.from({ length: count }, (_, n) => `https://a.example${path}${n}`)
  writeFileSync(file, `${lines.join("\n")}\n`)
  return file
}

/** Looks at three seconds of a load that began two seconds before: handshakes and compiling are over then. */
const steadily = async (
  way: Way,
  connections: number,
  streams: number,
  file: string
): Promise<{ rate: number; perCpu: number }> => {
  const loading = promisify(execFile)("h2load", loadOptions(way, ["-D", "6"], connections, streams, file))
  await sleep(2000)
  const [before, cpu, began] = [(await counts()).requests, processorSeconds(way.pid ?? 0), performance.now()]
  await sleep(3000)
  const [after, cpuAfter, over] = [(await counts()).requests, processorSeconds(way.pid ?? 0), performance.now()]
  succeeded((await loading).stdout)
  return { rate: ((after - before) * 1000) / (over - began), perCpu: (after - before) / (cpuAfter - cpu) }
}

const throughput = async (): Promise<void> => {
  for (const [label, connections, streams, uris] of [
    ["30 connections x 10, one path", 30, 10, 1],
    ["30 connections x 10, 1000 paths", 30, 10, 1000],
    ["300 connections x 1, 1000 paths", 300, 1, 1000]
  ] as const) {
    if (!label.includes(process.env["CASE"] ?? "")) continue
    const file = urisOf(uris)
    const seen = new Map<Way, Array<{ rate: number; perCpu: number }>>([
      [ours, []],
      [theirs, []]
    ])
    for (let turn = 0; turn < 2; turn++) {
      for (const way of turn % 2 === 0 ? [ours, theirs] : [theirs, ours])
        seen.get(way)?.push(await steadily(way, connections, streams, file))
    }
    const of = (way: Way, what: "rate" | "perCpu"): number => median((seen.get(way) ?? []).map((each) => each[what]))
    for (const way of [ours, theirs]) {
      say(
        `${label}: ${way.name} ${Math.round(of(way, "rate"))} requests/s, ${Math.round(of(way, "perCpu"))} per second of its processor time`
      )
    }
    say(`${label}: ours / nginx per second of processor time ${(of(ours, "perCpu") / of(theirs, "perCpu")).toFixed(2)}`)
  }
}

interface Paced {
  readonly times: ReadonlyArray<number>
  readonly failures: Readonly<Record<string, number>>
}

/** The last lines of nginx's own account of what went wrong. */
const nginxErrors = (): string =>
  readFileSync(join(folder, "error.log"), "utf8").trim().split("\n").slice(-5).join("\n")

const pace = async (): Promise<void> => {
  const turns = 5
  const shapes = [
    ["direct", direct, true],
    ["ours, certificate", ours, true],
    ["ours, token in cache", ours, false],
    ["nginx, nobody proven", theirs, false]
  ] as const
  const seen = new Map<string, Array<ReadonlyArray<number>>>()
  const used = new Map<string, number>()
  for (let turn = 0; turn < turns; turn++) {
    for (const [name, way, certificate] of turn % 2 === 0 ? shapes : shapes.toReversed()) {
      const options = { port: way.port, perSecond: 5000, seconds: 2, certificate, connections: 10 }
      await client.ask("paced", { ...options, seconds: 1 })
      const before = way.pid === undefined ? 0 : processorSeconds(way.pid)
      const { requests } = await counts()
      const { failures, times } = await client.ask<Paced>("paced", options)
      const failed = JSON.stringify(failures)
      if (failed !== "{}") say(`  ${name}: failed ${failed}${way === theirs ? `\n${nginxErrors()}` : ""}`)
      seen.set(name, [...(seen.get(name) ?? []), times])
      const after = await counts()
      if (name.startsWith("ours"))
        say(`  ${name}: ${((after.requests - requests) / times.length).toFixed(4)} requests to the endpoint for each`)
      used.set(name, (used.get(name) ?? 0) + (way.pid === undefined ? 0 : processorSeconds(way.pid) - before))
    }
  }
  const at = (times: ReadonlyArray<number>, part: number): number =>
    [...times].sort((a, b) => a - b)[Math.floor(times.length * part)] ?? 0
  const mean = (times: ReadonlyArray<number>): number => times.reduce((sum, each) => sum + each, 0) / times.length
  const of = (name: string, what: (times: ReadonlyArray<number>) => number): number =>
    median((seen.get(name) ?? []).map(what))
  for (const [name] of shapes) {
    const [p50, p90, p99, average] = [0.5, 0.9, 0.99]
      .map((part) => of(name, (times) => at(times, part)))
      .concat(of(name, mean))
    const added = `added p50 ${((p50 ?? 0) - of("direct", (times) => at(times, 0.5))).toFixed(3)}, mean ${((average ?? 0) - of("direct", mean)).toFixed(3)}`
    say(
      `5,000 GET/s, ${name}: ms p50 ${p50?.toFixed(3)} p90 ${p90?.toFixed(3)} p99 ${p99?.toFixed(3)} mean ${average?.toFixed(3)}; ${added}; processor ${((used.get(name) ?? 0) / (2 * turns)).toFixed(2)} s/s`
    )
  }
}

const settleMemory = async (child: Child): Promise<number> => {
  await child.ask("memory")
  await sleep(300)
  await child.ask("memory")
  return residentBytes(child.child.pid ?? 0)
}

const watches = async (): Promise<void> => {
  for (const [connections, each] of [
    [50, 100],
    [500, 10]
  ] as const) {
    // The memory of one shape hides that of the next: measure each by itself.
    if (!`${connections} connections`.startsWith(process.env["CASE"] ?? "")) continue
    const before = await settleMemory(gateway)
    await client.ask("hold", ours.port, connections, each)
    await sleep(500)
    const held = await settleMemory(gateway)
    const all = connections * each
    say(
      `${all} idle watches on ${connections} connections: ${((held - before) / all / 1024).toFixed(2)} KiB of the gateway's memory for each`
    )
    const every: Array<number> = []
    for (let turn = 0; turn < 5; turn++) {
      await upstream.ask("event")
      const lags: Array<number> = []
      while (lags.length < all) {
        await sleep(100)
        lags.push(...(await client.ask<ReadonlyArray<number>>("lags")))
      }
      if (turn > 0) every.push(...lags)
    }
    every.sort((a, b) => a - b)
    say(
      `an event to ${all} watchers on ${connections} connections: ms p50 ${every[every.length >> 1]?.toFixed(1)} p99 ${every[Math.floor(every.length * 0.99)]?.toFixed(1)} last ${every.at(-1)?.toFixed(1)}`
    )
    say(`  connections to the endpoint: ${(await counts()).connections}`)
    await client.ask("drop")
    await sleep(1000)
  }
}

const connections = async (): Promise<void> => {
  const file = urisOf(1000)
  for (const clients of [10, 100, 1000]) {
    const { requests } = await counts()
    const options = loadOptions(ours, ["-n", "10000"], clients, 1, file)
    const calls = succeeded(execFileSync("h2load", options, { encoding: "utf8" }))
    const after = await counts()
    say(
      `${clients} clients: ${after.connections} connections to the endpoint (one or two of them nginx's), ${((after.requests - requests) / calls).toFixed(4)} requests for each`
    )
  }
}

try {
  say(
    `node ${process.version}, nginx ${/nginx\/(\S+)/.exec(spawnVersion())?.[1] ?? "?"}, ${readFileSync("/proc/cpuinfo", "utf8").match(/model name/g)?.length ?? 0} processors`
  )
  if (does("throughput")) await throughput()
  if (does("pace")) await pace()
  if (does("connections")) await connections()
  if (does("watches")) await watches()
} finally {
  nginx.kill()
  for (const { child } of [client, gateway, upstream]) child.kill()
  rmSync(folder, { recursive: true, force: true })
}

function spawnVersion(): string {
  return execFileSync("sh", ["-c", "nginx -v 2>&1"], { encoding: "utf8" })
}
process.exit(0)
