// The test bed of TiKV's protocol as a process: a real placement driver and stores, started on free ports and ended for certain.
// Owns its ports, its folder and its admin requests (splits, merges, leader moves, planted faults); refuses to speak to it as a
// client does.
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { get } from "node:http"
import { request } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { freePort } from "../../FreePort.ts"

export interface TestBedPrograms {
  readonly "tikv-testbed": string
  readonly "pd-server": string
}

/** Faults that the test bed plants for the next requests. */
export type PlantedFault = "not_leader" | "epoch" | "region_not_found" | "store_not_match" | "busy" | "stale" | "lost"

export interface BedRegion {
  readonly Region: number
  readonly Leader: number
  readonly Start: string
  readonly End: string
}

const running = new Set<ChildProcess>()
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL")
})

export class TestBed {
  readonly pd: string
  private readonly programs: TestBedPrograms
  /** Addresses of its stores. */
  readonly stores: ReadonlyArray<string>
  private readonly admin: string
  private readonly directory: string
  private child: ChildProcess | undefined

  private constructor(programs: TestBedPrograms, pd: number, stores: ReadonlyArray<number>, admin: number) {
    this.programs = programs
    this.pd = `127.0.0.1:${pd}`
    this.stores = stores.map((port) => `127.0.0.1:${port}`)
    this.admin = `127.0.0.1:${admin}`
    this.directory = mkdtempSync(join(tmpdir(), "tikv-"))
  }

  /** Starts one with some stores, which all look at the same data. */
  static async start(programs: TestBedPrograms, stores = 3): Promise<TestBed> {
    const ports: Array<number> = []
    for (let n = 0; n < stores; n++) ports.push(await freePort())
    const bed = new TestBed(programs, await freePort(), ports, await freePort())
    await bed.resume()
    return bed
  }

  /** Starts it again on its data. */
  resume(): Promise<void> {
    const args = [
      "-pd",
      this.pd,
      "-pd-server",
      this.programs["pd-server"],
      "-tikv",
      this.stores.join(","),
      "-data",
      this.directory,
      "-admin",
      this.admin,
      "-sync=false"
    ]
    const child = spawn(this.programs["tikv-testbed"], args, { stdio: ["ignore", "pipe", "pipe"] })
    this.child = child
    running.add(child)
    return new Promise((resolve, reject) => {
      let said = ""
      const hear = (text: Buffer): void => {
        said = (said + text.toString()).slice(-20_000)
        if (said.includes("READY")) resolve()
      }
      child.stdout.on("data", hear)
      child.stderr.on("data", hear)
      child.once("close", (code) => {
        running.delete(child)
        reject(new Error(`the test bed ended with ${code}: ${said}`))
      })
    })
  }

  /** Ends it as an operator does: its locks are kept. */
  async pause(): Promise<void> {
    const { child } = this
    if (child === undefined || child.exitCode !== null) return
    const ended = new Promise((resolve) => void child.once("close", resolve))
    child.kill("SIGTERM")
    await ended
  }

  async destroy(): Promise<void> {
    await this.pause()
    rmSync(this.directory, { recursive: true, force: true })
  }

  /** Asks the admin port; whether it did as it was told. */
  private order(path: string): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const asked = request(`http://${this.admin}${path}`, { method: "POST" }, (response) => {
        response.resume()
        response.once("end", () => resolve(response.statusCode === 200))
      })
      asked.once("error", reject)
      asked.end()
    })
  }

  split(key: Uint8Array): Promise<boolean> {
    return this.order(`/split?key=${Buffer.from(key).toString("hex")}`)
  }

  merge(region: number): Promise<boolean> {
    return this.order(`/merge?region=${region}`)
  }

  moveLeader(region: number, store: number): Promise<boolean> {
    return this.order(`/leader?region=${region}&store=${store}`)
  }

  plant(fault: PlantedFault, requests: number): Promise<boolean> {
    return this.order(`/fault?kind=${fault}&n=${requests}`)
  }

  regions(): Promise<ReadonlyArray<BedRegion>> {
    return new Promise((resolve, reject) => {
      get(`http://${this.admin}/regions`, (response) => {
        let text = ""
        response.setEncoding("utf8").on("data", (part: string) => void (text += part))
        response.once("end", () => resolve(JSON.parse(text) as ReadonlyArray<BedRegion>))
      }).once("error", reject)
    })
  }
}
