// Admission policies in CEL: what they match, refuse, warn of and change, on the server as a whole.
import { assert, describe, it } from "vitest"
import { ApiFailure, gvr, type KubeObject } from "#kube"
import { withoutStructs } from "../../../core/apiserver/admission/CelStructs.ts"
import { SimulatedCluster } from "#sim"

const GROUP = "admissionregistration.k8s.io"

class PolicyWorld {
  readonly cluster = new SimulatedCluster({
    seed: 7,
    nodeGroups: [],
    controllers: [],
    disableAdmission: ["ServiceAccount"]
  })
  readonly client = this.cluster.client("users")

  constructor() {
    this.cluster.startReady()
  }

  create(resource: string, object: KubeObject, subresource = ""): KubeObject | ApiFailure {
    let answer: KubeObject | ApiFailure | undefined
    const [group, version] = object.apiVersion.includes("/") ? object.apiVersion.split("/") : ["", object.apiVersion]
    const target = {
      resource: gvr(group, version, resource),
      namespace: object.metadata.namespace ?? "",
      name: object.metadata.name ?? "",
      subresource
    }
    const { kernel } = this.cluster
    kernel.defer(kernel.process("users"), () => this.client.create(target, object, {}, (got) => (answer = got)))
    kernel.run({ untilMs: kernel.nowMs + 5000, until: () => answer !== undefined })
    if (answer === undefined) throw new Error("no answer")
    return answer
  }

  policy(kind: "Validating" | "Mutating", spec: object, binding: object = {}): void {
    const name = "p.example.com"
    const matchConstraints = {
      resourceRules: [{ apiGroups: ["apps"], apiVersions: ["v1"], resources: ["deployments"], operations: ["CREATE"] }]
    }
    const made = [
      this.create(`${kind.toLowerCase()}admissionpolicies`, {
        apiVersion: `${GROUP}/v1`,
        kind: `${kind}AdmissionPolicy`,
        metadata: { name },
        spec: { matchConstraints, failurePolicy: "Fail", ...spec }
      }),
      this.create(`${kind.toLowerCase()}admissionpolicybindings`, {
        apiVersion: `${GROUP}/v1`,
        kind: `${kind}AdmissionPolicyBinding`,
        metadata: { name: "b.example.com" },
        spec: { policyName: name, ...(kind === "Validating" ? { validationActions: ["Deny"] } : {}), ...binding }
      })
    ]
    for (const one of made) assert.notInstanceOf(one, ApiFailure, one instanceof ApiFailure ? one.message : "")
  }

  deployment(replicas: number, more: { readonly labels?: Record<string, string> } = {}): KubeObject | ApiFailure {
    const labels = { app: "a" }
    return this.create("deployments", {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: `d${replicas}`, namespace: "default", ...more },
      spec: {
        replicas,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [{ name: "c", image: "i" }] } }
      }
    })
  }
}

const refused = (answer: KubeObject | ApiFailure): ApiFailure => {
  if (!(answer instanceof ApiFailure)) throw new Error("it was let in")
  return answer
}
const admitted = (answer: KubeObject | ApiFailure): KubeObject => {
  if (answer instanceof ApiFailure) throw answer
  return answer
}

describe("a validating policy", () => {
  it("refuses what an expression does not hold for, in its words", () => {
    const world = new PolicyWorld()
    world.policy("Validating", {
      variables: [
        { name: "replicas", expression: "object.spec.replicas" },
        { name: "odd", expression: "variables.replicas % 2 == 1" }
      ],
      validations: [
        { expression: "variables.replicas > 1", messageExpression: "'wants more than ' + string(variables.replicas)" },
        { expression: "variables.odd", reason: "Forbidden" },
        { expression: "namespaceObject.metadata.name == request.namespace" }
      ]
    })
    const few = refused(world.deployment(1))
    assert.strictEqual(
      few.message,
      `deployments.apps "d1" is forbidden: ValidatingAdmissionPolicy 'p.example.com' with binding 'b.example.com' denied request: wants more than 1`
    )
    assert.deepInclude([few.code, few.reason], "Invalid")
    const even = refused(world.deployment(2))
    assert.match(even.message, /denied request: failed expression: variables\.odd$/)
    assert.strictEqual(even.code, 403)
    admitted(world.deployment(3))
  })

  it("stands aside where a condition does not hold, and fails where one cannot be told, unless it is to ignore that", () => {
    const conditions = { matchConditions: [{ name: "labeled", expression: "object.metadata.labels.strict == 'yes'" }] }
    const validations = [{ expression: "false", message: "never" }]
    const strict = new PolicyWorld()
    strict.policy("Validating", { ...conditions, validations })
    admitted(strict.deployment(1, { labels: { strict: "no" } }))
    assert.match(refused(strict.deployment(2, { labels: { strict: "yes" } })).message, /denied request: never$/)
    assert.match(refused(strict.deployment(3)).message, /resulted in error/)
    const lax = new PolicyWorld()
    lax.policy("Validating", { ...conditions, validations, failurePolicy: "Ignore" })
    admitted(lax.deployment(3))
  })

  it("sees what is created under an object, as the kind that it is", () => {
    const world = new PolicyWorld()
    const resourceRules = [
      { apiGroups: [""], apiVersions: ["v1"], resources: ["pods/binding"], operations: ["CREATE"] }
    ]
    world.policy("Validating", {
      matchConstraints: { resourceRules },
      validations: [
        { expression: "request.kind.kind == 'Binding' && request.subResource == 'binding'", message: "no binding" },
        { expression: "object.target.name != 'kept'", message: "a kept node", reason: "Forbidden" }
      ]
    })
    const containers = [{ name: "c", image: "i" }]
    const metadata = { name: "p", namespace: "default" }
    admitted(world.create("pods", { apiVersion: "v1", kind: "Pod", metadata, spec: { containers } }))
    const bind = (node: string): KubeObject | ApiFailure =>
      world.create(
        "pods",
        { apiVersion: "v1", kind: "Binding", metadata, target: { kind: "Node", name: node } },
        "binding"
      )
    assert.match(refused(bind("kept")).message, /denied request: a kept node$/)
    const bound = bind("n")
    assert.notInstanceOf(bound, ApiFailure, bound instanceof ApiFailure ? bound.message : "")
  })

  it("reads parameters, and matches by selector of namespace and object", () => {
    const world = new PolicyWorld()
    const metadata = { name: "most", namespace: "default" }
    admitted(world.create("configmaps", { apiVersion: "v1", kind: "ConfigMap", metadata, data: { most: "5" } }))
    world.policy(
      "Validating",
      {
        paramKind: { apiVersion: "v1", kind: "ConfigMap" },
        validations: [{ expression: "object.spec.replicas <= int(params.data.most)", message: "too many" }]
      },
      {
        paramRef: { name: "most", namespace: "default", parameterNotFoundAction: "Deny" },
        matchResources: { objectSelector: { matchLabels: { bound: "yes" } } }
      }
    )
    admitted(world.deployment(9))
    admitted(world.deployment(5, { labels: { bound: "yes" } }))
    assert.match(refused(world.deployment(6, { labels: { bound: "yes" } })).message, /too many$/)
  })
})

describe("a mutating policy", () => {
  it("applies a configuration as server-side apply does", () => {
    const world = new PolicyWorld()
    const expression = `Object{
      metadata: Object.metadata{annotations: {"by": "policy"}},
      spec: Object.spec{
        replicas: object.spec.replicas * 2,
        template: Object.spec.template{spec: Object.spec.template.spec{containers: [
          Object.spec.template.spec.containers{name: "c", image: "other"}
        ]}}
      }
    }`
    world.policy("Mutating", {
      reinvocationPolicy: "Never",
      mutations: [{ patchType: "ApplyConfiguration", applyConfiguration: { expression } }]
    })
    const { metadata, spec } = admitted(world.deployment(3))
    assert.deepStrictEqual(metadata.annotations, { by: "policy" })
    const { replicas, template } = spec as {
      replicas: number
      template: { spec: { containers: ReadonlyArray<object> } }
    }
    assert.strictEqual(replicas, 6)
    assert.lengthOf(template.spec.containers, 1)
    assert.deepInclude(template.spec.containers[0], { name: "c", image: "other" })
  })

  it("applies JSON patches, one after the other, and fails with what cannot be applied", () => {
    const world = new PolicyWorld()
    const patch = (expression: string) => ({ patchType: "JSONPatch", jsonPatch: { expression } })
    world.policy("Mutating", {
      reinvocationPolicy: "Never",
      mutations: [
        patch(`[JSONPatch{op: "replace", path: "/spec/replicas", value: 7}]`),
        patch(`[JSONPatch{op: "add", path: "/metadata/labels", value: {"n": string(object.spec.replicas)}}]`)
      ]
    })
    const { metadata, spec } = admitted(world.deployment(1))
    assert.deepInclude(spec as object, { replicas: 7 })
    assert.deepStrictEqual(metadata.labels, { n: "7" })
    const broken = new PolicyWorld()
    broken.policy("Mutating", {
      reinvocationPolicy: "Never",
      mutations: [patch(`[JSONPatch{op: "remove", path: "/nowhere"}]`)]
    })
    assert.match(
      refused(broken.deployment(1)).message,
      /policy 'p\.example\.com' with binding 'b\.example\.com' denied request/
    )
  })
})

describe("literals of types", () => {
  it("become maps; maps, strings and fields that are called like types stay", () => {
    assert.strictEqual(withoutStructs("Object{a: Object.a{b: 1}, c: [{'d': x}]}"), `{"a": {"b": 1}, "c": [{'d': x}]}`)
    assert.strictEqual(withoutStructs("Object{a: b ? 'Object{c: 1}' : d}"), `{"a": b ? 'Object{c: 1}' : d}`)
    assert.strictEqual(withoutStructs("{'a': object.spec}"), "{'a': object.spec}")
  })
})
