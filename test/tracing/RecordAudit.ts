// Records the audit log that comes with wharf: a real control plane 1.37 with hollow nodes rolls a Deployment of 40 Pods out, gives it
// another image, and deletes it, at level RequestResponse for what changes and Metadata for what reads.
//   node test/tracing/RecordAudit.ts        writes scenarios/traces/recorded/rollout-1.37.jsonl.gz
// Owns the recording; what is in it are a test cluster's own objects, without any Secret.
import { NodeServices } from "@effect/platform-node"
import { Effect } from "effect"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { findAsset, type ProgramName } from "#kind"
import { KwokCluster } from "../storage/KwokCluster.ts"

const target = new URL("../../scenarios/traces/recorded/", import.meta.url)
const EVENTS_MAX = 2000
const PODS = 40

const programOf = (name: ProgramName): Promise<string> =>
  Effect.runPromise(
    Effect.provide(
      Effect.map(findAsset(name), ({ path }) => path),
      NodeServices.layer
    )
  )

const policy = {
  apiVersion: "audit.k8s.io/v1",
  kind: "Policy",
  omitStages: ["RequestReceived"],
  rules: [
    { level: "None", resources: [{ group: "", resources: ["secrets"] }] },
    { level: "None", nonResourceURLs: ["/*"] },
    { level: "Metadata", verbs: ["get", "list", "watch"] },
    { level: "RequestResponse" }
  ]
}

const deployment = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "web", namespace: "default" },
  spec: {
    replicas: PODS,
    selector: { matchLabels: { app: "web" } },
    template: {
      metadata: { labels: { app: "web" } },
      spec: { containers: [{ name: "app", image: "web:1" }], terminationGracePeriodSeconds: 0 }
    }
  }
}

const folder = mkdtempSync(join(tmpdir(), "wharf-record-"))
const log = join(folder, "audit.log")
writeFileSync(join(folder, "policy.json"), JSON.stringify(policy))
writeFileSync(join(folder, "web.json"), JSON.stringify(deployment))
const programs = {
  "kube-apiserver": await programOf("kube-apiserver"),
  "kube-controller-manager": await programOf("kube-controller-manager"),
  "kube-scheduler": await programOf("kube-scheduler"),
  kubectl: await programOf("kubectl"),
  kwok: await programOf("kwok"),
  kwokctl: await programOf("kwokctl")
}
const cluster = await KwokCluster.start(programs, await programOf("etcd"), [
  `kube-apiserver=audit-policy-file=${join(folder, "policy.json")}`,
  `kube-apiserver=audit-log-path=${log}`
])
try {
  await cluster.scaleNodes(4)
  const ready = (image: string) =>
    cluster.until(
      `get deployment web -o jsonpath={.status.readyReplicas}/{.status.updatedReplicas}/{.spec.template.spec.containers[0].image}`,
      (text) => text === `${PODS}/${PODS}/${image}`,
      120_000
    )
  await cluster.kubectl(`apply -f ${join(folder, "web.json")}`)
  await ready("web:1")
  await cluster.kubectl("set image deployment/web app=web:2")
  await ready("web:2")
  await cluster.kubectl("delete deployment web")
  await cluster.until("get pods -o name", (text) => text.trim() === "", 120_000)
} finally {
  await cluster.stop()
}
const lines = readFileSync(log, "utf8")
  .split("\n")
  .filter((line) => line !== "")
const kept = lines.slice(-EVENTS_MAX)
mkdirSync(target, { recursive: true })
writeFileSync(new URL("rollout-1.37.jsonl.gz", target), gzipSync(`${kept.join("\n")}\n`, { level: 9 }))
rmSync(folder, { recursive: true })
process.stdout.write(
  `${kept.length} of ${lines.length} events, ${Math.round(kept.join("\n").length / kept.length)} bytes each\n`
)
