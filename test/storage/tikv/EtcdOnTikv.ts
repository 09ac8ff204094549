// Our store on TiKV in the place of an etcd binary: a program that suites start with etcd's own flags, on a test bed that outlives them.
// Each cluster that a suite makes is a store of its own, told apart by its data folder; with companions, other nodes stand on the same
// store already, so that what the suite speaks to follows one of them.
// Owns bed, companions and the program's file; refuses to judge.
import { type ChildProcess, spawn } from "node:child_process"
import { createHash } from "node:crypto"
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer, type Server } from "node:http"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { freePort } from "../../FreePort.ts"
import { TestBed, type TestBedPrograms } from "./TestBed.ts"

const etcd = fileURLToPath(new URL("../../../bin/etcd", import.meta.url))
const READY = "ready to serve client requests"

/** Asks which prefix is this folder's, and goes on as the store under it. */
const program = (warden: string, pd: string): string => `#!/bin/sh
dir= cluster= last=
for word in "$@"; do
  case "$last$word" in
    --data-dir=*) dir=\${word#--data-dir=} ;;
    --initial-cluster=*) cluster=\${word#--initial-cluster=} ;;
    --data-dir?*) dir=$word ;;
    --initial-cluster?*) cluster=$word ;;
  esac
  case "$word" in --data-dir | --initial-cluster) last=$word ;; *) last= ;; esac
done
[ -n "$dir" ] || exec ${etcd} "$@"
prefix=$(curl -sf --max-time 60 --data-urlencode "dir=$dir" --data-urlencode "cluster=$cluster" ${warden}) || exit 1
exec ${etcd} "$@" --backend tikv --pd-endpoints ${pd} --tikv-key-prefix "$prefix"
`

/** Nodes that stand on one store before a suite's own does. */
class Companions {
  readonly dir: string
  private readonly children: ReadonlyArray<ChildProcess>
  readonly ready: Promise<void>

  constructor(dir: string, children: ReadonlyArray<ChildProcess>) {
    this.dir = dir
    this.children = children
    this.ready = Promise.all(children.map(untilReady)).then(() => undefined)
  }

  end(): void {
    for (const child of this.children) child.kill("SIGKILL")
  }
}

const untilReady = (child: ChildProcess): Promise<void> =>
  new Promise((resolve, reject) => {
    let log = ""
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      log = (log + text).slice(-4096)
      if (log.includes(READY)) resolve()
    })
    child.once("close", (code) => reject(new Error(`a companion ended with ${code}: ${log}`)))
  })

export class EtcdOnTikv {
  /** The program to start in etcd's place. */
  readonly binary: string
  private readonly bed: TestBed
  private readonly folder = mkdtempSync(join(tmpdir(), "etcd-on-tikv-"))
  private readonly nodes: number
  private readonly server: Server
  private readonly companions = new Map<string, Companions>()

  private constructor(bed: TestBed, nodes: number, port: number) {
    this.bed = bed
    this.nodes = nodes
    this.binary = join(this.folder, "etcd")
    writeFileSync(this.binary, program(`http://127.0.0.1:${port}/`, bed.pd))
    chmodSync(this.binary, 0o755)
    this.server = createServer((request, response) => {
      let body = ""
      request.setEncoding("utf8").on("data", (part: string) => (body += part))
      request.once("end", () => {
        const asked = new URLSearchParams(body)
        this.prefixOf(asked.get("dir") ?? "", asked.get("cluster") ?? "").then(
          (prefix) => response.end(prefix),
          (error: unknown) => response.writeHead(500).end(String(error))
        )
      })
    }).listen(port, "127.0.0.1")
  }

  /** Starts a bed; of `nodes` on each store all but one are companions. */
  static async start(programs: TestBedPrograms, nodes: number): Promise<EtcdOnTikv> {
    return new EtcdOnTikv(await TestBed.start(programs, 1), nodes, await freePort())
  }

  /** Go's tests give each folder of one test the same parent; the members of one cluster name the same first member. */
  private async prefixOf(dir: string, cluster: string): Promise<string> {
    const [first] = cluster.split(",")
    const name = createHash("sha256")
      .update(`${dirname(dir)} ${first}`)
      .digest("hex")
      .slice(0, 16)
    const prefix = `${name}/`
    for (const [old, companions] of this.companions) {
      if (existsSync(companions.dir)) continue
      companions.end()
      this.companions.delete(old)
    }
    let companions = this.companions.get(prefix)
    if (companions === undefined) {
      const children = await Promise.all(
        Array.from({ length: this.nodes - 1 }, (_, at) => this.startCompanion(prefix, at))
      )
      companions = new Companions(dirname(dir), children)
      this.companions.set(prefix, companions)
    }
    await companions.ready
    return prefix
  }

  private async startCompanion(prefix: string, at: number): Promise<ChildProcess> {
    const [client, peer] = [`http://127.0.0.1:${await freePort()}`, `http://127.0.0.1:${await freePort()}`]
    const flags = {
      name: `companion-${at + 1}`,
      backend: "tikv",
      "pd-endpoints": this.bed.pd,
      "tikv-key-prefix": prefix,
      "peer-urls": peer,
      "listen-client-urls": client,
      "advertise-client-urls": client
    }
    return spawn(
      etcd,
      Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`),
      {
        stdio: ["ignore", "ignore", "pipe"]
      }
    )
  }

  async destroy(): Promise<void> {
    this.server.close()
    for (const companions of this.companions.values()) companions.end()
    await this.bed.destroy()
    rmSync(this.folder, { recursive: true, force: true })
  }
}
