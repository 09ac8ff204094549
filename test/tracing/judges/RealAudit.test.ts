// A real kube-apiserver sends its audit events to our webhook, at RequestResponse and at Metadata level, while we watch it: a Deployment's
// life becomes the expected tree, whatever of it came by which way.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect } from "effect"
import { afterAll, beforeAll, expect, it } from "vitest"
import { clusterCertificates } from "#apiserver"
import { type ObjectKey, parseObjectText, type Span, type SpanStore } from "#tracing"
import { describeWith } from "../../Judges.ts"
import { freePort } from "../../FreePort.ts"
import { type RealApiServer, startApiServer } from "../../kube/RealApiServer.ts"
import { auditToken, serve, type Served } from "../Served.ts"
import { spansOf } from "../Stores.ts"

const key = (text: string): ObjectKey => parseObjectText(`prod/${text}`) as ObjectKey

const all = (store: SpanStore, text: string): ReadonlyArray<Span> =>
  store.tracesOf(key(text), {}).flatMap((traceId) => spansOf(store, traceId))

const until = async (what: string, holds: () => boolean): Promise<void> => {
  for (let tries = 0; !holds(); tries++) {
    if (tries > 1200) throw new Error(`waited in vain for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

const policy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: Metadata
    namespaces: [bare]
  - level: RequestResponse
`

// Over plain HTTP no API server shows its token.
const webhook = (port: number, caFile: string): string => `apiVersion: v1
kind: Config
clusters:
  - name: tracing
    cluster: { server: "https://127.0.0.1:${port}/audit/prod", certificate-authority: "${caFile}" }
users: [{ name: me, user: { token: ${auditToken} } }]
contexts: [{ name: tracing, context: { cluster: tracing, user: me } }]
current-context: tracing
`

const deployment = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "web" },
  spec: {
    replicas: 3,
    selector: { matchLabels: { app: "web" } },
    template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "app", image: "one" }] } }
  }
}

describeWith("etcd", "kube-apiserver")("a real API server's audit", (paths) => {
  const folder = mkdtempSync(join(tmpdir(), "wharf-tracing-judge-"))
  let api: RealApiServer
  let served: Served

  const write = async (
    method: string,
    path: string,
    body: unknown,
    type = "application/json"
  ): Promise<Record<string, never>> => {
    const reply = await api.call(method, path, { body: JSON.stringify(body), headers: { "content-type": type } })
    expect(reply.code, reply.body).toBeLessThan(300)
    return JSON.parse(reply.body) as Record<string, never>
  }

  beforeAll(async () => {
    const port = await freePort()
    writeFileSync(join(folder, "policy.yaml"), policy)
    const { ca, server } = await Effect.runPromise(clusterCertificates({ directory: undefined, hosts: ["127.0.0.1"] }))
    writeFileSync(join(folder, "ca.crt"), ca)
    writeFileSync(join(folder, "webhook.yaml"), webhook(port, join(folder, "ca.crt")))
    api = await startApiServer(paths, [
      `--audit-policy-file=${join(folder, "policy.yaml")}`,
      `--audit-webhook-config-file=${join(folder, "webhook.yaml")}`,
      "--audit-webhook-batch-max-wait=200ms"
    ])
    const kubeconfig = join(folder, "kubeconfig")
    writeFileSync(
      kubeconfig,
      `apiVersion: v1
kind: Config
clusters: [{ name: real, cluster: { server: "${api.url}", insecure-skip-tls-verify: true } }]
users: [{ name: me, user: { token: ${api.token} } }]
contexts: [{ name: real, context: { cluster: real, user: me } }]
current-context: real
`
    )
    const watch = ["deployments", "replicasets", "pods", "secrets", "nodes", "events"]
    // The API server was told the port before; what it sent in vain it sends again.
    served = await serve({ port, tls: server, config: { clusters: [{ name: "prod", kubeconfig, watch }] } })
    for (const name of ["full", "bare"]) {
      await write("POST", "/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name } })
    }
    await until("the watches' first lists", () => served.isReady())
  }, 120_000)

  afterAll(async () => {
    await api?.stop()
    await served?.close()
    rmSync(folder, { recursive: true, force: true })
  }, 60_000)

  it("makes the same life of a Deployment at both levels: who did what, what changed, who owns whom", async () => {
    for (const namespace of ["full", "bare"]) {
      const base = `/apis/apps/v1/namespaces/${namespace}/deployments`
      const made = await write("POST", base, deployment)
      // What the controller does, without one.
      const owner = {
        apiVersion: "apps/v1",
        kind: "Deployment",
        name: "web",
        uid: made["metadata"]["uid"],
        controller: true
      }
      const { spec } = deployment
      await write("POST", `/apis/apps/v1/namespaces/${namespace}/replicasets`, {
        apiVersion: "apps/v1",
        kind: "ReplicaSet",
        metadata: { name: "web-1", labels: { app: "web" }, ownerReferences: [owner] },
        spec
      })
      const patch = [{ op: "replace", path: "/spec/template/spec/containers/0/image", value: "two" }]
      await write("PATCH", `${base}/web`, patch, "application/json-patch+json")
      const text = `apps/deployments/${namespace}/web`
      const writes = (): ReadonlyArray<Span> =>
        all(served.store, text).filter(
          ({ attributes, service }) => service === "audit" && attributes["responseCode"]?.startsWith("2")
        )
      await until(`the diff at ${namespace}`, () =>
        writes().some(({ events }) => events.some(({ diff }) => diff.length > 0))
      )
      const [created, patched] = writes()
      expect([created.name, patched.name]).toEqual(["admin create", "admin patch"])
      expect(created.uid).toBe(made["metadata"]["uid"])
      expect(patched.uid).toBe(created.uid)
      expect(created.events.map(({ type }) => type)).toEqual(["audit/objectSnapshot"])
      const [{ diff }] = patched.events
      expect(diff).toContainEqual({
        path: 'spec.template.spec.containers[name="app"].image',
        old: '"one"',
        new: '"two"'
      })
      expect(diff.map(({ path }) => path)).toContain("metadata.generation")
      expect(diff.some(({ path }) => path.includes("managedFields"))).toBe(false)
      await until("the child's link", () => all(served.store, text).some(({ service }) => service === "link"))
      const links = all(served.store, text).filter(({ service }) => service === "link")
      expect(
        links.map(({ attributes }) => [attributes["linkRole"], attributes["linkClass"], attributes["linkedName"]])
      ).toEqual([["child", "children", "web-1"]])
      const back = all(served.store, `apps/replicasets/${namespace}/web-1`).filter(({ service }) => service === "link")
      expect(back.map(({ attributes }) => [attributes["linkRole"], attributes["linkedName"]])).toEqual([
        ["parent", "web"]
      ])
      expect(links[0].links[0].traceId).toBe(back[0].traceId)
    }
  }, 120_000)

  it("keeps incarnations of a name apart, shows the end, and nothing of a Secret's content", async () => {
    const path = "/api/v1/namespaces/full/secrets"
    const secret = (value: string) => ({
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "s" },
      stringData: { password: value }
    })
    const first = await write("POST", path, secret("hunter-one-in-clear"))
    await write("DELETE", `${path}/s`, {})
    const second = await write("POST", path, secret("hunter-two-in-clear"))
    const spans = (): ReadonlyArray<Span> =>
      all(served.store, "/secrets/full/s").filter(({ service }) => service === "audit")
    await until("both lives", () => spans().length >= 3)
    expect(spans().map(({ name, uid }) => [name, uid])).toEqual([
      ["admin create", first["metadata"]["uid"]],
      ["admin delete", first["metadata"]["uid"]],
      ["admin create", second["metadata"]["uid"]]
    ])
    const shown = JSON.stringify(all(served.store, "/secrets/full/s"))
    expect(shown).not.toContain("hunter")
    expect(shown).not.toContain(Buffer.from("hunter-one-in-clear").toString("base64"))
    expect(spans()[1].events.map(({ type }) => type)).toEqual(["audit/objectSnapshot"])
  }, 60_000)

  it("follows an Event's count, and tells what it is about", async () => {
    const made = await write("POST", "/api/v1/namespaces/full/pods", {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "stuck" },
      spec: { containers: [{ name: "app", image: "one" }] }
    })
    const about = { apiVersion: "v1", kind: "Pod", name: "stuck", namespace: "full", uid: made["metadata"]["uid"] }
    const event = (count: number) => ({
      apiVersion: "v1",
      kind: "Event",
      metadata: { name: "stuck.1" },
      involvedObject: about,
      reason: "FailedScheduling",
      type: "Warning",
      message: "0/1 nodes are available",
      count,
      firstTimestamp: "2026-11-28T10:00:00Z",
      lastTimestamp: `2026-11-28T10:0${count}:00Z`,
      source: { component: "scheduler" }
    })
    await write("POST", "/api/v1/namespaces/full/events", event(1))
    await write("PATCH", "/api/v1/namespaces/full/events/stuck.1", event(2), "application/merge-patch+json")
    const seen = (): ReadonlyArray<Span> =>
      all(served.store, "/pods/full/stuck").filter(({ service }) => service === "event")
    await until("both counts", () => seen().length === 2)
    expect(
      seen().map(({ attributes, failed, name }) => [name, failed, attributes["count"], attributes["source"]])
    ).toEqual([
      ["FailedScheduling", true, "1", "scheduler"],
      ["FailedScheduling", true, "2", "scheduler"]
    ])
    expect(seen()[1].uid).toBe(about.uid)
    expect(seen()[1].events).toEqual([
      {
        atUs: Date.parse("2026-11-28T10:02:00Z") * 1000,
        type: "event/message",
        message: "0/1 nodes are available",
        diff: []
      }
    ])
  }, 60_000)
})
