// `wharf serve cluster` as a user has it: a process of its own, the real kubectl, pods that run, and a restart that finds them again.
import { type ChildProcess, execFile, spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { afterAll, beforeAll, expect, it } from "vitest"
import { describeWith } from "../../Judges.ts"

const run = promisify(execFile)
const wharf = fileURLToPath(new URL("../../../bin/wharf", import.meta.url))
const TIMEOUT_MS = 60_000

describeWith("kubectl")("wharf serve cluster", ({ kubectl }) => {
  const directory = mkdtempSync(join(tmpdir(), "cluster-"))
  const config = join(directory, "admin.conf")
  const env = { ...process.env, HOME: directory, KUBECONFIG: config }
  let server: ChildProcess
  let said = ""

  const start = (...more: ReadonlyArray<string>): Promise<void> =>
    new Promise((ready, failed) => {
      said = ""
      const place = ["--listen", "127.0.0.1:0", "--data-dir", join(directory, "data"), "--kubeconfig", config]
      server = spawn(wharf, ["serve", "cluster", "--nodes", "50", ...place, ...more], {
        stdio: ["ignore", "pipe", "inherit"]
      })
      server.stdout?.on("data", (text: Buffer) => {
        said += String(text)
        if (said.includes("50 nodes ready")) ready()
      })
      server.once("exit", (code) => failed(new Error(`the cluster ended with ${code}`)))
    })

  const stop = (): Promise<number | null> =>
    new Promise((ended) => {
      server.removeAllListeners("exit").once("exit", (code) => ended(code))
      server.kill("SIGTERM")
    })

  const ask = async (...args: ReadonlyArray<string>): Promise<string> =>
    (await run(kubectl, args, { env, timeout: TIMEOUT_MS })).stdout
  const refused = (...args: ReadonlyArray<string>): Promise<string> =>
    run(kubectl, args, { env, timeout: TIMEOUT_MS }).then(
      () => "",
      (error: { readonly stderr: string }) => error.stderr.trim()
    )
  const addresses = async (): Promise<ReadonlyArray<string>> =>
    (await ask("get", "pods", "-l", "app=web", "-o", 'jsonpath={range .items[*]}{.status.podIP}{"\\n"}{end}'))
      .split("\n")
      .filter((line) => line !== "")

  beforeAll(() => {
    writeFileSync(join(directory, "log.txt"), "first\nsecond\nthird\n")
    return start("--logs", join(directory, "log.txt"), "--exec", "/bin/echo", "--zones", "2")
  })
  afterAll(async () => {
    await stop()
    rmSync(directory, { recursive: true })
  })

  it("has nodes that are ready, in zones", async () => {
    const ready = await ask(
      "get",
      "nodes",
      "-o",
      'jsonpath={range .items[*]}{.status.conditions[?(@.type=="Ready")].status}{end}'
    )
    expect(ready).toBe("True".repeat(50))
    const zones = await ask("get", "nodes", "-L", "topology.kubernetes.io/zone", "--no-headers")
    expect(new Set(zones.match(/zone-\w/g))).toEqual(new Set(["zone-a", "zone-b"]))
  })

  it("runs what is asked of it", async () => {
    await ask("create", "deployment", "web", "--image", "web", "--replicas", "40")
    await ask("rollout", "status", "deployment/web", "--timeout=50s")
    expect(await ask("get", "deployment", "web", "--no-headers")).toMatch(/^web\s+40\/40\s+40\s+40\s/)
    expect(new Set(await addresses()).size).toBe(40)
  })

  it("answers logs, exec and attach for pods that run nothing", async () => {
    expect(await ask("logs", "deployment/web", "--tail", "2")).toBe("second\nthird\n")
    expect(await ask("exec", "deployment/web", "--", "hello", "there")).toBe("hello there\n")
    expect(await refused("port-forward", "deployment/web", ":80")).toContain("is hollow, no port of it is open")
  })

  it("finds nodes and pods again after a restart, and goes on", async () => {
    const before = await ask("get", "pods", "-o", "jsonpath={.items[*].metadata.uid}")
    expect(await stop()).toBe(0)
    await start()
    expect(await ask("get", "pods", "-o", "jsonpath={.items[*].metadata.uid}")).toBe(before)
    expect(await ask("get", "pods", "--field-selector", "status.phase=Running", "-o", "name")).toHaveLength(
      "pod/web-xxxxxxxxxx-xxxxx\n".length * 40
    )
    await ask("scale", "deployment/web", "--replicas", "60")
    await ask("rollout", "status", "deployment/web", "--timeout=50s")
    const all = await addresses()
    expect(all).toHaveLength(60)
    expect(new Set(all).size).toBe(60)
    // Without a program nothing is run in a pod's name.
    expect(await refused("exec", "deployment/web", "--", "hello")).toContain("--exec PROGRAM")
    expect(await ask("logs", "deployment/web")).toMatch(/^container web of pod default\/web-\S+ is hollow/)
    expect(readFileSync(config, "utf8")).toContain("certificate-authority-data")
  })

  it("refuses what it cannot be told, with the flag and its rule", async () => {
    const misused = await run(wharf, ["serve", "cluster", "--nodes", "-1"]).then(
      () => "",
      (error: { readonly stderr: string; readonly code: number }) => `${error.code} ${error.stderr}`
    )
    expect(misused).toContain("--nodes -1: must be between 0 and 100000")
  })
})
