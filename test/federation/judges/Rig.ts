// Real control planes as members (kube-apiserver and kube-controller-manager on etcd, with hollow nodes), a host, and the federation as a
// process of its own: what the tours play on.
// Owns the processes and the waiting; refuses to know what is played.
import { type ChildProcess, execFile, spawn } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { Effect, Exit, Scope } from "effect"
import { type Client, httpClient, loadAccess } from "#kube"
import { makeNodes, startKubelet } from "../../sim/controllers/HollowKubelet.ts"
import { freePort } from "../../FreePort.ts"
import { startApiServer, type RealApiServer } from "../../kube/RealApiServer.ts"

const run = promisify(execFile)
const wharf = fileURLToPath(new URL("../../../wharf.ts", import.meta.url))

export interface Programs {
  readonly etcd: string
  readonly "kube-apiserver": string
  readonly "kube-controller-manager": string
  readonly kubectl: string
}

/** A cluster that kubectl reaches. */
export interface Plane {
  readonly name: string
  readonly kubeconfig: string
  readonly kubectl: (...args: ReadonlyArray<string>) => Promise<string>
  /** Stops its API server's process, as if its machine had lost the network, and lets it go on. */
  readonly freeze: () => void
  readonly thaw: () => void
}

export interface Rig {
  readonly host: Plane
  readonly members: ReadonlyArray<Plane>
  /** Runs `wharf` to its end. */
  readonly wharf: (...args: ReadonlyArray<string>) => Promise<string>
  readonly stop: () => Promise<void>
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Asks again and again until it holds; else fails with what was seen last. */
export const until = async (what: string, look: () => Promise<unknown>, patienceMs = 90_000): Promise<void> => {
  const end = Date.now() + patienceMs
  let seen: unknown
  for (;;) {
    seen = await look().catch((error: unknown) => String(error))
    if (seen === true) return
    if (Date.now() > end) throw new Error(`${what} did not come: ${JSON.stringify(seen)?.slice(0, 2000)}`)
    await pause(300)
  }
}

const ended = (child: ChildProcess, signal: NodeJS.Signals): Promise<void> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve()
    child.once("exit", () => resolve())
    child.kill(signal)
  })

const configText = (server: string, token: string): string =>
  JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "it",
    clusters: [{ name: "it", cluster: { server, "insecure-skip-tls-verify": true } }],
    contexts: [{ name: "it", context: { cluster: "it", user: "it" } }],
    users: [{ name: "it", user: { token } }]
  })

const kubectlOf =
  (program: string, kubeconfig: string): Plane["kubectl"] =>
  async (...args) => {
    const { stdout } = await run(program, ["--kubeconfig", kubeconfig, ...args], { maxBuffer: 64 * 2 ** 20 })
    return stdout
  }

class Building {
  readonly folder = mkdtempSync(join(tmpdir(), "federation-"))
  readonly programs: Programs
  readonly scope = Scope.makeUnsafe()
  readonly stops: Array<() => Promise<void>> = []

  constructor(programs: Programs) {
    this.programs = programs
    this.stops.push(async () => rmSync(this.folder, { recursive: true, force: true }))
    this.stops.push(() => Effect.runPromise(Scope.close(this.scope, Exit.void)))
  }

  client(kubeconfig: string): Promise<Client> {
    return Effect.runPromise(
      loadAccess({ kubeconfig }).pipe(
        Effect.flatMap((access) => httpClient({ access })),
        Effect.provideService(Scope.Scope, this.scope)
      )
    )
  }

  manage(kubeconfig: string, name: string, controllers: string): void {
    const child = spawn(
      this.programs["kube-controller-manager"],
      [
        `--kubeconfig=${kubeconfig}`,
        `--controllers=${controllers}`,
        "--leader-elect=false",
        "--secure-port=0",
        "--kube-api-qps=200",
        "--kube-api-burst=200",
        `--cert-dir=${join(this.folder, `${name}-manager`)}`
      ],
      { stdio: "ignore" }
    )
    this.stops.push(() => ended(child, "SIGKILL"))
  }

  /** A real control plane; with nodes it runs pods. */
  async real(name: string, controllers: string, nodes: number): Promise<Plane & { readonly server: RealApiServer }> {
    const server = await startApiServer(this.programs)
    this.stops.push(() => server.stop())
    const kubeconfig = join(this.folder, `${name}.conf`)
    writeFileSync(kubeconfig, configText(server.url, server.token))
    this.manage(kubeconfig, name, controllers)
    if (nodes > 0) {
      const client = await this.client(kubeconfig)
      const names = Array.from({ length: nodes }, (_, at) => `${name}-node-${at}`)
      await makeNodes(
        client,
        names.map((node) => ({ name: node, labels: {} }))
      )
      const stopKubelet = startKubelet(client, names)
      this.stops.push(async () => stopKubelet())
    }
    const signal = (which: NodeJS.Signals) => (): void => server.signal(which)
    return {
      name,
      server,
      kubeconfig,
      kubectl: kubectlOf(this.programs.kubectl, kubeconfig),
      freeze: signal("SIGSTOP"),
      thaw: signal("SIGCONT")
    }
  }

  async federation(args: ReadonlyArray<string>): Promise<void> {
    const times = [
      "--cluster-health-check-period=1s",
      "--cluster-lost-after=4s",
      "--cluster-back-after=2s",
      "--deletion-wait=8s"
    ]
    const child = spawn(process.execPath, [wharf, "serve", "federation", ...times, ...args], {
      stdio: ["ignore", "ignore", process.env["FEDERATION_LOUD"] === undefined ? "ignore" : "inherit"]
    })
    this.stops.push(() => ended(child, "SIGTERM"))
  }

  async stop(): Promise<void> {
    for (const stop of this.stops.reverse()) await stop()
  }
}

const WORKLOADS =
  "deployment-controller,replicaset-controller,statefulset-controller,daemonset-controller,job-controller,namespace-controller,garbage-collector-controller"

/** Members, a host and the federation, ready to be played on. */
export const startRig = async (
  programs: Programs,
  hostKind: "ours" | "real",
  memberNames: ReadonlyArray<string>
): Promise<Rig> => {
  const building = new Building(programs)
  try {
    const members = await Promise.all(memberNames.map((name) => building.real(name, WORKLOADS, 2)))
    let host: Plane
    if (hostKind === "real") {
      const real = await building.real("host", "namespace-controller,garbage-collector-controller", 0)
      await building.federation([`--host-kubeconfig=${real.kubeconfig}`, "--listen=127.0.0.1:0"])
      host = real
    } else {
      const kubeconfig = join(building.folder, "host.conf")
      await building.federation([`--listen=127.0.0.1:${await freePort()}`, `--kubeconfig=${kubeconfig}`])
      const kubectl = kubectlOf(programs.kubectl, kubeconfig)
      host = { name: "host", kubeconfig, kubectl, freeze: () => undefined, thaw: () => undefined }
    }
    await until(
      "the host",
      async () =>
        (await host.kubectl("get", "ftc", "deployments.apps", "-o", "name")).trim() ===
        "federatedtypeconfig.core.kubeadmiral.io/deployments.apps",
      180_000
    )
    return {
      host,
      members,
      wharf: async (...args) => (await run(process.execPath, [wharf, ...args])).stdout,
      stop: () => building.stop()
    }
  } catch (failure) {
    await building.stop()
    throw failure
  }
}
