// Discovery in both forms, and the order in which groups and versions are told.
import { describe, expect, it } from "vitest"
import { compareGroups, compareVersions } from "../../../core/apiserver/http/GroupOrder.ts"
import { fakeDefinition } from "./FakeApi.ts"
import { makeRig } from "./FrontRig.ts"

const aggregated = { accept: "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json" }

describe("discovery", () => {
  it("lists resources with verbs, names, subresources and the hash of what is stored", () => {
    const { send } = makeRig()
    const { resources } = send("GET", "/api/v1").json
    expect(resources[0]).toEqual({
      name: "configmaps",
      singularName: "configmap",
      namespaced: true,
      kind: "ConfigMap",
      verbs: ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
      shortNames: ["cm"],
      // As a real server has it.
      storageVersionHash: "qFsyl6wFWjQ="
    })
    const names = resources.map(({ name }: { name: string }) => name)
    expect(names).toEqual(expect.arrayContaining(["pods/exec", "pods/log", "pods/proxy"]))
    const apps = send("GET", "/apis/apps/v1").json.resources
    expect(apps.find(({ name }: { name: string }) => name === "deployments/scale")).toMatchObject({
      group: "autoscaling",
      version: "v1",
      kind: "Scale",
      verbs: ["get", "patch", "update"]
    })
  })

  it("lists groups and versions", () => {
    const { send } = makeRig({ serverAddress: () => "10.0.0.1:6443" })
    expect(send("GET", "/api").json).toMatchObject({
      kind: "APIVersions",
      versions: ["v1"],
      serverAddressByClientCIDRs: [{ clientCIDR: "0.0.0.0/0", serverAddress: "10.0.0.1:6443" }]
    })
    expect(send("GET", "/apis").json.groups).toEqual([
      {
        name: "apps",
        versions: [{ groupVersion: "apps/v1", version: "v1" }],
        preferredVersion: { groupVersion: "apps/v1", version: "v1" }
      }
    ])
    expect(send("GET", "/apis/apps").json).toMatchObject({ kind: "APIGroup", name: "apps" })
  })

  it("answers the aggregated form with an ETag, until definitions change", () => {
    const rig = makeRig()
    const first = rig.send("GET", "/apis", { headers: aggregated })
    expect(first.field("content-type")).toBe("application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList")
    expect(first.json.items[0]).toMatchObject({
      metadata: { name: "apps" },
      versions: [{ version: "v1", freshness: "Current" }]
    })
    expect(
      first.json.items[0].versions[0].resources[0].subresources.map(
        ({ subresource }: { subresource: string }) => subresource
      )
    ).toEqual(["scale", "status"])
    const etag = first.field("etag")!
    const again = rig.send("GET", "/apis", { headers: { ...aggregated, "if-none-match": etag } })
    expect([again.status, again.text]).toEqual([304, ""])
    rig.api.definitions.register(fakeDefinition("widgets", "Widget", { group: "example.com" }))
    const changed = rig.send("GET", "/apis", { headers: { ...aggregated, "if-none-match": etag } })
    expect([changed.status, changed.json.items.length]).toEqual([200, 2])
    expect(rig.send("GET", "/api", { headers: aggregated }).json.items[0].metadata).toEqual({})
  })

  it("orders groups by kube-apiserver's priorities and versions by stability", () => {
    expect(["zz", "policy", "batch", "", "aa", "apps"].sort(compareGroups)).toEqual([
      "",
      "apps",
      "batch",
      "policy",
      "aa",
      "zz"
    ])
    expect(["v1beta1", "v2alpha1", "v1", "foo", "v2", "v1beta2", "v10"].sort(compareVersions)).toEqual([
      "v10",
      "v2",
      "v1",
      "v1beta2",
      "v1beta1",
      "v2alpha1",
      "foo"
    ])
  })
})

describe("OpenAPI", () => {
  it("lists documents by hash and serves them in JSON, version 2 in Protocol Buffers as well", () => {
    const rig = makeRig()
    const index = rig.send("GET", "/openapi/v3").json
    const url: string = index.paths["apis/apps/v1"].serverRelativeURL
    const document = rig.send("GET", url)
    expect(document.json.openapi).toBe("3.0.0")
    expect(document.field("cache-control")).toBe("public, immutable")
    const etag = document.field("etag")!
    expect(rig.send("GET", url, { headers: { "if-none-match": etag } }).status).toBe(304)
    const accept = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
    const binary = rig.send("GET", "/openapi/v2", { headers: { accept } })
    expect(binary.status).toBe(200)
    expect(binary.field("content-type")).toBe("application/com.github.proto-openapi.spec.v2.v1.0+protobuf")
    expect(rig.send("GET", url, { headers: { accept: accept.replaceAll("v2", "v3") } }).status).toBe(406)
    expect(rig.send("GET", "/openapi/v2", { headers: { accept: `application/json,${accept}` } }).json.swagger).toBe(
      "2.0"
    )
    expect(rig.send("GET", "/openapi/v3/apis/none/v1").status).toBe(404)
  })
})
