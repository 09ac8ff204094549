// Statuses that a real kube-controller-manager made, aggregated and read back by real programs: one cluster's aggregate is that
// cluster's own status; a real API server takes what is made of several; kubectl waits for it as for any workload.
// The host's kinds are in a namespace whose controllers are not running, so that nobody but the test writes their statuses.
import { setTimeout as pause } from "node:timers/promises"
import { afterAll, assert, beforeAll, it } from "vitest"
import { fieldsOf } from "#apiserver"
import { apiVersionOf, type JsonObject, type KubeObject, sameJson } from "#kube"
import { aggregatedStatus, type MemberState, nativeSemantics } from "#federation"
import { describeWith } from "../../Judges.ts"
import { type RealCluster, startCluster } from "../../sim/controllers/RealCluster.ts"

const NOW = "2026-11-28T12:00:00Z"

const pod = (image: string) => ({ metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "c", image }] } })

const selector = { matchLabels: { app: "web" } }

const sources: ReadonlyArray<KubeObject> = [
  {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web" },
    spec: { replicas: 3, selector, template: pod("web:1") }
  },
  {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: { name: "ordered" },
    spec: {
      replicas: 2,
      serviceName: "o",
      podManagementPolicy: "Parallel",
      selector: { matchLabels: { app: "o" } },
      template: { ...pod("o:1"), metadata: { labels: { app: "o" } } }
    }
  },
  {
    apiVersion: "apps/v1",
    kind: "DaemonSet",
    metadata: { name: "rolling" },
    spec: { selector: { matchLabels: { app: "d" } }, template: { ...pod("d:1"), metadata: { labels: { app: "d" } } } }
  },
  {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: { name: "plain" },
    spec: {
      replicas: 2,
      selector: { matchLabels: { app: "r" } },
      template: { ...pod("r:1"), metadata: { labels: { app: "r" } } }
    }
  }
]

const plural = ({ kind }: KubeObject): string => `${kind.toLowerCase()}s`
const pathOf = (namespace: string, { kind, metadata }: KubeObject): string =>
  `/apis/apps/v1/namespaces/${namespace}/${plural({ kind } as KubeObject)}/${metadata.name}`

const stateOf = (cluster: string, object: KubeObject, sourceGeneration: number): MemberState => ({
  cluster,
  sourceGeneration,
  object: object as unknown as JsonObject
})

describeWith(
  "etcd",
  "kube-apiserver",
  "kube-controller-manager",
  "kubectl"
)("statuses of real controllers", (programs) => {
  let cluster: RealCluster
  const read = async (namespace: string, source: KubeObject): Promise<KubeObject> => {
    const answer = await cluster.call("GET", pathOf(namespace, source))
    assert.strictEqual(answer.code, 200, answer.body)
    return JSON.parse(answer.body) as KubeObject
  }
  /** Writes an aggregate into the host's object, and answers what the server made of it. */
  const write = async (source: KubeObject, status: JsonObject): Promise<KubeObject> => {
    const answer = await cluster.call("PUT", `${pathOf("host", source)}/status`, {
      body: JSON.stringify({ ...source, status }),
      headers: { "content-type": "application/json" }
    })
    assert.strictEqual(answer.code, 200, answer.body)
    return JSON.parse(answer.body) as KubeObject
  }
  const aggregate = (source: KubeObject, members: ReadonlyArray<MemberState>): JsonObject => {
    const status = aggregatedStatus(nativeSemantics.ofObject(source), { source, members, lost: new Set(), now: NOW })
    assert.isDefined(status)
    return status
  }

  beforeAll(async () => {
    cluster = await startCluster(programs)
    const stop = cluster.manage(programs["kube-controller-manager"], [
      `--kubeconfig=${cluster.kubeconfig}`,
      "--controllers=deployment-controller,replicaset-controller,statefulset-controller,daemonset-controller",
      "--leader-elect=false",
      "--secure-port=0",
      "--kube-api-qps=500",
      "--kube-api-burst=500"
    ])
    await cluster.kubectl("create", "namespace", "member")
    for (const source of sources) {
      const path = pathOf("member", source).split("/").slice(0, -1).join("/")
      const made = await cluster.call("POST", path, {
        body: JSON.stringify(source),
        headers: { "content-type": "application/json" }
      })
      assert.strictEqual(made.code, 201, made.body)
    }
    const isAvailable = (object: KubeObject): boolean => {
      const { availableReplicas = 0, numberAvailable = availableReplicas } = fieldsOf(object.status)
      return (
        !sources.some(({ kind, metadata }) => kind === object.kind && metadata.name === object.metadata.name) ||
        Number(numberAvailable) >= 2
      )
    }
    await cluster.settle("member", (objects) => objects.length > 10 && objects.every(isAvailable))
    await stop()
    await cluster.kubectl("create", "namespace", "host")
    for (const source of sources) {
      const path = pathOf("host", source).split("/").slice(0, -1).join("/")
      const made = await cluster.call("POST", path, {
        body: JSON.stringify(source),
        headers: { "content-type": "application/json" }
      })
      assert.strictEqual(made.code, 201, made.body)
    }
  }, 120_000)

  afterAll(async () => cluster.stop())

  it("are the aggregate of one cluster, field for field, and are kept so by a real server", async () => {
    for (const one of sources) {
      const [member, source] = [await read("member", one), await read("host", one)]
      assert.isAtLeast(Object.keys(fieldsOf(member.status)).length, 4, one.kind)
      const status = aggregate(source, [stateOf("oak", member, source.metadata.generation ?? 0)])
      assert.deepStrictEqual(status, member.status as JsonObject, one.kind)
      const kept = await write(source, status)
      assert.isTrue(sameJson(kept.status, status), `${one.kind}: ${JSON.stringify(kept.status)}`)
    }
  })

  it("of several clusters are taken by a real server, and kubectl waits for the last of them", async () => {
    for (const one of sources) {
      const [member, source] = [await read("member", one), await read("host", one)]
      const generation = source.metadata.generation ?? 0
      const states = ["oak", "elm", "fir"].map((name) => stateOf(name, member, generation))
      const kept = await write(source, aggregate(source, states))
      assert.isTrue(sameJson(aggregate(kept, states), kept.status), `${one.kind} is not at rest`)
      if (one.kind === "ReplicaSet") continue
      const target = `${one.kind.toLowerCase()}/${one.metadata.name}`
      assert.match(
        await cluster.kubectl("-n", "host", "rollout", "status", target, "--timeout=20s"),
        /rolled out|complete|success/i
      )
      // A new template: until every cluster has it, kubectl must wait.
      const newer = await cluster.kubectl("-n", "host", "set", "image", target, "c=web:2").then(() => read("host", one))
      const late = await write(newer, aggregate(newer, states))
      const waiting = cluster.kubectl("-n", "host", "rollout", "status", target, "--timeout=20s")
      let over = false
      void waiting.then(() => (over = true))
      await pause(300)
      assert.isFalse(over, `${target} was told to be rolled out before any cluster had it`)
      const brought = ["oak", "elm", "fir"].map((name) => stateOf(name, member, newer.metadata.generation ?? 0))
      await write(late, aggregate(late, brought))
      assert.match(await waiting, /rolled out|complete|success/i)
    }
    const source = sources[0]
    assert.isDefined(source)
    assert.strictEqual(apiVersionOf({ group: "apps", version: "v1" }), source.apiVersion)
    const said = await cluster.kubectl(
      "-n",
      "host",
      "wait",
      "--for=condition=Available",
      "deployment/web",
      "--timeout=20s"
    )
    assert.include(said, "condition met")
  })

  it("of Jobs follow a real server's rules at every step", async () => {
    const job = {
      apiVersion: "batch/v1",
      kind: "Job",
      metadata: { name: "once" },
      spec: {
        completions: 4,
        parallelism: 4,
        template: { spec: { restartPolicy: "Never", containers: [{ name: "c", image: "c:1" }] } }
      }
    }
    const jobs = "/apis/batch/v1/namespaces/host/jobs"
    const made = await cluster.call("POST", jobs, {
      body: JSON.stringify(job),
      headers: { "content-type": "application/json" }
    })
    assert.strictEqual(made.code, 201, made.body)
    let source = JSON.parse(made.body) as KubeObject
    const end = (type: string, at: string) => [
      {
        type: type === "Complete" ? "SuccessCriteriaMet" : "FailureTarget",
        status: "True",
        lastTransitionTime: at,
        lastProbeTime: at
      },
      { type, status: "True", lastTransitionTime: at, lastProbeTime: at }
    ]
    const complete = {
      succeeded: 2,
      startTime: "2026-11-28T08:00:00Z",
      completionTime: "2026-11-28T08:10:00Z",
      conditions: end("Complete", "2026-11-28T08:10:00Z")
    }
    const steps: ReadonlyArray<readonly [oak: JsonObject, elm: JsonObject]> = [
      [{ active: 2, ready: 1, startTime: "2026-11-28T08:00:00Z" }, {}],
      [
        { active: 1, ready: 1, succeeded: 1, startTime: "2026-11-28T08:00:00Z" },
        { active: 2, startTime: "2026-11-28T07:00:00Z" }
      ],
      [complete, { active: 2, ready: 2, startTime: "2026-11-28T07:00:00Z" }],
      [complete, { failed: 3, startTime: "2026-11-28T07:00:00Z", conditions: end("Failed", "2026-11-28T09:00:00Z") }],
      // The member is made anew, or its Job is cleaned up: what was told stays.
      [{}, { active: 1, startTime: "2026-11-28T10:00:00Z" }]
    ]
    for (const [at, [oak, elm]] of steps.entries()) {
      const members = [
        { cluster: "oak", object: { metadata: {}, status: oak } },
        { cluster: "elm", object: { metadata: {}, status: elm } }
      ]
      const answer = await cluster.call("PUT", `${jobs}/once/status`, {
        body: JSON.stringify({ ...source, status: aggregate(source, members) }),
        headers: { "content-type": "application/json" }
      })
      assert.strictEqual(answer.code, 200, `step ${at}: ${answer.body}`)
      source = JSON.parse(answer.body) as KubeObject
      assert.isTrue(sameJson(aggregate(source, members), source.status), `step ${at} is not at rest`)
    }
    assert.include(
      await cluster.kubectl("-n", "host", "wait", "--for=condition=Failed", "job/once", "--timeout=20s"),
      "condition met"
    )
  })
})
