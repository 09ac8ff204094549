// Autoscaling over many clusters: the two modes, the fleet as one cluster, and the members that are lost from it.
import { assert, describe, it } from "vitest"
import { Exit } from "effect"
import { ApiFailure, type Client, Failures, gvr, Informer, type KubeList, type KubeObject } from "#kube"
import {
  decideAutoscaler,
  federationResources,
  fleetClient,
  FleetMetrics,
  FleetPods,
  makeAutoscalerController,
  scaledNamespaces,
  type WorkloadPolicy
} from "#federation"
import { deployment, deploymentConfig, federated, FleetWorld, PODS, typeConfig } from "../FleetWorld.ts"

const AUTOSCALERS = gvr("autoscaling", "v2", "horizontalpodautoscalers")
const CENTRALIZED = "kubeadmiral.io/centralized-hpa-enabled"
const REASON = "kubeadmiral.io/fed-hpa-not-work-reason"
const { objects } = federationResources

const autoscaler = (mode?: string): KubeObject => ({
  apiVersion: "autoscaling/v2",
  kind: "HorizontalPodAutoscaler",
  metadata: {
    name: "web",
    namespace: "team",
    ...(mode === undefined ? {} : { labels: { "kubeadmiral.io/hpa-mode": mode } })
  },
  spec: { maxReplicas: 9, scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "web" } }
})

const workload = (annotations: Readonly<Record<string, string>> = {}): KubeObject =>
  federated(deployment(3), { "kubeadmiral.io/global-scheduler": ["oak"] }, { annotations })

const FOLLOWED = JSON.stringify([{ group: "autoscaling", kind: "HorizontalPodAutoscaler", name: "web" }])
const divide: WorkloadPolicy = { mode: "Divide", followers: true }
const duplicate: WorkloadPolicy = { mode: "Duplicate", followers: true }

describe("the mode of an autoscaler", () => {
  it("asks the workload for what makes it work, and says all that is missing at once", () => {
    const ready = workload({ "kubeadmiral.io/retain-replicas": "true", "kubeadmiral.io/followers": FOLLOWED })
    assert.deepStrictEqual(decideAutoscaler(autoscaler(), ready, duplicate), { centralized: false })
    const problem = decideAutoscaler(autoscaler(), workload(), { mode: "Divide", followers: false }).problem ?? ""
    for (const words of ["Duplicate", "follower scheduling", "retain-replicas=true", "kubeadmiral.io/followers"])
      assert.include(problem, words)
    assert.deepStrictEqual(decideAutoscaler(autoscaler("centralized"), workload(), divide), { centralized: true })
    assert.include(decideAutoscaler(autoscaler("centralized"), workload(), duplicate).problem ?? "", "Divide")
    assert.include(decideAutoscaler(autoscaler("centralized"), ready, divide).problem ?? "", "must not have")
    assert.include(decideAutoscaler(autoscaler(), undefined, undefined).problem ?? "", "not federated")
    assert.include(decideAutoscaler(autoscaler(), workload(), undefined).problem ?? "", "no propagation policy")
  })

  it("is marked on the autoscaler and on its federated object, and follows the workload's policy", () => {
    const config = typeConfig("horizontalpodautoscalers.autoscaling", {
      group: "autoscaling",
      version: "v2",
      kind: "HorizontalPodAutoscaler",
      pluralName: "horizontalpodautoscalers"
    })
    const scaling = {
      ...config,
      metadata: { ...config.metadata, annotations: { "kubeadmiral.io/scale-target-ref-path": "spec.scaleTargetRef" } }
    }
    const world = new FleetWorld([], [deploymentConfig, scaling])
    let policy: WorkloadPolicy = duplicate
    const controller = makeAutoscalerController({
      clockwork: world.clockwork,
      client: world.host.client,
      runtime: world.runtime,
      objects: world.informer(objects),
      types: world.types,
      sources: world.informer,
      policyOf: () => policy
    })
    world.informer(AUTOSCALERS)
    world.informers.start()
    controller.start()
    world.host.create(AUTOSCALERS, autoscaler("centralized"))
    world.host.create(objects, federated(autoscaler("centralized"), {}))
    world.clockwork.pass(1000)
    const marks = () => {
      const own = world.host.get(AUTOSCALERS, "team/web")?.metadata
      const copy = world.host.get(objects, "team/web-horizontalpodautoscaler")?.metadata
      return [own?.labels?.[CENTRALIZED], copy?.labels?.[CENTRALIZED], own?.annotations?.[REASON]]
    }
    assert.deepStrictEqual(marks(), [undefined, undefined, "the scaled workload is not federated"])
    policy = divide
    world.host.create(objects, workload())
    world.clockwork.pass(1000)
    assert.deepStrictEqual(marks(), ["true", "true", undefined])
    assert.deepStrictEqual(scaledNamespaces([world.host.get(AUTOSCALERS, "team/web") ?? autoscaler()]), ["team"])
    policy = duplicate
    world.host.change(objects, "team/web-deployment", (object) => ({
      ...object,
      metadata: { ...object.metadata, labels: { touched: "yes" } }
    }))
    world.clockwork.pass(1000)
    assert.deepStrictEqual(marks(), [undefined, undefined, "the workload's policy must have schedulingMode Divide"])
  })
})

const pod = (name: string, app = "web", namespace = "team"): KubeObject => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace, labels: { app } },
  spec: { containers: [{ name: "c", image: "c:1" }] }
})

class Scene {
  readonly world = new FleetWorld(["oak", "elm"], [])
  readonly pods: FleetPods
  readonly client: ReturnType<typeof fleetClient>

  constructor() {
    const { world } = this
    this.pods = new FleetPods({ clockwork: world.clockwork, client: world.client })
    this.client = fleetClient({
      host: world.host.client,
      pods: this.pods,
      clusters: () => [...world.members.keys()],
      client: (cluster) => world.reachable(cluster),
      runtime: world.runtime
    })
    world.member("oak").create(PODS, pod("a"))
    world.member("elm").create(PODS, pod("a"))
    world.member("elm").create(PODS, pod("b", "other"))
    world.member("elm").create(PODS, pod("c", "web", "elsewhere"))
    this.follow()
  }

  follow(): void {
    this.pods.follow(["oak", "elm"], ["team"])
    this.world.clockwork.settle()
  }

  names(labelSelector?: string): ReadonlyArray<string> {
    const list = this.world.host.must<KubeList>((done) =>
      this.client.list({ resource: PODS, namespace: "" }, labelSelector === undefined ? {} : { labelSelector }, done)
    )
    return list.items.map((item) => item.metadata.name ?? "").sort()
  }
}

describe("the fleet as one cluster", () => {
  it("has the pods of all members in the namespaces that are followed, each under its cluster's name", () => {
    const scene = new Scene()
    assert.deepStrictEqual(scene.names(), ["elm-a", "elm-b", "oak-a"])
    assert.deepStrictEqual(scene.names("app=web"), ["elm-a", "oak-a"])
    scene.pods.follow(["elm"], ["team", "elsewhere"])
    scene.world.clockwork.settle()
    assert.deepStrictEqual(scene.names(), ["elm-a", "elm-b", "elm-c"])
  })

  it("can be watched by an informer, through changes, and again after a break", () => {
    const scene = new Scene()
    for (const streaming of [false, true]) {
      const informer = new Informer({
        clockwork: scene.world.clockwork,
        client: scene.client,
        collection: { resource: PODS, namespace: "" },
        labelSelector: "app=web",
        streaming
      })
      const seen = (): ReadonlyArray<string> => {
        scene.world.clockwork.pass(100)
        return [...informer.store.keys()].sort()
      }
      informer.start()
      assert.deepStrictEqual(seen(), ["team/elm-a", "team/oak-a"])
      scene.world.member("oak").create(PODS, pod("d"))
      assert.deepStrictEqual(seen(), ["team/elm-a", "team/oak-a", "team/oak-d"])
      informer.stop()
      scene.world.member("oak").remove(PODS, "team/d")
      scene.world
        .member("elm")
        .change(PODS, "team/a", (object) => ({ ...object, metadata: { ...object.metadata, labels: { app: "gone" } } }))
      informer.start()
      assert.deepStrictEqual(seen(), ["team/oak-a"])
      scene.world
        .member("elm")
        .change(PODS, "team/a", (object) => ({ ...object, metadata: { ...object.metadata, labels: { app: "web" } } }))
      assert.deepStrictEqual(seen(), ["team/elm-a", "team/oak-a"])
      informer.stop()
    }
  })

  it("keeps the pods of a lost member, and takes metrics of those that answer", () => {
    const scene = new Scene()
    scene.world.lost.add("oak")
    scene.follow()
    assert.deepStrictEqual(scene.names("app=web"), ["elm-a", "oak-a"])
    const metric = (name: string): KubeObject => ({
      apiVersion: "metrics.k8s.io/v1beta1",
      kind: "PodMetrics",
      metadata: { name, namespace: "team" },
      containers: []
    })
    const answering = (items: ReadonlyArray<KubeObject>) => ({
      ...scene.world.host.client,
      list: (_collection: unknown, _options: unknown, done: (list: KubeList | ApiFailure) => void) =>
        scene.world.clockwork.defer(() =>
          done({ apiVersion: "v1", kind: "List", metadata: { resourceVersion: "" }, items })
        )
    })
    const client = fleetClient({
      host: scene.world.host.client,
      pods: scene.pods,
      clusters: () => ["oak", "elm"],
      client: (cluster) => (cluster === "elm" ? answering([metric("a")]) : scene.world.reachable(cluster)),
      runtime: scene.world.runtime
    })
    const metrics = gvr("metrics.k8s.io", "v1beta1", "pods")
    const list = scene.world.host.must<KubeList>((done) =>
      client.list({ resource: metrics, namespace: "team" }, {}, done)
    )
    assert.deepStrictEqual(
      list.items.map((item) => item.metadata.name),
      ["elm-a"]
    )
    scene.world.lost.add("elm")
    const none = fleetClient({
      host: scene.world.host.client,
      pods: scene.pods,
      clusters: () => ["oak"],
      client: (cluster) => scene.world.reachable(cluster),
      runtime: scene.world.runtime
    })
    const failed = scene.world.host.ask<KubeList>((done) =>
      none.list({ resource: metrics, namespace: "team" }, {}, done)
    )
    assert.strictEqual((failed as ApiFailure).code, 503, "no answer at all is no empty answer")
  })

  it("has one value of an object's metric, and each thing outside once, also while a member is lost", () => {
    const { world } = new Scene()
    const answers = new Map<string, ReadonlyArray<KubeObject>>()
    const asked = (from: string): Client => ({
      ...world.host.client,
      list: (_collection, _options, done) =>
        world.clockwork.defer(() => {
          const items = answers.get(from)
          const failure = Failures.generic(404, "NotFound", "the server could not find the requested resource")
          done(
            items === undefined ? failure : { apiVersion: "v1", kind: "List", metadata: { resourceVersion: "" }, items }
          )
        })
    })
    const metrics = new FleetMetrics({
      host: asked("host"),
      clusters: () => ["oak", "elm", "fir"],
      client: (cluster) => (world.lost.has(cluster) ? undefined : asked(cluster))
    })
    const values = (group: string, plural: string): ReadonlyArray<unknown> | ApiFailure => {
      const list = world.host.ask<KubeList>((done) =>
        world.runtime.run(metrics.list({ resource: gvr(group, "v1beta1", plural), namespace: "team" }, {}), (exit) => {
          if (Exit.isSuccess(exit)) return done(exit.value)
          const [reason] = exit.cause.reasons
          done(reason?._tag === "Fail" ? reason.error : Failures.internal("interrupted"))
        })
      )
      return list instanceof ApiFailure ? list : list.items.map((item) => item["value"])
    }
    const report = (value: string, queue: string, timestamp: string): KubeObject => ({
      apiVersion: "external.metrics.k8s.io/v1beta1",
      kind: "ExternalMetricValue",
      metadata: {},
      metricName: "depth",
      metricLabels: { queue },
      timestamp,
      value
    })
    const EXTERNAL = "external.metrics.k8s.io"
    assert.strictEqual((values(EXTERNAL, "depth") as ApiFailure).code, 404, "nobody has it")
    answers.set("oak", [report("30", "a", "2026-01-01T00:00:01Z"), report("5", "b", "2026-01-01T00:00:01Z")])
    answers.set("elm", [report("40", "a", "2026-01-01T00:00:02Z")])
    assert.deepStrictEqual(values(EXTERNAL, "depth"), ["40", "5"])
    world.lost.add("oak")
    assert.deepStrictEqual(values(EXTERNAL, "depth"), ["5", "40"].toReversed(), "what only oak reports counts on")
    world.lost.delete("oak")
    answers.delete("oak")
    assert.deepStrictEqual(values(EXTERNAL, "depth"), ["40"], "oak says that it has none any more")
    answers.set("host", [report("7", "all", "2026-01-01T00:00:00Z")])
    assert.deepStrictEqual(values(EXTERNAL, "depth"), ["7"], "what the host serves is the whole fleet's")
    answers.clear()
    const described = (value: string): KubeObject => ({
      apiVersion: "custom.metrics.k8s.io/v1beta2",
      kind: "MetricValue",
      metadata: {},
      describedObject: { kind: "Service", name: "web" },
      value
    })
    answers.set("oak", [described("1")])
    answers.set("elm", [described("2500m")])
    assert.deepStrictEqual(values("custom.metrics.k8s.io", "services/web/requests"), ["1750m"])
    assert.deepStrictEqual(values("custom.metrics.k8s.io", "pods/*/requests"), ["1", "2500m"])
  })

  it("refuses to change pods, and shows only centralized autoscalers", () => {
    const scene = new Scene()
    const refused = scene.world.host.ask<KubeObject>((done) =>
      scene.client.delete({ resource: PODS, namespace: "team", name: "oak-a" }, {}, done)
    )
    assert.strictEqual((refused as ApiFailure).code, 405)
    const central = autoscaler()
    scene.world.host.create(AUTOSCALERS, {
      ...central,
      metadata: { ...central.metadata, labels: { [CENTRALIZED]: "true" } }
    })
    scene.world.host.create(AUTOSCALERS, {
      ...central,
      metadata: { name: "other", namespace: "team" }
    })
    const list = scene.world.host.must<KubeList>((done) =>
      scene.client.list({ resource: AUTOSCALERS, namespace: "" }, {}, done)
    )
    assert.deepStrictEqual(
      list.items.map((item) => item.metadata.name),
      ["web"]
    )
  })
})
