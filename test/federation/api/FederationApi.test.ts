// The kinds as our own host serves them: KubeAdmiral's manifests are taken as they are, and what no rule of theirs allows is named.
import { assert, describe, it } from "vitest"
import { makeDefinitions } from "#apiserver"
import {
  FEDERATION_API_VERSION,
  federationCrds,
  federationDefinitions,
  federationResources,
  memberClusterOf,
  overridePolicyOf,
  propagationPolicyOf,
  schedulingProfileOf,
  typeConfigOf
} from "#federation"
import type { Json, KubeObject } from "#kube"
import { World } from "../../apiserver/World.ts"

const world = (): World => new World({ definitions: makeDefinitions(federationDefinitions()) })

const object = (kind: string, name: string, spec: Json, more: object = {}): KubeObject => ({
  apiVersion: FEDERATION_API_VERSION,
  kind,
  metadata: { name, ...more },
  spec
})

const policySpec = {
  schedulingMode: "Divide",
  clusterSelector: { "topology.kubernetes.io/region": "eu" },
  clusterAffinity: [
    {
      matchExpressions: [{ key: "tier", operator: "In", values: ["gold", "silver"] }],
      matchFields: [{ key: "metadata.name", operator: "NotIn", values: ["c9"] }]
    }
  ],
  tolerations: [{ key: "maintenance", operator: "Exists", effect: "NoSchedule" }],
  maxClusters: 3,
  placement: [
    { cluster: "c1", preferences: { minReplicas: 1, maxReplicas: 5, weight: 2 } },
    { cluster: "c2", preferences: { weight: 1 } }
  ],
  autoMigration: { when: { podUnschedulableFor: "2m" }, keepUnschedulableReplicas: true },
  reschedulePolicy: {
    rescheduleWhen: { clusterJoined: true, clusterAPIResourcesChanged: true },
    replicaRescheduling: { avoidDisruption: false }
  }
}

describe("the kinds of the federation", () => {
  it("are one definition each, of one group, or of the services'", () => {
    assert.strictEqual(new Set(federationCrds.map(({ metadata }) => metadata.name)).size, federationCrds.length)
    const served = new Set(federationDefinitions().map(({ group, resource }) => `${resource}.${group}`))
    for (const { group, resource } of Object.values(federationResources)) {
      assert.isTrue(served.has(`${resource}.${group}`), resource)
    }
  })

  it("take a policy of the original and read it with its defaults", () => {
    const target = { resource: federationResources.propagationPolicies, namespace: "team-a" }
    const policy = propagationPolicyOf(world().create(target, object("PropagationPolicy", "web", policySpec)))
    assert.deepStrictEqual(policy.problems, [])
    assert.strictEqual(policy.mode, "Divide")
    assert.strictEqual(policy.strategy, "Spread")
    assert.strictEqual(policy.maxClusters, 3)
    assert.deepStrictEqual(policy.placement?.get("c2"), { min: 0, max: Infinity, weight: 1, priority: undefined })
    assert.deepStrictEqual(policy.autoMigration, { podUnschedulableForMs: 120_000, keepUnschedulable: true })
    assert.isFalse(policy.avoidDisruption)
    assert.deepStrictEqual(policy.reschedule, {
      policyContentChanged: true,
      clusterJoined: true,
      clusterLabelsChanged: false,
      clusterApiResourcesChanged: true
    })
    assert.isTrue(policy.followers)
  })

  it("refuse what a schema cannot say, and name the field", () => {
    const target = { resource: federationResources.clusterPropagationPolicies, namespace: "" }
    const spec = {
      schedulingMode: "Duplicate",
      clusterAffinity: [{ matchFields: [{ key: "metadata.uid", operator: "In", values: ["x"] }] }],
      tolerations: [{ operator: "Equal" }],
      placement: [{ cluster: "a", preferences: { minReplicas: 3, maxReplicas: 2 } }, { cluster: "a" }],
      autoMigration: { when: { podUnschedulableFor: "soon" } }
    }
    const hub = world()
    const failure = hub.fails((done) =>
      hub.client.create(target, object("ClusterPropagationPolicy", "bad", spec), {}, done)
    )
    for (const field of [
      "spec.clusterAffinity[0].matchFields[0].key",
      "spec.tolerations[0].operator",
      "spec.placement[0].preferences.minReplicas",
      "spec.placement[1].cluster",
      "spec.autoMigration.when.podUnschedulableFor"
    ]) {
      assert.include(failure.message, field)
    }
  })

  it("refuse a mode that is none, and a name that is no label", () => {
    const hub = world()
    const target = { resource: federationResources.propagationPolicies, namespace: "team-a" }
    const wrong = object("PropagationPolicy", "x".repeat(64), { schedulingMode: "Everywhere" })
    const failure = hub.fails((done) => hub.client.create(target, wrong, {}, done))
    assert.include(failure.message, "spec.schedulingMode")
    assert.include(failure.message, "metadata.name")
  })

  it("keep what they do not know inside templates, fields and arguments", () => {
    const hub = world()
    const template = {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "web" },
      spec: { odd: [1, { a: 2 }] }
    }
    const made = hub.create(
      { resource: federationResources.objects, namespace: "team-a" },
      object("FederatedObject", "web-deployments.apps", { template })
    )
    assert.deepStrictEqual((made.spec as { template: Json }).template, template)
    const collected = hub.create(
      { resource: federationResources.collectedStatuses, namespace: "team-a" },
      {
        apiVersion: FEDERATION_API_VERSION,
        kind: "CollectedStatus",
        metadata: { name: "web-deployments.apps" },
        clusters: [{ cluster: "c1", collectedFields: { status: { replicas: 1 } } }]
      }
    )
    assert.deepStrictEqual(collected["clusters"], [{ cluster: "c1", collectedFields: { status: { replicas: 1 } } }])
  })

  it("read a profile's plugins, weights by either spelling, and arguments", () => {
    const spec = {
      plugins: {
        filter: { disabled: [{ name: "ClusterReady" }], enabled: [{ name: "mine", type: "Webhook" }] },
        score: { disabled: [{ name: "*" }], enabled: [{ name: "ClusterResourcesMostAllocated", wait: 3 }] }
      },
      pluginConfig: [{ name: "ClusterResourcesMostAllocated", args: { resources: [{ name: "cpu", weight: 2 }] } }]
    }
    const hub = world()
    const target = { resource: federationResources.schedulingProfiles, namespace: "" }
    const profile = schedulingProfileOf(hub.create(target, object("SchedulingProfile", "dense", spec)))
    assert.isFalse(profile.plugins.filter.some(({ name }) => name === "ClusterReady"))
    assert.deepStrictEqual(profile.plugins.filter.at(-1), { webhook: true, name: "mine", weight: 1 })
    assert.deepStrictEqual(profile.plugins.score, [
      { webhook: false, name: "ClusterResourcesMostAllocated", weight: 3 }
    ])
    assert.deepStrictEqual(profile.arguments.get("ClusterResourcesMostAllocated"), {
      resources: [{ name: "cpu", weight: 2 }]
    })
    const unknown = object("SchedulingProfile", "odd", { plugins: { score: { enabled: [{ name: "Luck" }] } } })
    const failure = hub.fails((done) => hub.client.create(target, unknown, {}, done))
    assert.include(failure.message, "spec.plugins.score.enabled[0].name")
  })

  it("read clusters, types and override policies", () => {
    const cluster = memberClusterOf({
      ...object("FederatedCluster", "c1", {
        apiEndpoint: "https://c1",
        secretRef: { name: "c1" },
        taints: [{ key: "k", effect: "NoExecute", timeAdded: "2026-11-24T04:00:00Z" }]
      }),
      status: {
        conditions: [
          { type: "Joined", status: "True", lastTransitionTime: "2026-11-24T04:00:00Z" },
          { type: "Ready", status: "True" }
        ],
        resources: { allocatable: { cpu: "1500m", memory: "1Ki" }, available: { cpu: "1" } },
        apiResourceTypes: [
          { group: "apps", version: "v1", kind: "Deployment", pluralName: "deployments", scope: "Namespaced" }
        ]
      }
    })
    assert.strictEqual(cluster.joinedMs, Date.UTC(2026, 10, 24, 4))
    assert.strictEqual(cluster.allocatable.get("cpu"), 1500)
    assert.strictEqual(cluster.allocatable.get("memory"), 1024)
    assert.isTrue(cluster.types?.has("apps/v1/Deployment"))
    const type = typeConfigOf(
      object("FederatedTypeConfig", "deployments.apps", {
        sourceType: {
          group: "apps",
          version: "v1",
          kind: "Deployment",
          pluralName: "deployments",
          scope: "Namespaced"
        },
        controllers: [["a"], ["b", "c"]],
        pathDefinition: { replicasSpec: "spec.replicas" }
      })
    )
    assert.isTrue(type.aggregatesStatus)
    assert.isUndefined(type.collectedFields)
    assert.deepStrictEqual(type.controllers, [["a"], ["b", "c"]])
    const rules = overridePolicyOf(
      object("OverridePolicy", "web", { overrideRules: [{ targetClusters: { clusters: ["c1"] }, overriders: {} }] })
    ).rules
    assert.isTrue(rules[0]?.names?.has("c1"))
  })
})
