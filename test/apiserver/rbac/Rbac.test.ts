import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { ApiFailure, type KubeObject } from "#kube"
import type { AccessAttributes, AdmissionRequest, ApiRequest } from "#apiserver"
import {
  localSubjectAccessReview,
  selfSubjectAccessReview,
  selfSubjectRulesReview,
  subjectAccessReview
} from "../../../core/apiserver/rbac/AccessReviews.ts"
import { aggregateClusterRoles } from "../../../core/apiserver/rbac/Aggregation.ts"
import { forbiddenAccess } from "../../../core/apiserver/http/Forbidden.ts"
import { usualChain } from "../../../core/apiserver/rbac/Authorizers.ts"
import { rbacEscalation } from "../../../core/apiserver/rbac/Escalation.ts"
import { NodeAuthorizer } from "../../../core/apiserver/rbac/NodeAuthorizer.ts"
import { notCovered, rulesOf } from "../../../core/apiserver/rbac/PolicyRule.ts"
import { RbacAuthorizer } from "../../../core/apiserver/rbac/RbacAuthorizer.ts"
import { bareDefinition, FakeApi } from "../FakeApi.ts"
import { attributes, bruteForce, GROUP, rbacObject, resourceOf, resourceRules } from "./RbacWorld.ts"

const of = (
  user: string,
  groups: ReadonlyArray<string>,
  verb: string,
  resource: string,
  namespace = "",
  name = ""
): AccessAttributes => {
  const [plural = "", subresource = ""] = resource.split("/")
  const [bare = "", ...group] = plural.split(".")
  return {
    resourceRequest: true,
    user: { name: user, groups },
    verb,
    group: group.join("."),
    version: "v1",
    resource: bare,
    subresource,
    namespace,
    name
  }
}

const put = (api: FakeApi, kind: string, name: string, namespace: string | undefined, fields: object): void => {
  const object = {
    apiVersion: `${GROUP}/v1`,
    kind,
    metadata: namespace === undefined ? { name } : { name, namespace },
    ...fields
  }
  api.put(resourceOf(object), object)
}
const bind = (
  api: FakeApi,
  name: string,
  namespace: string | undefined,
  to: string,
  ...users: ReadonlyArray<string>
): void => {
  const [kind = "", role = ""] = to.split("/")
  put(api, namespace === undefined ? "ClusterRoleBinding" : "RoleBinding", name, namespace, {
    subjects: users.map((user) => ({ kind: "User", apiGroup: GROUP, name: user })),
    roleRef: { apiGroup: GROUP, kind, name: role }
  })
}
const rule = (verbs: string, groups: string, resources: string, names = ""): object => ({
  verbs: verbs.split(","),
  apiGroups: groups.split(","),
  resources: resources.split(","),
  ...(names === "" ? {} : { resourceNames: names.split(",") })
})

describe("decisions", () => {
  it("are those of a plain walk over all bindings, while roles and bindings come and go", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            { arbitrary: rbacObject.map((object) => ({ put: object })), weight: 3 },
            { arbitrary: rbacObject.map((object) => ({ remove: object })), weight: 1 },
            { arbitrary: attributes.map((ask) => ({ ask })), weight: 6 }
          ),
          { minLength: 20, maxLength: 60 }
        ),
        (steps) => {
          const api = new FakeApi()
          const rbac = new RbacAuthorizer(api)
          for (const step of steps) {
            if ("put" in step) api.put(resourceOf(step.put), step.put)
            else if ("remove" in step) {
              const { name = "", namespace = "" } = step.remove.metadata
              api.remove(GROUP, resourceOf(step.remove), namespace, name)
            } else
              assert.strictEqual(rbac.authorize(step.ask).allowed, bruteForce(api, step.ask), JSON.stringify(step.ask))
          }
        }
      ),
      { numRuns: 400 }
    )
  })

  it("say why, and of what is missing", () => {
    const api = new FakeApi()
    const rbac = new RbacAuthorizer(api)
    put(api, "ClusterRole", "reader", undefined, { rules: [rule("get", "", "pods")] })
    bind(api, "readers", undefined, "ClusterRole/reader", "alice")
    bind(api, "local", "a", "ClusterRole/reader", "bob")
    bind(api, "broken", undefined, "ClusterRole/gone", "carol")
    bind(api, "broken", "a", "Role/gone", "carol")
    const ask = (user: string, verb = "get", namespace = "a") => rbac.authorize(of(user, [], verb, "pods", namespace))
    assert.deepStrictEqual(ask("alice"), {
      allowed: true,
      reason: 'RBAC: allowed by ClusterRoleBinding "readers" of ClusterRole "reader" to User "alice"'
    })
    assert.strictEqual(
      ask("bob").reason,
      'RBAC: allowed by RoleBinding "local/a" of ClusterRole "reader" to User "bob"'
    )
    assert.deepStrictEqual(ask("bob", "get", "b"), { allowed: false, reason: "" })
    assert.strictEqual(
      ask("carol").reason,
      `RBAC: [clusterrole.${GROUP} "gone" not found, role.${GROUP} "gone" not found]`
    )
    assert.strictEqual(ask("carol", "get", "b").reason, `RBAC: clusterrole.${GROUP} "gone" not found`)
  })

  it("let masters pass and refuse others in kube-apiserver's words", () => {
    const authorizer = usualChain(new RbacAuthorizer(new FakeApi()))
    assert.isTrue(authorizer.authorize(of("root", ["system:masters"], "delete", "nodes")).allowed)
    const refuse = (asked: AccessAttributes): string =>
      forbiddenAccess(asked, authorizer.authorize(asked).reason).message
    assert.strictEqual(
      refuse(of("x", [], "list", "pods", "default")),
      'pods is forbidden: User "x" cannot list resource "pods" in API group "" in the namespace "default"'
    )
    assert.strictEqual(
      refuse(of("x", [], "update", "deployments.apps/scale", "default", "web")),
      'deployments.apps "web" is forbidden: User "x" cannot update resource "deployments/scale" in API group "apps" in the namespace "default"'
    )
    assert.strictEqual(
      refuse(of("x", [], "get", "nodes", "", "n")),
      'nodes "n" is forbidden: User "x" cannot get resource "nodes" in API group "" at the cluster scope'
    )
    const path = { resourceRequest: false, user: { name: "x", groups: [] }, verb: "get", path: "/metrics" } as const
    assert.strictEqual(refuse(path), 'forbidden: User "x" cannot get path "/metrics"')
  })
})

describe("rules that cover others", () => {
  it("cover nothing that they do not allow", () => {
    fc.assert(
      fc.property(resourceRules, resourceRules, attributes, (owner, wanted, asked) => {
        if (!asked.resourceRequest || notCovered(rulesOf(owner), rulesOf(wanted)).length > 0) return
        const api = new FakeApi()
        const rbac = new RbacAuthorizer(api)
        put(api, "ClusterRole", "owner", undefined, { rules: owner })
        put(api, "ClusterRole", "wanted", undefined, { rules: wanted })
        bind(api, "owner", undefined, "ClusterRole/owner", "owner")
        bind(api, "wanted", undefined, "ClusterRole/wanted", "wanted")
        const may = (name: string): boolean => rbac.authorize({ ...asked, user: { name, groups: [] } }).allowed
        assert.isTrue(!may("wanted") || may("owner"))
      }),
      { numRuns: 2000 }
    )
  })
})

describe("escalation", () => {
  const world = () => {
    const api = new FakeApi()
    const rbac = new RbacAuthorizer(api)
    const plugin = rbacEscalation(rbac, usualChain(rbac))
    put(api, "ClusterRole", "admin", undefined, { rules: [rule("get,list", "", "pods")] })
    put(api, "ClusterRole", "binder", undefined, { rules: [rule("bind", GROUP, "clusterroles", "secrets")] })
    put(api, "ClusterRole", "escalator", undefined, { rules: [rule("escalate", GROUP, "roles")] })
    put(api, "ClusterRole", "secrets", undefined, { rules: [rule("get", "", "secrets")] })
    bind(api, "admin", undefined, "ClusterRole/admin", "alice")
    bind(api, "binder", undefined, "ClusterRole/binder", "bob")
    bind(api, "escalator", undefined, "ClusterRole/escalator", "eve")
    const write = (
      user: string,
      object: { readonly kind: string; readonly [field: string]: unknown },
      oldObject?: KubeObject
    ): string => {
      const resource = resourceOf(object as unknown as KubeObject)
      const namespace = object.kind.startsWith("Cluster") ? "" : "a"
      const request: ApiRequest = {
        verb: "create",
        resource: { group: GROUP, version: "v1", resource },
        subresource: "",
        namespace,
        name: "n",
        user: { name: user, groups: user === "root" ? ["system:masters"] : ["g"] },
        options: {}
      }
      const admission: AdmissionRequest = {
        operation: oldObject === undefined ? "CREATE" : "UPDATE",
        request,
        definition: bareDefinition(GROUP, "v1", resource, object.kind),
        object: { apiVersion: `${GROUP}/v1`, metadata: { name: "n", namespace }, ...object },
        oldObject
      }
      if (!plugin.handles(admission)) return "not asked"
      let said = "silence"
      plugin.validate?.(admission, (failure) => (said = failure?.message ?? "allowed"))
      return said
    }
    return { write }
  }
  const binding = (kind: string, name: string) => ({
    kind: kind === "cluster" ? "ClusterRoleBinding" : "RoleBinding",
    subjects: [],
    roleRef: { apiGroup: GROUP, kind: "ClusterRole", name }
  })

  it("is refused for what the writer does not hold", () => {
    const { write } = world()
    assert.strictEqual(write("alice", { kind: "Role", rules: [rule("get", "", "pods")] }), "allowed")
    assert.strictEqual(
      write("alice", { kind: "Role", rules: [rule("get,delete,watch", "", "pods,secrets")] }),
      `roles.${GROUP} "n" is forbidden: user "alice" (groups=["g"]) is attempting to grant RBAC permissions not currently held:\n` +
        '{APIGroups:[""], Resources:["pods"], Verbs:["delete" "watch"]}\n{APIGroups:[""], Resources:["secrets"], Verbs:["get" "delete" "watch"]}'
    )
    assert.strictEqual(write("root", { kind: "Role", rules: [rule("*", "*", "*")] }), "not asked")
    assert.strictEqual(write("eve", { kind: "Role", rules: [rule("*", "*", "*")] }), "allowed")
    assert.match(write("eve", { kind: "ClusterRole", rules: [rule("*", "*", "*")] }), /is attempting to grant/)
    const selectors = { clusterRoleSelectors: [{ matchLabels: { a: "b" } }] }
    assert.match(
      write("alice", { kind: "ClusterRole", rules: [], aggregationRule: selectors }),
      /must have cluster-admin privileges to use the aggregationRule$/
    )
  })

  it("by binding needs the role's own rules, or the verb bind", () => {
    const { write } = world()
    assert.strictEqual(write("alice", binding("cluster", "admin")), "allowed")
    assert.match(write("alice", binding("cluster", "secrets")), /is attempting to grant/)
    assert.strictEqual(write("bob", binding("cluster", "secrets")), "allowed")
    assert.match(write("bob", binding("local", "admin")), /is attempting to grant/)
    assert.strictEqual(write("alice", binding("local", "none")), `clusterrole.${GROUP} "none" not found`)
  })

  it("is not seen in what only garbage collection needs", () => {
    const { write } = world()
    const rules = [rule("*", "*", "*")]
    const old = {
      apiVersion: `${GROUP}/v1`,
      kind: "Role",
      metadata: { name: "n", namespace: "a", finalizers: ["x"] },
      rules
    }
    assert.strictEqual(write("alice", { kind: "Role", rules }, old), "allowed")
    assert.match(write("alice", { kind: "Role", rules, labels: { a: "b" } }, old), /is attempting to grant/)
  })
})

describe("aggregation", () => {
  it("joins the rules of the roles that the selectors find, also through another aggregate", () => {
    const api = new FakeApi()
    const stop = aggregateClusterRoles(api)
    const by = (label: string): object => ({
      aggregationRule: { clusterRoleSelectors: [{ matchLabels: { [label]: "true" } }] }
    })
    const role = (name: string, labels: Record<string, string>, fields: object): void =>
      void api.put("clusterroles", {
        apiVersion: `${GROUP}/v1`,
        kind: "ClusterRole",
        metadata: { name, labels },
        ...fields
      })
    role("admin", {}, by("to-admin"))
    role("edit", { "to-admin": "true" }, by("to-edit"))
    role("a", { "to-edit": "true" }, { rules: [rule("get", "", "pods")] })
    role("b", { "to-edit": "true", "to-admin": "true" }, { rules: [rule("get", "", "pods"), rule("list", "", "pods")] })
    api.settle()
    const rules = (name: string) => api.view(GROUP, "clusterroles").get("", name)?.["rules"]
    const joined = [rule("get", "", "pods"), rule("list", "", "pods")]
    assert.deepStrictEqual(rules("edit"), joined)
    assert.deepStrictEqual(rules("admin"), joined)
    stop()
    role("c", { "to-edit": "true" }, { rules: [rule("watch", "", "pods")] })
    api.settle()
    assert.deepStrictEqual(rules("edit"), joined)
  })
})

describe("nodes", () => {
  it("read what their pods use and write what is their own", () => {
    const api = new FakeApi()
    put(api, "ClusterRole", "system:node", undefined, { rules: [rule("get,list,watch", "", "services")] })
    const volumes = [
      { name: "s", secret: { secretName: "key" } },
      { name: "c", configMap: { name: "conf" } }
    ]
    const spec = {
      nodeName: "n1",
      serviceAccountName: "robot",
      volumes,
      containers: [{ name: "c", envFrom: [{ configMapRef: { name: "env" } }] }]
    }
    api.put("pods", { apiVersion: "v1", kind: "Pod", metadata: { name: "p", namespace: "a" }, spec })
    const nodes = new NodeAuthorizer(api)
    const may = (node: string, verb: string, resource: string, namespace: string, name: string): string => {
      const { allowed, reason } = nodes.authorize(
        of(`system:node:${node}`, ["system:nodes"], verb, resource, namespace, name)
      )
      return allowed ? "yes" : reason
    }
    const unrelated = "no relationship found between node 'n2' and this object"
    assert.strictEqual(may("n1", "get", "secrets", "a", "key"), "yes")
    assert.strictEqual(may("n1", "watch", "configmaps", "a", "conf"), "yes")
    assert.strictEqual(may("n1", "get", "configmaps", "a", "env"), "yes")
    assert.strictEqual(may("n2", "get", "secrets", "a", "key"), unrelated)
    assert.strictEqual(may("n1", "create", "serviceaccounts/token", "a", "robot"), "yes")
    assert.strictEqual(may("n2", "create", "serviceaccounts/token", "a", "robot"), unrelated)
    assert.strictEqual(may("n1", "update", "leases.coordination.k8s.io", "kube-node-lease", "n1"), "yes")
    assert.strictEqual(
      may("n1", "update", "leases.coordination.k8s.io", "kube-node-lease", "n2"),
      "can only access node lease with the same name as the requesting node"
    )
    assert.strictEqual(may("n1", "get", "nodes", "", "n2"), "node 'n1' cannot read 'n2', only its own Node object")
    assert.strictEqual(may("n1", "patch", "nodes/status", "", "n1"), "yes")
    assert.strictEqual(may("n1", "get", "pods", "a", "p"), "yes")
    assert.strictEqual(may("n1", "list", "pods", "", ""), "can only list/watch pods with spec.nodeName field selector")
    assert.strictEqual(may("n1", "list", "services", "", ""), "yes")
    const selecting = { ...of("system:node:n1", ["system:nodes"], "list", "pods"), fieldSelector: "spec.nodeName=n1" }
    assert.isTrue(nodes.authorize(selecting).allowed)
    assert.deepStrictEqual(nodes.authorize(of("system:node:n1", [], "get", "nodes", "", "n1")), {
      allowed: false,
      reason: ""
    })
  })
})

describe("access reviews", () => {
  const api = new FakeApi()
  const rbac = new RbacAuthorizer(api)
  put(api, "ClusterRole", "reader", undefined, {
    rules: [rule("get", "", "pods"), { verbs: ["get"], nonResourceURLs: ["/x"] }]
  })
  bind(api, "readers", undefined, "ClusterRole/reader", "alice")
  const run = (action: ReturnType<typeof subjectAccessReview>, spec: object, namespace = ""): unknown => {
    const request: ApiRequest = {
      verb: "create",
      resource: { group: "authorization.k8s.io", version: "v1", resource: "reviews" },
      subresource: "",
      namespace,
      name: "",
      user: { name: "alice", groups: [] },
      options: {},
      body: {
        apiVersion: "authorization.k8s.io/v1",
        kind: "Review",
        metadata: namespace === "" ? {} : { namespace },
        spec
      } as KubeObject
    }
    let said: unknown
    action({ api, clockwork: api.clockwork }, request, (answer) => {
      said = answer instanceof ApiFailure ? answer.message : answer.kind === "object" && answer.held.object.status
    })
    return said
  }
  const pods = { verb: "get", resource: "pods", namespace: "a" }
  const reason = 'RBAC: allowed by ClusterRoleBinding "readers" of ClusterRole "reader" to User "alice"'

  it("answer for others, within a namespace, and for the asker", () => {
    const other = subjectAccessReview(rbac)
    assert.deepStrictEqual(run(other, { user: "alice", resourceAttributes: pods }), { allowed: true, reason })
    assert.deepStrictEqual(run(other, { user: "bob", resourceAttributes: pods }), { allowed: false })
    assert.deepStrictEqual(run(other, { user: "alice", nonResourceAttributes: { verb: "get", path: "/x" } }), {
      allowed: true,
      reason
    })
    assert.deepStrictEqual(run(localSubjectAccessReview(rbac), { user: "alice", resourceAttributes: pods }, "a"), {
      allowed: true,
      reason
    })
    assert.deepStrictEqual(run(selfSubjectAccessReview(rbac), { resourceAttributes: pods }), { allowed: true, reason })
    assert.deepStrictEqual(
      run(
        selfSubjectRulesReview((user, namespace) => rbac.rulesFor(user, namespace)),
        { namespace: "a" }
      ),
      {
        resourceRules: [{ verbs: ["get"], apiGroups: [""], resources: ["pods"] }],
        nonResourceRules: [{ verbs: ["get"], nonResourceURLs: ["/x"] }],
        incomplete: false
      }
    )
  })

  it("refuse what cannot be answered", () => {
    assert.match(String(run(subjectAccessReview(rbac), { user: "a" })), /spec: Invalid value: null: exactly one of/)
    assert.match(
      String(run(subjectAccessReview(rbac), { resourceAttributes: pods })),
      /spec.user: Invalid value: "": at least one of/
    )
    assert.match(
      String(run(localSubjectAccessReview(rbac), { user: "a", resourceAttributes: pods }, "b")),
      /must match metadata.namespace/
    )
    assert.strictEqual(
      run(
        selfSubjectRulesReview(() => ({ rules: [], problems: [] })),
        {}
      ),
      "no namespace on request"
    )
  })
})
