// The audit trail: levels, stages, omissions, and the two backends.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { Audit, type AuditEvent } from "../../../core/apiserver/http/Audit.ts"
import { AuditLog } from "../../../core/apiserver/http/AuditLogAdapter.ts"
import { AuditPolicyInvalid, parseAuditPolicy } from "../../../core/apiserver/http/AuditPolicy.ts"
import { AuditWebhook } from "../../../core/apiserver/http/AuditWebhook.ts"
import { FakeClockwork } from "./FakeExchange.ts"
import { makeRig } from "./FrontRig.ts"

const policyText = `
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: None
    nonResourceURLs: ["/healthz*", /version]
  - level: RequestResponse
    omitManagedFields: true
    resources: [{ group: "", resources: [configmaps] }]
    namespaces: [default]
  - level: Metadata
    omitStages: []
`
const configMaps = "/api/v1/namespaces/default/configmaps"

const auditRig = () => {
  const policy = parseAuditPolicy(policyText)
  if (policy instanceof AuditPolicyInvalid) throw policy
  const events: Array<AuditEvent> = []
  const rig = makeRig({
    audit: (metrics) => new Audit(policy, [{ write: (event) => void events.push(event) }], metrics)
  })
  return { ...rig, events }
}

describe("the audit trail", () => {
  it("records as fully as the first matching rule says", () => {
    const { events, json, send } = auditRig()
    json("POST", configMaps, { metadata: { name: "a", managedFields: [{ manager: "x" }] } }, { "user-agent": "test/1" })
    expect(events).toHaveLength(1)
    expect(events[0]).toMatchObject({
      kind: "Event",
      apiVersion: "audit.k8s.io/v1",
      level: "RequestResponse",
      stage: "ResponseComplete",
      requestURI: configMaps,
      verb: "create",
      user: { username: "admin", groups: ["system:masters", "system:authenticated"] },
      sourceIPs: ["192.0.2.7"],
      userAgent: "test/1",
      objectRef: { resource: "configmaps", namespace: "default", name: "a", apiVersion: "v1" },
      responseStatus: { code: 201 },
      requestObject: { kind: "ConfigMap", metadata: { name: "a" } },
      responseObject: { kind: "ConfigMap", metadata: { name: "a", resourceVersion: "101" } },
      requestReceivedTimestamp: expect.stringMatching(/^2026-11-24T05:00:00\.\d{6}Z$/)
    })
    expect(JSON.stringify(events[0])).not.toContain("managedFields")
    send("GET", "/version")
    expect(events).toHaveLength(1)
    send("GET", "/api/v1/pods")
    expect(events[1]).toMatchObject({ level: "Metadata", verb: "list" })
    expect(events[1]).not.toHaveProperty("responseObject")
  })

  it("records failures, impersonation and what is refused", () => {
    const { events, send } = auditRig()
    send("GET", `${configMaps}/none`, {
      headers: { "impersonate-user": "jane", "impersonate-group": "system:masters" }
    })
    expect(events[0]).toMatchObject({
      user: { username: "admin" },
      impersonatedUser: { username: "jane" },
      responseStatus: { status: "Failure", reason: "NotFound", code: 404 }
    })
    send("GET", configMaps, { headers: { authorization: "Bearer bob" } })
    expect(events[1]).toMatchObject({ responseStatus: { reason: "Forbidden", code: 403 } })
  })

  it("tells of a watch when it starts and when it ends", () => {
    const { events, send } = auditRig()
    const watch = send("GET", `${configMaps}?watch=1&resourceVersion=1`)
    watch.onClose?.()
    expect(events.map(({ stage }) => stage)).toEqual(["ResponseStarted", "ResponseComplete"])
  })

  it.each([
    ["a: [", "file"],
    ["kind: Policy\nrules: [{level: None}]", "apiVersion"],
    ["apiVersion: audit.k8s.io/v1\nkind: Policy", "rules"],
    ["apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: All}]", "rules[0].level"],
    ["apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: None, verbs: x}]", "rules[0].verbs"]
  ])("refuses a policy that cannot be read: %s", (text, field) => {
    expect(parseAuditPolicy(text)).toMatchObject({ _tag: "AuditPolicyInvalid", field })
  })
})

describe("the audit log", () => {
  it("turns its file over and keeps so many old ones", async () => {
    const directory = mkdtempSync(join(tmpdir(), "audit-"))
    try {
      const log = new AuditLog({ path: join(directory, "audit.log"), maxBytes: 100, maxBackups: 2 })
      for (let at = 0; at < 5; at++) {
        log.write({ at, text: "x".repeat(120) })
        const name = () => readFileSync(join(directory, "audit.log"), "utf8")
        await expect.poll(name).toContain(`"at":${at},`)
      }
      log.close()
      expect(readdirSync(directory).sort()).toEqual(["audit.log", "audit.log.1", "audit.log.2"])
      expect(readFileSync(join(directory, "audit.log.1"), "utf8")).toContain(`"at":3,`)
    } finally {
      rmSync(directory, { recursive: true })
    }
  })
})

describe("the audit webhook", () => {
  it("sends batches, tries again with growing waits, and drops what is over its bounds", () => {
    const clockwork = new FakeClockwork()
    const sent: Array<number> = []
    let fails = 2
    const webhook = new AuditWebhook(
      clockwork,
      (body, done) => {
        sent.push((JSON.parse(body) as { readonly items: ReadonlyArray<unknown> }).items.length)
        done(fails-- <= 0)
      },
      { batchMax: 3, queueMax: 4, waitMs: 1000, backoffMs: 100, triesMax: 5 }
    )
    webhook.write({ at: 1 })
    clockwork.run(999)
    expect(sent).toEqual([])
    clockwork.run(1)
    expect(sent).toEqual([1])
    for (let at = 0; at < 6; at++) webhook.write({ at })
    expect(webhook.dropped).toBe(2)
    clockwork.run(5000)
    expect(sent).toEqual([1, 1, 1, 3, 1])
  })
})
