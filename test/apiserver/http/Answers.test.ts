// What goes out: held bytes untouched, Tables, metadata alone, YAML, compression.
import * as fc from "fast-check"
import { gunzipSync } from "node:zlib"
import { describe, expect, it } from "vitest"
import type { HeldObject } from "#apiserver"
import { durationText } from "../../../core/apiserver/resources/Columns.ts"
import { acceptsGzip } from "../../../core/apiserver/http/GzipAdapter.ts"
import { listChunks, listSize } from "../../../core/apiserver/http/ListBytes.ts"
import { negotiate } from "../../../core/apiserver/http/Negotiation.ts"
import { fakeDefinition } from "./FakeApi.ts"
import { makeRig } from "./FrontRig.ts"

const configMaps = "/api/v1/namespaces/default/configmaps"
const table = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"

const withOne = () => {
  const rig = makeRig()
  rig.json("POST", configMaps, { metadata: { name: "a" }, data: { x: "1" } })
  return rig
}

describe("answers", () => {
  it("sends the very bytes that are held", () => {
    const rig = withOne()
    const held = rig.api.put("configmaps", {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "b", namespace: "default" }
    })
    expect(rig.send("GET", `${configMaps}/b`).chunks[0]).toBe(held.encoded())
    const list = rig.send("GET", configMaps).json
    expect(list).toMatchObject({ kind: "ConfigMapList", apiVersion: "v1", metadata: { resourceVersion: "102" } })
    expect(list.items.map((item: { metadata: { name: string } }) => item.metadata.name)).toEqual(["a", "b"])
  })

  it("lays a list out in chunks that join to its bytes", () => {
    const definition = fakeDefinition("pods", "Pod")
    const sizes = fc.array(fc.oneof(fc.nat(300), fc.integer({ min: 200_000, max: 300_000 })), { maxLength: 12 })
    fc.assert(
      fc.property(sizes, (lengths) => {
        const items = lengths.map((length): HeldObject => {
          const bytes = Buffer.from(JSON.stringify("x".repeat(length)))
          return { object: { apiVersion: "v1", kind: "Pod", metadata: {} }, revision: 1, encoded: () => bytes }
        })
        const answer = {
          kind: "list",
          definition,
          items,
          resourceVersion: "7",
          continue: "c",
          remainingItemCount: 3
        } as const
        const whole = Buffer.concat([...listChunks(answer, listSize(answer))])
        expect(whole.length).toBe(listSize(answer))
        const value = JSON.parse(whole.toString())
        expect(value.metadata).toEqual({ resourceVersion: "7", continue: "c", remainingItemCount: 3 })
        expect(value.items.map((item: string) => item.length)).toEqual(lengths)
      }),
      { seed: 3, numRuns: 40 }
    )
  })

  it("sends large lists as the client takes them", () => {
    const rig = makeRig()
    for (let at = 0; at < 40; at++) {
      rig.api.put("configmaps", {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { name: `a${at}`, namespace: "default" },
        data: { x: "y".repeat(40_000) }
      })
    }
    const answer = rig.send("GET", configMaps)
    expect(answer.chunks.length).toBeGreaterThan(4)
    expect(answer.json.items).toHaveLength(40)
    expect(answer.ended).toBe(true)
  })

  it("compresses large answers for who takes gzip", async () => {
    const rig = makeRig()
    rig.api.put("configmaps", {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "a", namespace: "default" },
      data: { x: "y".repeat(200_000) }
    })
    const answer = rig.send("GET", configMaps, { headers: { "accept-encoding": "gzip, deflate" } })
    await expect.poll(() => answer.ended).toBe(true)
    expect(answer.field("content-encoding")).toBe("gzip")
    expect(JSON.parse(gunzipSync(Buffer.concat(answer.chunks)).toString()).items).toHaveLength(1)
  })

  it.each([
    ["gzip", true],
    ["deflate, gzip;q=1.0, *;q=0.5", true],
    ["gzip;q=0", false],
    ["gzip;q=0.0", false],
    ["gzip; q=0.1", true],
    ["br", false]
  ])("understands accept-encoding: %s", (text, expected) => {
    expect(acceptsGzip(text)).toBe(expected)
  })

  it("makes Tables with as much of the object as was asked for", () => {
    const rig = withOne()
    const get = (query: string) => rig.send("GET", `${configMaps}/a${query}`, { headers: { accept: table } }).json
    const whole = get("")
    expect(whole).toMatchObject({ kind: "Table", apiVersion: "meta.k8s.io/v1", metadata: { resourceVersion: "101" } })
    expect(whole.columnDefinitions.map(({ name }: { name: string }) => name)).toEqual(["Name", "Age"])
    expect(whole.columnDefinitions[0]).toMatchObject({ type: "string", format: "name", priority: 0 })
    expect(whole.rows[0]).toMatchObject({ cells: ["a", expect.any(String)], object: { kind: "PartialObjectMetadata" } })
    expect(whole.rows[0].object.data).toBeUndefined()
    expect(get("?includeObject=Object").rows[0].object.data).toEqual({ x: "1" })
    expect(get("?includeObject=None").rows[0].object).toBeNull()
    expect(get("?includeObject=x").message).toBe(
      "Unable to convert to Table as requested: includeObject: Invalid value: \"x\": must be 'Metadata', 'Object', 'None', or empty"
    )
    expect(rig.send("GET", configMaps, { headers: { accept: table } }).json.rows).toHaveLength(1)
  })

  it("answers a delete's Status as a Table of its own", () => {
    const answer = withOne().send("DELETE", `${configMaps}/a`, { headers: { accept: table } })
    expect(answer.json.rows[0].cells[0]).toBe("Success")
  })

  it("makes metadata alone", () => {
    const rig = withOne()
    const get = (path: string, as: string) =>
      rig.send("GET", path, { headers: { accept: `application/json;as=${as};g=meta.k8s.io;v=v1` } }).json
    expect(get(`${configMaps}/a`, "PartialObjectMetadata")).toMatchObject({
      kind: "PartialObjectMetadata",
      apiVersion: "meta.k8s.io/v1",
      metadata: { name: "a" }
    })
    expect(get(configMaps, "PartialObjectMetadataList").items).toHaveLength(1)
    expect(get(configMaps, "PartialObjectMetadata").code).toBe(406)
  })

  it("writes YAML and JSON for people", () => {
    const rig = withOne()
    const yaml = rig.send("GET", `${configMaps}/a`, { headers: { accept: "application/yaml" } })
    expect(yaml.field("content-type")).toBe("application/yaml")
    expect(yaml.text).toMatch(/^apiVersion: v1\ndata:\n {2}x: "1"\nkind: ConfigMap\n/)
    expect(rig.send("GET", `${configMaps}/a?pretty=true`).text).toContain(`\n  "kind"`)
    expect(rig.send("GET", `${configMaps}/a`, { headers: { "user-agent": "curl/8" } }).text).toContain(`\n  "kind"`)
  })
})

describe("negotiation", () => {
  const formatOf = (accept: string) => negotiate({ accept, userAgent: undefined, pretty: "" }, false)

  it.each([
    ["application/yaml;q=0.9,application/json;q=0.1", "yaml"],
    ["application/vnd.kubernetes.protobuf,application/yaml", "yaml"],
    ["text/html,*/*;q=0.1", "json"],
    ["application/*", "json"],
    ["application/json;stream=watch", "json"],
    ["application/json;as=Nonsense;g=meta.k8s.io;v=v1,application/yaml", "yaml"]
  ])("%s", (accept, format) => {
    expect(formatOf(accept)?.format).toBe(format)
  })

  it("refuses what nobody writes", () => {
    expect(formatOf("application/cbor")).toBeUndefined()
    expect(formatOf("application/json;as=Table;g=meta.k8s.io;v=v7")).toBeUndefined()
  })
})

describe("ages", () => {
  const s = 1000
  const m = 60 * s
  const h = 60 * m
  const d = 24 * h
  it.each([
    [-3 * s, "<invalid>"],
    [-1 * s, "0s"],
    [99 * s, "99s"],
    [2 * m, "2m"],
    [5 * m + 30 * s, "5m30s"],
    [10 * m + 30 * s, "10m"],
    [179 * m, "179m"],
    [3 * h, "3h"],
    [3 * h + 5 * m, "3h5m"],
    [8 * h + 5 * m, "8h"],
    [47 * h, "47h"],
    [48 * h, "2d"],
    [53 * h, "2d5h"],
    [8 * d + 3 * h, "8d"],
    [729 * d, "729d"],
    [731 * d, "2y1d"],
    [9 * 365 * d, "9y"]
  ])("%d ms is %s", (ms, text) => {
    expect(durationText(ms)).toBe(text)
  })
})
