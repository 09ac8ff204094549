// Golden vectors of the original (tenant 111111), with what a rewrite must do better where the original was wrong.
import { assert, describe, it } from "vitest"
import { BodyInvalid, REFERENCES_ANNOTATION, Refused, WholeNeeded } from "#tenancy"
import { bytes, down, planet, rewriter, shapeOf, text, up, widget } from "../Tenants.ts"

const both = (kind: string, tenant: object, upstream: object): void => {
  assert.deepStrictEqual(up(shapeOf(kind), tenant), upstream)
  assert.deepStrictEqual(down(shapeOf(kind), upstream), tenant)
}
const { names } = rewriter
const mark = { "kubezoo.io/tenant": "111111" }

describe("golden vectors", () => {
  it("namespaces, and objects in them", () => {
    both(
      "Pod",
      { metadata: { name: "p", namespace: "default" } },
      { metadata: { name: "p", namespace: "111111-default" } }
    )
    both("Namespace", { metadata: { name: "default" } }, { metadata: { name: "111111-default", labels: mark } })
    // The original showed its label, and upstream's spelling in Kubernetes' own.
    both(
      "Namespace",
      { metadata: { name: "d", labels: { "kubernetes.io/metadata.name": "d" } } },
      { metadata: { name: "111111-d", labels: { "kubernetes.io/metadata.name": "111111-d", ...mark } } }
    )
  })

  it("definitions and custom resources", () => {
    both(
      "CustomResourceDefinition",
      { metadata: { name: "widgets.acme.io" }, spec: { group: "acme.io" } },
      { metadata: { name: "widgets.111111-acme.io", labels: mark }, spec: { group: "111111-acme.io" } }
    )
    const own = { apiVersion: "acme.io/v1", kind: "Widget", metadata: { name: "w", namespace: "d" } }
    const upstream = { apiVersion: "111111-acme.io/v1", kind: "Widget", metadata: { name: "w", namespace: "111111-d" } }
    assert.deepStrictEqual(up(widget, own), upstream)
    assert.deepStrictEqual(down(widget, upstream), own)
    assert.isUndefined(down(widget, { ...upstream, apiVersion: "222222-acme.io/v1" }))
    assert.deepStrictEqual(up(planet, { apiVersion: "acme.io/v1", kind: "Planet", metadata: { name: "p" } }), {
      apiVersion: "111111-acme.io/v1",
      kind: "Planet",
      metadata: { name: "111111-p", labels: mark }
    })
  })

  it("expressions of admission that read names of namespaces and users", () => {
    const own = ".replace('111111-', '', 1)"
    const policy = (expression: string) => ({
      metadata: { name: "p" },
      spec: { validations: [{ expression, message: "no" }], variables: [{ name: "v", expression }] }
    })
    for (const [tenant, upstream] of [
      ["namespaceObject.metadata.name == 'd'", `namespaceObject.metadata.name${own} == 'd'`],
      ["request . namespace.startsWith('d')", `request . namespace${own}.startsWith('d')`],
      [
        "has(object.metadata.namespace) && object.metadata.namespace != ''",
        `has(object.metadata.namespace) && object.metadata.namespace${own} != ''`
      ],
      [
        "'request.namespace' in [request.userInfo.username]",
        `'request.namespace' in [request.userInfo.username${own}]`
      ],
      [
        `"""it's request.namespace""" != r'\\' // request.namespace`,
        `"""it's request.namespace""" != r'\\' // request.namespace`
      ],
      [`request.namespace${own} == 'd'`, `request.namespace${own}${own} == 'd'`],
      ["variables.request.namespace == request.namespaces", "variables.request.namespace == request.namespaces"]
    ] as const) {
      const down1 = down(shapeOf("ValidatingAdmissionPolicy"), up(shapeOf("ValidatingAdmissionPolicy"), policy(tenant)))
      assert.deepStrictEqual(down1, policy(tenant))
      const { spec } = up(shapeOf("ValidatingAdmissionPolicy"), policy(tenant)) as {
        spec: { validations: [{ expression: string }] }
      }
      assert.strictEqual(spec.validations[0].expression, upstream)
    }
  })

  it("the token of a list that expired, sealed anew or not told", () => {
    const expired = {
      kind: "Status",
      apiVersion: "v1",
      metadata: { continue: "222222-secret" },
      status: "Failure",
      message: "gone",
      reason: "Expired",
      code: 410
    }
    const options = { continueToken: (token: string) => `sealed ${token.length}` }
    const told = (given?: typeof options): unknown =>
      JSON.parse(text(rewriter.toTenant(shapeOf("Pod"), bytes(expired), given) as Uint8Array))
    assert.deepStrictEqual(told(options), { ...expired, metadata: { continue: "sealed 13" } })
    assert.deepStrictEqual(told(), { ...expired, metadata: {} })
  })

  it("words that name what the platform runs, and its defaults", () => {
    both(
      "RuntimeClass",
      { metadata: { name: "r" }, handler: "kata" },
      { metadata: { name: "111111-r", labels: mark }, handler: "111111-kata" }
    )
    assert.deepStrictEqual(down(shapeOf("RuntimeClass"), { metadata: { name: "published" }, handler: "runsc" }), {
      metadata: { name: "published" },
      handler: "runsc"
    })
    const key = "ingressclass.kubernetes.io/is-default-class"
    both(
      "IngressClass",
      { metadata: { name: "c", annotations: { [key]: "true" } }, spec: { controller: "k8s.io/x" } },
      {
        metadata: { name: "111111-c", annotations: { [`111111t.${key}`]: "true" }, labels: mark },
        spec: { controller: "111111-k8s.io/x" }
      }
    )
    const volumes = (driver: string) => ({
      metadata: { name: "p" },
      spec: { volumes: [{ name: "v", csi: { driver } }] }
    })
    both("Pod", volumes("own.example"), volumes("111111-own.example"))
    both("Pod", volumes("published"), volumes("published"))
  })

  it("declared references of custom resources", () => {
    const declared = {
      ...widget,
      references: [
        { path: "spec.targets[].namespace", is: "namespace" },
        { path: "spec.class", is: "name:storageclasses.storage.k8s.io" },
        { path: "spec.ref", is: "objectReference" }
      ] as const
    }
    const spec = {
      targets: [{ namespace: "d" }, {}],
      class: "fast",
      ref: { apiVersion: "v1", kind: "Node", name: "n" },
      other: "d"
    }
    const upstream = up(declared, {
      apiVersion: "acme.io/v1",
      kind: "Widget",
      metadata: { name: "w", namespace: "d" },
      spec
    })
    assert.deepInclude(upstream as object, {
      spec: { ...spec, targets: [{ namespace: "111111-d" }, {}], class: "111111-fast" }
    })
    assert.deepInclude(down(declared, upstream) as object, { spec })
  })

  it("bindings and roles", () => {
    both(
      "RoleBinding",
      {
        metadata: { namespace: "d" },
        roleRef: { kind: "ClusterRole", name: "view" },
        subjects: [
          { kind: "ServiceAccount", namespace: "d", name: "x" },
          { kind: "User", name: "bob" },
          { kind: "Group", name: "system:serviceaccounts:d" },
          { kind: "Group", name: "system:authenticated" }
        ]
      },
      {
        metadata: { namespace: "111111-d" },
        roleRef: { kind: "ClusterRole", name: "111111-view" },
        subjects: [
          { kind: "ServiceAccount", namespace: "111111-d", name: "x" },
          { kind: "User", name: "111111-bob" },
          { kind: "Group", name: "system:serviceaccounts:111111-d" },
          // The original granted this to every identity there is.
          { kind: "Group", name: "111111-system:authenticated" }
        ]
      }
    )
    const rule = { apiGroups: ["acme.io"], resources: ["widgets"], resourceNames: ["a"], verbs: ["get"] }
    both(
      "Role",
      { metadata: { namespace: "d" }, rules: [rule] },
      {
        metadata: { namespace: "111111-d" },
        rules: [{ ...rule, apiGroups: ["111111-acme.io"], resourceNames: ["a", "111111-a"] }]
      }
    )
    // Of Kubernetes' own resources only the spelling that the scope requires, where the original kept both.
    both(
      "ClusterRole",
      { metadata: { name: "r" }, rules: [{ apiGroups: [""], resources: ["namespaces"], resourceNames: ["d"] }] },
      {
        metadata: { name: "111111-r", labels: mark },
        rules: [{ apiGroups: [""], resources: ["namespaces"], resourceNames: ["111111-d"] }]
      }
    )
  })

  it("owners, and the answer of a TokenReview", () => {
    const owner = { apiVersion: "acme.io/v1", kind: "Widget", name: "w" }
    const place = { apiVersion: "v1", kind: "Namespace", name: "d" }
    both(
      "ConfigMap",
      { metadata: { namespace: "d", ownerReferences: [owner, place] } },
      {
        metadata: {
          namespace: "111111-d",
          ownerReferences: [
            { ...owner, apiVersion: "111111-acme.io/v1" },
            { ...place, name: "111111-d" }
          ]
        }
      }
    )
    assert.deepStrictEqual(
      down(shapeOf("TokenReview"), {
        status: { authenticated: true, user: { username: "system:serviceaccount:111111-d:x" } }
      }),
      { status: { authenticated: true, user: { username: "system:serviceaccount:d:x" } } }
    )
  })

  it("errors and selectors", () => {
    const status = (message: string) => ({ kind: "Status", apiVersion: "v1", message })
    assert.deepStrictEqual(down(shapeOf("Pod"), status('pods "p" not found')), status('pods "p" not found'))
    assert.deepStrictEqual(
      down(shapeOf("Namespace"), status('namespaces "111111-d" not found')),
      status('namespaces "d" not found')
    )
    const event = shapeOf("Event", "")
    assert.strictEqual(
      rewriter.fieldSelectorToUpstream(event, "involvedObject.namespace=d"),
      "involvedObject.namespace=111111-d"
    )
    assert.strictEqual(
      rewriter.fieldSelectorToUpstream(shapeOf("Namespace"), "metadata.name!=d"),
      "metadata.name!=111111-d"
    )
    assert.strictEqual(
      rewriter.fieldSelectorToUpstream(shapeOf("Pod"), "metadata.namespace=d"),
      "metadata.namespace=111111-d"
    )
  })

  it("identities", () => {
    assert.strictEqual(names.userUp("admin"), "111111-admin")
    assert.strictEqual(names.userUp("system:serviceaccount:d:x"), "system:serviceaccount:111111-d:x")
    assert.strictEqual(names.userGroupUp("system:masters"), "111111-system:masters")
  })
})

describe("refusals", () => {
  it("name the field and the rule", () => {
    const refused = (kind: string, object: object): string => {
      const result = up(shapeOf(kind), object)
      return result instanceof Refused ? result.message : "nothing was refused"
    }
    const hook = { metadata: { name: "w" }, webhooks: [{ clientConfig: {} }, { clientConfig: { url: "https://h" } }] }
    assert.strictEqual(
      refused("ValidatingWebhookConfiguration", hook),
      "webhooks[1].clientConfig.url: a tenant's webhook is reached through a service, not a url"
    )
    assert.match(
      refused("Namespace", { metadata: { labels: { "kubezoo.io/tenant": "222222" } } }),
      /^metadata\.labels\.kubezoo\.io\/tenant: /
    )
    const mixed = { rules: [{ apiGroups: [""], resources: ["pods", "namespaces"], resourceNames: ["a"] }] }
    assert.match(refused("ClusterRole", mixed), /^rules\[0\]\.resourceNames: /)
    assert.match(
      refused("CertificateSigningRequest", {}),
      /^kind: CertificateSigningRequest .* is not served to tenants$/
    )
  })

  it("of declarations that cannot be read", () => {
    const crd = shapeOf("CustomResourceDefinition")
    const create = (declared: string): unknown => {
      const annotations = { [REFERENCES_ANNOTATION]: declared }
      const object = { metadata: { name: "widgets.acme.io", annotations }, spec: { group: "acme.io" } }
      return rewriter.toUpstream(crd, bytes(object), { creating: true })
    }
    assert.instanceOf(create('[{"path":"spec.a[].b","is":"namespace"},{"path":"c","is":"name:nodes"}]'), Uint8Array)
    for (const declared of [
      "{",
      "{}",
      '[{"path":"a..b","is":"group"}]',
      '[{"path":"a","is":"secret"}]',
      '[{"path":"metadata.name","is":"group"}]',
      "[null]"
    ]) {
      assert.instanceOf(create(declared), Refused, declared)
    }
  })

  it("of bodies that are none", () => {
    const pod = shapeOf("Pod")
    for (const body of [
      "",
      "{",
      '{"metadata":',
      '{"metadata":{}',
      '{"metadata":{"namespace":"\\x"}}',
      "{} {}",
      '{"metadata" 1}'
    ]) {
      assert.instanceOf(rewriter.toUpstream(pod, bytes(body)), BodyInvalid, body)
    }
    const stream = rewriter.answerToTenant(pod, { collection: true })
    assert.instanceOf(stream.push(bytes("[]")), BodyInvalid)
    const cut = rewriter.answerToTenant(pod, { collection: true })
    cut.push(bytes('{"items":[{"metadata":{}}'))
    assert.instanceOf(cut.end(), BodyInvalid)
  })

  it("of patches that need the whole object", () => {
    const policy = { spec: { ingress: [{ from: [{ namespaceSelector: {} }] }] } }
    for (const form of ["application/merge-patch+json", "application/strategic-merge-patch+json"] as const) {
      assert.instanceOf(rewriter.patchToUpstream(shapeOf("NetworkPolicy"), form, bytes(policy)), WholeNeeded)
    }
    const scale = rewriter.patchToUpstream(
      shapeOf("Deployment"),
      "application/merge-patch+json",
      bytes({ spec: { replicas: 2 } })
    )
    assert.isTrue("body" in scale && text(scale.body) === '{"spec":{"replicas":2}}')
  })
})
