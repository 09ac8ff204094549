// Kubernetes' own conformance specs through a front and directly, on a real cluster of kwokctl's with five hollow nodes, by hand:
// `node test/front/WithConformance.ts gateway|tenancy|direct [--only PATTERN] [--procs N] [--minutes N] --out DIR`.
// Owns cluster, front and the order; the suite is `wharf conformance`, whose reports ConformancePage.ts makes a page of.
import { spawn } from "node:child_process"
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { parseArgs } from "node:util"
import { NodeServices } from "@effect/platform-node"
import { Effect } from "effect"
import { findAsset, type ProgramName } from "#kind"
import { manifestWith, startGateway } from "../gateway/judges/Gateway.ts"
import { makeAuthority } from "../net/Certificates.ts"
import { KwokCluster } from "../storage/KwokCluster.ts"
import { startZooAt } from "../tenancy/judges/Zoo.ts"
import { type Access, kubeconfigOf } from "./Access.ts"
import { accessIn } from "./AccessFile.ts"

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: "string" },
    procs: { type: "string", default: "6" },
    minutes: { type: "string", default: "30" },
    out: { type: "string" }
  }
})
const [front = "direct"] = positionals
const out = resolve(values.out ?? mkdtempSync(join(tmpdir(), "front-conformance-")))
mkdirSync(out, { recursive: true })

const path = async (name: ProgramName): Promise<string> =>
  (await Effect.runPromise(findAsset(name).pipe(Effect.provide(NodeServices.layer)))).path

interface Opened {
  readonly access: Access
  /** What the front has printed. */
  readonly said: () => string
  readonly stop: () => Promise<void>
}

const gateway = async (direct: Access): Promise<Opened> => {
  const name = "kubernetes"
  const authority = makeAuthority()
  const serving = authority.sign("serving", name)
  const { certFile = "", keyFile = "" } = direct
  const gate = await startGateway(
    {
      it: manifestWith(name, {
        servers: [direct.url],
        identity: { certFile, keyFile, caFile: direct.caFile },
        serving: { ...serving, clientCaFile: direct.caFile }
      })
    },
    { folder: out }
  )
  return { access: { ...gate.through(direct), caFile: authority.caFile }, said: gate.front.said, stop: gate.stop }
}

const tenancy = async (direct: Access): Promise<Opened> => {
  const config = join(out, "upstream.conf")
  writeFileSync(config, kubeconfigOf(direct))
  // One spec plays a load balancer with an address of this range, which a platform gives to whom it lets have one.
  const spec = { loadBalancerRanges: ["203.0.113.0/24"] }
  const zoo = await startZooAt({ folder: out, upstreamConfig: config }, ["tour01"], spec)
  const access = zoo.tenants.get("tour01")
  if (access === undefined) throw new Error("no tenant")
  return { access, said: zoo.front.said, stop: zoo.stop }
}

const opened = async (direct: Access): Promise<Opened> =>
  front === "gateway"
    ? gateway(direct)
    : front === "tenancy"
      ? tenancy(direct)
      : { access: direct, said: () => "", stop: async () => undefined }

const suite = (kubeconfig: string): Promise<void> =>
  new Promise((done) => {
    const only = values.only === undefined ? [] : ["--only", values.only]
    const flags = ["--kubeconfig", kubeconfig, "--procs", values.procs, "--timeout", values.minutes, "--at-least", "1"]
    const wharf = new URL("../../wharf.ts", import.meta.url).pathname
    const args = [wharf, "conformance", ...flags, ...only, "--out", out]
    const child = spawn(process.execPath, args, { stdio: "inherit" })
    child.once("exit", () => done())
  })

const cluster = await KwokCluster.start(
  {
    kwokctl: await path("kwokctl"),
    kwok: await path("kwok"),
    kubectl: await path("kubectl"),
    "kube-apiserver": await path("kube-apiserver"),
    "kube-controller-manager": await path("kube-controller-manager"),
    "kube-scheduler": await path("kube-scheduler")
  },
  await path("etcd"),
  []
)
try {
  await cluster.scaleNodes(5)
  const direct = accessIn(await cluster.kubeconfig(), out, "direct")
  const { access, said, stop } = await opened(direct)
  const file = join(out, "kubeconfig")
  writeFileSync(file, kubeconfigOf(access))
  await suite(file)
  writeFileSync(join(out, "front.log"), said())
  await stop()
} finally {
  await cluster.stop()
}
process.exit(0)
