// A cluster of real Kubernetes parts on a store, without containers: kwokctl starts it, kubectl drives it.
// Owns its processes and folder, all gone at the end; refuses to judge what it sees.
import { execFile, spawn, type ChildProcess } from "node:child_process"
import { mkdtempSync, openSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { delimiter, dirname, join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { promisify } from "node:util"
import { parseAllDocuments } from "yaml"
import { parsePrometheus, type Sample } from "./PrometheusText.ts"

const run = promisify(execFile)
const OUTPUT_MAX_BYTES = 256 * 2 ** 20

/** Paths of the real programs. */
export interface KubernetesPrograms {
  readonly kwokctl: string
  readonly kwok: string
  readonly kubectl: string
  readonly "kube-apiserver": string
  readonly "kube-controller-manager": string
  readonly "kube-scheduler": string
}

interface Component {
  readonly name: string
  readonly binary: string
  readonly args: ReadonlyArray<string>
}

export class KwokCluster {
  private readonly programs: KubernetesPrograms
  private readonly folder = mkdtempSync(join(tmpdir(), "wharf-kwok-"))
  private readonly children: Array<ChildProcess> = []
  private readonly name = "store"
  /** The store's process, once it was started by us. */
  private store: ChildProcess | undefined

  private constructor(programs: KubernetesPrograms) {
    this.programs = programs
  }

  /** Starts a cluster on the given etcd binary and waits until it is ready. */
  static async start(
    programs: KubernetesPrograms,
    etcd: string,
    extraArguments: ReadonlyArray<string>
  ): Promise<KwokCluster> {
    const cluster = new KwokCluster(programs)
    try {
      await cluster.kwokctl(
        "create",
        "cluster",
        "--runtime=binary",
        `--etcd-binary=${etcd}`,
        `--kube-apiserver-binary=${programs["kube-apiserver"]}`,
        `--kube-controller-manager-binary=${programs["kube-controller-manager"]}`,
        `--kube-scheduler-binary=${programs["kube-scheduler"]}`,
        `--kwok-controller-binary=${programs.kwok}`,
        "--disable-qps-limits",
        "--wait=150s",
        ...extraArguments.flatMap((argument) => ["--extra-args", argument])
      )
      return cluster
    } catch (error) {
      await cluster.stop()
      throw error
    }
  }

  async stop(): Promise<void> {
    for (const child of this.children) child.kill("SIGKILL")
    await this.kwokctl("delete", "cluster").catch(() => undefined)
    rmSync(this.folder, { recursive: true, force: true })
  }

  private get environment(): NodeJS.ProcessEnv {
    return {
      ...process.env,
      KWOK_WORKDIR: this.folder,
      KUBECONFIG: join(this.folder, "kubeconfig"),
      KWOK_KUBE_VERSION: "v1.37.2",
      // kwokctl asks for kubectl by its name.
      PATH: `${dirname(this.programs.kubectl)}${delimiter}${process.env["PATH"]}`
    }
  }

  /** A kubeconfig of the administrator, with certificates inline. */
  kubeconfig(): Promise<string> {
    return this.kubectl("config view --raw --flatten -o yaml")
  }

  private async kwokctl(...args: ReadonlyArray<string>): Promise<string> {
    const { stdout } = await run(this.programs.kwokctl, [...args, `--name=${this.name}`], {
      env: this.environment,
      maxBuffer: OUTPUT_MAX_BYTES
    })
    return stdout
  }

  /** kubectl's output; its arguments separated by blanks. */
  async kubectl(words: string): Promise<string> {
    const { stdout } = await run(this.programs.kubectl, words.split(" "), {
      env: this.environment,
      maxBuffer: OUTPUT_MAX_BYTES
    })
    return stdout
  }

  scaleNodes(replicas: number): Promise<string> {
    return this.kwokctl("scale", "node", `--replicas=${replicas}`)
  }

  /** Runs kubectl again and again until its answer is as wanted; fails with the last answer. */
  async until(words: string, wanted: (answer: string) => boolean, withinMs: number): Promise<void> {
    const end = Date.now() + withinMs
    for (;;) {
      const answer = await this.kubectl(words).catch((error: unknown) => String(error))
      if (wanted(answer)) return
      if (Date.now() > end) throw new Error(`kubectl ${words}: still "${answer.slice(0, 300)}" after ${withinMs} ms`)
      await sleep(500)
    }
  }

  /** The metrics of an API server; `server` names another than the first by its URL. */
  async metrics(server?: string): Promise<ReadonlyArray<Sample>> {
    return parsePrometheus(await this.kubectl(`get --raw /metrics${server === undefined ? "" : ` --server ${server}`}`))
  }

  private component(name: string): Component {
    const file = readFileSync(join(this.folder, "clusters", this.name, "kwok.yaml"), "utf8")
    const { components } = parseAllDocuments(file)[0].toJS() as { components: ReadonlyArray<Component> }
    const found = components.find((component) => component.name === name)
    if (found === undefined) throw new Error(`the cluster has no ${name}`)
    return found
  }

  private argument(component: string, flag: string): string {
    const given = this.component(component).args.find((text) => text.startsWith(`--${flag}=`))
    if (given === undefined) throw new Error(`${component} was started without --${flag}`)
    return given.slice(flag.length + 3)
  }

  /** Where the store serves its clients, as `host:port`. */
  get storeEndpoint(): string {
    return `127.0.0.1:${new URL(this.argument("etcd", "listen-client-urls")).port}`
  }

  /** The store's metrics page. */
  async storeMetrics(): Promise<ReadonlyArray<Sample>> {
    return parsePrometheus(await (await fetch(`http://${this.storeEndpoint}/metrics`)).text())
  }

  private spawn(binary: string, args: ReadonlyArray<string>, log: string): ChildProcess {
    const folder = join(this.folder, "clusters", this.name)
    const output = openSync(join(folder, "logs", log), "a")
    const child = spawn(binary, args, { cwd: folder, stdio: ["ignore", output, output] })
    this.children.push(child)
    return child
  }

  /** A second API server with the flags of the first, on another port; answers its URL once it is ready. */
  async secondApiServer(): Promise<string> {
    const port = Number(this.argument("kube-apiserver", "secure-port")) - 100
    const { args, binary } = this.component("kube-apiserver")
    const own = args.map((text) => (text.startsWith("--secure-port=") ? `--secure-port=${port}` : text))
    this.spawn(binary, own, "kube-apiserver-2.log")
    const url = `https://127.0.0.1:${port}`
    await this.until(`get --raw /readyz --server ${url}`, (answer) => answer === "ok", 60_000)
    return url
  }

  /** Kills the store without warning. */
  killStore(): void {
    const file = join(this.folder, "clusters", this.name, "pids", "etcd.pid")
    process.kill(this.store?.pid ?? Number(readFileSync(file, "utf8").trim()), "SIGKILL")
  }

  /** Starts it again on the same folder, without waiting for it. */
  startStore(): void {
    const { args, binary } = this.component("etcd")
    this.store = this.spawn(binary, args, "etcd-2.log")
  }

  /** Kills the store without warning and starts it again on the same folder. */
  async crashStore(): Promise<void> {
    this.killStore()
    await sleep(1000)
    this.startStore()
    await this.until("get --raw /readyz", (answer) => answer === "ok", 60_000)
  }

  log(name: string): string {
    return readFileSync(join(this.folder, "clusters", this.name, "logs", name), "utf8")
  }
}
