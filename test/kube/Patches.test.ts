// JSON patch, merge patch and strategic merge patch: cases of their specifications and of Kubernetes, and that no input changes.
import { assert, describe, it } from "vitest"
import {
  ApiFailure,
  applyJsonPatch,
  applyMergePatch,
  applyStrategicMergePatch,
  JSON_PATCH_OPERATIONS_LIMIT,
  type Json,
  type JsonObject,
  jsonPatchUnknownFields,
  schemaNamed
} from "#kube"

const frozen = <A>(value: A): A => {
  if (typeof value === "object" && value !== null) {
    for (const field of Object.values(value)) frozen(field)
    Object.freeze(value)
  }
  return value
}

const why = (answer: Json | ApiFailure): string => {
  assert.instanceOf(answer, ApiFailure)
  return `${answer.code} ${answer.status.details?.causes?.[0]?.message ?? answer.message}`
}

describe("JSON patch", () => {
  const document = frozen({ a: { "b/c": [1, 2, 3] }, d: null, e: "x" })
  const cases: ReadonlyArray<readonly [ReadonlyArray<JsonObject>, unknown]> = [
    [[{ op: "add", path: "/a/b~1c/1", value: 9 }], { ...document, a: { "b/c": [1, 9, 2, 3] } }],
    [[{ op: "add", path: "/a/b~1c/-", value: 9 }], { ...document, a: { "b/c": [1, 2, 3, 9] } }],
    [[{ op: "remove", path: "/a/b~1c/-1" }], { ...document, a: { "b/c": [1, 2] } }],
    [[{ op: "replace", path: "/new", value: 1 }], { ...document, new: 1 }],
    [[{ op: "replace", path: "", value: { z: 1 } }], { z: 1 }],
    [[{ op: "move", from: "/e", path: "/a/f" }], { a: { "b/c": [1, 2, 3], f: "x" }, d: null }],
    [[{ op: "copy", from: "/a", path: "/g" }], { ...document, g: { "b/c": [1, 2, 3] } }],
    [[{ op: "test", path: "/a/b~1c", value: [1, 2, 3] }], document],
    [[{ op: "test", path: "/none", value: null }], document]
  ]
  it.each(cases)("%j", (patch, expected) => {
    assert.deepEqual(applyJsonPatch(document, frozen(patch)), expected)
  })

  const failures: ReadonlyArray<readonly [Json, string]> = [
    [[{ op: "test", path: "/e", value: "y" }], "422 testing value /e failed: test failed"],
    [
      [{ op: "remove", path: "/x" }],
      "422 error in remove for path: '/x': Unable to remove nonexistent key: x: missing value"
    ],
    [
      [{ op: "add", path: "/x/y", value: 1 }],
      '422 add operation does not apply: doc is missing path: "/x/y": missing value'
    ],
    [
      [{ op: "add", path: "/a/b~1c/9", value: 1 }],
      "422 error in add for path: '/a/b~1c/9': Unable to access invalid index: 9: invalid index referenced"
    ],
    [[{ op: "spin", path: "/a" }], "422 Unexpected kind: spin"],
    [{}, "400 error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp"],
    [
      [{ op: 1 }],
      "400 error decoding patch: json: cannot unmarshal number into Go struct field jsonPatchOp.op of type string"
    ],
    [
      Array.from({ length: JSON_PATCH_OPERATIONS_LIMIT + 1 }, () => ({ op: "test", path: "/d", value: null })),
      "413 The allowed maximum operations in a JSON patch is 10000, got 10001"
    ]
  ]
  it.each(failures.map(([patch, answer]) => ({ patch, answer })))("$answer", ({ answer, patch }) => {
    assert.strictEqual(why(applyJsonPatch(document, patch)), answer)
  })

  it("shares what no operation touches, and names fields that operations have not", () => {
    const patched = applyJsonPatch(document, [{ op: "add", path: "/f", value: 1 }])
    assert.propertyVal(patched, "a", document.a)
    assert.deepEqual(jsonPatchUnknownFields([{ op: "add", path: "/f", values: 1 }]), [
      'json patch unknown field "[0].values"'
    ])
  })
})

describe("merge patch", () => {
  // The cases of RFC 7386, appendix A.
  const cases: ReadonlyArray<readonly [Json, Json, Json]> = [
    [{ a: "b" }, { a: "c" }, { a: "c" }],
    [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }],
    [{ a: "b" }, { a: null }, {}],
    [{ a: "b", b: "c" }, { a: null }, { b: "c" }],
    [{ a: ["b"] }, { a: "c" }, { a: "c" }],
    [{ a: "c" }, { a: ["b"] }, { a: ["b"] }],
    [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
    [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
    [
      ["a", "b"],
      ["c", "d"],
      ["c", "d"]
    ],
    [{ a: "b" }, ["c"], ["c"]],
    [{ a: "foo" }, null, null],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: "b", c: null }, { a: "b" }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }]
  ]
  it.each(cases)("%j with %j", (document, patch, expected) => {
    assert.deepEqual(applyMergePatch(frozen(document), frozen(patch)), expected)
  })

  it("answers the document itself when nothing changes", () => {
    const document = frozen({ a: { b: 1 }, c: [1] })
    assert.strictEqual(applyMergePatch(document, { a: { b: 1, x: null } }), document)
  })
})

describe("strategic merge patch", () => {
  const schema = schemaNamed("io.k8s.api.core.v1.Pod")
  const deployment = schemaNamed("io.k8s.api.apps.v1.Deployment")
  assert(schema !== undefined && deployment !== undefined)
  const pod = frozen({
    metadata: { finalizers: ["a", "b"], labels: { x: "1" } },
    spec: {
      containers: [
        { name: "a", image: "1" },
        { name: "b", image: "1", env: [{ name: "E", value: "1" }] },
        { name: "c", image: "1" }
      ],
      nodeSelector: { a: "b" },
      volumes: [{ name: "v", emptyDir: {} }]
    }
  })
  const spec = (patch: JsonObject): JsonObject => {
    const answer = applyStrategicMergePatch(schema, pod, frozen({ spec: patch }))
    assert(!(answer instanceof ApiFailure))
    return answer["spec"] as JsonObject
  }
  const names = (list: unknown): string => (list as ReadonlyArray<{ name: string }>).map(({ name }) => name).join("")

  it("merges lists by key, and keeps the live order", () => {
    const { containers } = spec({ containers: [{ name: "b", image: "2", env: [{ name: "F", value: "2" }] }] })
    assert.deepEqual(containers, [
      pod.spec.containers[0],
      // New items come before those of the server.
      {
        name: "b",
        image: "2",
        env: [
          { name: "F", value: "2" },
          { name: "E", value: "1" }
        ]
      },
      pod.spec.containers[2]
    ])
    assert.strictEqual((containers as ReadonlyArray<Json>)[0], pod.spec.containers[0])
  })

  it("obeys delete, replace and order directives", () => {
    assert.strictEqual(names(spec({ containers: [{ $patch: "delete", name: "b" }] })["containers"]), "ac")
    assert.deepEqual(spec({ containers: [{ $patch: "replace" }, { name: "z" }] })["containers"], [{ name: "z" }])
    const order = {
      "$setElementOrder/containers": [{ name: "c" }, { name: "a" }],
      containers: [{ name: "a", image: "3" }]
    }
    assert.strictEqual(names(spec(order)["containers"]), "bca")
    assert.deepEqual(spec({ nodeSelector: { $patch: "replace", z: "1" } })["nodeSelector"], { z: "1" })
    assert.deepEqual(spec({ nodeSelector: { $patch: "delete" } })["nodeSelector"], {})
    assert.deepEqual(
      spec({ volumes: [{ $retainKeys: ["name", "hostPath"], name: "v", hostPath: { path: "/" } }] })["volumes"],
      [{ name: "v", hostPath: { path: "/" } }]
    )
  })

  it("merges scalars as sets and deletes from them", () => {
    const metadata = (patch: JsonObject): unknown =>
      (applyStrategicMergePatch(schema, pod, { metadata: patch }) as JsonObject)["metadata"]
    assert.deepEqual(metadata({ finalizers: ["c", "a"] }), { finalizers: ["c", "a", "b"], labels: { x: "1" } })
    assert.deepEqual(metadata({ "$deleteFromPrimitiveList/finalizers": ["a"] }), {
      finalizers: ["b"],
      labels: { x: "1" }
    })
    assert.deepEqual(metadata({ labels: { x: null, y: null, z: "1" } }), { finalizers: ["a", "b"], labels: { z: "1" } })
  })

  it("refuses what cannot be merged", () => {
    const failing = (patch: Json): string => why(applyStrategicMergePatch(schema, pod, patch))
    assert.strictEqual(
      failing({ spec: { containers: [{ image: "2" }] } }),
      "500 map: map[image:2] does not contain declared merge key: name"
    )
    assert.strictEqual(failing([]), "400 json: cannot unmarshal array into Go value of type map[string]interface {}")
    assert.strictEqual(
      failing({ spec: { volumes: [{ $retainKeys: ["name"], name: "v", hostPath: {} }] } }),
      "400 invalid patch format of retainKeys"
    )
    assert.strictEqual(
      failing({ spec: { nodeSelector: { $patch: "spin" } } }),
      "500 unknown patch type: spin in map: map[$patch:spin]"
    )
  })

  it("answers the document itself when nothing changes", () => {
    assert.strictEqual(
      applyStrategicMergePatch(schema, pod, { spec: { containers: [{ name: "a", image: "1" }] } }),
      pod
    )
  })
})
