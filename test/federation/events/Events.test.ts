// Events of sources on the host: what members' controllers say of copies, and what keeps copies from being made; each once, and no more
// than the host should bear.
import { assert, describe, it } from "vitest"
import { HostEvents, federationResources, type MirroredEvents } from "#federation"
import { fieldsOf } from "#apiserver"
import { gvr, type KubeObject, rfc3339 } from "#kube"
import { deployment, policy } from "../run/Objects.ts"
import { deployments, FederationWorld, type Server } from "../run/FederationWorld.ts"

const EVENTS = gvr("", "v1", "events")

const spread = policy("spread", { schedulingMode: "Duplicate", placement: [{ cluster: "a" }, { cluster: "b" }] })

class Scene {
  readonly world = new FederationWorld(21)
  #made = 0

  constructor(mirroredEvents?: MirroredEvents) {
    const { world } = this
    for (const name of ["a", "b"]) world.join(name)
    world.start(undefined, mirroredEvents === undefined ? {} : { mirroredEvents })
    assert.isTrue(world.until(() => ["a", "b"].every((name) => world.isReady(name))))
    world.make(world.host, federationResources.propagationPolicies, "default", spread)
    world.make(world.host, deployments, "default", deployment("web", 3))
    assert.isTrue(
      world.until(() => ["a", "b"].every((name) => this.copy(name) !== undefined)),
      world.failures.join("\n")
    )
    world.run(5000)
  }

  member(name: string): Server {
    const found = this.world.members.get(name)
    if (found === undefined) throw new Error(`no member ${name}`)
    return found
  }

  copy(name: string): KubeObject | undefined {
    return this.world.read(this.member(name), deployments, "default", "web")
  }

  /** A member's controller says something of the copy there, or of another object. */
  say(
    member: string,
    reason: string,
    more: { type?: string; name?: string; uid?: string; atMs?: number } = {}
  ): string {
    const name = `web.${++this.#made}`
    const at = rfc3339(more.atMs ?? this.world.clock.now())
    this.world.make(this.member(member), EVENTS, "default", {
      apiVersion: "v1",
      kind: "Event",
      metadata: { name, namespace: "default" },
      involvedObject: {
        apiVersion: "apps/v1",
        kind: "Deployment",
        namespace: "default",
        name: more.name ?? "web",
        uid: more.uid ?? this.copy(member)?.metadata.uid ?? ""
      },
      type: more.type ?? "Warning",
      reason,
      message: `${reason} here`,
      count: 1,
      firstTimestamp: at,
      lastTimestamp: at,
      source: { component: "deployment-controller" },
      reportingComponent: "deployment-controller",
      reportingInstance: ""
    })
    return name
  }

  get told(): ReadonlyArray<KubeObject> {
    return this.world.list(this.world.host, EVENTS)
  }

  reasons(): ReadonlyArray<string> {
    this.world.run(3000)
    return this.told.map((event) => `${String(event["reason"])} ${String(event["message"])}`).sort()
  }
}

describe("events of members", () => {
  it("are told of the source once, with where they come from, and counted when they go on", () => {
    const scene = new Scene()
    const name = scene.say("a", "FailedCreate")
    scene.say("b", "Scaled", { type: "Normal" })
    scene.say("b", "OfNobody", { name: "other" })
    scene.say("b", "OfBefore", { uid: "another" })
    scene.say("b", "LongAgo", { atMs: scene.world.clock.now() - 3_600_000 })
    assert.deepStrictEqual(scene.reasons(), ["FailedCreate cluster a: FailedCreate here"])
    const [event] = scene.told
    const source = scene.world.read(scene.world.host, deployments, "default", "web")
    const { kind, uid } = fieldsOf(event?.["involvedObject"])
    assert.deepStrictEqual([kind, uid], ["Deployment", source?.metadata.uid])
    assert.deepStrictEqual(event?.["source"], { component: "deployment-controller", host: "a" })
    scene.world.run(61_000)
    scene.world.change(scene.member("a"), EVENTS, "default", name, {
      count: 7,
      lastTimestamp: rfc3339(scene.world.clock.now())
    })
    scene.world.run(3000)
    assert.deepStrictEqual(
      scene.told.map(({ count }) => count),
      [7]
    )
    // Another process hears of the same again.
    scene.world.crash()
    scene.world.start()
    scene.world.run(30_000)
    assert.lengthOf(scene.told, 1)
  })

  it("are told as whoever runs the federation wants: all of them, or none", () => {
    const all = new Scene("all")
    all.say("a", "Scaled", { type: "Normal" })
    assert.deepStrictEqual(all.reasons(), ["Scaled cluster a: Scaled here"])
    const none = new Scene("none")
    none.say("a", "FailedCreate")
    assert.isEmpty(none.reasons())
  })
})

describe("what keeps a source from going where it should", () => {
  it("is told of it", () => {
    const scene = new Scene()
    const { world } = scene
    const theirs = deployment("taken", 7)
    world.make(scene.member("a"), deployments, "default", {
      ...theirs,
      metadata: { name: "taken", namespace: "default" }
    })
    world.make(world.host, deployments, "default", deployment("taken", 3))
    world.make(
      world.host,
      federationResources.propagationPolicies,
      "default",
      policy("nowhere", { schedulingMode: "Duplicate", clusterSelector: { there: "is none" } })
    )
    const labels = { "kubeadmiral.io/propagation-policy-name": "nowhere" }
    world.make(world.host, deployments, "default", deployment("stuck", 3, { labels }))
    const told = scene.reasons()
    assert.lengthOf(told, 2, told.join("\n"))
    assert.match(told[0], /^AlreadyExists cluster a: /)
    assert.match(told[1], /^Unschedulable 0\/2 clusters are available/)
    const before = world.host.writes.length
    world.run(300_000)
    const repeated = world.host.writes.slice(before).filter(({ resource }) => resource === "events")
    assert.isAtMost(repeated.length, 10)
    assert.lengthOf(scene.told, 2)
  })

  it("is told no faster than the host should bear, of one source and of all", () => {
    const world = new FederationWorld(22)
    const events = new HostEvents(
      world.host.way(() => true),
      world.clock,
      {
        perSecond: 2,
        burst: 5,
        sourcePerSecond: 1,
        sourceBurst: 4
      }
    )
    const source = (at: number): KubeObject => ({
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: `web-${at}`, namespace: "default", uid: `uid-${at}` }
    })
    const tell = (at: number, message: string): void =>
      events.tell({ about: source(at), type: "Warning", reason: "Odd", message, component: "test" })
    for (let at = 0; at < 20; at++) tell(0, `the same source, ${at}`)
    assert.strictEqual(events.stats.dropped, 16)
    for (let at = 1; at < 11; at++) tell(at, "another")
    for (let again = 0; again < 50; again++) tell(1, "another")
    const written = (): number => world.list(world.host, EVENTS).length
    world.run(100)
    assert.isAtMost(written(), 6)
    world.run(10_000)
    assert.strictEqual(written(), 14)
    assert.deepStrictEqual(events.stats, { written: 14, dropped: 16, failed: 0 })
  })
})
