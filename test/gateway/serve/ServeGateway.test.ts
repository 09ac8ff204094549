// The whole gateway before a real kube-apiserver: configured by kubectl through its own control plane, used by kubectl and by our
// client, and changed under load without one failed request.
import { execFile } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { afterAll, assert, beforeAll, it } from "vitest"
import { upstreamClusters } from "#gateway"
import {
  anonymous,
  type Client,
  gvr,
  Informer,
  type JsonObject,
  type KubeAccess,
  type KubeObject,
  machineClockwork
} from "#kube"
import { describeWith } from "../../Judges.ts"
import { type RealApiServer, startApiServer } from "../../kube/RealApiServer.ts"
import { makeAuthority } from "../../net/Certificates.ts"
import { allowAll, base64 } from "../config/Manifests.ts"
import { asked, type GatewayRun, startGateway, until, wharf, withClients } from "./GatewayRun.ts"

const run = promisify(execFile)
const TIMEOUT_MS = 60_000
/** A hundred with GATEWAY_SWAPS=100; fewer suffice for every change to come about four times. */
const SWAPS = Number(process.env["GATEWAY_SWAPS"] ?? 40)
const LOADERS = 8

const configMaps = gvr("", "v1", "configmaps")
const secrets = gvr("", "v1", "secrets")

describeWith(
  "etcd",
  "kube-apiserver",
  "kubectl"
)("wharf serve gateway", (paths) => {
  const directory = mkdtempSync(join(tmpdir(), "gateway-"))
  const adminConfig = join(directory, "admin.conf")
  const clientConfig = join(directory, "client.conf")
  const authority = makeAuthority()
  const serving = [authority.sign("one", "gateway"), authority.sign("two", "gateway")].map(({ certFile, keyFile }) => ({
    "tls.crt": base64(readFileSync(certFile, "utf8")),
    "tls.key": base64(readFileSync(keyFile, "utf8"))
  }))
  let upstream: RealApiServer
  let gateway: GatewayRun
  let otherToken = ""

  const kubectl = async (config: string, ...args: ReadonlyArray<string>): Promise<string> =>
    (
      await run(paths.kubectl, ["--kubeconfig", config, ...args], { timeout: TIMEOUT_MS, env: { HOME: directory } })
    ).stdout.trim()
  const admin = (...args: ReadonlyArray<string>) => kubectl(adminConfig, ...args)
  const client = (...args: ReadonlyArray<string>) => kubectl(clientConfig, ...args)

  const secretOf = (name: string, data: JsonObject): KubeObject => ({
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name, namespace: "default" },
    data
  })
  const manifest = (spec: JsonObject = {}): KubeObject => ({
    apiVersion: "proxy.kubegateway.io/v1alpha1",
    kind: "UpstreamCluster",
    metadata: { name: "real.example.io" },
    spec: {
      servers: [{ endpoint: upstream.url }],
      clientConfig: { insecure: true, secretRef: { namespace: "default", name: "upstream" } },
      secureServing: { secretRef: { namespace: "default", name: "serving" }, serverNames: ["localhost"] },
      dispatchPolicies: [allowAll],
      ...spec
    }
  })
  const apply = async (...objects: ReadonlyArray<KubeObject>): Promise<string> => {
    const file = join(directory, "apply.json")
    writeFileSync(file, JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }))
    return admin("apply", "-f", file)
  }
  const access = (token: string): KubeAccess => ({
    cluster: {
      server: `https://localhost:${gateway.proxyPort}`,
      tlsServerName: undefined,
      insecureSkipTlsVerify: false,
      certificateAuthority: { file: authority.caFile },
      proxyUrl: undefined
    },
    user: { ...anonymous, token },
    namespace: "default"
  })

  beforeAll(async () => {
    upstream = await startApiServer(paths)
    const account = { metadata: { name: "gateway" } }
    await upstream.call("POST", "/api/v1/namespaces/default/serviceaccounts", {
      body: JSON.stringify(account),
      headers: { "content-type": "application/json" }
    })
    const binding = {
      metadata: { name: "gateway" },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "cluster-admin" },
      subjects: [{ kind: "ServiceAccount", name: "gateway", namespace: "default" }]
    }
    await upstream.call("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
      body: JSON.stringify(binding),
      headers: { "content-type": "application/json" }
    })
    const made = await upstream.call("POST", "/api/v1/namespaces/default/serviceaccounts/gateway/token", {
      body: JSON.stringify({ apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: { audiences: [] } }),
      headers: { "content-type": "application/json" }
    })
    otherToken = (JSON.parse(made.body) as { status: { token: string } }).status.token
    const audit = join(directory, "audit.yaml")
    writeFileSync(audit, "{apiVersion: audit.k8s.io/v1, kind: Policy, rules: [{level: Metadata}]}")
    const data = ["--data-dir", join(directory, "data"), "--admin-kubeconfig", adminConfig]
    const audited = ["--audit-policy-file", audit, "--audit-log-path", join(directory, "audit.log")]
    gateway = await startGateway([...data, ...audited, "--other-secure-ports", "0", "--gateway-name", "gw-1"])
    writeFileSync(
      clientConfig,
      JSON.stringify({
        apiVersion: "v1",
        kind: "Config",
        clusters: [
          {
            name: "real",
            cluster: { server: `https://localhost:${gateway.proxyPort}`, "certificate-authority": authority.caFile }
          }
        ],
        users: [{ name: "admin", user: { token: upstream.token } }],
        contexts: [{ name: "real", context: { cluster: "real", user: "admin" } }],
        "current-context": "real"
      })
    )
  })
  afterAll(async () => {
    await gateway?.stop()
    await upstream?.stop()
    rmSync(directory, { recursive: true, force: true })
    rmSync(authority.folder, { recursive: true, force: true })
  })

  it("takes a cluster from kubectl and says how it does", async () => {
    await apply(manifest())
    await admin("wait", "--for=condition=Accepted=false", "uc/real.example.io", "--timeout=30s")
    assert.include(
      await admin("get", "uc", "real.example.io", "-o", "jsonpath={.status.conditions[0].message}"),
      "spec.clientConfig.secretRef"
    )
    await apply(secretOf("upstream", { token: base64(upstream.token) }), secretOf("serving", serving[0] ?? {}))
    await admin("wait", "--for=condition=Ready", "uc/real.example.io", "--timeout=30s")
    const [, row] = (await admin("get", "uc")).split("\n")
    assert.match(row ?? "", /^real\.example\.io +True +True +1\/1 +\d+s$/)
    assert.strictEqual(
      await admin("get", "uc", "real.example.io", "-o", "jsonpath={.status.observedGeneration}"),
      await admin("get", "uc", "real.example.io", "-o", "jsonpath={.metadata.generation}")
    )
  })

  it("is edited by kubectl, and says so in its own audit log", async () => {
    const editor = join(directory, "editor.sh")
    const edit = (script: string) => {
      writeFileSync(editor, `#!/bin/sh\n${script}\n`, { mode: 0o700 })
      const args = ["--kubeconfig", adminConfig, "edit", "uc", "real.example.io"]
      return run(paths.kubectl, args, {
        timeout: TIMEOUT_MS,
        env: { PATH: process.env["PATH"], HOME: directory, KUBE_EDITOR: editor }
      })
    }
    const weights = "jsonpath={.spec.servers[0].weight}"
    assert.include((await edit(`sed -i '0,/- endpoint:/s//- weight: 7\\n    endpoint:/' "$1"`)).stdout, "edited")
    assert.strictEqual(await admin("get", "uc", "real.example.io", "-o", weights), "7")
    // kubectl opens the editor again, with what is wrong above the text, and gives up when nothing changed.
    const seen = join(directory, "seen.yaml")
    const refused = await edit(`sed -i 's/weight: 7/weight: -7/' "$1"; cp "$1" ${seen}`).then(
      () => "",
      (error: { readonly stderr?: string }) => error.stderr ?? ""
    )
    assert.include(refused, "is invalid")
    assert.include(readFileSync(seen, "utf8"), "spec.servers[0].weight")
    assert.strictEqual(await admin("get", "uc", "real.example.io", "-o", weights), "7")
    const log = readFileSync(join(directory, "audit.log"), "utf8")
    assert.match(log, /"verb":"patch"[^\n]*"resource":"upstreamclusters"/)
    assert.notInclude(log, upstream.token)
    assert.include(await admin("get", "uc", "real.example.io", "-o", "jsonpath={.status.gateways}"), '"gw-1"')
  })

  it("refuses what cannot be, naming field and rule", async () => {
    const refused = async (spec: JsonObject): Promise<string> =>
      apply(manifest(spec)).then(
        () => "",
        (error: { readonly stderr?: string }) => error.stderr ?? ""
      )
    assert.include(await refused({ servers: [] }), "spec.servers: Required value")
    assert.include(
      await refused({ dispatchPolicies: [{ ...allowAll, flowControlSchemaName: "none" }] }),
      "spec.dispatchPolicies[0].flowControlSchemaName: Invalid value"
    )
    const shown = await refused({
      clientConfig: { insecure: true, certData: base64("c3cr3t"), keyData: base64("c3cr3t") }
    })
    assert.include(shown, "spec.clientConfig.keyData")
    assert.notInclude(shown, "c3cr3t")
  })

  it("answers kubectl as the cluster itself does", async () => {
    const direct = join(directory, "direct.conf")
    const config = JSON.parse(readFileSync(clientConfig, "utf8")) as { clusters: Array<{ cluster: JsonObject }> }
    config.clusters[0] = { ...config.clusters[0], cluster: { server: upstream.url, "insecure-skip-tls-verify": true } }
    writeFileSync(direct, JSON.stringify(config))
    for (const args of [
      ["get", "namespaces", "-o", "name"],
      ["get", "clusterroles", "-o", "name"],
      ["auth", "whoami", "-o", "jsonpath={.status.userInfo.username} {.status.userInfo.groups}"],
      ["api-resources", "-o", "name"],
      ["explain", "pod.spec"],
      ["get", "--raw", "/version"]
    ])
      assert.strictEqual(await client(...args), await kubectl(direct, ...args), args.join(" "))
    await client("create", "configmap", "made", "--from-literal=a=b")
    assert.strictEqual(await kubectl(direct, "get", "configmap", "made", "-o", "jsonpath={.data.a}"), "b")
    const watching = client(
      "get",
      "configmap",
      "made",
      "--watch-only",
      "-o",
      "jsonpath={.data.a}{'\\n'}",
      "--request-timeout=2s"
    )
    let seen = ""
    void watching.then((text) => (seen = text))
    await until("a watched change", async () => {
      await client("patch", "configmap", "made", "--type=merge", "-p", `{"data":{"a":"c${Math.random()}"}}`)
      return seen !== ""
    })
    assert.match(seen, /^c0\./)
    await client("delete", "configmap", "made")
  })

  it("is changed again and again under load without one failed request", async () => {
    await withClients(async (make) => {
      const config = await make.ofFile(adminConfig)
      const loaders = [await make.of(access(upstream.token)), await make.of(access(otherToken))]
      const state = { done: false, requests: 0, failures: new Array<string>(), made: new Set<string>() }
      const watched = await watchMaps(await make.of(access(upstream.token)))
      const loads = Array.from({ length: LOADERS }, (_, at) => load(loaders[at % 2] ?? config, at, state))
      for (let swap = 0; swap < SWAPS; swap++) {
        await change(config, swap)
        const before = state.requests
        // Each change meets requests.
        await until("requests between two changes", () => state.requests > before + 2)
      }
      state.done = true
      await Promise.all(loads)
      assert.deepStrictEqual(state.failures, [])
      const page = JSON.parse(await admin("get", "--raw", "/debug/gateway/clusters")) as { readonly revision: number }
      assert.isAtLeast(page.revision, SWAPS)
      assert.isAbove(state.requests, SWAPS * 2)
      await until("the watch to see all objects", () => [...state.made].every((name) => watched.added.has(name)))
      watched.stop()
      assert.deepStrictEqual(watched.doubled, [])
      assert.notInclude(gateway.said(), "defect")
      assert.notInclude(gateway.said(), upstream.token)
      assert.notInclude(gateway.said(), otherToken)
    })
  })

  it("serves from the definitions in any API server, and shows its pages to administrators alone", async () => {
    const direct = join(directory, "direct.conf")
    const crds = join(directory, "crds.yaml")
    writeFileSync(crds, (await run(wharf, ["gateway", "crds"], { timeout: TIMEOUT_MS })).stdout)
    await kubectl(direct, "apply", "--server-side", "-f", crds)
    await kubectl(direct, "wait", "--for=condition=Established", "crd/upstreamclusters.proxy.kubegateway.io")
    const certDir = join(directory, "other-pki")
    const other = await startGateway(["--kubeconfig", direct, "--cert-dir", certDir])
    try {
      const file = join(directory, "other.json")
      const clientConfigFields = { insecure: true, bearerToken: base64(upstream.token) }
      const one = manifest({ clientConfig: clientConfigFields, secureServing: { serverNames: ["other"] } })
      writeFileSync(file, JSON.stringify(one))
      await kubectl(direct, "apply", "-f", file)
      await kubectl(direct, "wait", "--for=condition=Ready", "uc/real.example.io", "--timeout=30s")
      const row = (await kubectl(direct, "get", "uc")).split("\n")[1] ?? ""
      assert.match(row, /^real\.example\.io +True +True +1\/1 /)
      const read = async (port: number | undefined, host: string, ...proof: ReadonlyArray<string>) =>
        (
          await run("curl", [
            "-s",
            "-w",
            " %{http_code}",
            "--cacert",
            join(certDir, "ca.crt"),
            ...proof,
            "-H",
            `Host: ${host}`,
            `https://localhost:${port}/metrics`
          ])
        ).stdout
      const pair = ["--cert", join(certDir, "admin.crt"), "--key", join(certDir, "admin.key")]
      assert.match(await read(other.adminPort, "localhost"), / 401$/)
      assert.match(await read(other.adminPort, "localhost", ...pair), /kubegateway_proxy_[^]* 200$/)
      assert.match(await read(other.proxyPort, "localhost", ...pair), / 401$/)
      assert.match(await read(other.proxyPort, "nobody.example.io", ...pair), / 421$/)
      // What an API server takes without our checks is refused by the gateway, and what served goes on.
      await kubectl(
        direct,
        "patch",
        "uc",
        "real.example.io",
        "--type=merge",
        "-p",
        '{"spec":{"servers":[{"endpoint":"htp://x"}]}}'
      )
      await kubectl(direct, "wait", "--for=condition=Accepted=false", "uc/real.example.io", "--timeout=30s")
      assert.strictEqual(
        await kubectl(
          direct,
          "get",
          "uc",
          "real.example.io",
          "-o",
          'jsonpath={.status.conditions[?(@.type=="Programmed")].reason}'
        ),
        "LastGoodServes"
      )
      const lint = await run(wharf, ["gateway", "lint", "--kubeconfig", direct], { timeout: TIMEOUT_MS }).then(
        () => "",
        (error: { readonly stdout?: string; readonly code?: number }) => `${error.code} ${error.stdout}`
      )
      assert.match(lint, /^1 real\.example\.io: error: spec\.servers\[0\]\.endpoint: Invalid value/)
    } finally {
      assert.strictEqual(await other.stop(), 0)
    }
  })

  it("ends in good order", async () => {
    assert.strictEqual(await gateway.stop(), 0)
  })

  interface Load {
    done: boolean
    requests: number
    readonly failures: Array<string>
    readonly made: Set<string>
  }

  /** Reads and writes until it is told to stop. */
  const load = async (through: Client, at: number, state: Load): Promise<void> => {
    const target = { resource: configMaps, namespace: "default" }
    for (let turn = 0; !state.done; turn++) {
      const name = `load-${at}-${turn}`
      const steps: ReadonlyArray<() => Promise<unknown>> = [
        () => asked((done) => through.list(target, { limit: 5 }, done)),
        () =>
          asked<KubeObject>((done) =>
            through.create(target, { apiVersion: "v1", kind: "ConfigMap", metadata: { name } }, {}, done)
          ).then(() => state.made.add(name)),
        () => asked<KubeObject>((done) => through.get({ ...target, name }, {}, done)),
        () => asked<KubeObject>((done) => through.delete({ ...target, name }, {}, done))
      ]
      for (const step of steps) {
        await step().catch((error: Error) => void state.failures.push(`${name}: ${error.message}`))
        state.requests++
      }
    }
  }

  /** Follows all objects of the load; tells which it saw come, and which twice. */
  const watchMaps = async (through: Client) => {
    const added = new Set<string>()
    const doubled: Array<string> = []
    const informer = new Informer({
      client: through,
      clockwork: machineClockwork,
      collection: { resource: configMaps, namespace: "default" }
    })
    informer.addHandler({
      added: ({ metadata: { name = "" } }) => {
        if (added.has(name)) doubled.push(name)
        added.add(name)
      }
    })
    informer.start()
    await until("the watch", () => informer.hasSynced)
    return { added, doubled, stop: () => informer.stop() }
  }

  /** One of many changes, none of which may cost a request. */
  const change = async (config: Client, swap: number): Promise<void> => {
    const target = { namespace: "default" }
    const round = Math.floor(swap / 10)
    const twoServers = [{ endpoint: upstream.url }, { endpoint: upstream.url.replace("127.0.0.1", "localhost") }]
    const inflight = (max: number): JsonObject => ({ name: "limit", maxRequestsInflight: { max } })
    const limited = { dispatchPolicies: [{ ...allowAll, flowControlSchemaName: "limit" }] }
    const specs: ReadonlyArray<JsonObject | (() => Promise<unknown>)> = [
      { dispatchPolicies: [{ rules: [{ verbs: ["get"], apiGroups: [`g${round}`], resources: ["*"] }] }, allowAll] },
      { ...limited, flowControl: { flowControlSchemas: [inflight(100 + round)] } },
      {
        ...limited,
        flowControl: { flowControlSchemas: [{ name: "limit", tokenBucket: { qps: 10_000, burst: 10_000 + round } }] }
      },
      { servers: twoServers },
      { servers: [{ ...twoServers[0], disabled: round % 2 === 0 }, twoServers[1] ?? {}] },
      {},
      () =>
        asked((done) =>
          config.update(
            { ...target, resource: secrets, name: "upstream" },
            secretOf("upstream", { token: base64(round % 2 === 0 ? otherToken : upstream.token) }),
            {},
            done
          )
        ),
      () =>
        asked((done) =>
          config.update(
            { ...target, resource: secrets, name: "serving" },
            secretOf("serving", serving[(round + 1) % 2] ?? {}),
            {},
            done
          )
        ),
      {
        secureServing: {
          secretRef: { namespace: "default", name: "serving" },
          serverNames: ["localhost", `alias-${round}`]
        },
        healthCheck: { intervalSeconds: 1 + round, paths: ["/livez", "/readyz"] }
      },
      {
        dispatchPolicies: [{ ...allowAll, strategy: round % 2 === 0 ? "LeastInflight" : "PowerOfTwoChoices" }],
        balancing: { connectionsPerEndpoint: 1 + (round % 3) }
      }
    ]
    const next = specs[swap % specs.length] ?? {}
    if (typeof next === "function") await next()
    else
      await asked((done) =>
        config.update({ resource: upstreamClusters, namespace: "", name: "real.example.io" }, manifest(next), {}, done)
      )
  }
})
