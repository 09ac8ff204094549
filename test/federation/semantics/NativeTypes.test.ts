// The table against what an API server of the tables' version serves: no kind without an entry, no path that no schema has, no
// reference of a pod that is overlooked.
import { assert, describe, it } from "vitest"
import { builtInResources, type KubeObject, type Schema, schemaNamed, schemaOfKind } from "#kube"
import { nativeSemantics, nativeTypes, type TypeSemantics } from "#federation"

const kinds = new Map(builtInResources().map((found) => [`${found.group}/${found.kind}`, found]))

const schemaOf = (type: TypeSemantics): Schema | undefined => {
  const found = kinds.get(`${type.group}/${type.kind}`)
  return found === undefined ? undefined : schemaOfKind(found.group, found.version, found.kind)
}

const at = (schema: Schema | undefined, path: ReadonlyArray<string>): Schema | undefined =>
  path.reduce<Schema | undefined>((found, field) => found?.fields?.get(field) ?? found?.values, schema)

/** Kinds with a status that is the host's own, or the member's alone, and why it is not aggregated. */
const UNAGGREGATED: Readonly<Record<string, string>> = {
  "/Namespace": "the host's own namespace has its own phase",
  "flowcontrol.apiserver.k8s.io/FlowSchema": "the host's own server has it in force or not",
  "flowcontrol.apiserver.k8s.io/PriorityLevelConfiguration": "the host's own server has it in force or not",
  "networking.k8s.io/ServiceCIDR": "the host's own server allocates from it",
  "resource.k8s.io/ResourceClaim": "an allocation names devices of one cluster",
  "admissionregistration.k8s.io/ValidatingAdmissionPolicy": "the host's own server type-checks it",
  "apiextensions.k8s.io/CustomResourceDefinition": "the host's own server serves it or not",
  "apiregistration.k8s.io/APIService": "the host's own server reaches it or not"
}

describe("the table of type semantics", () => {
  it("has an entry for every kind that is served, and for no other", () => {
    const described = nativeTypes.map(({ group, kind }) => `${group}/${kind}`)
    assert.deepStrictEqual(new Set(described).size, described.length, "an entry is there twice")
    assert.deepStrictEqual([...described].sort(), [...kinds.keys()].sort())
  })

  it("aggregates every status, or says why not", () => {
    const silent = nativeTypes.filter((type) => {
      const hasStatus = schemaOf(type)?.fields?.get("status") !== undefined
      return hasStatus && type.local === undefined && type.aggregate === undefined
    })
    assert.deepStrictEqual(silent.map(({ group, kind }) => `${group}/${kind}`).sort(), Object.keys(UNAGGREGATED).sort())
  })

  it("names only fields that the schemas have", () => {
    let paths = 0
    for (const type of nativeTypes) {
      const { replicas } = type
      const counts = replicas === undefined ? [] : [replicas.spec, replicas.status, replicas.ready, replicas.available]
      for (const path of [...counts, ...(replicas?.companions ?? []), ...type.collected]) {
        if (path === undefined) continue
        paths++
        assert.isDefined(at(schemaOf(type), path), `${type.kind}: ${path.join(".")}`)
      }
      if (type.podTemplate === undefined) continue
      const spec = at(schemaOf(type), [...type.podTemplate, "spec"])
      assert.isDefined(spec?.fields?.get("containers"), `${type.kind}: ${type.podTemplate.join(".")}`)
    }
    assert.isAbove(paths, 60)
  })

  it("collects the status of every kind that it aggregates", () => {
    for (const { aggregate, collected, kind } of nativeTypes) {
      if (aggregate !== undefined)
        assert.isTrue(
          collected.some(([first, ...rest]) => first === "status" && rest.length === 0),
          kind
        )
    }
  })

  it("has a convention for all others", () => {
    const widget = nativeSemantics.of("example.com", "Widget")
    assert.isFalse(nativeSemantics.isDescribed("example.com", "Widget"))
    assert.strictEqual(widget, nativeSemantics.of("example.com", "Widget"))
    assert.strictEqual(
      widget.health({ status: { conditions: [{ type: "Ready", status: "False" }] } }).state,
      "Degraded"
    )
    assert.strictEqual(widget.health({}).state, "Healthy")
  })
})

/** Definitions below a PodSpec that name an object, with the field of the name and the kind that it names. */
const NAMING: Readonly<Record<string, readonly [field: string, kind: string]>> = {
  ConfigMapEnvSource: ["name", "ConfigMap"],
  ConfigMapKeySelector: ["name", "ConfigMap"],
  ConfigMapProjection: ["name", "ConfigMap"],
  ConfigMapVolumeSource: ["name", "ConfigMap"],
  SecretEnvSource: ["name", "Secret"],
  SecretKeySelector: ["name", "Secret"],
  SecretProjection: ["name", "Secret"],
  SecretVolumeSource: ["secretName", "Secret"],
  LocalObjectReference: ["name", "Secret"],
  SecretReference: ["name", "Secret"],
  AzureFileVolumeSource: ["secretName", "Secret"],
  PersistentVolumeClaimVolumeSource: ["claimName", "PersistentVolumeClaim"]
}

/** Every way into a schema that ends at a definition which names an object, with an object that has only that. */
const namings = (
  schema: Schema,
  depth = 0
): ReadonlyArray<{ readonly path: string; readonly made: unknown; readonly kind: string }> => {
  const short = schema.name?.split(".").at(-1) ?? ""
  const naming = NAMING[short]
  const own = naming === undefined ? [] : [{ path: `(${short})`, made: { [naming[0]]: "wanted" }, kind: naming[1] }]
  if (depth > 7) return own
  const below = [...(schema.fields ?? [])].flatMap(([field, inner]) =>
    namings(inner, depth + 1).map(({ kind, made, path }) => ({
      path: `${field}.${path}`,
      made: { [field]: made },
      kind
    }))
  )
  const items =
    schema.items === undefined ? [] : namings(schema.items, depth + 1).map((one) => ({ ...one, made: [one.made] }))
  return [...own, ...below, ...items]
}

describe("references of a pod", () => {
  const spec = schemaNamed("io.k8s.api.core.v1.PodSpec")

  it("are found wherever the schema has a name", () => {
    assert.isDefined(spec)
    const all = namings(spec)
    assert.isAbove(all.length, 25)
    const missed = all.filter(({ kind, made }) => {
      const pod: KubeObject = {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name: "p", namespace: "n" },
        spec: made as never
      }
      const found = nativeSemantics.ofObject(pod).dependencies(pod)
      return !found.some((one) => one.kind === kind && one.name === "wanted" && one.namespace === "n")
    })
    assert.deepStrictEqual(
      missed.map(({ path }) => path),
      []
    )
  })

  it("leave out what every cluster has", () => {
    const pod: KubeObject = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "p", namespace: "n" },
      spec: { serviceAccountName: "default", priorityClassName: "system-node-critical", runtimeClassName: "gvisor" }
    }
    assert.deepStrictEqual(nativeSemantics.ofObject(pod).dependencies(pod), [
      { group: "node.k8s.io", kind: "RuntimeClass", namespace: "", name: "gvisor" }
    ])
  })
})
