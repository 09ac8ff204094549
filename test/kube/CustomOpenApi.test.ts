// What OpenAPI says of custom resources: the words of their definition, as a real kube-apiserver publishes them in both versions.
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import type { JsonObject } from "#kube"
import { customDefinition } from "../../core/kube/schema/CustomOpenApi.ts"
import { describeWith } from "../Judges.ts"
import { type RealApiServer, startApiServer } from "./RealApiServer.ts"

const kind = { group: "wharf.example", version: "v1", kind: "Boat" }
const props = (text: JsonObject): JsonObject => ({ type: "object", ...text })

/** By name: schemas that differ in what version 2 can say of them. */
const schemas: Readonly<Record<string, JsonObject>> = {
  described: props({
    description: "A boat",
    properties: {
      spec: {
        type: "object",
        description: "What it is to be",
        required: ["crew", "name"],
        properties: {
          name: { type: "string", description: "On its bow", minLength: 1, pattern: "^[a-z]+$" },
          crew: { type: "array", items: { type: "string" }, "x-kubernetes-list-type": "set", maxItems: 9 },
          length: { type: "integer", format: "int64", minimum: 1, default: 3 },
          cargo: { type: "object", additionalProperties: { type: "integer" } },
          port: { "x-kubernetes-int-or-string": true },
          flag: { type: "string", enum: ["red", "green"] }
        },
        "x-kubernetes-validations": [{ rule: "self.name != 'none'", message: "needs a name" }]
      }
    }
  }),
  juncted: props({
    properties: {
      spec: {
        type: "object",
        properties: { a: { type: "string" }, b: { type: "string", nullable: true } },
        required: ["a", "b"],
        oneOf: [{ required: ["a"] }, { required: ["b"] }]
      }
    }
  }),
  open: props({ "x-kubernetes-preserve-unknown-fields": true }),
  embedding: props({
    properties: {
      spec: { type: "object", "x-kubernetes-preserve-unknown-fields": true, properties: { a: { type: "string" } } },
      inner: { type: "object", "x-kubernetes-embedded-resource": true, properties: { spec: { type: "object" } } },
      loose: { type: "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true },
      nothing: { type: "array", items: { type: "object", nullable: true, properties: { a: { type: "string" } } } }
    }
  })
}

const ours = (name: string, version: "v2" | "v3"): unknown =>
  customDefinition({ props: schemas[name], preserveUnknownFields: false, selectableFields: [] }, kind, version)

describe("the definition of a custom kind", () => {
  it("is published in its own words", () => {
    const v3 = ours("described", "v3") as JsonObject
    assert.strictEqual(v3["description"], "A boat")
    const { spec } = v3["properties"] as Record<string, JsonObject>
    assert.strictEqual(spec["description"], "What it is to be")
  })

  it("leaves out of version 2 what that has no word for", () => {
    const { spec } = (ours("juncted", "v2") as JsonObject)["properties"] as Record<string, JsonObject>
    assert.notProperty(spec, "oneOf")
    assert.deepStrictEqual(spec["required"], ["a"])
    assert.notProperty(ours("open", "v2"), "properties")
  })
})

/** Without what is said of the fields that every object has, where our words are ours. */
const undescribed = (name: string, value: unknown): unknown => {
  if (name === "apiVersion" || name === "kind") return typeof value === "string" ? value : { type: "string" }
  if (name !== "metadata") return value
  const { $ref, allOf } = value as { readonly $ref?: string; readonly allOf?: ReadonlyArray<{ readonly $ref: string }> }
  return { $ref: $ref ?? allOf?.[0].$ref }
}

const plain = (definition: unknown): unknown => JSON.parse(JSON.stringify(definition), undescribed)

describeWith("etcd", "kube-apiserver")("a real kube-apiserver", (programs) => {
  let server: RealApiServer
  beforeAll(async () => {
    server = await startApiServer(programs)
  })
  afterAll(() => server.stop())

  const crd = (name: string) => ({
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${name}s.wharf.example` },
    spec: {
      group: "wharf.example",
      scope: "Namespaced",
      names: { plural: `${name}s`, singular: name, kind: name, listKind: `${name}List` },
      versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema: schemas[name] } }]
    }
  })

  const definitionAt = async (path: string, name: string): Promise<unknown> => {
    for (let left = 200; left > 0; left--) {
      const { body } = await server.call("GET", path, { headers: { accept: "application/json" } })
      const document = body.startsWith("{") ? JSON.parse(body) : {}
      const found = (document.definitions ?? document.components?.schemas)?.[`example.wharf.v1.${name}`]
      if (found !== undefined) return plain(found)
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    throw new Error(`${name} is not published at ${path}`)
  }

  it("publishes the same", async () => {
    for (const name of Object.keys(schemas)) {
      const { body, code } = await server.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", {
        body: JSON.stringify(crd(name)),
        headers: { "content-type": "application/json" }
      })
      assert.strictEqual(code, 201, body)
    }
    for (const name of Object.keys(schemas)) {
      const named = (version: "v2" | "v3"): unknown =>
        customDefinition(
          { props: schemas[name], preserveUnknownFields: false, selectableFields: [] },
          { ...kind, kind: name },
          version
        )
      assert.deepStrictEqual(plain(named("v2")), await definitionAt("/openapi/v2", name), `${name} in version 2`)
      const path = "/openapi/v3/apis/wharf.example/v1"
      assert.deepStrictEqual(plain(named("v3")), await definitionAt(path, name), `${name} in version 3`)
    }
  })
})
