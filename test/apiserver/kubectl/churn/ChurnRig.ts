// Our API server with the real kube-controller-manager, the real kube-scheduler and hollow nodes by kwok.
// Owns the processes and what they log; refuses to judge it.
import { generateKeyPairSync } from "node:crypto"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { RealApiServer } from "../../../kube/RealApiServer.ts"
import { kubeconfig, run, startOurs } from "../Rig.ts"

export interface ChurnPrograms {
  readonly "kube-controller-manager": string
  readonly "kube-scheduler": string
  readonly kwok: string
}

type Call = RealApiServer["call"]

export interface ChurnRig {
  readonly url: string
  readonly call: Call
  readonly kubeconfig: string
  /** Lines of errors that controllers and scheduler logged, each with its program. */
  readonly errors: () => ReadonlyArray<string>
  readonly stop: () => Promise<void>
}

const STAGES = new URL("stages.yaml", import.meta.url).pathname
const JSON_BODY = { "content-type": "application/json" }

const nodeOf = (name: string): object => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: { name, labels: { type: "hollow", "kubernetes.io/hostname": name, "kubernetes.io/os": "linux" } },
  status: {
    capacity: { cpu: "64", memory: "256Gi", pods: "110" },
    allocatable: { cpu: "64", memory: "256Gi", pods: "110" }
  }
})

/** Starts all of it; ready when so many hollow nodes are. */
export const startChurn = async (programs: ChurnPrograms, nodes: number): Promise<ChurnRig> => {
  const folder = mkdtempSync(join(tmpdir(), "churn-"))
  const key = join(folder, "sa.key")
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 })
  writeFileSync(key, privateKey.export({ type: "pkcs1", format: "pem" }))
  const ours = await startOurs(folder)
  const config = join(folder, "churn.conf")
  writeFileSync(config, kubeconfig(ours.url))
  const manager = run(programs["kube-controller-manager"], [
    `--kubeconfig=${config}`,
    "--kube-api-content-type=application/json",
    "--leader-elect=false",
    "--secure-port=0",
    "--kube-api-qps=500",
    "--kube-api-burst=500",
    `--service-account-private-key-file=${key}`
  ])
  const scheduler = run(programs["kube-scheduler"], [
    `--kubeconfig=${config}`,
    "--kube-api-content-type=application/json",
    "--leader-elect=false",
    "--secure-port=0",
    "--kube-api-qps=500",
    "--kube-api-burst=500"
  ])
  const kwok = run(
    programs.kwok,
    [
      `--kubeconfig=${config}`,
      `--config=${STAGES}`,
      "--manage-all-nodes=true",
      "--node-lease-duration-seconds=40",
      "-v=WARN"
    ],
    { env: { HOME: folder } }
  )
  const errorsOf = (program: string, text: string): ReadonlyArray<string> =>
    text
      .split("\n")
      .filter((line) => /^[EF]\d{4} /.test(line))
      .map((line) => `${program}: ${line}`)
  const errors = (): ReadonlyArray<string> => [
    ...errorsOf("kube-controller-manager", manager.said()),
    ...errorsOf("kube-scheduler", scheduler.said())
  ]
  const stop = async (): Promise<void> => {
    await Promise.all([manager.stop(), scheduler.stop(), kwok.stop()])
    await ours.stop()
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    for (let at = 0; at < nodes; at++) {
      await ours.call("POST", "/api/v1/nodes", { body: JSON.stringify(nodeOf(`hollow-${at}`)), headers: JSON_BODY })
    }
    await untilReady(ours.call, nodes)
  } catch (failure) {
    process.stderr.write(
      `${manager.said().slice(-2000)}\n${scheduler.said().slice(-2000)}\n${kwok.said().slice(-2000)}\n`
    )
    await stop()
    throw failure
  }
  return { url: ours.url, call: ours.call, kubeconfig: config, errors, stop }
}

interface NodeList {
  readonly items: ReadonlyArray<{
    readonly spec: { readonly taints?: ReadonlyArray<unknown> }
    readonly status: { readonly conditions?: ReadonlyArray<{ readonly type: string; readonly status: string }> }
  }>
}

const untilReady = async (call: Call, nodes: number): Promise<void> => {
  for (let attempt = 0; attempt < 300; attempt++) {
    const { body } = await call("GET", "/api/v1/nodes")
    const account = await call("GET", "/api/v1/namespaces/default/serviceaccounts/default")
    const ready = (JSON.parse(body) as NodeList).items.filter(
      ({ spec, status }) =>
        (spec.taints ?? []).length === 0 &&
        status.conditions?.some((one) => one.type === "Ready" && one.status === "True") === true
    ).length
    if (ready >= nodes && account.code === 200) return
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  throw new Error(`${nodes} hollow nodes were not ready within 60 s`)
}
