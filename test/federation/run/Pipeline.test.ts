// The pipeline from a source to its copies and back, in virtual time over real API servers of ours: what is written, how often, and what
// is left alone.
import { assert, describe, it } from "vitest"
import { FEDERATION_API_VERSION, federationLabels, federationResources } from "#federation"
import { configMaps, deployments, FederationWorld, namespaces, type Server } from "./FederationWorld.ts"
import { deployment, policy } from "./Objects.ts"

const joined = (seed: number, members: ReadonlyArray<string>): FederationWorld => {
  const world = new FederationWorld(seed)
  for (const name of members) world.join(name)
  world.start()
  const ready = world.until(() => members.every((name) => world.isReady(name)))
  assert.isTrue(ready, `members are not ready: ${world.failures.join("\n")}`)
  return world
}

const replicasIn = (world: FederationWorld, server: Server, name: string): number | undefined =>
  (world.read(server, deployments, "default", name)?.spec as { readonly replicas?: number } | undefined)?.replicas

const spread = policy("spread", {
  schedulingMode: "Divide",
  placement: [
    { cluster: "a", preferences: { weight: 1 } },
    { cluster: "b", preferences: { weight: 2 } }
  ]
})

const heldBy = (world: FederationWorld): ReadonlyArray<string> =>
  world.read(world.host, federationResources.clusters, "", "a")?.metadata.finalizers ?? []

describe("the pipeline", () => {
  it("brings a Deployment to its members within five writes on the host", () => {
    const world = joined(1, ["a", "b", "c"])
    world.make(world.host, federationResources.propagationPolicies, "default", spread)
    world.run(5000)
    const before = world.host.writes.length
    world.make(world.host, deployments, "default", deployment("web", 9))
    const [a, b, c] = ["a", "b", "c"].map((name) => world.members.get(name)!)
    assert.isTrue(world.until(() => replicasIn(world, a, "web") === 3 && replicasIn(world, b, "web") === 6))
    world.run(8000)
    assert.isUndefined(world.read(c, deployments, "default", "web"))
    const writes = world.host.writes
      .slice(before)
      .filter(({ resource }) => resource !== "federatedclusters" && !resource.endsWith("policies"))
    assert.isAtMost(writes.length, 5, JSON.stringify(writes))
    assert.isAtLeast(writes.length, 3)
    const federated = world.read(world.host, federationResources.objects, "default", "web-deployments.apps")
    assert.deepInclude(federated?.metadata.annotations, { "kubeadmiral.io/pending-controllers": "[]" })
  })

  it("writes nothing when nothing changes, and nothing after a restart", () => {
    const world = joined(2, ["a", "b"])
    world.make(world.host, federationResources.propagationPolicies, "default", spread)
    world.make(world.host, deployments, "default", deployment("web", 4))
    world.run(20_000)
    const counts = (): ReadonlyArray<number> => [
      world.host.writes.filter(({ resource }) => resource !== "federatedclusters").length,
      ...[...world.members.values()].map(({ writes }) => writes.length)
    ]
    const before = counts()
    world.run(120_000)
    assert.deepStrictEqual(counts(), before, JSON.stringify(world.host.writes.slice(-5)))
    world.crash()
    world.start()
    world.run(120_000)
    assert.deepStrictEqual(counts(), before, JSON.stringify(world.host.writes.slice(-5)))
  })

  it("sees what users note on a source for the host alone, and tells no member", () => {
    const world = joined(10, ["a", "b"])
    world.make(world.host, federationResources.propagationPolicies, "default", spread)
    world.make(world.host, deployments, "default", deployment("web", 3))
    const a = world.members.get("a")!
    assert.isTrue(world.until(() => replicasIn(world, a, "web") === 1))
    for (const member of world.members.values()) {
      const copy = world.read(member, deployments, "default", "web")
      const replicas = replicasIn(world, member, "web")
      const status = { observedGeneration: copy?.metadata.generation, replicas, readyReplicas: replicas }
      world.change(member, deployments, "default", "web", { status }, "status")
    }
    const source = () => world.read(world.host, deployments, "default", "web")
    const seen = (): number | undefined =>
      (source()?.status as { readonly observedGeneration?: number } | undefined)?.observedGeneration
    const isSeen = (): boolean => seen() === source()?.metadata.generation
    assert.isTrue(world.until(isSeen), world.failures.join("\n"))
    const generation = source()?.metadata.generation ?? 0
    const before = [...world.members.values()].map(({ writes }) => writes.length)
    const of = (plural: string): number =>
      world.host.writes.filter(({ name, resource }) => resource === plural && name.startsWith("web")).length
    const federated = of("federatedobjects")
    const annotations = { "kubectl.kubernetes.io/last-applied-configuration": "{}" }
    world.change(world.host, deployments, "default", "web", { metadata: { annotations } })
    assert.strictEqual(source()?.metadata.generation, generation + 1)
    assert.isTrue(world.until(isSeen), world.failures.join("\n"))
    world.run(10_000)
    assert.deepStrictEqual(
      [...world.members.values()].map(({ writes }) => writes.length),
      before
    )
    assert.strictEqual(of("federatedobjects"), federated)
  })

  it("follows a change of scale and of content, and puts back what somebody changed in a member", () => {
    const world = joined(3, ["a", "b"])
    world.make(world.host, federationResources.propagationPolicies, "default", spread)
    world.make(world.host, deployments, "default", deployment("web", 3))
    const a = world.members.get("a")!
    assert.isTrue(world.until(() => replicasIn(world, a, "web") === 1))
    world.change(world.host, deployments, "default", "web", {
      spec: { replicas: 6 },
      metadata: { labels: { tier: "gold" } }
    })
    assert.isTrue(world.until(() => replicasIn(world, a, "web") === 2))
    assert.strictEqual(world.read(a, deployments, "default", "web")?.metadata.labels?.["tier"], "gold")
    world.change(a, deployments, "default", "web", { spec: { replicas: 50 }, metadata: { labels: { theirs: "kept" } } })
    assert.isTrue(world.until(() => replicasIn(world, a, "web") === 2))
    world.change(world.host, deployments, "default", "web", { metadata: { labels: { tier: null } } })
    assert.isTrue(
      world.until(() => world.read(a, deployments, "default", "web")?.metadata.labels?.["tier"] === undefined)
    )
    assert.strictEqual(world.read(a, deployments, "default", "web")?.metadata.labels?.["theirs"], "kept")
  })

  it("deletes copies before their source goes, and leaves those that are to be orphaned", () => {
    const world = joined(4, ["a", "b"])
    world.make(world.host, federationResources.propagationPolicies, "default", spread)
    world.make(world.host, deployments, "default", deployment("web", 3))
    world.make(
      world.host,
      deployments,
      "default",
      deployment("kept", 3, { annotations: { "kubeadmiral.io/orphan": "all" } })
    )
    const a = world.members.get("a")!
    assert.isTrue(world.until(() => replicasIn(world, a, "web") === 1 && replicasIn(world, a, "kept") === 1))
    world.run(3000)
    world.remove(world.host, deployments, "default", "web")
    world.remove(world.host, deployments, "default", "kept")
    assert.isTrue(
      world.until(() =>
        ["web", "kept"].every((name) => world.read(world.host, deployments, "default", name) === undefined)
      ),
      JSON.stringify(
        world.list(world.host, federationResources.objects).map(({ metadata, status }) => [metadata, status])
      )
    )
    assert.isUndefined(world.read(a, deployments, "default", "web"))
    const left = world.read(a, deployments, "default", "kept")
    assert.isDefined(left)
    assert.isUndefined(left.metadata.labels?.[federationLabels.managed])
    assert.lengthOf(
      world
        .list(world.host, federationResources.objects)
        .filter(({ metadata }) => metadata.name?.includes("deployments")),
      0
    )
  })

  it("does not touch what is not its own, unless told to adopt", () => {
    const world = joined(5, ["a", "b"])
    const a = world.members.get("a")!
    const theirs = world.make(a, deployments, "default", {
      ...deployment("web", 7),
      metadata: { name: "web", namespace: "default" }
    })
    world.make(world.host, federationResources.propagationPolicies, "default", spread)
    world.make(world.host, deployments, "default", deployment("web", 3))
    world.run(60_000)
    assert.strictEqual(
      world.read(a, deployments, "default", "web")?.metadata.resourceVersion,
      theirs.metadata.resourceVersion
    )
    const federated = world.read(world.host, federationResources.objects, "default", "web-deployments.apps")
    const status = federated?.status as {
      readonly clusters: ReadonlyArray<{ readonly cluster: string; readonly status: string }>
    }
    assert.strictEqual(status.clusters.find(({ cluster }) => cluster === "a")?.status, "AlreadyExists")
    world.change(world.host, deployments, "default", "web", {
      metadata: {
        annotations: {
          "kubeadmiral.io/conflict-resolution": "adopt",
          "kubeadmiral.io/clusters-to-adopt": '{"clusters":["a"]}'
        }
      }
    })
    assert.isTrue(world.until(() => replicasIn(world, a, "web") === 1))
    assert.strictEqual(
      world.read(a, deployments, "default", "web")?.metadata.annotations?.["kubeadmiral.io/adopted"],
      "true"
    )
  })

  it("does not wait for ever for a member that is lost, and deletes there when it is back", () => {
    const world = joined(6, ["a", "b"])
    world.make(world.host, federationResources.propagationPolicies, "default", spread)
    world.make(world.host, deployments, "default", deployment("web", 3))
    const a = world.members.get("a")!
    assert.isTrue(world.until(() => replicasIn(world, a, "web") === 1))
    world.run(5000)
    a.ways.up = false
    assert.isTrue(world.until(() => !world.isReady("a"), 120_000))
    world.remove(world.host, deployments, "default", "web")
    assert.isTrue(world.until(() => world.read(world.host, deployments, "default", "web") === undefined, 180_000))
    assert.isDefined(world.read(a, deployments, "default", "web"))
    a.ways.up = true
    assert.isTrue(world.until(() => world.read(a, deployments, "default", "web") === undefined, 120_000))
  })

  it("takes namespaces everywhere by themselves, and leaves each cluster's own alone", () => {
    const world = joined(7, ["a", "b"])
    world.make(world.host, namespaces, "", { apiVersion: "v1", kind: "Namespace", metadata: { name: "team" } })
    world.make(world.host, configMaps, "default", {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "plain" },
      data: { a: "1" }
    })
    for (const member of world.members.values())
      assert.isTrue(world.until(() => world.read(member, namespaces, "", "team") !== undefined))
    world.run(10_000)
    for (const member of world.members.values()) {
      assert.isUndefined(world.read(member, namespaces, "", "default")?.metadata.labels?.[federationLabels.managed])
      assert.isUndefined(world.read(member, configMaps, "default", "plain"))
    }
  })

  it("takes no excluded namespace anywhere, and none away that went before it was excluded", () => {
    const excludedNamespaces = /^infra-/
    const world = joined(11, ["a", "b"])
    world.make(world.host, namespaces, "", { apiVersion: "v1", kind: "Namespace", metadata: { name: "infra-old" } })
    const isAt = (name: string) => (member: Server) => world.read(member, namespaces, "", name) !== undefined
    const members = [...world.members.values()]
    assert.isTrue(world.until(() => members.every(isAt("infra-old"))))
    world.crash()
    world.start(undefined, { excludedNamespaces })
    for (const name of ["infra-new", "team"])
      world.make(world.host, namespaces, "", { apiVersion: "v1", kind: "Namespace", metadata: { name } })
    assert.isTrue(world.until(() => members.every(isAt("team"))))
    world.run(20_000)
    assert.isTrue(members.every(isAt("infra-old")))
    assert.isFalse(members.some(isAt("infra-new")))
  })

  it("brings nothing new to a member that is going, and restores the template when an override policy goes", () => {
    const world = joined(9, ["a", "b"])
    world.make(world.host, federationResources.propagationPolicies, "default", spread)
    world.make(world.host, federationResources.overridePolicies, "default", {
      apiVersion: FEDERATION_API_VERSION,
      kind: "OverridePolicy",
      metadata: { name: "named", namespace: "default" },
      spec: { overrideRules: [{ overriders: { labels: [{ operator: "addIfAbsent", value: { where: "there" } }] } }] }
    })
    const labels = { [federationLabels.propagationPolicy]: "spread", [federationLabels.overridePolicy]: "named" }
    world.make(world.host, deployments, "default", deployment("web", 3, { labels }))
    const [a, b] = [world.members.get("a")!, world.members.get("b")!]
    const where = (): string | undefined => world.read(b, deployments, "default", "web")?.metadata.labels?.["where"]
    assert.isTrue(
      world.until(() => where() === "there"),
      world.failures.join("\n")
    )
    world.change(world.host, deployments, "default", "web", {
      metadata: { labels: { [federationLabels.overridePolicy]: null } }
    })
    assert.isTrue(
      world.until(() => world.read(b, deployments, "default", "web") !== undefined && where() === undefined)
    )
    // Somebody holds the cluster back, so that there is time to bring something.
    world.change(world.host, federationResources.clusters, "", "a", {
      metadata: { finalizers: ["test/held", ...heldBy(world)] }
    })
    world.remove(world.host, federationResources.clusters, "", "a")
    world.run(2000)
    const before = a.writes.length
    world.make(world.host, deployments, "default", deployment("late", 3))
    assert.isTrue(
      world.until(() => replicasIn(world, b, "late") === 3),
      world.failures.join("\n")
    )
    world.change(world.host, deployments, "default", "late", { spec: { replicas: 6 } })
    assert.isTrue(world.until(() => replicasIn(world, b, "late") === 6))
    assert.isEmpty(a.writes.slice(before).filter(({ verb }) => verb === "create" || verb === "patch"))
  })

  it("lets a member go with everything that it brought there, when it is told to", () => {
    const world = joined(8, ["a", "b"])
    world.make(world.host, federationResources.propagationPolicies, "default", spread)
    world.make(world.host, deployments, "default", deployment("web", 3))
    const a = world.members.get("a")!
    assert.isTrue(world.until(() => replicasIn(world, a, "web") === 1))
    world.change(world.host, federationResources.clusters, "", "a", {
      metadata: { annotations: { "kubeadmiral.io/cascading-delete": "true" } }
    })
    world.remove(world.host, federationResources.clusters, "", "a")
    assert.isTrue(
      world.until(() => world.read(world.host, federationResources.clusters, "", "a") === undefined),
      world.failures.join("\n")
    )
    assert.isUndefined(world.read(a, deployments, "default", "web"))
    assert.isTrue(world.until(() => replicasIn(world, world.members.get("b")!, "web") === 3))
  })
})
