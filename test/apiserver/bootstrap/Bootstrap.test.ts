import { assert, describe, it } from "vitest"
import type { ApiFailure } from "#kube"
import { reconcileBootstrap } from "../../../core/apiserver/bootstrap/Reconcile.ts"
import { FakeApi } from "../FakeApi.ts"

const GROUP = "rbac.authorization.k8s.io"
const options = { serviceIp: "10.96.0.1", address: "10.1.2.3", port: 6443, clientCa: "a CA" }

const reconcile = (api: FakeApi): ReadonlyArray<ApiFailure> => {
  const heard: Array<ReadonlyArray<ApiFailure>> = []
  reconcileBootstrap(api, options, (failures) => heard.push(failures))
  api.settle()
  assert.lengthOf(heard, 1)
  return heard.flat()
}

describe("what every cluster has", () => {
  it("is made at the first start and left alone at the second", () => {
    const api = new FakeApi()
    assert.deepStrictEqual(reconcile(api), [])
    const names = (group: string, resource: string) =>
      api
        .view(group, resource)
        .list("")
        .map(({ metadata }) => metadata.name)
    assert.deepStrictEqual(names("", "namespaces"), ["default", "kube-node-lease", "kube-public", "kube-system"])
    assert.deepStrictEqual(names("scheduling.k8s.io", "priorityclasses"), [
      "system-cluster-critical",
      "system-node-critical"
    ])
    assert.includeMembers(names(GROUP, "clusterroles"), [
      "cluster-admin",
      "system:node",
      "system:kube-scheduler",
      "view"
    ])
    assert.deepStrictEqual(names("", "services"), ["kubernetes"])
    assert.deepStrictEqual(names("discovery.k8s.io", "endpointslices"), ["kubernetes"])
    assert.deepStrictEqual(
      api.view("", "configmaps").get("kube-system", "extension-apiserver-authentication")?.["data"],
      {
        "client-ca-file": "a CA"
      }
    )
    const writes = (): number => api.requests.filter(({ verb }) => verb !== "get").length
    const before = writes()
    assert.deepStrictEqual(reconcile(api), [])
    assert.strictEqual(writes(), before)
  })

  it("gets back what is missing and keeps what was added", () => {
    const api = new FakeApi()
    reconcile(api)
    const roles = api.view(GROUP, "clusterroles")
    const [node, scheduler] = ["system:node", "system:kube-scheduler"].map((name) => roles.get("", name)!)
    const added = { verbs: ["dance"], apiGroups: [""], resources: ["pods"] }
    api.put("clusterroles", { ...node, rules: [added] })
    api.put("clusterroles", {
      ...scheduler,
      metadata: { ...scheduler.metadata, annotations: { "rbac.authorization.kubernetes.io/autoupdate": "false" } },
      rules: []
    })
    const binding = api.view(GROUP, "clusterrolebindings").get("", "cluster-admin")!
    api.put("clusterrolebindings", { ...binding, subjects: [] })
    reconcile(api)
    assert.deepStrictEqual(roles.get("", "system:node")?.["rules"], [
      added,
      ...(node["rules"] as ReadonlyArray<unknown>)
    ])
    assert.deepStrictEqual(roles.get("", "system:kube-scheduler")?.["rules"], [])
    assert.deepStrictEqual(
      api.view(GROUP, "clusterrolebindings").get("", "cluster-admin")?.["subjects"],
      binding["subjects"]
    )
  })
})
