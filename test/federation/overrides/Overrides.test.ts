// The seven overriders one by one, their order, their clusters, and what holds for all of them.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { makeDefinitions } from "#apiserver"
import {
  applyOverrides,
  FEDERATION_API_VERSION,
  federationDefinitions,
  federationResources,
  overridePolicyOf
} from "#federation"
import { ApiFailure, applyJsonPatch, type Json, type JsonObject, type KubeObject } from "#kube"
import { imageParts, imageText } from "../../../core/federation/overrides/ImageReference.ts"
import { World } from "../../apiserver/World.ts"

const template: JsonObject = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "web", namespace: "team", labels: { app: "web" }, annotations: { a: "1" } },
  spec: {
    replicas: 3,
    template: {
      spec: {
        initContainers: [{ name: "setup", image: "setup:1" }],
        containers: [
          {
            name: "web",
            image: "registry.example.org:5000/team/web:1.2@sha256:" + "a".repeat(64),
            command: ["serve", "--port", "80"],
            env: [
              { name: "A", value: "1" },
              { name: "A", value: "2" },
              { name: "B", value: "1" }
            ]
          },
          { name: "side", image: "side" }
        ]
      }
    }
  }
}

const manifest = (overrideRules: ReadonlyArray<Json>, kind = "OverridePolicy"): KubeObject => ({
  apiVersion: FEDERATION_API_VERSION,
  kind,
  metadata: { name: "o", ...(kind === "OverridePolicy" ? { namespace: "team" } : {}) },
  spec: { overrideRules }
})

const policy = (overriders: Json, targetClusters?: Json) =>
  overridePolicyOf(manifest([{ overriders, ...(targetClusters === undefined ? {} : { targetClusters }) }]))

const c1 = { name: "c1", labels: { region: "eu" } }
const apply = (...policies: ReadonlyArray<ReturnType<typeof policy>>) =>
  applyOverrides({ template, policies, cluster: c1 })

const containers = (object: JsonObject): ReadonlyArray<JsonObject> =>
  ((object["spec"] as JsonObject)["template"] as { spec: { containers: ReadonlyArray<JsonObject> } }).spec.containers

/** The object, and that the patches make it from the template. */
const changed = (overriders: Json): JsonObject => {
  const { errors, object, patches } = apply(policy(overriders))
  assert.deepStrictEqual(
    errors.map(({ message }) => message),
    []
  )
  assert.deepStrictEqual(applyJsonPatch(template, patches as unknown as Json), object)
  return object
}

const failing = (overriders: Json): string => {
  const { errors, object } = apply(policy(overriders))
  assert.strictEqual(errors.length, 1)
  assert.deepStrictEqual(object, template)
  return errors[0].message
}

describe("an overrider", () => {
  it("changes parts of images, of all containers or named ones", () => {
    const operations = [
      { imageComponent: "Registry", value: "mirror.example.org" },
      { imageComponent: "Tag", operator: "overwrite", value: "2" },
      { imageComponent: "Digest", operator: "delete" }
    ]
    const images = (object: JsonObject) => containers(object).map(({ image }) => image)
    assert.deepStrictEqual(images(changed({ image: [{ operations }] })), [
      "mirror.example.org/team/web:2",
      "mirror.example.org/side:2"
    ])
    assert.deepStrictEqual(
      images(changed({ image: [{ containerNames: ["side"], operations }] }))[1],
      "mirror.example.org/side:2"
    )
    const path = "/spec/template/spec/containers/1/image"
    assert.deepStrictEqual(
      images(changed({ image: [{ imagePath: path, operations }] }))[1],
      "mirror.example.org/side:2"
    )
    const absent = [{ imageComponent: "Tag", operator: "addIfAbsent", value: "9" }]
    assert.deepStrictEqual(images(changed({ image: [{ operations: absent }] }))[1], "side:9")
    assert.include(failing({ image: [{ operations: [{ imageComponent: "Tag", value: "no tag" }] }] }), "image[0]")
    assert.include(failing({ image: [{ imagePath: "/spec/image", operations }] }), "there is no image at /spec/image")
  })

  it("changes words of commands and arguments; what is left out overwrites", () => {
    const command = (one: object) => containers(changed({ command: [{ containerName: "web", ...one }] }))[0]["command"]
    assert.deepStrictEqual(command({ value: ["x"] }), ["x"])
    assert.deepStrictEqual(command({ operator: "append", value: ["-v"] }), ["serve", "--port", "80", "-v"])
    assert.deepStrictEqual(command({ operator: "delete", value: ["--port", "80"] }), ["serve"])
    assert.deepStrictEqual(containers(changed({ args: [{ containerName: "side", value: ["y"] }] }))[1]["args"], ["y"])
    assert.deepStrictEqual(changed({ args: [{ containerName: "none", value: ["y"] }] }), template)
    assert.include(failing({ command: [{ containerName: "web", operator: "append" }] }), "nothing to append")
  })

  it("changes variables", () => {
    const env = (one: object) => containers(changed({ envs: [{ containerName: "web", ...one }] }))[0]["env"]
    assert.deepStrictEqual(
      env({
        value: [
          { name: "A", value: "9" },
          { name: "C", value: "9" }
        ]
      }),
      [
        { name: "A", value: "9" },
        { name: "A", value: "9" },
        { name: "B", value: "1" }
      ]
    )
    assert.deepStrictEqual(env({ operator: "delete", value: [{ name: "A" }] }), [{ name: "B", value: "1" }])
    assert.strictEqual(
      (
        env({
          operator: "addIfAbsent",
          value: [
            { name: "B", value: "9" },
            { name: "C", value: "9" }
          ]
        }) as ReadonlyArray<Json>
      ).length,
      4
    )
  })

  it("changes labels and annotations", () => {
    const labels = (one: object) => (changed({ labels: [one] } as Json)["metadata"] as JsonObject)["labels"]
    assert.deepStrictEqual(labels({ value: { app: "x", other: "y" } }), { app: "x" })
    assert.deepStrictEqual(labels({ operator: "addIfAbsent", value: { app: "x", other: "y" } }), {
      app: "web",
      other: "y"
    })
    assert.isUndefined(labels({ operator: "delete", value: { app: "" } }))
    const annotations = changed({ annotations: [{ operator: "addIfAbsent", value: { b: "2" } }] })[
      "metadata"
    ] as JsonObject
    assert.deepStrictEqual(annotations["annotations"], { a: "1", b: "2" })
  })

  it("changes anything by JSON patch but what says which object it is", () => {
    assert.deepStrictEqual(
      (changed({ jsonpatch: [{ path: "/spec/replicas", value: 9 }] })["spec"] as JsonObject)["replicas"],
      9
    )
    const moved = changed({
      jsonpatch: [{ operator: "move", from: "/metadata/labels/app", path: "/metadata/labels/was" }]
    })
    assert.deepStrictEqual((moved["metadata"] as JsonObject)["labels"], { was: "web" })
    assert.include(
      failing({ jsonpatch: [{ path: "/metadata/name", value: "x" }] }),
      "/metadata/name may not be changed"
    )
    assert.include(
      failing({ jsonpatch: [{ operator: "remove", path: "/spec/none" }] }),
      "spec.overrideRules[0].overriders.jsonpatch[0]"
    )
  })
})

describe("policies", () => {
  const label = (value: string) => ({ labels: [{ value: { app: value } }] })

  it("are applied in their order, rules and overriders in theirs, each upon the ones before", () => {
    const first = overridePolicyOf(manifest([{ overriders: label("one") }], "ClusterOverridePolicy"))
    const rules = [
      {
        overriders: { jsonpatch: [{ operator: "copy", from: "/metadata/labels/app", path: "/metadata/labels/seen" }] }
      },
      { overriders: label("two") }
    ]
    const { object } = apply(first, overridePolicyOf(manifest(rules)))
    assert.deepStrictEqual((object["metadata"] as JsonObject)["labels"], { seen: "one", app: "two" })
    const chained = changed({
      labels: [{ value: { app: "x" } }, { operator: "addIfAbsent", value: { app: "z", b: "c" } }]
    })
    assert.deepStrictEqual((chained["metadata"] as JsonObject)["labels"], { app: "x", b: "c" })
  })

  it("are for the clusters that all three selectors hold for", () => {
    const touched = (target: Json) =>
      applyOverrides({ template, policies: [policy(label("x"), target)], cluster: c1 }).patches.length > 0
    assert.isTrue(touched({ clusters: ["c1"], clusterSelector: { region: "eu" } }))
    assert.isFalse(touched({ clusters: ["c1"], clusterSelector: { region: "us" } }))
    assert.isFalse(touched({ clusters: ["c2"] }))
    const affinity = [{ matchExpressions: [{ key: "region", operator: "In", values: ["eu"] }] }]
    assert.isTrue(touched({ clusterAffinity: affinity }))
    assert.isTrue(touched({}))
  })

  it("that fail in one rule have all others applied, and name the rule and the cluster", () => {
    const rules = [
      { overriders: { jsonpatch: [{ operator: "test", path: "/spec/replicas", value: 7 }] } },
      { overriders: label("x") }
    ]
    const { errors, object } = apply(overridePolicyOf(manifest(rules)))
    assert.deepStrictEqual((object["metadata"] as JsonObject)["labels"], { app: "x" })
    assert.include(
      errors[0].message,
      "OverridePolicy team/o: spec.overrideRules[0].overriders.jsonpatch[0] in cluster c1"
    )
  })

  it("are refused by our host for what can never be", () => {
    const world = new World({ definitions: makeDefinitions(federationDefinitions()) })
    const target = { resource: federationResources.overridePolicies, namespace: "team" }
    const refused = (overriders: Json) =>
      world.fails((done) => world.client.create(target, manifest([{ overriders }]), {}, done)).message
    for (const path of ["/metadata/name", "/metadata/namespace", "/metadata/generateName", "/kind"]) {
      assert.include(refused({ jsonpatch: [{ path, value: "x" }] }), `${path} may not be changed`)
    }
    assert.include(refused({ jsonpatch: [{ path: "spec", value: 1 }] }), "JSON pointer")
    assert.include(refused({ jsonpatch: [{ operator: "move", path: "/spec/a" }] }), "jsonpatch[0].from")
    assert.include(refused({ image: [{ operations: [{ imageComponent: "Tag" }] }] }), "image[0].operations[0].value")
    assert.include(refused({ command: [{ containerName: "a", operator: "append" }] }), "command[0].value")
  })
})

const name = fc.constantFrom("a", "app", "b", "c")
const operator = fc.constantFrom("", "overwrite", "addIfAbsent", "delete")
const map = fc.record({ operator, value: fc.dictionary(name, fc.constantFrom("1", "2")) })
const container = fc.constantFrom("web", "side", "setup", "none")
const repeatable = fc.record({
  image: fc.array(
    fc.record({
      operations: fc.array(
        fc.record({
          imageComponent: fc.constantFrom("Registry", "Tag"),
          operator,
          value: fc.constantFrom("mirror.io", "v2.1")
        }),
        { minLength: 1, maxLength: 2 }
      )
    }),
    { maxLength: 2 }
  ),
  args: fc.array(
    fc.record({
      containerName: container,
      operator: fc.constantFrom("", "overwrite", "delete"),
      value: fc.array(fc.constantFrom("x", "serve"), { maxLength: 2 })
    }),
    { maxLength: 2 }
  ),
  envs: fc.array(
    fc.record({
      containerName: container,
      operator,
      value: fc.array(fc.record({ name: fc.constantFrom("A", "C"), value: fc.constantFrom("7", "8") }), {
        maxLength: 2
      })
    }),
    { maxLength: 2 }
  ),
  labels: fc.array(map, { maxLength: 2 }),
  annotations: fc.array(map, { maxLength: 2 })
})

describe("for every policy", () => {
  it("patches make of the template what the object is, and the template is left alone", () => {
    const before = JSON.stringify(template)
    fc.assert(
      fc.property(repeatable, (overriders) => {
        const { object, patches } = apply(policy(overriders))
        const made = applyJsonPatch(template, patches as unknown as Json)
        assert.isFalse(made instanceof ApiFailure)
        assert.deepStrictEqual(made, object)
        assert.strictEqual(JSON.stringify(template), before)
      }),
      { numRuns: 300 }
    )
  })

  it("applying it to what it has made changes nothing, where one overrider of a kind stands alone", () =>
    fc.assert(
      fc.property(repeatable, (drawn) => {
        // Two of a kind may undo each other, like delete after addIfAbsent.
        const overriders = Object.fromEntries(Object.entries(drawn).map(([kind, list]) => [kind, list.slice(0, 1)]))
        const image = overriders["image"] as ReadonlyArray<{ operations: ReadonlyArray<Json> }>
        const alone = policy({
          ...overriders,
          image: image.map(({ operations }) => ({ operations: operations.slice(0, 1) }))
        })
        const once = apply(alone)
        const twice = applyOverrides({ template: once.object, policies: [alone], cluster: c1 })
        assert.deepStrictEqual(twice.object, once.object)
      }),
      { numRuns: 300 }
    ))

  it("clusters that it is not for are untouched", () =>
    fc.assert(
      fc.property(repeatable, (overriders) => {
        const { object, patches } = apply(policy(overriders, { clusters: ["other"] }))
        assert.strictEqual(object, template)
        assert.deepStrictEqual(patches, [])
      }),
      { numRuns: 50 }
    ))
})

describe("image names", () => {
  const part = fc.constantFrom("a", "team/web", "library/x-y", "z__w")
  const reference = fc.record({
    Registry: fc.constantFrom("", "localhost", "r.io", "r:5000"),
    Repository: part,
    Tag: fc.constantFrom("", "1", "v1.2-x"),
    Digest: fc.constantFrom("", `sha256:${"0".repeat(64)}`)
  })
  it("read as they are written", () =>
    fc.assert(fc.property(reference, (parts) => assert.deepStrictEqual(imageParts(imageText(parts)), parts))))
})
