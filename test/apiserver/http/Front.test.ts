// The chain: who is let in, how far, in which words refused, and what every answer carries. The expected texts are those of
// kube-apiserver 1.37.2, asked with curl.
import { describe, expect, it } from "vitest"
import { makeRig } from "./FrontRig.ts"

const message = "message"
const configMaps = "/api/v1/namespaces/default/configmaps"

describe("the chain", () => {
  it("gives every answer an audit id and forbids caches", () => {
    const { send } = makeRig()
    const answer = send("GET", configMaps)
    expect(answer.status).toBe(200)
    expect(answer.field("audit-id")).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(answer.field("cache-control")).toBe("no-cache, private")
    expect(answer.field("content-type")).toBe("application/json")
  })

  it("keeps the audit id that a client brings", () => {
    expect(
      makeRig()
        .send("GET", "/version", { headers: { "audit-id": "abc" } })
        .field("audit-id")
    ).toBe("abc")
  })

  it("refuses who is not known", () => {
    const answer = makeRig().send("GET", configMaps, { headers: { authorization: "Bearer nobody" } })
    expect([answer.status, answer.json[message], answer.json.reason]).toEqual([401, "Unauthorized", "Unauthorized"])
  })

  it("answers the authenticator's own failure", () => {
    expect(makeRig().send("GET", configMaps, { headers: { authorization: "Bearer broken" } }).status).toBe(503)
  })

  it.each([
    [
      configMaps,
      `configmaps is forbidden: User "bob" cannot list resource "configmaps" in API group "" in the namespace "default"`
    ],
    [
      `${configMaps}/x`,
      `configmaps "x" is forbidden: User "bob" cannot get resource "configmaps" in API group "" in the namespace "default"`
    ],
    ["/api/v1/pods", `pods is forbidden: User "bob" cannot list resource "pods" in API group "" at the cluster scope`],
    ["/metrics", `forbidden: User "bob" cannot get path "/metrics"`]
  ])("refuses who may not: %s", (path, text) => {
    const answer = makeRig().send("GET", path, { headers: { authorization: "Bearer bob" } })
    expect([answer.status, answer.json[message]]).toEqual([403, text])
    expect(answer.field("x-content-type-options")).toBe("nosniff")
  })

  it.each([
    ["GET", "/nonexist", 404, "text/plain; charset=utf-8"],
    ["GET", "/apis/none", 404, "text/plain; charset=utf-8"],
    ["GET", "/api/v1/none", 404, "application/json"],
    ["GET", "/apis/apps/v9/deployments", 404, "application/json"],
    ["GET", `${configMaps}/a/none`, 404, "application/json"],
    ["POST", "/api/v1/configmaps", 405, "application/json"],
    ["PUT", configMaps, 405, "application/json"],
    ["OPTIONS", `${configMaps}/a`, 405, "application/json"],
    ["HEAD", configMaps, 405, "application/json"],
    ["POST", "/version", 405, "application/json"],
    ["DELETE", "/apis/apps/v1/deployments", 405, "application/json"]
  ])("knows what is not there: %s %s", (method, path, status, type) => {
    const answer = makeRig().send(method, path)
    expect([answer.status, answer.field("content-type")]).toEqual([status, type])
  })

  it("says which media types there are", () => {
    const rig = makeRig()
    const html = rig.send("GET", configMaps, { headers: { accept: "text/html" } })
    expect([html.status, html.json.reason]).toEqual([406, "NotAcceptable"])
    const text = rig.send("POST", configMaps, { headers: { "content-type": "text/plain" }, body: "hi" })
    expect(text.status).toBe(415)
    expect(text.json[message]).toBe(
      "the body of the request was in an unknown format - accepted media types include: application/json, application/yaml"
    )
    const protobuf = rig.send("GET", configMaps, { headers: { accept: "application/vnd.kubernetes.protobuf" } })
    expect(protobuf.status).toBe(406)
    const both = rig.send("GET", configMaps, {
      headers: { accept: "application/vnd.kubernetes.protobuf,application/json" }
    })
    expect(both.status).toBe(200)
  })

  it("turns what is thrown into a 500 that tells nothing", () => {
    const rig = makeRig()
    rig.api.answer = () => {
      throw new Error("secret")
    }
    const answer = rig.send("GET", configMaps)
    expect(answer.status).toBe(500)
    expect(answer.text).not.toContain("secret")
    expect(rig.defects).toHaveLength(1)
  })

  it("answers in time, whatever happens behind", () => {
    const rig = makeRig()
    rig.api.answer = () => "never"
    const answer = rig.send("GET", `${configMaps}/a?timeout=32s`)
    expect(answer.status).toBe(0)
    rig.clockwork.run(31_999)
    expect(answer.status).toBe(0)
    rig.clockwork.run(1)
    expect([answer.status, answer.json[message]]).toEqual([
      504,
      "Timeout: request did not complete within the allotted timeout"
    ])
    const whole = rig.send("GET", `${configMaps}/a`)
    rig.clockwork.run(60_000)
    expect(whole.status).toBe(504)
    expect(rig.clockwork.openTimers).toBe(0)
    const bad = rig.send("GET", `${configMaps}/a?timeout=x`)
    expect(bad.json[message]).toBe(`invalid timeout specified in the request URL - time: invalid duration "x"`)
  })

  it("bounds what is worked on at once, reading and writing apart, and never the masters", () => {
    const authorizer = { authorize: () => ({ allowed: true, reason: "" }) }
    const rig = makeRig({ limits: { readOnlyMax: 1, mutatingMax: 1 }, authorizer })
    rig.api.answer = () => "never"
    const headers = { authorization: "Bearer bob", "content-type": "application/json" }
    rig.send("GET", configMaps, { headers })
    const refused = rig.send("GET", configMaps, { headers })
    expect([refused.status, refused.field("retry-after"), refused.json.reason]).toEqual([429, "1", "TooManyRequests"])
    expect(rig.send("GET", configMaps).status).toBe(0)
    expect(rig.send("POST", configMaps, { headers, body: `{"metadata":{"name":"a"}}` }).status).toBe(0)
    expect(rig.send("GET", `${configMaps}?watch=1`, { headers }).status).toBe(200)
    rig.clockwork.run(60_000)
    rig.api.answer = undefined
    expect(rig.send("GET", configMaps, { headers }).status).toBe(200)
  })
})

describe("impersonation", () => {
  it("acts as another when it may, with the groups that follow", () => {
    const rig = makeRig({ authorizer: { authorize: () => ({ allowed: true, reason: "" }) } })
    const send = (headers: ReadonlyArray<readonly [string, string]>) => {
      rig.send("GET", configMaps, { headers })
      return rig.api.requests.at(-1)?.user
    }
    expect(send([["impersonate-user", "jane"]])).toEqual({ name: "jane", groups: ["system:authenticated"] })
    expect(send([["impersonate-user", "system:anonymous"]])?.groups).toEqual(["system:unauthenticated"])
    expect(send([["impersonate-user", "system:serviceaccount:a:b"]])?.groups).toEqual([
      "system:serviceaccounts",
      "system:serviceaccounts:a",
      "system:authenticated"
    ])
    expect(
      send([
        ["impersonate-user", "jane"],
        ["impersonate-group", "dev"],
        ["impersonate-uid", "7"],
        ["impersonate-extra-acme%2fscope", "x"],
        ["impersonate-extra-acme%2fscope", "y"]
      ])
    ).toEqual({ name: "jane", uid: "7", groups: ["dev", "system:authenticated"], extra: { "acme/scope": ["x", "y"] } })
  })

  it("asks for every part", () => {
    const asked: Array<string> = []
    const rig = makeRig({
      authorizer: {
        authorize: (attributes) => {
          if (attributes.resourceRequest)
            asked.push(`${attributes.verb} ${attributes.resource}/${attributes.subresource} ${attributes.name}`)
          return { allowed: attributes.resourceRequest && attributes.resource !== "groups", reason: "no" }
        }
      }
    })
    const answer = rig.send("GET", configMaps, { headers: { "impersonate-user": "jane", "impersonate-group": "dev" } })
    expect(answer.status).toBe(403)
    expect(asked).toEqual(["impersonate users/ jane", "impersonate groups/ dev"])
    expect(rig.send("GET", configMaps, { headers: { "impersonate-group": "dev" } }).status).toBe(400)
  })
})

describe("the server's own pages", () => {
  it("tells its health, check by check", () => {
    let ill: string | undefined
    const rig = makeRig({ checks: [{ name: "etcd", check: () => ill }] })
    expect(rig.send("GET", "/livez").text).toBe("ok")
    expect(rig.send("GET", "/readyz?verbose").text).toBe(
      "[+]ping ok\n[+]log ok\n[+]etcd ok\n[+]shutdown ok\nreadyz check passed\n"
    )
    ill = "no quorum"
    const answer = rig.send("GET", "/healthz")
    expect([answer.status, answer.text]).toEqual([
      500,
      "[+]ping ok\n[+]log ok\n[-]etcd failed: reason withheld\nhealthz check failed\n"
    ])
    expect(rig.send("GET", "/livez?exclude=etcd&verbose").text).toContain("[+]etcd excluded: ok")
    expect(rig.send("GET", "/livez/etcd").status).toBe(500)
    expect(rig.send("GET", "/livez/ping").text).toBe("ok")
    expect(rig.send("GET", "/livez/none").status).toBe(404)
  })

  it("is not ready while it drains", () => {
    const rig = makeRig()
    rig.front.drain()
    expect([rig.send("GET", "/readyz").status, rig.send("GET", "/livez").status]).toEqual([500, 200])
  })

  it("speaks for Kubernetes 1.37 and lists its paths", () => {
    const { send } = makeRig()
    expect(send("GET", "/version").json).toMatchObject({
      major: "1",
      minor: "37",
      gitVersion: expect.stringMatching(/^v1\.37\.2/)
    })
    expect(send("GET", "/").json.paths).toEqual(
      expect.arrayContaining([
        "/api",
        "/api/v1",
        "/apis/apps/v1",
        "/livez/ping",
        "/openapi/v3",
        "/readyz/shutdown",
        "/version"
      ])
    )
  })

  it("counts requests under kube-apiserver's names", () => {
    const { send } = makeRig()
    send("GET", configMaps)
    send("GET", "/api/v1/namespaces/default/configmaps/none")
    const { text } = send("GET", "/metrics")
    expect(text).toContain(
      `apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="configmaps",scope="namespace",subresource="",verb="LIST",version="v1"} 1`
    )
    expect(text).toContain(`scope="resource",subresource="",verb="GET",version="v1"} 1`)
    expect(text).toContain(`apiserver_current_inflight_requests{request_kind="readOnly"} 1`)
    expect(text).toMatch(/apiserver_request_duration_seconds_bucket\{[^}]*le="\+Inf"\} 1/)
  })
})
