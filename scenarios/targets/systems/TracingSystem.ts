// Our tracing behind a real kube-apiserver: its audit webhook leads there, and the tracing follows the cluster's objects and events.
// Owns the policy, the webhook's file, the command line, and the look at the end whether the run's workloads have traces. The API server
// is told the port before the tracing listens: what it sends in vain it sends again.
import { freePort } from "#kind"
import { Clock, Effect } from "effect"
import { mkdirSync, writeFileSync } from "node:fs"
import { get } from "node:http"
import { join } from "node:path"
import { type Finish, metricSum, type OpenedSystem, openOwn, type SystemPlace } from "./System.ts"

const CLUSTER = "run"

/** Writes with their bodies; reads, leases and events' own writes are not traced. */
const POLICY = JSON.stringify({
  apiVersion: "audit.k8s.io/v1",
  kind: "Policy",
  omitStages: ["RequestReceived"],
  rules: [
    { level: "None", resources: [{ group: "coordination.k8s.io", resources: ["leases"] }] },
    { level: "None", resources: [{ group: "", resources: ["events"] }, { group: "events.k8s.io" }] },
    { level: "RequestResponse", verbs: ["create", "update", "patch", "delete", "deletecollection"] },
    { level: "None" }
  ]
})

const webhook = (port: number): string =>
  JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "tracing", cluster: { server: `http://127.0.0.1:${port}/audit/${CLUSTER}` } }],
    contexts: [{ name: "tracing", context: { cluster: "tracing" } }],
    "current-context": "tracing"
  })

const asked = (port: number, path: string): Effect.Effect<{ readonly status: number; readonly text: string }> =>
  Effect.callback((resume) => {
    const request = get({ host: "127.0.0.1", port, path, agent: false, timeout: 10_000 }, (response) => {
      let text = ""
      response.setEncoding("utf8")
      response.on("data", (part: string) => (text += part))
      response.on("end", () => resume(Effect.succeed({ status: response.statusCode ?? 0, text })))
    })
    request.on("timeout", () => request.destroy())
    request.on("error", () => resume(Effect.succeed({ status: 0, text: "" })))
    return Effect.sync(() => request.destroy())
  })

const ok = (port: number, path: string) => Effect.map(asked(port, path), ({ status }) => status === 200)

/** What is stuck, and of how many objects that was asked. */
interface Told {
  readonly judged?: number
  readonly answers?: ReadonlyArray<unknown>
}

const numbersIn = (text: string): Told => {
  try {
    return JSON.parse(text) as Told
  } catch {
    return {}
  }
}

const SETTLE_MS = 10_000
const LOOK_MS = 250

/** The last batches are on their way for a moment. */
const finish = (port: number): Effect.Effect<Finish> =>
  Effect.gen(function* () {
    const untilMs = (yield* Clock.currentTimeMillis) + SETTLE_MS
    let told: Told = {}
    while ((yield* Clock.currentTimeMillis) < untilMs && (told.judged ?? 0) === 0) {
      told = numbersIn((yield* asked(port, "/answers/v1/stuck")).text)
      if ((told.judged ?? 0) === 0) yield* Effect.sleep(LOOK_MS)
    }
    const { text } = yield* asked(port, "/metrics")
    const { answers = [], judged = 0 } = told
    return {
      violations: judged > 0 ? [] : [{ rule: "the run's objects have traces", text: "none was judged" }],
      facts: {
        "tracing: objects judged at the end": judged,
        "tracing: objects that are stuck": answers.length,
        "tracing: audit events": metricSum(text, "kelemetry_audit_events_total"),
        "tracing: audit batches refused": metricSum(text, "kelemetry_audit_webhook_batches_total", /code="[45]/)
      }
    }
  })

/** What the API server must be told before it starts, and the server that is started once it answers. */
export const prepareTracing = (folder: string) =>
  Effect.gen(function* () {
    const port = yield* freePort
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const [policyFile, webhookFile] = [join(folder, "audit-policy.json"), join(folder, "audit-webhook.json")]
    writeFileSync(policyFile, POLICY)
    writeFileSync(webhookFile, webhook(port))
    const open = (plane: SystemPlace["plane"]) =>
      Effect.gen(function* () {
        const process = yield* openOwn(
          "tracing",
          [
            ["serve", "tracing", "--listen", `127.0.0.1:${port}`, "--data-dir", join(folder, "traces")],
            ["--kubeconfig", plane.kubeconfig, "--cluster", CLUSTER, "--insecure"]
          ].flat(),
          folder,
          ok(port, "/readyz")
        )
        const opened: OpenedSystem = { processes: [process], finish: finish(port) }
        return opened
      })
    const flags = [
      `--audit-policy-file=${policyFile}`,
      `--audit-webhook-config-file=${webhookFile}`,
      "--audit-webhook-batch-max-wait=1s",
      "--audit-webhook-initial-backoff=1s"
    ]
    return { flags, open }
  })
