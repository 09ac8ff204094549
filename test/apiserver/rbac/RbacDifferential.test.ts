// The same roles and bindings, the same questions: a real kube-apiserver and ours give the same answers.
import * as fc from "fast-check"
import { afterAll, assert, beforeAll, it } from "vitest"
import type { KubeObject } from "#kube"
import type { AccessAttributes } from "#apiserver"
import { bootstrapTable } from "../../../core/apiserver/bootstrap/BootstrapTableAdapter.ts"
import { reconcileBootstrap } from "../../../core/apiserver/bootstrap/Reconcile.ts"
import { usualChain } from "../../../core/apiserver/rbac/Authorizers.ts"
import { RbacAuthorizer } from "../../../core/apiserver/rbac/RbacAuthorizer.ts"
import { describeWith } from "../../Judges.ts"
import { type RealApiServer, startApiServer } from "../../kube/RealApiServer.ts"
import { settledBootstrap } from "../bootstrap/GenerateBootstrap.ts"
import { FakeApi } from "../FakeApi.ts"
import { attributes, GROUP, rbacObject, resourceOf } from "./RbacWorld.ts"

const SEED = Number(process.env["SEED"] ?? 20_261_124)

describeWith("kube-apiserver", "etcd")("a real kube-apiserver", (programs) => {
  let server: RealApiServer
  beforeAll(async () => {
    server = await startApiServer(programs)
  })
  afterAll(() => server.stop())

  const send = async (path: string, body: object): Promise<Record<string, unknown>> => {
    const answer = await server.call("POST", path, {
      body: JSON.stringify(body),
      headers: { "content-type": "application/json" }
    })
    assert.isBelow(answer.code, 300, answer.body)
    return JSON.parse(answer.body)
  }
  const asked = (ask: AccessAttributes): object => {
    const { groups, name: user } = ask.user
    if (!ask.resourceRequest) return { user, groups, nonResourceAttributes: { verb: ask.verb, path: ask.path } }
    const { group, name, namespace, resource, subresource, verb } = ask
    return { user, groups, resourceAttributes: { verb, group, resource, subresource, namespace, name } }
  }

  it("made the roles and bindings of our table", async () => {
    assert.deepEqual(await settledBootstrap(server), JSON.parse(JSON.stringify(bootstrapTable())))
  })

  it("gives the same answers and reasons", async () => {
    console.log(`seed ${SEED}`)
    const api = new FakeApi()
    reconcileBootstrap(api, { serviceIp: "10.0.0.1", address: "127.0.0.1", port: 6443 }, (failures) =>
      assert.deepStrictEqual(failures, [])
    )
    api.settle()
    const rbac = usualChain(new RbacAuthorizer(api))
    for (const name of ["a", "b"])
      await send("/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name } })
    const objects = new Map(
      fc
        .sample(rbacObject, { numRuns: 60, seed: SEED })
        .map((object): [string, KubeObject] => [
          `${object.kind}/${object.metadata.namespace}/${object.metadata.name}`,
          object
        ])
    )
    for (const object of objects.values()) {
      const { namespace } = object.metadata
      await send(
        `/apis/${GROUP}/v1/${namespace === undefined ? "" : `namespaces/${namespace}/`}${resourceOf(object)}`,
        object
      )
      api.put(resourceOf(object), object)
    }
    // What was written is not yet in the server's own informers.
    await new Promise((resolve) => setTimeout(resolve, 1000))
    const system = (
      user: string,
      groups: ReadonlyArray<string>,
      verb: string,
      group: string,
      resource: string
    ): AccessAttributes => ({
      resourceRequest: true,
      user: { name: user, groups },
      verb,
      group,
      version: "*",
      resource,
      subresource: "",
      namespace: "kube-system",
      name: ""
    })
    // Most random questions are refused: as many that ours allows are asked as others.
    const sample = fc.sample(attributes, { numRuns: 12_000, seed: SEED + 1 })
    const questions = [
      ...sample.filter((ask) => rbac.authorize(ask).allowed).slice(0, 400),
      ...sample.filter((ask) => !rbac.authorize(ask).allowed).slice(0, 400),
      system("system:kube-scheduler", ["system:authenticated"], "create", "", "pods"),
      system("system:kube-scheduler", ["system:authenticated"], "list", "", "pods"),
      system("system:serviceaccount:kube-system:deployment-controller", [], "update", "apps", "deployments"),
      system("root", ["system:masters"], "delete", "", "nodes")
    ]
    let allowed = 0
    for (const ask of questions) {
      const review = await send("/apis/authorization.k8s.io/v1/subjectaccessreviews", {
        apiVersion: "authorization.k8s.io/v1",
        kind: "SubjectAccessReview",
        spec: asked(ask)
      })
      const status = review["status"] as { readonly allowed: boolean; readonly reason?: string }
      const ours = rbac.authorize(ask)
      assert.strictEqual(ours.allowed, status.allowed, JSON.stringify(ask))
      // Several bindings may allow; which one is told is the lister's order on their side.
      const shape = (reason = ""): string =>
        reason.startsWith("RBAC: allowed by")
          ? reason
              .replace(/"[^"]*"/g, '""')
              .replace(/(Cluster)?Role(Binding)?/g, "Role")
              .replace(/User|Group|ServiceAccount/g, "User")
          : reason
      const sorted = (reason = ""): string =>
        shape(reason).replace(/\[(.*)\]/, (_all, list: string) => list.split(", ").sort().join())
      assert.strictEqual(sorted(ours.reason), sorted(status.reason), JSON.stringify(ask))
      if (status.allowed) allowed++
    }
    assert.isAbove(allowed, 100)
    assert.isBelow(allowed, 500)
  })
})
