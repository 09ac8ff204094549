// Snapshots: built whole, swapped at once, kept when a change is bad; and the manifests that they come from, good and bad.
import { inspect } from "node:util"
import { Redacted } from "effect"
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { ConfigStore, type GatewaySnapshot, noFeatures, hostOf, type UpstreamCluster } from "#gateway"
import type { JsonObject, KubeObject } from "#kube"
import { VirtualClock } from "../../kube/VirtualClock.ts"
import { factsOf } from "../policy/RuleGenerators.ts"
import { allowAll, base64, cluster, secret, secureCluster, testPki } from "./Manifests.ts"

const makeStore = (): ConfigStore => new ConfigStore({ clockwork: new VirtualClock(1), features: noFeatures })

const storeOf = (...objects: ReadonlyArray<KubeObject>): ConfigStore => {
  const store = makeStore()
  for (const object of objects) store.put(object)
  store.flush()
  return store
}

const served = (store: ConfigStore, name: string): UpstreamCluster => {
  const found = store.current().clusters.get(name)
  assert.isDefined(found, store.verdict(name)?.message)
  return found
}

describe("a manifest of the original", () => {
  // As its quick start has it, but for the certificates.
  const manifest = (): KubeObject => {
    const { ca, cert, key } = testPki()
    return cluster("cluster-a.example.io", {
      servers: [{ endpoint: "https://10.0.0.1:6443" }, { endpoint: "https://10.0.0.2:6443", disabled: true }],
      clientConfig: {
        caData: base64(ca),
        certData: base64(cert),
        keyData: base64(key),
        qps: 10,
        burst: 20,
        qpsDivisor: 100
      },
      secureServing: {
        certData: base64(cert),
        keyData: base64(key),
        clientCAData: base64(ca),
        serverNames: ["A.internal"]
      },
      flowControl: {
        flowControlSchemas: [
          {
            name: "list-pod",
            strategy: "globalCount",
            tokenBucket: { qps: 10, burst: 20 },
            globalTokenBucket: { qps: 50, burst: 100 }
          },
          { name: "all", exempt: {} },
          { name: "few", maxRequestsInflight: { max: 0 } },
          {
            name: "own",
            maxRequestsInflight: { max: 9, maxLongRunning: 5 },
            perUser: { qps: 1, burst: 2 },
            neverLimited: { users: ["system:kube-*"], groups: ["system:nodes"] },
            queue: { length: 7 },
            fairness: "User"
          }
        ]
      },
      logging: { mode: "on" },
      dispatchPolicies: [
        {
          strategy: "RoundRobin",
          rules: [{ verbs: ["list"], apiGroups: [""], resources: ["pods"] }],
          upstreamSubset: ["https://10.0.0.1:6443"],
          flowControlSchemaName: "list-pod",
          logMode: "off"
        },
        allowAll
      ]
    })
  }

  it("is taken with the original's defaults", () => {
    const store = storeOf({
      ...manifest(),
      metadata: {
        ...manifest().metadata,
        annotations: { "proxy.kubegateway.io/feature-gates": "GlobalRateLimiter=true, Tracing=false" }
      }
    })
    const { client, endpoints, features, flowControls, hosts, policies, policyOf, serving } = served(
      store,
      "cluster-a.example.io"
    )
    assert.deepStrictEqual(hosts, ["cluster-a.example.io", "a.internal"])
    assert.deepStrictEqual(
      endpoints.map(({ disabled, host, port, secure, url, weight }) => ({ disabled, host, port, secure, url, weight })),
      [
        { disabled: false, host: "10.0.0.1", port: 6443, secure: true, url: "https://10.0.0.1:6443", weight: 1 },
        { disabled: true, host: "10.0.0.2", port: 6443, secure: true, url: "https://10.0.0.2:6443", weight: 1 }
      ]
    )
    assert.strictEqual(client.serverName, "cluster-a.example.io")
    assert.strictEqual(client.ownCallsPerSecond, 0.1)
    assert.strictEqual(client.keyPair === undefined ? "" : Redacted.value(client.keyPair.key), testPki().key)
    assert.strictEqual(serving.clientCa, testPki().ca)
    assert.deepStrictEqual(features, { ...noFeatures, GlobalRateLimiter: true })
    assert.deepStrictEqual([...flowControls.keys()], ["list-pod", "all", "few", "own"])
    assert.deepStrictEqual(flowControls.get("own"), {
      name: "own",
      limit: { kind: "MaxRequestsInflight", max: 9, globalMax: undefined, maxLongRunning: 5 },
      scope: "Local",
      queue: { length: 7, timeoutMs: 5000 },
      fairness: "User",
      onLimiterLoss: "Local",
      perUser: { qps: 1, burst: 2 },
      neverLimited: { users: ["system:kube-*"], groups: ["system:nodes"] }
    })
    assert.deepStrictEqual(flowControls.get("list-pod")?.limit, {
      kind: "TokenBucket",
      local: { qps: 10, burst: 20 },
      global: { qps: 50, burst: 100 }
    })
    assert.deepStrictEqual(policies[0], {
      index: 0,
      strategy: "RoundRobin",
      subset: ["https://10.0.0.1:6443"],
      flowControl: "list-pod",
      log: false
    })
    assert.isTrue(policies[1]?.log)
    assert.strictEqual(policyOf(factsOf("GET", "/api/v1/pods")), policies[0])
    assert.strictEqual(policyOf(factsOf("GET", "/api/v1/pods?watch=1")), policies[1])
    assert.strictEqual(policyOf(factsOf("GET", "/healthz")), policies[1])
  })

  it("says nothing of what nobody matches, unless there is a default", () => {
    const only = { rules: [{ verbs: ["list"], apiGroups: [""], resources: ["pods"] }] }
    const store = storeOf(
      cluster("a", { dispatchPolicies: [only] }),
      cluster("b", { dispatchPolicies: [only], defaultDispatchPolicy: { strategy: "LeastInflight" } })
    )
    assert.isUndefined(served(store, "a").policyOf(factsOf("GET", "/api/v1/nodes")))
    assert.deepInclude(served(store, "b").policyOf(factsOf("GET", "/api/v1/nodes")), {
      index: 1,
      strategy: "LeastInflight"
    })
  })
})

// Changes to a good manifest that must be refused, each with the field that the message names.
const wrong: ReadonlyArray<readonly [string, () => JsonObject]> = [
  ["spec.servers", () => ({ servers: [] })],
  ["spec.servers[0].endpoint", () => ({ servers: [{ endpoint: "10.0.0.1:6443" }] })],
  ["spec.servers[0].endpoint", () => ({ servers: [{ endpoint: "https://:6443" }] })],
  ["spec.servers", () => ({ servers: [{ endpoint: "https://a" }, { endpoint: "http://a" }] })],
  ["spec.servers[0].weight", () => ({ servers: [{ endpoint: "https://a", weight: -1 }] })],
  ["spec.clientConfig.caData", () => ({ clientConfig: { bearerToken: base64("t") } })],
  ["spec.clientConfig", () => ({ clientConfig: { insecure: true } })],
  ["spec.clientConfig.keyData", () => ({ clientConfig: { insecure: true, certData: base64(testPki().cert) } })],
  ["spec.clientConfig.certData", () => ({ clientConfig: { insecure: true, keyData: base64(testPki().key) } })],
  [
    "spec.clientConfig.keyData",
    () => ({
      clientConfig: { insecure: true, certData: base64(testPki().cert), keyData: base64(testPki().otherKey) }
    })
  ],
  ["spec.clientConfig.caData", () => ({ clientConfig: { bearerToken: base64("t"), caData: base64("no PEM") } })],
  ["spec.clientConfig.bearerToken", () => ({ clientConfig: { insecure: true, bearerToken: "=not base64=" } })],
  ["spec.clientConfig.burst", () => ({ clientConfig: { insecure: true, bearerToken: base64("t"), qps: 2, burst: 1 } })],
  ["spec.clientConfig.qps", () => ({ clientConfig: { insecure: true, bearerToken: base64("t"), qps: -2 } })],
  ["spec.flowControl.flowControlSchemas[0]", () => ({ flowControl: { flowControlSchemas: [{ name: "a" }] } })],
  ["spec.flowControl.flowControlSchemas[0].name", () => ({ flowControl: { flowControlSchemas: [{ exempt: {} }] } })],
  [
    "spec.flowControl.flowControlSchemas[1].name",
    () => ({
      flowControl: {
        flowControlSchemas: [
          { name: "a", exempt: {} },
          { name: "a", exempt: {} }
        ]
      }
    })
  ],
  [
    "spec.flowControl.flowControlSchemas[0].tokenBucket",
    () => ({ flowControl: { flowControlSchemas: [{ name: "a", exempt: {}, tokenBucket: { qps: 1, burst: 1 } }] } })
  ],
  [
    "spec.flowControl.flowControlSchemas[0].tokenBucket.qps",
    () => ({ flowControl: { flowControlSchemas: [{ name: "a", tokenBucket: { qps: -1, burst: 1 } }] } })
  ],
  [
    "spec.flowControl.flowControlSchemas[0].globalMaxRequestsInflight",
    () => ({ flowControl: { flowControlSchemas: [{ name: "a", exempt: {}, globalMaxRequestsInflight: { max: -3 } }] } })
  ],
  ["spec.dispatchPolicies", () => ({ dispatchPolicies: [] })],
  ["spec.dispatchPolicies[0].rules", () => ({ dispatchPolicies: [{ rules: [] }] })],
  [
    "spec.dispatchPolicies[0].upstreamSubset[0]",
    () => ({ dispatchPolicies: [{ ...allowAll, upstreamSubset: ["https://x"] }] })
  ],
  [
    "spec.dispatchPolicies[0].flowControlSchemaName",
    () => ({ dispatchPolicies: [{ ...allowAll, flowControlSchemaName: "x" }] })
  ],
  ["spec.dispatchPolicies[0].strategy", () => ({ dispatchPolicies: [{ ...allowAll, strategy: "Random" }] })],
  [
    "spec.dispatchPolicies[0].rules[0].sourceCIDRs[0]",
    () => ({ dispatchPolicies: [{ rules: [{ verbs: ["*"], nonResourceURLs: ["*"], sourceCIDRs: ["10.0.0.0/33"] }] }] })
  ],
  [
    "spec.dispatchPolicies[0].rules[0].namespaces",
    () => ({ dispatchPolicies: [{ rules: [{ verbs: ["*"], nonResourceURLs: ["*"], namespaces: ["a", "-b"] }] }] })
  ],
  ["spec.healthCheck.paths[0]", () => ({ healthCheck: { paths: ["readyz"] } })],
  ["spec.authentication.frontProxy.caData", () => ({ authentication: { frontProxy: {} } })]
]

describe("a bad manifest", () => {
  it.each(wrong)("is refused by %s", (field, spec) => {
    const store = storeOf(secureCluster("a", spec()))
    assert.deepInclude(store.verdict("a"), { reason: "Invalid", serving: undefined })
    assert.include(store.verdict("a")?.message, `${field}:`)
    assert.isUndefined(store.current().clusters.get("a"))
  })

  it("leaves the last good one serving, and goes back to the newest when that is mended", () => {
    const store = storeOf(cluster("a", { balancing: { connectionsPerEndpoint: 3 } }))
    const good = served(store, "a")
    const { revision } = store.current()
    store.put(cluster("a", { servers: [] }, { generation: 2 }))
    store.flush()
    assert.strictEqual(served(store, "a"), good)
    assert.strictEqual(store.current().revision, revision)
    assert.deepInclude(store.verdict("a"), { reason: "Invalid", serving: good })
    store.put(cluster("a", {}, { generation: 3 }))
    store.flush()
    assert.strictEqual(served(store, "a").generation, 3)
    assert.deepInclude(store.verdict("a"), { reason: "Accepted" })
  })

  it("does not serve what a deleted cluster of its name served", () => {
    const store = storeOf(cluster("a"))
    store.put(cluster("a", { servers: [] }, { uid: "another" }))
    store.flush()
    assert.isUndefined(store.current().clusters.get("a"))
  })

  it("never shows a key or a token", () => {
    const { cert, key, otherKey } = testPki()
    const body = key.split("\n")[1] ?? ""
    const bodies = [body, base64(key).slice(60, 120), otherKey.split("\n")[1] ?? "", "s3cr3t-t0ken"]
    const specs: ReadonlyArray<JsonObject> = [
      { clientConfig: { insecure: true, certData: base64(key), keyData: base64(cert) } },
      { clientConfig: { insecure: true, certData: base64(cert), keyData: base64(otherKey) } },
      { clientConfig: { insecure: true, certData: base64(cert), keyData: key } },
      { clientConfig: { insecure: true, bearerToken: "s3cr3t-t0ken" } },
      { clientConfig: { insecure: true, bearerToken: { deep: "s3cr3t-t0ken" } } },
      { secureServing: { certData: base64(cert), keyData: base64(otherKey) } },
      { servers: [{ endpoint: "https://user:s3cr3t-t0ken@10.0.0.1" }] }
    ]
    for (const spec of specs) {
      const store = storeOf(secureCluster("a", spec))
      const verdict = store.verdict("a")
      assert.strictEqual(verdict?.reason, "Invalid", JSON.stringify(Object.keys(spec)))
      for (const secret of bodies) assert.notInclude(verdict?.message, secret)
    }
    const good = served(
      storeOf(
        secureCluster("a", {
          clientConfig: {
            insecure: true,
            bearerToken: base64("s3cr3t-t0ken"),
            certData: base64(cert),
            keyData: base64(key)
          }
        })
      ),
      "a"
    )
    for (const text of [inspect(good, { depth: 9 }), JSON.stringify(good)])
      for (const secret of bodies) assert.notInclude(text, secret)
  })
})

describe("hosts", () => {
  const named = (
    name: string,
    serverNames: ReadonlyArray<string>,
    createdAt = "2026-01-01T00:00:00Z",
    more: JsonObject = {}
  ) => cluster(name, { secureServing: { serverNames: [...serverNames], ...more } }, { creationTimestamp: createdAt })

  it("are found by name, by wildcard and by default, in this order", () => {
    const store = storeOf(
      named("a.example.io", []),
      named("wild", ["*.example.io", "10.0.0.9", "fd00::1"]),
      named("rest", [], undefined, { defaultHost: true })
    )
    const found = (authority: string) => store.current().clusterOf(hostOf(authority) ?? "")?.name
    assert.strictEqual(found("A.Example.IO:6443"), "a.example.io")
    assert.strictEqual(found("b.example.io."), "wild")
    assert.strictEqual(found("10.0.0.9:443"), "wild")
    assert.strictEqual(found("[fd00::1]:443"), "wild")
    assert.strictEqual(found("c.b.example.io"), "rest")
    assert.strictEqual(found("example.io"), "rest")
    assert.strictEqual(found("elsewhere"), "rest")
  })

  it("belong to the oldest, whatever their case", () => {
    const store = storeOf(
      named("b", ["Shared"], "2026-01-02T00:00:00Z"),
      named("a", ["sHARED"], "2026-01-03T00:00:00Z")
    )
    assert.strictEqual(store.current().clusterOf("shared")?.name, "b")
    assert.deepInclude(store.verdict("a"), { reason: "HostClash", serving: undefined })
    assert.include(store.verdict("a")?.message, "shared belongs to b")
    store.remove("b")
    store.flush()
    assert.strictEqual(store.current().clusterOf("shared")?.name, "a")
    assert.deepInclude(store.verdict("a"), { reason: "Accepted" })
  })

  it("stay with who serves them, though an older cluster wants them", () => {
    const store = storeOf(named("old", []), named("young", ["shared"], "2026-02-01T00:00:00Z"))
    store.put(named("old", ["shared"]))
    store.flush()
    assert.strictEqual(store.current().clusterOf("shared")?.name, "young")
    assert.strictEqual(store.current().clusterOf("old")?.name, "old")
    assert.strictEqual(store.verdict("old")?.reason, "HostClash")
  })

  it("pass from one cluster to another in one swap", () => {
    const store = storeOf(named("a", ["shared"]), named("b", []))
    const owners: Array<string | undefined> = []
    store.onSwap((next) => owners.push(next.clusterOf("shared")?.name))
    store.put(named("a", []))
    store.put(named("b", ["shared"]))
    store.flush()
    assert.deepStrictEqual(owners, ["b"])
  })

  it("are nobody's without a default", () => {
    const store = storeOf(named("a", []), named("b", ["-bad-", "x y"]))
    assert.isUndefined(store.current().clusterOf("c"))
    assert.isUndefined(hostOf(""))
    assert.include(store.verdict("b")?.message, "is no host name")
  })

  it("have one owner each, whatever clusters say in whatever order", () => {
    const host = fc.constantFrom("a", "b", "c", "x", "y", "*.z")
    const change = fc.record({
      name: fc.constantFrom("a", "b", "c"),
      names: fc.array(host, { maxLength: 3 }),
      day: fc.integer({ min: 1, max: 9 }),
      isDefault: fc.boolean(),
      gone: fc.boolean(),
      bad: fc.boolean()
    })
    fc.assert(
      fc.property(fc.array(change, { maxLength: 12 }), fc.boolean(), (changes, together) => {
        const store = makeStore()
        for (const { bad, day, gone, isDefault, name, names } of changes) {
          const manifest = named(name, names, `2026-01-0${day}T00:00:00Z`, { defaultHost: isDefault })
          if (gone) store.remove(name)
          else store.put(bad ? { ...manifest, spec: {} } : manifest)
          if (!together) store.flush()
        }
        store.flush()
        const owners = new Map<string, string>()
        for (const one of store.current().clusters.values()) {
          for (const each of one.isDefault ? [...one.hosts, "default"] : one.hosts) {
            assert.isUndefined(owners.get(each))
            owners.set(each, one.name)
          }
        }
        for (const verdict of store.verdicts()) {
          assert.strictEqual(verdict.serving, store.current().clusters.get(verdict.name))
          if (verdict.reason === "Accepted") assert.isDefined(verdict.serving)
        }
      }),
      { numRuns: 300 }
    )
  })
})

describe("secrets", () => {
  const withRefs = (): KubeObject =>
    cluster("a", {
      servers: [{ endpoint: "https://10.0.0.1:6443" }],
      clientConfig: { secretRef: { namespace: "gw", name: "client" } },
      secureServing: { secretRef: { namespace: "gw", name: "serving" } }
    })
  const client = (token: string) => secret("gw", "client", { token, "ca.crt": testPki().ca })
  const pair = (cert: string, key: string) => secret("gw", "serving", { "tls.crt": cert, "tls.key": key })

  it("are waited for, and rotate", () => {
    const { cert, key, otherCert, otherKey } = testPki()
    const store = storeOf(withRefs())
    assert.deepInclude(store.verdict("a"), { reason: "SecretMissing", serving: undefined })
    assert.deepStrictEqual(
      store.secretRefs().map(({ name }) => name),
      ["client", "serving"]
    )
    store.putSecret(client("one"))
    store.putSecret(pair(cert, key))
    store.flush()
    const first = served(store, "a")
    assert.strictEqual(first.client.token === undefined ? "" : Redacted.value(first.client.token), "one")
    store.putSecret(client("two"))
    store.flush()
    const second = served(store, "a")
    assert.strictEqual(second.client.token === undefined ? "" : Redacted.value(second.client.token), "two")
    assert.strictEqual(second.serving, first.serving)
    store.putSecret(pair(otherCert, otherKey))
    store.flush()
    const third = served(store, "a")
    assert.strictEqual(third.client, second.client)
    assert.strictEqual(third.serving.keyPair?.cert, otherCert)
  })

  it("that go, or go bad, leave what served", () => {
    const { cert, key, otherKey } = testPki()
    const store = storeOf(withRefs())
    store.putSecret(client("one"))
    store.putSecret(pair(cert, key))
    store.flush()
    const good = served(store, "a")
    store.putSecret(pair(cert, otherKey))
    store.flush()
    assert.deepInclude(store.verdict("a"), { reason: "Invalid", serving: good })
    store.removeSecret({ namespace: "gw", name: "client" })
    store.putSecret(pair(cert, key))
    store.flush()
    assert.deepInclude(store.verdict("a"), { reason: "SecretMissing", serving: good })
  })
})

describe("a snapshot", () => {
  it("shares every part that a change left alone", () => {
    const store = storeOf(secureCluster("a"), cluster("b"))
    const before = store.current()
    const first = served(store, "a")
    const other = served(store, "b")
    store.put({
      ...secureCluster("a", { balancing: { slowStartSeconds: 3 } }),
      metadata: { ...first, name: "a", uid: "uid-a", generation: 2 }
    })
    store.flush()
    const next = served(store, "a")
    assert.notStrictEqual(store.current(), before)
    assert.strictEqual(before.clusters.get("a"), first)
    assert.strictEqual(served(store, "b"), other)
    assert.notStrictEqual(next.balancing, first.balancing)
    const same = [
      "endpoints",
      "client",
      "serving",
      "hosts",
      "authentication",
      "health",
      "timeouts",
      "retry",
      "flowControls",
      "policies",
      "policyOf",
      "features"
    ] as const
    for (const part of same) assert.strictEqual(next[part], first[part], part)
  })

  it("is one for all that changes in a turn, and none for what changes nothing", () => {
    const clock = new VirtualClock(1)
    const store = new ConfigStore({ clockwork: clock, features: noFeatures })
    const swaps: Array<GatewaySnapshot> = []
    store.onSwap((next, last) => {
      assert.strictEqual(next, store.current())
      assert.strictEqual(next.revision, last.revision + 1)
      swaps.push(next)
    })
    for (const name of ["a", "b", "c"]) store.put(cluster(name))
    assert.strictEqual(store.current().clusters.size, 0)
    clock.run(1)
    assert.strictEqual(swaps.length, 1)
    store.put({ ...cluster("a"), status: { hosts: ["a"] } })
    clock.run(1)
    assert.strictEqual(swaps.length, 1)
  })

  it("takes gates from the annotation and from the defaults, and forgets what was dropped", () => {
    const gates = (text: string) => cluster("a", {}, { annotations: { "proxy.kubegateway.io/feature-gates": text } })
    const store = new ConfigStore({ clockwork: new VirtualClock(1), features: { ...noFeatures, Tracing: true } })
    store.put(gates("DenyAllRequests=true"))
    store.flush()
    assert.deepStrictEqual(served(store, "a").features, { ...noFeatures, Tracing: true, DenyAllRequests: true })
    store.put(cluster("a"))
    store.flush()
    assert.deepStrictEqual(served(store, "a").features, { ...noFeatures, Tracing: true })
    store.put(gates("Deny=true"))
    store.flush()
    assert.include(store.verdict("a")?.message, 'there is no feature gate "Deny"')
  })
})
