// Followers over an API server in memory: dependencies of dependencies, names that only overrides have, and leaders that leave.
import { assert, describe, it } from "vitest"
import type { Json, KubeObject } from "#kube"
import { federatedSpecOf, federationResources, makeFollowerController, nativeSemantics, placementBy } from "#federation"
import { deployment, deploymentConfig, federated, FleetWorld } from "../FleetWorld.ts"

const SCHEDULER = "kubeadmiral.io/global-scheduler"
const FOLLOWER = "kubeadmiral.io/follower-controller"
const { clusterObjects, objects } = federationResources

const plain = (kind: string, name: string, more: object = {}): KubeObject => ({
  apiVersion: "v1",
  kind,
  metadata: { name, namespace: "team" },
  ...more
})

const world = (): FleetWorld => {
  const made = new FleetWorld([], [deploymentConfig])
  const controller = makeFollowerController({
    clockwork: made.clockwork,
    client: made.host.client,
    runtime: made.runtime,
    objects: made.objects,
    semantics: nativeSemantics
  })
  made.informers.start()
  controller.start()
  return made
}

const followed = ({ host }: FleetWorld, key: string): ReadonlyArray<string> => {
  const object = host.get(key.includes("/") ? objects : clusterObjects, key)
  return object === undefined ? ["(none)"] : placementBy(federatedSpecOf(object), FOLLOWER)
}

const leader = (
  clusters: ReadonlyArray<string>,
  more: { readonly overrides?: Json; readonly annotations?: Readonly<Record<string, string>> } = {}
) =>
  federated(
    deployment(2, {
      pod: {
        serviceAccountName: "robot",
        priorityClassName: "gold",
        volumes: [{ name: "v", configMap: { name: "settings" } }]
      }
    }),
    { [SCHEDULER]: clusters },
    more
  )

const place = (fleet: FleetWorld, clusters: ReadonlyArray<string>): void => {
  fleet.host.change(objects, "team/web-deployment", (object) => ({ ...object, spec: leader(clusters).spec as Json }))
  fleet.clockwork.pass(2000)
}

describe("objects that others need", () => {
  it("follow them, and theirs follow them in turn, wherever they go", () => {
    const fleet = world()
    fleet.host.create(objects, leader(["oak", "elm"]))
    fleet.host.create(
      objects,
      federated(plain("ServiceAccount", "robot", { imagePullSecrets: [{ name: "pull" }] }), {})
    )
    fleet.host.create(objects, federated(plain("Secret", "pull"), {}))
    fleet.host.create(objects, federated(plain("ConfigMap", "settings"), { [SCHEDULER]: ["fir"] }))
    fleet.host.create(objects, federated(plain("ConfigMap", "other"), {}))
    const gold = { apiVersion: "scheduling.k8s.io/v1", kind: "PriorityClass", metadata: { name: "gold" }, value: 7 }
    fleet.host.create(clusterObjects, federated(gold, {}))
    fleet.clockwork.pass(2000)
    const keys = ["team/robot-serviceaccount", "team/pull-secret", "team/settings-configmap", "gold-priorityclass"]
    for (const key of keys) assert.deepStrictEqual(followed(fleet, key), ["elm", "oak"], key)
    assert.deepStrictEqual(followed(fleet, "team/other-configmap"), [])
    const settings = fleet.host.get(objects, "team/settings-configmap")
    assert.deepStrictEqual(settings === undefined ? [] : federatedSpecOf(settings).follows, [
      { group: "apps", kind: "Deployment", namespace: "team", name: "web" }
    ])
    place(fleet, ["elm"])
    for (const key of keys) assert.deepStrictEqual(followed(fleet, key), ["elm"], key)
    fleet.host.remove(objects, "team/web-deployment")
    fleet.clockwork.pass(2000)
    for (const key of keys) assert.deepStrictEqual(followed(fleet, key), [], key)
    const left = fleet.host.get(objects, "team/settings-configmap")
    assert.deepStrictEqual(
      left === undefined ? [] : placementBy(federatedSpecOf(left), SCHEDULER),
      ["fir"],
      "others' placements stay"
    )
  })

  it("follow into those clusters alone in which an override names them", () => {
    const fleet = world()
    const patches = [{ op: "replace", path: "/spec/template/spec/volumes/0/configMap/name", value: "for-elm" }]
    const overrides = [
      { controller: "kubeadmiral.io/overridepolicy-controller", clusters: [{ cluster: "elm", patches }] }
    ]
    fleet.host.create(objects, leader(["oak", "elm"], { overrides }))
    fleet.host.create(objects, federated(plain("ConfigMap", "for-elm"), {}))
    fleet.clockwork.pass(2000)
    assert.deepStrictEqual(followed(fleet, "team/for-elm-configmap"), ["elm"])
  })

  it("follow when an annotation names them, unless following is switched off", () => {
    const fleet = world()
    const followers = JSON.stringify([{ group: "", kind: "Service", name: "web" }])
    fleet.host.create(objects, leader(["oak"], { annotations: { "kubeadmiral.io/followers": followers } }))
    fleet.host.create(objects, federated(plain("Service", "web"), {}))
    fleet.host.create(
      objects,
      federated(plain("ConfigMap", "settings"), {}, { annotations: { "kubeadmiral.io/disable-following": "true" } })
    )
    fleet.clockwork.pass(2000)
    assert.deepStrictEqual(followed(fleet, "team/web-service"), ["oak"])
    assert.deepStrictEqual(followed(fleet, "team/settings-configmap"), [])
    fleet.host.change(objects, "team/web-deployment", (object) => ({
      ...object,
      metadata: {
        ...object.metadata,
        annotations: { ...object.metadata.annotations, "internal.kubeadmiral.io/enable-follower-scheduling": "false" }
      }
    }))
    fleet.clockwork.pass(2000)
    assert.deepStrictEqual(followed(fleet, "team/web-service"), [])
  })

  it("are not written to when nothing changed, also after a restart", () => {
    const fleet = world()
    fleet.host.create(objects, leader(["oak", "elm"]))
    fleet.host.create(objects, federated(plain("ConfigMap", "settings"), {}))
    fleet.clockwork.pass(2000)
    const before = fleet.host.writes
    const again = makeFollowerController({
      clockwork: fleet.clockwork,
      client: fleet.host.client,
      runtime: fleet.runtime,
      objects: fleet.objects,
      semantics: nativeSemantics
    })
    again.start()
    fleet.clockwork.pass(2000)
    assert.isAbove(again.stats().reconciles, 1)
    assert.strictEqual(fleet.host.writes, before)
  })
})
