// A real control plane 1.37 with hollow nodes as the judge: a Deployment's whole life, told at level RequestResponse and at level Metadata
// in two namespaces at once; the trees are what really happened, and the stuck Pod is named, stays named, and is not once it is bound.
import type { Parsed } from "../out/Served.ts"
import { afterAll, assert, beforeAll, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { defaultStoreBounds, type RunningTracing, serveTracing, TracingAccess } from "#tracing"
import { describeWith } from "../../Judges.ts"
import { freePort } from "../../FreePort.ts"
import { KwokCluster } from "../../storage/KwokCluster.ts"
import { CREATES, createsOf, shapeOf, STAGES } from "./DeploymentShape.ts"

const levels = ["RequestResponse", "Metadata"] as const
const namespaceOf = (level: string): string => `at-${level.toLowerCase()}`

const policy = {
  apiVersion: "audit.k8s.io/v1",
  kind: "Policy",
  omitStages: ["RequestReceived"],
  rules: [
    { level: "None", verbs: ["get", "list", "watch"] },
    { level: "Metadata", namespaces: [namespaceOf("Metadata")] },
    { level: "RequestResponse" }
  ]
}

const deployment = (namespace: string): string =>
  JSON.stringify({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web", namespace },
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: "web" } },
      template: {
        metadata: { labels: { app: "web" } },
        spec: { containers: [{ name: "app", image: "web:1" }], terminationGracePeriodSeconds: 0 }
      }
    }
  })

const stuckPod = (namespace: string): string =>
  JSON.stringify({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "stuck", namespace },
    spec: { nodeSelector: { disk: namespace }, containers: [{ name: "app", image: "app" }] }
  })

describeWith(
  "etcd",
  "kube-apiserver",
  "kube-controller-manager",
  "kube-scheduler",
  "kubectl",
  "kwok",
  "kwokctl"
)("a Deployment in a real cluster", ({ etcd, ...programs }) => {
  const folder = mkdtempSync(join(tmpdir(), "wharf-tracing-real-"))
  const scope = Scope.makeUnsafe()
  let cluster: KwokCluster
  let server: RunningTracing

  beforeAll(async () => {
    const port = await freePort()
    const [policyFile, hookFile, kubeconfig] = ["policy.json", "hook.json", "admin.conf"].map((name) =>
      join(folder, name)
    )
    writeFileSync(policyFile, JSON.stringify(policy))
    const hook = {
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name: "a", cluster: { server: `http://127.0.0.1:${port}/audit/real` } }],
      contexts: [{ name: "a", context: { cluster: "a" } }],
      "current-context": "a"
    }
    writeFileSync(hookFile, JSON.stringify(hook))
    cluster = await KwokCluster.start(programs, etcd, [
      `kube-apiserver=audit-policy-file=${policyFile}`,
      `kube-apiserver=audit-webhook-config-file=${hookFile}`,
      "kube-apiserver=audit-webhook-batch-max-wait=300ms",
      "kube-apiserver=audit-webhook-initial-backoff=500ms"
    ])
    writeFileSync(kubeconfig, await cluster.kubeconfig())
    server = await Effect.runPromise(
      serveTracing({
        host: "127.0.0.1",
        port,
        dataDir: join(folder, "data"),
        access: new TracingAccess({ tokens: "", open: true }),
        tls: undefined,
        config: { clusters: [{ name: "real", kubeconfig }] },
        windowSeconds: 1800,
        bounds: defaultStoreBounds,
        say: () => {}
      }).pipe(Scope.provide(scope))
    )
    await cluster.scaleNodes(2)
    for (const level of levels) await cluster.kubectl(`create namespace ${namespaceOf(level)}`)
  }, 300_000)
  afterAll(async () => {
    await Effect.runPromise(Scope.close(scope, Exit.void))
    await cluster?.stop()
    rmSync(folder, { recursive: true, force: true })
  }, 60_000)

  const ask = async (path: string): Promise<Parsed> => (await fetch(`${server.url}${path}`)).json()
  const about = (namespace: string, resource: string, name: string): string =>
    `resource=${resource}&namespace=${namespace}&name=${name}`
  const family = (namespace: string) => ask(`/answers/v1/trace?${about(namespace, "deployments.apps", "web")}`)
  const why = (namespace: string, name: string, atUs?: number) =>
    ask(`/answers/v1/why?${about(namespace, "pods", name)}${atUs === undefined ? "" : `&at=${atUs}`}`)

  /** Asks until it holds; the last answer is the failure's message. */
  const until = async (question: () => Promise<Parsed>, holds: (body: Parsed) => boolean): Promise<Parsed> => {
    const end = Date.now() + 60_000
    for (;;) {
      const body = await question()
      if (holds(body)) return body
      if (Date.now() > end) assert.fail(JSON.stringify(body).slice(0, 3000))
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }

  const apply = (name: string, text: string): Promise<string> => {
    const file = join(folder, `${name}.json`)
    writeFileSync(file, text)
    return cluster.kubectl(`apply -f ${file}`)
  }

  const hasShape =
    (wanted: string) =>
    (body: Parsed): boolean =>
      JSON.stringify(shapeOf(body.family)) === wanted

  for (const level of levels) {
    const namespace = namespaceOf(level)
    it(`is one tree at level ${level}: three Pods, three new ones for a new image, five, and none`, async () => {
      await apply(`web-${level}`, deployment(namespace))
      await cluster.until(
        `-n ${namespace} get deployment web -o jsonpath={.status.readyReplicas}`,
        (text) => text === "3",
        60_000
      )
      await until(() => family(namespace), hasShape(STAGES.started))
      await cluster.kubectl(`-n ${namespace} set image deployment/web app=web:2`)
      await cluster.kubectl(`-n ${namespace} rollout status deployment/web --timeout=60s`)
      await until(() => family(namespace), hasShape(STAGES.updated))
      await cluster.kubectl(`-n ${namespace} scale deployment/web --replicas=5`)
      const grown = await until(() => family(namespace), hasShape(STAGES.grown))
      assert.isEmpty(grown.answers)
      const names = await cluster.kubectl(`-n ${namespace} get pods -o jsonpath={.items[*].metadata.name}`)
      const living = grown.family.children
        .flatMap(({ children }: Parsed) => children)
        .filter(({ gone }: Parsed) => !gone)
        .map(({ object }: Parsed) => object.name)
      assert.sameMembers(living, names.split(" "))
      await checkTrace(namespace)
      await cluster.kubectl(`-n ${namespace} delete deployment web`)
      const ended = await until(
        () => family(namespace),
        (body) => hasShape(STAGES.ended)(body) && body.family.gone
      )
      assert.isEmpty(ended.answers)
    }, 180_000)

    it(`names the Pod that no node fits at level ${level}, after 31 minutes as well, until it is bound`, async () => {
      await apply(`stuck-${level}`, stuckPod(namespace))
      const asked = Date.now()
      const { answers } = await until(
        () => why(namespace, "stuck"),
        (body) => body.answers?.length === 1 && body.answers[0].reason !== ""
      )
      // Told, not judged: a slow machine is no fault.
      process.stderr.write(`the stuck Pod was named after ${Date.now() - asked} ms at level ${level}\n`)
      assert.match(
        answers[0].sentence,
        /has waited .* for a node: 0\/2 nodes are available: 2 node\(s\) didn't match Pod's node affinity/
      )
      const stuck = await until(
        () => ask("/answers/v1/stuck?cluster=real"),
        (body) => body.answers.length > 0
      )
      assert.isTrue(
        stuck.answers.some(({ object }: Parsed) => object.name === "stuck" && object.namespace === namespace)
      )
      for (const minutes of [31, 61]) {
        const later = await why(namespace, "stuck", (Date.now() + minutes * 60_000) * 1000)
        assert.strictEqual(later.answers[0].kind, "unscheduled")
        assert.match(later.answers[0].sentence, new RegExp(`has waited (${minutes}m|1h1m)`))
      }
      await cluster.kubectl(`label node node-000000 disk=${namespace} --overwrite`)
      await cluster.until(
        `-n ${namespace} get pod stuck -o jsonpath={.spec.nodeName}`,
        (text) => text === "node-000000",
        60_000
      )
      await until(
        () => why(namespace, "stuck"),
        (body) => body.answers.length === 0
      )
      const { answers: later } = await why(namespace, "stuck", (Date.now() + 31 * 60_000) * 1000)
      assert.isEmpty(later)
    }, 180_000)
  }

  /** Every request under the object that it changed, the binding under its Pod, what changed by field, and nothing of managedFields. */
  const checkTrace = async (namespace: string): Promise<void> => {
    const mode = encodeURIComponent("tree [owned objects]")
    const query = `${about(namespace, "deployments.apps", "web")}&displayMode=${mode}`
    const isBinding = ({ operationName }: Parsed): boolean => operationName.endsWith(" create binding")
    const { data } = await until(
      () => ask(`/extensions/api/v1/trace?${query}`),
      (body) => body.data?.[0].spans.filter(isBinding).length === 8
    )
    const [{ processes, spans }] = data
    const service = ({ processID }: Parsed): string => processes[processID].serviceName
    const byId = new Map<string, Parsed>(spans.map((span: Parsed) => [span.spanID, span]))
    const parentOf = ({ references }: Parsed) =>
      byId.get(references.find(({ refType }: Parsed) => refType === "CHILD_OF")?.spanID ?? "")
    const roots = spans.filter((span: Parsed) => parentOf(span) === undefined)
    assert.deepStrictEqual(roots.map(service), ["deployments"])
    for (const binding of spans.filter(isBinding)) assert.strictEqual(service(parentOf(binding)), "pods")
    const tags = spans.map((span: Parsed) =>
      Object.fromEntries(span.tags.map(({ key, value }: Parsed) => [key, value]))
    )
    // At level Metadata an audit event does not say the name that the server made up, so nobody knows whose creation it was.
    const { pods, ...named } = CREATES
    assert.deepStrictEqual(createsOf(tags), namespace === namespaceOf("Metadata") ? named : { ...named, pods })
    const texts: ReadonlyArray<string> = spans
      .flatMap(({ logs }: Parsed) => logs.flatMap(({ fields }: Parsed) => fields))
      .map(({ value }: Parsed) => value)
    const told = (line: RegExp): boolean => texts.some((text) => line.test(text))
    assert.isTrue(told(/^spec\.template\.spec\.containers\[name="app"\]\.image "web:1" -> "web:2"$/m))
    assert.isTrue(told(/^spec\.replicas 3 -> 5$/m))
    assert.isFalse(told(/^metadata\.managedFields/m))
  }
})
