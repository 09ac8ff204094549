// The schemas of the built-in kinds, and what is done by a schema: defaults, pruning, decoding, validation, OpenAPI.
import { readFileSync } from "node:fs"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import {
  builtInResources,
  decodeProblem,
  definitionNames,
  duplicateFields,
  fillDefaults,
  type Json,
  openApiOf,
  prune,
  type Schema,
  schemaNamed,
  schemaOfKind,
  schemaProblems,
  strictDecodingMessage,
  unknownFieldProblem,
  unknownFields
} from "#kube"
import { describeWith } from "../Judges.ts"
import { readDefinitions, readTables, tablesFile, tablesText } from "./GenerateSchemas.ts"
import { type RealApiServer, startApiServer } from "./RealApiServer.ts"

const kind = (group: string, version: string, name: string): Schema => {
  const schema = schemaOfKind(group, version, name)
  assert(schema !== undefined, `${group}/${version} ${name}`)
  return schema
}

const deployment = kind("apps", "v1", "Deployment")
const pod = kind("", "v1", "Pod")

/** What comparing leaves out: texts, and defaults of items, which nothing reads. */
const bare = (value: unknown, inItems = false): unknown => {
  if (Array.isArray(value)) return value.map((item) => bare(item))
  if (typeof value !== "object" || value === null) return value
  const entries = Object.entries(value).flatMap(([name, field]) => {
    if (name === "description" && typeof field === "string") return []
    if (name === "x-kubernetes-unions" || name === "x-kubernetes-group-version-kind") return []
    if (inItems && name === "default") return []
    return [[name, bare(field, name === "items" || name === "additionalProperties")] as const]
  })
  const object = Object.fromEntries(entries)
  // Alone in allOf, a reference is itself.
  return Array.isArray(object["allOf"]) && entries.length === 1 ? object["allOf"][0] : object
}

describe("schemas of the built-in kinds", () => {
  it("expands every definition", () => {
    assert.isAbove(definitionNames().length, 600)
    for (const name of definitionNames()) assert.strictEqual(schemaNamed(name)?.name, name)
  })

  it("has a schema for every resource and every kind of a subresource", () => {
    for (const { group, kind, resource, subresources, version } of builtInResources()) {
      assert.isDefined(schemaOfKind(group, version, kind), `${group}/${version} ${resource}`)
      for (const sub of subresources.filter(({ name }) => !/proxy|exec|attach|portforward|log$/.test(name))) {
        assert.isDefined(schemaOfKind(sub.group, sub.version, sub.kind), `${resource}/${sub.name}`)
      }
    }
  })

  it("carries list types, map keys and patch strategies", () => {
    const spec = schemaNamed("io.k8s.api.core.v1.PodSpec")?.fields
    assert.include(spec?.get("containers"), { listType: "map", patchMergeKey: "name" })
    assert.deepEqual(spec?.get("volumes")?.patchStrategy, ["merge", "retainKeys"])
    const ports = schemaNamed("io.k8s.api.core.v1.Container")?.fields?.get("ports")
    assert.deepEqual(ports?.listMapKeys, ["containerPort", "protocol"])
    assert.strictEqual(ports?.items?.fields?.get("protocol")?.default, "TCP")
    assert.strictEqual(spec?.get("nodeSelector")?.mapType, "atomic")
  })
})

describe("defaults", () => {
  it("fills what is missing, at every depth, and shares the rest", () => {
    const containers = [{ name: "a", ports: [{ containerPort: 80 }] }]
    const object = { apiVersion: "v1", kind: "Pod", metadata: { name: "p" }, spec: { containers } }
    const filled: Json = fillDefaults<Json>(pod, object)
    assert.deepEqual(filled, {
      ...object,
      spec: { containers: [{ name: "a", ports: [{ containerPort: 80, protocol: "TCP" }], resources: {} }] },
      status: {}
    })
    assert.propertyVal(filled, "metadata", object.metadata)
    assert.strictEqual(fillDefaults(pod, filled), filled)
    assert.notProperty(object, "status")
  })

  it("fills defaults of maps, of lists and of schemas that hold themselves", () => {
    const tree: { type: "object"; fields: Map<string, Schema> } = { type: "object", fields: new Map() }
    tree.fields.set("size", { type: "integer", default: 1 })
    tree.fields.set("below", { type: "object", values: tree })
    assert.deepEqual(fillDefaults(tree, { below: { a: { size: 2 }, b: {} } }) as unknown, {
      size: 1,
      below: { a: { size: 2 }, b: { size: 1 } }
    })
  })

  it("takes null for missing unless null is a value", () => {
    const fields = new Map<string, Schema>([
      ["a", { type: "string", default: "x" }],
      ["b", { type: "string", default: "y", nullable: true }]
    ])
    assert.deepEqual(fillDefaults({ type: "object", fields }, { a: null, b: null }) as unknown, { a: "x", b: null })
  })
})

describe("pruning", () => {
  const object = {
    metadata: { name: "d", creationTimestamp: null, nope: 1 },
    spec: { replicas: 1, foo: 1, template: { spec: { containers: [{ name: "a", bar: {} }] } } }
  }

  it("drops what is unknown, and names it in the words of strict decoding", () => {
    const pruned = prune(deployment, object as Json, { nulls: "drop" })
    assert.deepEqual(pruned, {
      metadata: { name: "d" },
      spec: { replicas: 1, template: { spec: { containers: [{ name: "a" }] } } }
    })
    assert.strictEqual(prune(deployment, pruned, { nulls: "drop" }), pruned)
    assert.strictEqual(
      strictDecodingMessage(unknownFields(deployment, object).map(unknownFieldProblem)),
      'strict decoding error: unknown field "metadata.nope", unknown field "spec.foo", unknown field "spec.template.spec.containers[0].bar"'
    )
  })

  it("keeps what a schema preserves, and metadata of embedded objects", () => {
    const fields = new Map<string, Schema>([
      ["free", { type: "object", preserveUnknownFields: true, fields: new Map([["in", { type: "object" }]]) }],
      ["embedded", { type: "object", embeddedResource: true }]
    ])
    const value = { free: { a: 1, in: { x: 1 } }, embedded: { kind: "K", metadata: { name: "a" }, spec: 1 } }
    assert.deepEqual(prune({ type: "object", fields }, value as Json, { nulls: "keep" }), {
      free: { a: 1, in: {} },
      embedded: { kind: "K", metadata: { name: "a" } }
    })
  })

  it("finds fields that a text has twice", () => {
    const text = '{"a":1,"b":{"c":[{"d":"{\\"d\\"","d":2}],"b":1},"a":2,"a":3,"e\\u0066":1,"ef":1}'
    assert.deepEqual(duplicateFields(text), ["b.c[0].d", "a", "ef"])
    assert.deepEqual(duplicateFields('{"a":["a","a"],"b":{"a":1}}'), [])
  })
})

describe("decoding", () => {
  const cases: ReadonlyArray<readonly [Json, string | undefined]> = [
    [{ spec: { replicas: 3, template: { spec: { containers: [] } } } }, undefined],
    [
      { spec: { replicas: "3" } },
      "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32"
    ],
    [
      { spec: { replicas: 3.5 } },
      "json: cannot unmarshal number 3.5 into Go struct field DeploymentSpec.spec.replicas of type int32"
    ],
    [
      { metadata: { labels: { a: 1 } } },
      "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string"
    ],
    [
      { spec: { template: { spec: { containers: {} } } } },
      "json: cannot unmarshal object into Go struct field PodSpec.spec.template.spec.containers of type []v1.Container"
    ],
    [{ spec: [] }, "json: cannot unmarshal array into Go struct field Deployment.spec of type v1.DeploymentSpec"]
  ]
  it.each(cases)("%j", (value, problem) => assert.strictEqual(decodeProblem(deployment, value), problem))
})

describe("validation as of custom resources", () => {
  const schema: Schema = {
    type: "object",
    required: ["size"],
    fields: new Map<string, Schema>([
      ["size", { type: "integer" }],
      ["mode", { type: "string", enum: ["a", "b"] }],
      ["at", { type: "string", format: "date-time" }],
      ["ports", { type: "array", listType: "map", listMapKeys: ["p"], items: { type: "object" } }]
    ])
  }
  it("says what breaks which rule, and where", () => {
    const problems = schemaProblems(schema, { mode: "c", at: "now", ports: [{ p: 1 }, { p: 1 }] }, "spec")
    assert.deepEqual(problems, [
      { type: "FieldValueNotSupported", field: "spec.mode", value: "c", detail: 'supported values: "a", "b"' },
      {
        type: "FieldValueInvalid",
        field: "spec.at",
        value: "now",
        detail: 'spec.at in body must be of type date-time: "now"'
      },
      { type: "FieldValueDuplicate", field: "spec.ports[1]", value: { p: 1 }, detail: "" },
      { type: "FieldValueRequired", field: "spec.size", detail: "" }
    ])
    assert.deepEqual(schemaProblems(schema, { size: "1" }), [
      {
        type: "FieldValueTypeInvalid",
        field: "size",
        value: "string",
        detail: 'size in body must be of type integer: "string"'
      }
    ])
    assert.deepEqual(schemaProblems(schema, { size: 1, mode: "a", at: "2026-11-24T04:00:00Z", ports: [] }), [])
  })
})

describe("OpenAPI", () => {
  it("publishes a custom resource with its list, and changes its hash with it", () => {
    const resource = {
      group: "stable.example.com",
      version: "v1",
      kind: "CronTab",
      resource: "crontabs",
      singular: "crontab",
      namespaced: true,
      verbs: ["get", "list", "create", "patch"],
      shortNames: [],
      categories: [],
      subresources: []
    }
    let schema: Schema = {
      type: "object",
      fields: new Map([["spec", { type: "object", preserveUnknownFields: true }]])
    }
    const openApi = openApiOf(() => [{ ...resource, schema }])
    const before = openApi.v3("apis/stable.example.com/v1")
    const { components, paths } = JSON.parse(before?.text ?? "")
    const definition = components.schemas["com.example.stable.v1.CronTab"]
    assert.deepEqual(definition.properties.spec, { type: "object", "x-kubernetes-preserve-unknown-fields": true })
    assert.deepEqual(definition["x-kubernetes-group-version-kind"], [
      { group: "stable.example.com", kind: "CronTab", version: "v1" }
    ])
    assert.property(components.schemas, "com.example.stable.v1.CronTabList")
    const patch = paths["/apis/stable.example.com/v1/namespaces/{namespace}/crontabs/{name}"].patch
    assert.include(patch, { operationId: "patchStableExampleComV1NamespacedCronTab", "x-kubernetes-action": "patch" })
    assert.include(openApi.index().text, before?.hash ?? "")
    schema = { type: "object" }
    openApi.changed({ group: "stable.example.com", version: "v1" })
    assert.notStrictEqual(openApi.v3("apis/stable.example.com/v1")?.hash, before?.hash)
    assert.isUndefined(openApi.v3("apis/none/v1"))
  })
})

describeWith("etcd", "kube-apiserver")("the tables and a real kube-apiserver", (programs) => {
  let server: RealApiServer
  beforeAll(async () => {
    server = await startApiServer(programs)
  })
  afterAll(() => server.stop())

  it("agree", async () => {
    assert.strictEqual(tablesText(await readTables(server)), readFileSync(tablesFile, "utf8"))
  })

  it("publish the same definitions in version 3", async () => {
    const openApi = openApiOf(builtInResources)
    const real = await readDefinitions(server)
    const seen = new Set<string>()
    for (const path of Object.keys(JSON.parse(openApi.index().text).paths)) {
      const { components } = JSON.parse(openApi.v3(path)?.text ?? "")
      for (const [name, definition] of Object.entries(components.schemas)) {
        seen.add(name)
        assert.deepEqual(bare(definition), bare(real[name]), name)
      }
    }
    assert.isAbove(seen.size, 550)
  })

  it("publish the same definitions and operations in version 2", async () => {
    const ours = JSON.parse(openApiOf(builtInResources).v2().text)
    const real = JSON.parse((await server.call("GET", "/openapi/v2")).body)
    for (const [name, definition] of Object.entries(ours.definitions)) {
      assert.deepEqual(bare(definition), bare(real.definitions[name]), name)
    }
    for (const [path, item] of Object.entries<Record<string, Record<string, unknown>>>(ours.paths)) {
      for (const [method, operation] of Object.entries(item)) {
        if (method === "parameters") continue
        const theirs = real.paths[path]?.[method]
        assert.isDefined(theirs, `${method} ${path}`)
        for (const fact of ["operationId", "x-kubernetes-action", "x-kubernetes-group-version-kind", "tags"]) {
          assert.deepEqual(operation[fact], theirs[fact], `${method} ${path} ${fact}`)
        }
      }
    }
  })
})
