// `wharf explain placement` on a host of our own: what it finds, what it prints, and that stored explanations read back.
import { Effect, Exit } from "effect"
import { assert, describe, it } from "vitest"
import { builtInDefinitions, defaultResourcesContext, makeDefinitions } from "#apiserver"
import {
  explainPlacement,
  type ExplainRequest,
  explanationText,
  FEDERATION_API_VERSION,
  federationAnnotations,
  federationDefinitions,
  federationLabels,
  federationResources,
  placementText,
  schedule,
  storedPlacement,
  storedPlacementOf
} from "#federation"
import type { GroupVersionResource, Json, KubeObject } from "#kube"
import { World } from "../../apiserver/World.ts"
import { cluster, fleetOf, NOW, placed, policy, request } from "../scheduling/Fleets.ts"

const template = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "web", namespace: "team", labels: { app: "web" } },
  spec: {
    replicas: 5,
    template: { spec: { containers: [{ name: "a", image: "a", resources: { requests: { cpu: "100m" } } }] } }
  }
}

const type = { group: "apps", version: "v1", kind: "Deployment", pluralName: "deployments", scope: "Namespaced" }

const host = (annotations: Record<string, string> = {}): World => {
  const world = new World({ definitions: makeDefinitions(federationDefinitions()) })
  const make = (
    resource: GroupVersionResource,
    kind: string,
    name: string,
    more: Partial<KubeObject>,
    namespace = ""
  ): KubeObject =>
    world.create(
      { resource, namespace },
      { apiVersion: FEDERATION_API_VERSION, kind, ...more, metadata: { name, ...more.metadata } }
    )
  for (const name of ["member-a", "member-b"]) {
    const made = make(federationResources.clusters, "FederatedCluster", name, {
      spec: { apiEndpoint: "https://x", secretRef: { name } }
    })
    const conditions = [
      { type: "Joined", status: "True" },
      { type: "Ready", status: name === "member-a" ? "True" : "False" }
    ]
    const status = {
      conditions,
      apiResourceTypes: [type],
      resources: { allocatable: { cpu: "10" }, available: { cpu: "10" } }
    }
    world.update(
      { resource: federationResources.clusters, namespace: "", name, subresource: "status" },
      { ...made, status }
    )
  }
  make(federationResources.typeConfigs, "FederatedTypeConfig", "deployments.apps", {
    spec: { sourceType: type, pathDefinition: { replicasSpec: "spec.replicas" } }
  })
  make(
    federationResources.propagationPolicies,
    "PropagationPolicy",
    "p",
    {
      spec: {
        schedulingMode: "Divide",
        placement: [{ cluster: "member-a", preferences: { maxReplicas: 3 } }, { cluster: "member-b" }]
      }
    },
    "team"
  )
  make(
    federationResources.objects,
    "FederatedObject",
    "web-deployments.apps",
    {
      metadata: { labels: { [federationLabels.propagationPolicy]: "p" }, annotations },
      spec: { template: template as Json }
    },
    "team"
  )
  return world
}

const explain = (world: World, more: Partial<ExplainRequest> = {}) => {
  const asked = { object: "deploy/web", namespace: "team", stored: false, nowMs: NOW, ...more }
  const answers: Array<Exit.Exit<string, { readonly message: string }>> = []
  Effect.runCallback(explainPlacement(world.client, asked).pipe(Effect.map(placementText)), {
    onExit: (exit) => void answers.push(exit)
  })
  for (let turn = 0; turn < 50 && answers.length === 0; turn++) world.clockwork.settle()
  return answers
}

const told = async (world: World, more: Partial<ExplainRequest> = {}): Promise<string> => {
  const answers = explain(world, more)
  // The effects' own turns run on the machine's loop, the host's on the test's clock.
  for (let turn = 0; turn < 1000 && answers.length === 0; turn++) {
    await new Promise((resume) => setImmediate(resume))
    world.clockwork.settle()
  }
  const [exit] = answers
  if (exit === undefined) throw new Error("no answer")
  return Exit.isSuccess(exit) ? exit.value : String(exit.cause)
}

describe("explaining a placement", () => {
  it("reads the host and decides again, by whatever name the type has", async () => {
    for (const object of ["deploy/web", "deployments/web", "Deployment/web", "deployments.apps/web"]) {
      const text = await told(host(), { object })
      assert.include(
        text,
        "Deployment team/web: PartlyScheduled: 2 of 5 replicas may go to none of the chosen clusters"
      )
      assert.include(text, "PropagationPolicy team/p, the default profile")
      assert.include(text, "1 of 2 clusters will do; 5 replicas, 2 of them nowhere")
      assert.include(text, "1 not: ClusterReady: is not ready")
      assert.match(text, /member-a: 3 replicas, score \d+ .*: may have no more than 3/)
    }
  })

  it("shows what the last attempt left, when asked", async () => {
    const outcome = schedule(request({ policy: policy({ maxClusters: 1 }) }))
    const annotations = { [federationAnnotations.schedulingExplanation]: explanationText(outcome.explain()) }
    assert.strictEqual(await told(host(annotations), { stored: true }), placementText(outcome.explain()))
    assert.include(await told(host(), { stored: true }), "no attempt has left an explanation")
  })

  it("says what is missing", async () => {
    assert.include(await told(host(), { object: "web" }), "name a type and an object")
    assert.include(await told(host(), { object: "sts/web" }), "no FederatedTypeConfig is for sts")
    assert.include(await told(host(), { object: "deploy/other" }), "Deployment team/other has no FederatedObject")
  })

  it("stays short enough for an annotation", () => {
    const fleet = fleetOf(...Array.from({ length: 1000 }, (_, at) => cluster(`cluster-with-a-long-name-${at}`)))
    assert.isBelow(explanationText(schedule(request({ fleet })).explain()).length, 16_000)
  })
})

describe("a stored placement", () => {
  it("reads back as it was written", () => {
    const leaving = new Map([["b", { reason: "lost", sinceMs: NOW, untilMs: NOW + 1000 }]])
    for (const placement of [placed({ a: 3, b: 0 }, leaving), placed({ a: undefined }), placed({})]) {
      const written = storedPlacement(placement, "spec.replicas")
      const object: KubeObject = {
        apiVersion: FEDERATION_API_VERSION,
        kind: "FederatedObject",
        metadata: {
          name: "x",
          annotations: written.leaving === undefined ? {} : { [federationAnnotations.leavingClusters]: written.leaving }
        },
        spec: {
          template,
          placements: [written.placement],
          ...(written.overrides === undefined ? {} : { overrides: [written.overrides] })
        } as unknown as Json
      }
      assert.deepStrictEqual(storedPlacementOf(object, "spec.replicas"), placement)
    }
  })

  it("is served on a host with everything else", () =>
    assert.isAbove(
      makeDefinitions([...builtInDefinitions(defaultResourcesContext), ...federationDefinitions()]).all().length,
      50
    ))
})
