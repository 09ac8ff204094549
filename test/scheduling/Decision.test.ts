// The fast decision against the plain one: the same nodes fall for the same reasons, the others get the same scores from every plugin, and
// the one that is chosen is among the best; after any sequence of events what was kept by deltas equals what is built anew.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import type { KubeObject } from "#kube"
import {
  Cluster,
  Decider,
  decodeSchedulerConfiguration,
  defaultProfile,
  Diagnosis,
  Nominations,
  noVolumes,
  type Profile,
  Selectors
} from "#scheduling"
import {
  nodeOf,
  type NodeParts,
  nodeParts,
  parameters,
  podOf,
  type PodParts,
  podParts,
  spreadConstraint
} from "./Generators.ts"
import { node, pod } from "./Objects.ts"
import { Reference, type ReferenceOptions, type ReferenceState } from "./Reference.ts"

const ZONE = "topology.kubernetes.io/zone"
const namespaces = { default: { team: "a" }, other: { team: "b" } }

class Rig {
  readonly cluster = new Cluster()
  readonly selectors = new Selectors()
  readonly decider: Decider
  private draw = 0.37

  constructor(profile: Profile = defaultProfile) {
    for (const [name, labels] of Object.entries(namespaces)) this.cluster.namespaceSeen(name, labels)
    this.decider = new Decider({
      cluster: this.cluster,
      profile,
      nominations: new Nominations(this.cluster),
      selectors: this.selectors,
      volumes: () => noVolumes,
      random: () => (this.draw = (this.draw * 7.3 + 0.11) % 1)
    })
  }
}

const service = (app: string): KubeObject => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: `s-${app}`, namespace: "default" },
  spec: { selector: { app } }
})

/** Holds the fast answer for a pod against the plain one; answers the chosen node. */
const compare = (
  rig: Rig,
  state: ReferenceState,
  one: KubeObject,
  options: ReferenceOptions = {}
): string | undefined => {
  const plain = new Reference(state, one, options).judge()
  const told = rig.decider.explain(one, 1000)
  const decision = rig.decider.decide(one)
  const expected = new Map<string, number>()
  for (const { plugin, texts } of plain.reasons.values())
    for (const text of texts) expected.set(`${plugin}: ${text}`, (expected.get(`${plugin}: ${text}`) ?? 0) + 1)
  const found = new Map<string, number>()
  for (const { nodes, plugin, reason } of told.ruledOut)
    found.set(`${plugin}: ${reason}`, (found.get(`${plugin}: ${reason}`) ?? 0) + nodes)
  assert.deepStrictEqual(Object.fromEntries(found), Object.fromEntries(expected), "reasons")
  assert.strictEqual(told.feasible, plain.scores.size, "feasible nodes")
  if (state.nodes.length > 0 && plain.scores.size > 0) {
    assert.deepStrictEqual(
      Object.fromEntries(told.best.map(({ node, scores }) => [node, scores])),
      Object.fromEntries(plain.scores),
      "scores"
    )
    if (decision instanceof Diagnosis) throw new Error("a node was there, and none was chosen")
    assert.include([...plain.best], decision.name, "a best node")
    return decision.name
  }
  assert.instanceOf(decision, Diagnosis)
  return undefined
}

const placedAs = (one: KubeObject, nodeName: string): KubeObject => ({
  ...one,
  spec: { ...(one.spec as Record<string, never>), nodeName }
})

type Step =
  | { readonly kind: "pod"; readonly parts: PodParts }
  | { readonly kind: "again" }
  | { readonly kind: "remove"; readonly which: number }
  | { readonly kind: "end"; readonly which: number }
  | { readonly kind: "node"; readonly which: number; readonly parts: NodeParts }
  | { readonly kind: "nodeGone"; readonly which: number }
  | { readonly kind: "service"; readonly app: string }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: podParts.map((parts): Step => ({ kind: "pod", parts })) },
  { weight: 6, arbitrary: fc.constant<Step>({ kind: "again" }) },
  { weight: 2, arbitrary: fc.nat().map((which): Step => ({ kind: "remove", which })) },
  { weight: 1, arbitrary: fc.nat().map((which): Step => ({ kind: "end", which })) },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.nat({ max: 9 }), nodeParts).map(([which, parts]): Step => ({ kind: "node", which, parts }))
  },
  { weight: 1, arbitrary: fc.nat({ max: 9 }).map((which): Step => ({ kind: "nodeGone", which })) },
  { weight: 1, arbitrary: fc.constantFrom("x", "y").map((app): Step => ({ kind: "service", app })) }
)

/** Plays steps, and holds every decision against the plain scheduler. */
class Play {
  readonly rig: Rig
  readonly nodes = new Map<string, KubeObject>()
  readonly placed = new Map<string, KubeObject>()
  readonly services = new Map<string, KubeObject>()
  private last: PodParts | undefined
  private count = 0
  private readonly options: ReferenceOptions

  constructor(profile: Profile = defaultProfile, options: ReferenceOptions = {}) {
    this.rig = new Rig(profile)
    this.options = options
  }

  get state(): ReferenceState {
    return {
      nodes: [...this.nodes.values()],
      placed: [...this.placed.values()],
      namespaces,
      services: [...this.services.values()]
    }
  }

  node(name: string, parts: NodeParts): void {
    const object = nodeOf(name, parts)
    this.nodes.set(name, object)
    this.rig.cluster.nodeSeen(object)
  }

  play(one: Step): void {
    switch (one.kind) {
      case "pod":
        this.last = one.parts
        return this.schedule(one.parts)
      case "again":
        if (this.last !== undefined) this.schedule(this.last)
        return
      case "remove": {
        const key = [...this.placed.keys()][one.which % Math.max(1, this.placed.size)]
        if (key === undefined) return
        this.placed.delete(key)
        this.rig.cluster.remove(key)
        return
      }
      case "end": {
        const key = [...this.placed.keys()][one.which % Math.max(1, this.placed.size)]
        const before = key === undefined ? undefined : this.placed.get(key)
        if (before === undefined) return
        const after = { ...before, metadata: { ...before.metadata, deletionTimestamp: "2026-11-28T00:00:00Z" } }
        this.placed.set(key, after)
        this.rig.cluster.place(after, (after.spec as { nodeName: string }).nodeName)
        return
      }
      case "node":
        return this.node(`n${one.which}`, one.parts)
      case "nodeGone":
        this.nodes.delete(`n${one.which}`)
        return this.rig.cluster.nodeGone(`n${one.which}`)
      case "service":
        this.services.set(one.app, service(one.app))
        return this.rig.selectors.seen("Service", service(one.app))
    }
  }

  private schedule(parts: PodParts): void {
    const one = podOf(`p${this.count++}`, parts)
    const chosen = compare(this.rig, this.state, one, this.options)
    if (chosen === undefined) return
    this.placed.set(one.metadata.uid!, placedAs(one, chosen))
    this.rig.cluster.assume(one, chosen)
  }
}

const GPU = "example.com/gpu"

/** A configuration file's profile, and the same said to the plain scheduler. */
const variant = fc
  .record({
    strategy: fc.constantFrom("LeastAllocated", "MostAllocated", "RequestedToCapacityRatio"),
    shape: fc.constantFrom(
      [
        { utilization: 0, score: 0 },
        { utilization: 70, score: 10 },
        { utilization: 100, score: 3 }
      ],
      [
        { utilization: 20, score: 10 },
        { utilization: 90, score: 0 }
      ]
    ),
    weights: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 5 })),
    balanced: fc.constantFrom(["cpu", "memory"], ["cpu", "memory", GPU], ["memory", GPU]),
    ignored: fc.constantFrom([], [GPU]),
    hardWeight: fc.constantFrom(0, 1, 20),
    ignoresExisting: fc.boolean(),
    added: fc.constantFrom(
      {},
      {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [{ matchExpressions: [{ key: "rank", operator: "Exists" }] }]
        },
        preferredDuringSchedulingIgnoredDuringExecution: [
          { weight: 7, preference: { matchExpressions: [{ key: "disk", operator: "In", values: ["ssd"] }] } }
        ]
      }
    ),
    constraints: fc.constantFrom(
      undefined,
      [],
      [
        { maxSkew: 1, topologyKey: "topology.kubernetes.io/zone", whenUnsatisfiable: "DoNotSchedule" },
        { maxSkew: 2, topologyKey: "kubernetes.io/hostname", whenUnsatisfiable: "ScheduleAnyway" }
      ]
    )
  })
  .map(({ added, balanced, constraints, hardWeight, ignored, ignoresExisting, shape, strategy, weights }) => {
    const resources = ["cpu", "memory", GPU].map((name, at) => ({ name, weight: weights[at] }))
    const args: Readonly<Record<string, object>> = {
      NodeResourcesFit: {
        ignoredResources: ignored,
        scoringStrategy: { type: strategy, resources, requestedToCapacityRatio: { shape } }
      },
      NodeResourcesBalancedAllocation: { resources: balanced.map((name) => ({ name })) },
      InterPodAffinity: { hardPodAffinityWeight: hardWeight, ignorePreferredTermsOfExistingPods: ignoresExisting },
      NodeAffinity: { addedAffinity: added },
      PodTopologySpread: constraints === undefined ? {} : { defaultingType: "List", defaultConstraints: constraints }
    }
    const configuration = decodeSchedulerConfiguration({
      apiVersion: "kubescheduler.config.k8s.io/v1",
      kind: "KubeSchedulerConfiguration",
      profiles: [{ pluginConfig: Object.entries(args).map(([name, value]) => ({ name, args: value })) }]
    })
    if (configuration instanceof Error) throw configuration
    const options = { strategy, shape, resources, balanced, ignored, hardWeight, ignoresExisting, added } as const
    const [profile] = configuration.profiles
    return { profile, options: constraints === undefined ? options : { ...options, constraints } }
  })

type Variant = typeof variant extends fc.Arbitrary<infer A> ? A : never

describe("the fast decision", () => {
  it("is the plain one's for any arguments of the plugins", () => {
    fc.assert(
      fc.property(
        variant,
        fc.array(nodeParts, { minLength: 1, maxLength: 6 }),
        fc.array(step, { minLength: 1, maxLength: 15 }),
        ({ options, profile }, nodes, steps) => {
          const play = new Play(profile, options)
          for (const [at, parts] of nodes.entries()) play.node(`n${at}`, parts)
          for (const one of steps) play.play(one)
        }
      ),
      parameters(200) as fc.Parameters<[Variant, Array<NodeParts>, Array<Step>]>
    )
  })

  it("is the plain one's, for random clusters, pods and events", () => {
    fc.assert(
      fc.property(
        fc.array(nodeParts, { minLength: 1, maxLength: 8 }),
        fc.array(step, { minLength: 1, maxLength: 25 }),
        (nodes, steps) => {
          const play = new Play()
          for (const [at, parts] of nodes.entries()) play.node(`n${at}`, parts)
          for (const one of steps) play.play(one)
        }
      ),
      parameters(300) as fc.Parameters<[Array<NodeParts>, Array<Step>]>
    )
  })

  it("is the plain one's in long runs of alike pods, where results are kept", () => {
    const roomy = nodeParts.map((parts): NodeParts => ({ ...parts, cpu: "4", memory: "6000Mi", pods: "110" }))
    const light = podParts.map((parts): PodParts => ({
      ...parts,
      containers: [{ name: "c", image: "small", resources: { requests: { cpu: "100m" } } }],
      initContainers: undefined,
      podRequests: undefined
    }))
    const spreading = fc
      .tuple(light, fc.array(spreadConstraint, { minLength: 1, maxLength: 2 }))
      .map(([parts, spread]): PodParts => ({ ...parts, spread }))
    const event: fc.Arbitrary<Step> = fc.oneof(
      { weight: 10, arbitrary: fc.constant<Step>({ kind: "again" }) },
      { weight: 2, arbitrary: fc.nat().map((which): Step => ({ kind: "end", which })) },
      { weight: 2, arbitrary: fc.nat().map((which): Step => ({ kind: "remove", which })) }
    )
    fc.assert(
      fc.property(
        fc.array(roomy, { minLength: 2, maxLength: 6 }),
        fc.oneof(light, spreading),
        fc.array(event, { minLength: 10, maxLength: 30 }),
        (nodes, parts, events) => {
          const play = new Play()
          for (const [at, one] of nodes.entries()) play.node(`n${at}`, one)
          play.play({ kind: "pod", parts })
          for (const one of events) play.play(one)
        }
      ),
      parameters(200) as fc.Parameters<[Array<NodeParts>, PodParts, Array<Step>]>
    )
  })

  it("is the plain one's where workloads with the same needs take turns, and nodes change in between", () => {
    const roomy = nodeParts.map((parts): NodeParts => ({ ...parts, cpu: "4", memory: "6000Mi", pods: "110" }))
    const workload = podParts.map(({ labels, namespace, podAntiAffinity, spread, tolerations }) => ({
      labels,
      namespace,
      podAntiAffinity,
      spread,
      tolerations
    }))
    const turn = (plain: PodParts, workloads: ReadonlyArray<Partial<PodParts>>) =>
      fc
        .constantFrom(...workloads)
        .map((own): Step => ({ kind: "pod", parts: { ...plain, podAffinity: undefined, ...own } }))
    const event: fc.Arbitrary<Step> = fc.oneof(
      { weight: 2, arbitrary: fc.nat().map((which): Step => ({ kind: "end", which })) },
      { weight: 3, arbitrary: fc.nat().map((which): Step => ({ kind: "remove", which })) },
      {
        weight: 2,
        arbitrary: fc.tuple(fc.nat({ max: 5 }), roomy).map(([which, parts]): Step => ({ kind: "node", which, parts }))
      },
      { weight: 1, arbitrary: fc.nat({ max: 5 }).map((which): Step => ({ kind: "nodeGone", which })) },
      { weight: 1, arbitrary: fc.constantFrom("x", "y").map((app): Step => ({ kind: "service", app })) }
    )
    const light: Partial<PodParts> = {
      containers: [{ name: "c", image: "small", resources: { requests: { cpu: "100m" } } }],
      initContainers: undefined,
      podRequests: undefined
    }
    const steps = fc
      .tuple(podParts, fc.array(workload, { minLength: 2, maxLength: 4 }), fc.boolean())
      .chain(([plain, workloads, bare]) => {
        // Half of the time two services' pods without terms of their own, which share one view.
        const own = bare
          ? ["x", "y"].map((app): Partial<PodParts> => ({
              namespace: "default",
              labels: { app },
              podAntiAffinity: undefined,
              spread: undefined
            }))
          : workloads
        return fc.array(fc.oneof({ weight: 3, arbitrary: turn({ ...plain, ...light }, own) }, event), {
          minLength: 10,
          maxLength: 30
        })
      })
    fc.assert(
      fc.property(fc.array(roomy, { minLength: 2, maxLength: 6 }), steps, (nodes, played) => {
        const play = new Play()
        for (const app of ["x", "y"]) play.play({ kind: "service", app })
        for (const [at, one] of nodes.entries()) play.node(`n${at}`, one)
        for (const one of played) play.play(one)
      }),
      parameters(120) as fc.Parameters<[Array<NodeParts>, Array<Step>]>
    )
  })

  it("scores room by the containers' requests where the pod as a whole asks for more, and balance by the whole", () => {
    const rig = new Rig()
    rig.cluster.nodeSeen(node("n", { allocatable: { cpu: "1", memory: "1Gi" } }))
    const one = pod("p", {
      requests: { cpu: "500m", memory: "100Mi" },
      spec: { resources: { requests: { cpu: "700m", memory: "512Mi" } } }
    })
    const { NodeResourcesBalancedAllocation, NodeResourcesFit } = rig.decider.explain(one, 1).best[0].scores
    assert.deepStrictEqual(
      { NodeResourcesBalancedAllocation, NodeResourcesFit },
      { NodeResourcesBalancedAllocation: 70, NodeResourcesFit: 70 }
    )
  })

  it("does not depend on the order of nodes", () => {
    fc.assert(
      fc.property(
        fc.array(nodeParts, { minLength: 2, maxLength: 8 }),
        fc.array(podParts, { minLength: 1, maxLength: 10 }),
        podParts,
        (nodes, placed, next) => {
          const [forward, backward] = [new Rig(), new Rig()]
          const objects = nodes.map((parts, at) => nodeOf(`n${at}`, parts))
          for (const one of objects) forward.cluster.nodeSeen(one)
          for (const one of objects.toReversed()) backward.cluster.nodeSeen(one)
          for (const [at, parts] of placed.entries()) {
            const one = podOf(`p${at}`, parts)
            forward.cluster.assume(one, `n${at % nodes.length}`)
            backward.cluster.assume(one, `n${at % nodes.length}`)
          }
          const one = podOf("next", next)
          assert.deepStrictEqual(forward.decider.explain(one, 100), backward.decider.explain(one, 100))
        }
      ),
      parameters(200) as fc.Parameters<[Array<NodeParts>, Array<PodParts>, PodParts]>
    )
  })

  it("is the plain one's where a node without a host's name lies in a zone that counts", () => {
    const rig = new Rig()
    const named = node("n1", { labels: { [ZONE]: "a" } })
    const nameless = { ...node("n0"), metadata: { name: "n0", uid: "node-n0", labels: { [ZONE]: "a" } } }
    const nodes = [nameless, named, node("n2", { labels: { [ZONE]: "b" } })]
    for (const one of nodes) rig.cluster.nodeSeen(one)
    const soft = (topologyKey: string) => ({
      maxSkew: 1,
      topologyKey,
      whenUnsatisfiable: "ScheduleAnyway",
      labelSelector: { matchLabels: { app: "x" } }
    })
    const one = (name: string) =>
      pod(name, {
        labels: { app: "x" },
        spec: { topologySpreadConstraints: [soft(ZONE), soft("kubernetes.io/hostname")] }
      })
    const placed = [0, 1, 2].map((at) => placedAs(one(`p${at}`), "n0"))
    for (const there of placed) rig.cluster.place(there, "n0")
    compare(rig, { nodes, placed, namespaces, services: [] }, one("next"))
  })

  it("counts a pod where it is, though its node was gone when it changed, and another came meanwhile", () => {
    const { cluster } = new Rig()
    const on = (hostPort: number) =>
      placedAs(pod("p", { spec: { containers: [{ name: "c", image: "pause", ports: [{ hostPort }] }] } }), "a")
    cluster.nodeSeen(node("a"))
    cluster.place(on(80), "a")
    cluster.nodeGone("a")
    cluster.place(on(81), "a")
    for (const name of ["b", "a"]) cluster.nodeSeen(node(name))
    const placed = (name: string) => cluster.podsPlaced[cluster.find(name) ?? assert.fail("the node is there")]
    assert.deepStrictEqual([placed("a"), placed("b")], [1, 0])
  })
})
