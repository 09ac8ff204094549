// Bodies and options: what is taken, what is refused and in which words (those of kube-apiserver 1.37.2).
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { hasDuplicates } from "../../../core/apiserver/http/KeyCount.ts"
import { makeRig } from "./FrontRig.ts"

const configMaps = "/api/v1/namespaces/default/configmaps"

describe("bodies", () => {
  it("fills in kind and version, and takes YAML as well", () => {
    const rig = makeRig()
    expect(rig.json("POST", configMaps, { metadata: { name: "a" } }).status).toBe(201)
    expect(rig.api.requests.at(-1)?.body).toMatchObject({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "a" }
    })
    const headers = { "content-type": "application/yaml" }
    expect(rig.send("POST", configMaps, { headers, body: "metadata:\n  name: b\ndata:\n  x: '1'\n" }).status).toBe(201)
    expect(rig.api.requests.at(-1)?.body).toMatchObject({ kind: "ConfigMap", data: { x: "1" } })
  })

  it.each([
    [
      "{",
      "the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json parse error: unexpected end of JSON input ({)"
    ],
    [
      "",
      "the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json parse error: unexpected end of JSON input (<empty>)"
    ],
    [
      `{"kind":"Foo","apiVersion":"v7"}`,
      `Foo in version "v7" cannot be handled as a ConfigMap: no kind "Foo" is registered for version "v7" in scheme "pkg/runtime/scheme.go:111"`
    ],
    [
      `{"kind":"Pod","apiVersion":"v1"}`,
      `Pod in version "v1" cannot be handled as a ConfigMap: converting (v1.Pod) to (core.ConfigMap): unknown conversion`
    ],
    [
      `{"data":{"x":true}}`,
      `ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal bool into Go struct field ConfigMap.data of type string`
    ]
  ])("refuses %s", (body, message) => {
    const answer = makeRig().json("POST", `${configMaps}?fieldValidation=Strict`, body)
    expect([answer.status, answer.json.message]).toEqual([400, message])
  })

  it("tells keys that stand twice in an applied configuration, by line", () => {
    const body = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\ndata:\n  foo: a\n  foo: b\n"
    const headers = { "content-type": "application/apply-patch+yaml" }
    const send = (validation: string) =>
      makeRig().send("PATCH", `${configMaps}/x?fieldManager=m&fieldValidation=${validation}`, { headers, body })
    const strict = send("Strict")
    expect(strict.status).toBe(400)
    expect(strict.json.message).toContain('line 7: key "foo" already set in map')
    expect(send("Warn").all("warning").join("")).toContain("already set in map")
    expect(send("Ignore").all("warning")).toEqual([])
  })

  it("is strict when asked, warns by default, and looks away when told to", () => {
    const body = `{"metadata":{"name":"x"},"foo":1,"data":{"a":"b","a":"c"}}`
    const rig = makeRig()
    const strict = rig.json("POST", `${configMaps}?fieldValidation=Strict`, body)
    expect(strict.json.message).toBe(
      `ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "foo", duplicate field "data.a"`
    )
    const warned = rig.json("POST", configMaps, body)
    expect(warned.status).toBe(201)
    expect(warned.all("warning")).toEqual([
      String.raw`299 - "unknown field \"foo\""`,
      String.raw`299 - "duplicate field \"data.a\""`
    ])
    expect(rig.json("POST", `${configMaps}?fieldValidation=Ignore`, body).all("warning")).toEqual([])
  })

  it("bounds the body", () => {
    const answer = makeRig().json("POST", configMaps, "a".repeat(3_200_000))
    expect([answer.status, answer.json.message]).toEqual([413, "Request entity too large: limit is 3145728"])
  })

  it("tells texts with a doubled field from all others", () => {
    const text = fc.json({ maxDepth: 4 })
    fc.assert(
      fc.property(text, (each) => !hasDuplicates(Buffer.from(each), JSON.parse(each))),
      { seed: 7 }
    )
    fc.assert(
      fc.property(text, fc.string(), (each, name) => {
        const key = JSON.stringify(name)
        const twice = `{${key}:1,"other\\"":[${each}],${key}:2}`
        return hasDuplicates(Buffer.from(twice), JSON.parse(twice))
      }),
      { seed: 7 }
    )
  })
})

describe("field managers", () => {
  it("are the program that writes, unless the request names one", () => {
    const rig = makeRig()
    const managerOf = (query: string, agent: string) => {
      rig.json("POST", `${configMaps}${query}`, { metadata: { name: "x" } }, { "user-agent": agent })
      return rig.api.requests.at(-1)?.options.fieldManager
    }
    expect(managerOf("", "kubectl/v1.37.2 (linux/amd64)")).toBe("kubectl")
    expect(managerOf("?fieldManager=me", "kubectl/v1.37.2")).toBe("me")
    expect(managerOf("", `${"m".repeat(200)}\u0007/1`)).toBe("m".repeat(128))
  })
})

describe("patches", () => {
  const patch = (type: string, query = "", body = "{}") =>
    makeRig().send("PATCH", `${configMaps}/a${query}`, { headers: { "content-type": type }, body })

  it("knows four types", () => {
    expect(patch("application/json").status).toBe(415)
    expect(patch("application/merge-patch+json", "", "{").json.message).toBe("invalid JSON patch")
    expect(patch("application/merge-patch+json").status).toBe(404)
    expect(patch("application/json-patch+json", "", "[]").status).toBe(404)
    expect(patch("application/strategic-merge-patch+json").status).toBe(404)
    expect(patch("application/apply-patch+yaml", "?fieldManager=x", "kind: ConfigMap").status).toBe(404)
  })

  it("asks apply for a manager and nobody else for force", () => {
    expect(patch("application/apply-patch+yaml").json.message).toBe(
      `PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch`
    )
    expect(patch("application/merge-patch+json", "?force=true").json.message).toBe(
      `PatchOptions.meta.k8s.io "" is invalid: force: Forbidden: may not be specified for non-apply patch`
    )
  })
})

describe("options", () => {
  it.each([
    ["limit=abc", 400, `strconv.ParseInt: parsing "abc": invalid syntax`],
    ["timeoutSeconds=x", 400, `strconv.ParseInt: parsing "x": invalid syntax`],
    [
      "resourceVersionMatch=foo",
      422,
      `ListOptions.meta.k8s.io "" is invalid: [resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided, resourceVersionMatch: Unsupported value: "foo": supported values: "Exact", "NotOlderThan", ""]`
    ],
    [
      "resourceVersionMatch=Exact&resourceVersion=0",
      422,
      `ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"`
    ],
    [
      "watch=1&sendInitialEvents=true",
      422,
      `ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan`
    ],
    [
      "sendInitialEvents=true",
      422,
      `ListOptions.meta.k8s.io "" is invalid: sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list`
    ]
  ])("refuses %s", (query, status, message) => {
    const answer = makeRig().send("GET", `${configMaps}?${query}`)
    expect([answer.status, answer.json.message]).toEqual([status, message])
  })

  it.each([
    ["dryRun=x", `CreateOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: ["x"]: supported values: "All"`],
    [
      "fieldValidation=x",
      `CreateOptions.meta.k8s.io "" is invalid: fieldValidation: Unsupported value: "x": supported values: "", "Ignore", "Strict", "Warn"`
    ],
    [
      "fieldManager=a%07",
      `CreateOptions.meta.k8s.io "" is invalid: fieldManager: Invalid value: "a\\u0007": invalid character U+0007 (at position 1)`
    ],
    [
      `fieldManager=${"m".repeat(129)}`,
      `CreateOptions.meta.k8s.io "" is invalid: fieldManager: Too long: may not be more than 128 bytes`
    ]
  ])("refuses a create with %s", (query, message) => {
    const answer = makeRig().json("POST", `${configMaps}?${query}`, { metadata: { name: "x" } })
    expect([answer.status, answer.json.message]).toEqual([422, message])
  })

  it("hands on what a list asks", () => {
    const rig = makeRig()
    rig.send(
      "GET",
      `${configMaps}?limit=5&continue=abc&labelSelector=a%3Db&fieldSelector=metadata.name%3Dx&resourceVersion=7`
    )
    expect(rig.api.requests.at(-1)?.options).toEqual({
      limit: 5,
      continue: "abc",
      labelSelector: "a=b",
      fieldSelector: "metadata.name=x",
      resourceVersion: "7"
    })
  })

  it("reads a delete's options from its body, else from the query", () => {
    const rig = makeRig()
    rig.json("DELETE", `${configMaps}/a?gracePeriodSeconds=1`, {
      kind: "DeleteOptions",
      propagationPolicy: "Orphan",
      preconditions: { uid: "u" }
    })
    expect(rig.api.requests.at(-1)?.options).toEqual({ propagationPolicy: "Orphan", preconditions: { uid: "u" } })
    rig.send("DELETE", `${configMaps}/a?gracePeriodSeconds=1&dryRun=All`)
    expect(rig.api.requests.at(-1)?.options).toEqual({ gracePeriodSeconds: 1, dryRun: true })
    expect(rig.send("DELETE", `${configMaps}/a?propagationPolicy=x`).json.message).toBe(
      `DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Unsupported value: "x": supported values: "Foreground", "Background", "Orphan", "nil"`
    )
  })
})
