// Who a request comes from and as whom it goes on: certificates, tokens, front proxies, impersonation; each with what must fail.
import * as fc from "fast-check"
import { afterAll, assert, beforeAll, beforeEach, describe, it } from "vitest"
import { type Pair, Pki } from "./Pki.ts"
import { askOn, changed, clusterOf, eventually, Gateway } from "./Rig.ts"
import { ScriptedUpstream, type SeenRequest } from "./ScriptedUpstream.ts"

let pki: Pki
let other: Pki
let front: Pki
let a: ScriptedUpstream
let b: ScriptedUpstream
let gateway: Gateway
let alice: Pair
let clusterA: ReturnType<typeof clusterOf>
let clusterB: ReturnType<typeof clusterOf>
let own: Pair

beforeAll(async () => {
  ;[pki, other, front] = [await Pki.make("ca of a"), await Pki.make("ca of b"), await Pki.make("front")]
  const serving = await pki.sign({ name: "upstream", dns: ["upstream"] })
  a = await new ScriptedUpstream(serving, pki.ca).open()
  b = await new ScriptedUpstream(serving, pki.ca).open()
  own = await pki.sign({ name: "gateway" })
  alice = await pki.sign({ name: "alice", organizations: ["dev", "ops"] })
  gateway = await Gateway.open(own)
  clusterA = clusterOf("a.example", [a.url], pki)
  clusterB = clusterOf("b.example", [b.url], pki, { serving: { clientCa: other.ca } })
})
afterAll(async () => {
  await gateway.close()
  await a.kill()
  await b.kill()
})
beforeEach(async () => {
  gateway.snapshots.set(clusterA, clusterB)
  for (const upstream of [a, b]) {
    for (const list of [upstream.seen, upstream.reviews, upstream.accesses]) list.length = 0
    upstream.whoIs = () => ({ authenticated: false })
    upstream.mayDo = () => ({ allowed: false })
    upstream.beforeReview = () => Promise.resolve()
  }
  await gateway.ready()
  assert.deepEqual(gateway.defects, [])
})

/** What the endpoint believes who asks. */
const believed = (seen: SeenRequest | undefined): object => ({
  user: seen?.values("impersonate-user"),
  groups: seen?.values("impersonate-group"),
  uid: seen?.values("impersonate-uid")
})
const path = "/api/v1/pods"
const bearer = (token: string): { authorization: string } => ({ authorization: `Bearer ${token}` })

describe("certificates", () => {
  it("name user and groups, and the gateway proves itself", async () => {
    const { status } = await gateway.ask("a.example", path, { client: alice })
    assert.equal(status, 200)
    assert.deepEqual(believed(a.seen[0]), { user: ["alice"], groups: ["dev", "ops", "system:authenticated"], uid: [] })
    assert.deepEqual(a.seen[0]?.values("authorization"), ["Bearer gateway-token"])
  })

  it("of one cluster's authority prove nothing to another; nor do none, nor those of nobody", async () => {
    const stranger = await other.sign({ name: "alice" })
    assert.equal((await gateway.ask("b.example", path, { client: stranger })).status, 200)
    assert.equal((await gateway.ask("b.example", path, { client: alice })).status, 401)
    assert.equal((await gateway.ask("a.example", path, { client: stranger })).status, 401)
    assert.equal((await gateway.ask("a.example", path)).status, 401)
    assert.equal(a.seen.length + b.seen.length, 1)
  })

  it("count only while they are valid, also on a connection that was opened before", async () => {
    const past = await pki.sign({ name: "late", notBefore: new Date(1e12), notAfter: new Date(1.1e12) })
    assert.equal((await gateway.ask("a.example", path, { client: past })).status, 401)
    const notAfter = new Date(Math.ceil((Date.now() + 2500) / 1000) * 1000)
    const brief = await pki.sign({ name: "brief", notAfter })
    const session = gateway.session("a.example", brief)
    const headers = { ":authority": "a.example" }
    assert.equal((await askOn(session, path, { headers })).status, 200)
    await eventually(() => Date.now() > notAfter.getTime() + 50, "the certificate expired")
    assert.equal((await askOn(session, path, { headers })).status, 401)
    session.destroy()
  })

  it("lose to nothing: with a certificate and another user's token the certificate counts, and the token is not asked about", async () => {
    a.whoIs = () => ({ authenticated: true, user: { username: "bob" } })
    await gateway.ask("a.example", path, { client: alice, headers: bearer("of-bob") })
    assert.deepInclude(believed(a.seen[0]), { user: ["alice"] })
    assert.equal(a.reviews.length, 0)
    // One that proves nothing leaves the word to the token.
    const stranger = await other.sign({ name: "alice" })
    await gateway.ask("a.example", path, { client: stranger, headers: bearer("of-bob") })
    assert.deepInclude(believed(a.seen[1]), { user: ["bob"] })
  })

  it("are judged by the authority of now when that changes under an open connection", async () => {
    const session = gateway.session("a.example", alice)
    const headers = { ":authority": "a.example" }
    assert.equal((await askOn(session, path, { headers })).status, 200)
    gateway.snapshots.set(changed(clusterA, { serving: { clientCa: `${other.ca}${pki.ca}` } }), clusterB)
    assert.equal((await askOn(session, path, { headers })).status, 200)
    gateway.snapshots.set(changed(clusterA, { serving: { clientCa: other.ca } }), clusterB)
    assert.equal((await askOn(session, path, { headers })).status, 401)
    session.destroy()
  })

  it("whose names no field can carry unchanged are refused", async () => {
    for (const name of ["eve\r\nImpersonate-Group: system:masters", " alice", "alice "]) {
      const crafted = await pki.sign({ name, organizations: ["dev"] })
      assert.equal((await gateway.ask("a.example", path, { client: crafted })).status, 403, JSON.stringify(name))
    }
    const group = await pki.sign({ name: "eve", organizations: ["dev\nx"] })
    assert.equal((await gateway.ask("a.example", path, { client: group })).status, 403)
    assert.equal(a.seen.length, 0)
    const plain = await pki.sign({ name: "jürgen", organizations: ["büro"] })
    assert.equal((await gateway.ask("a.example", path, { client: plain })).status, 200)
    const utf8 = (text: string): string => Buffer.from(text, "utf8").toString("latin1")
    assert.deepInclude(believed(a.seen[0]), { user: [utf8("jürgen")], groups: [utf8("büro"), "system:authenticated"] })
  })
})

describe("tokens", () => {
  const bob = {
    authenticated: true,
    user: {
      username: "bob",
      uid: "u-1",
      groups: ["dev"],
      extra: { "example.org/Scopes %": ["one", "two"], acme: ["x"] }
    }
  }

  it("are reviewed once, by the gateway itself, and carry uid and extras", async () => {
    a.whoIs = (token) => (token === "good" ? bob : { authenticated: false, error: "no" })
    for (let turn = 0; turn < 3; turn++)
      assert.equal((await gateway.ask("a.example", path, { headers: bearer("good") })).status, 200)
    assert.equal(a.reviews.length, 1)
    assert.deepEqual(believed(a.seen[2]), { user: ["bob"], groups: ["dev", "system:authenticated"], uid: ["u-1"] })
    const extra = "impersonate-extra-example.org%2f%53copes%20%25"
    assert.deepEqual(a.seen[2]?.values(extra), ["one", "two"])
    assert.deepEqual(a.seen[2]?.values("impersonate-extra-acme"), ["x"])
    for (const { fields } of a.seen) for (const [, value] of fields) assert.notInclude(value, "good")
    for (let turn = 0; turn < 3; turn++)
      assert.equal((await gateway.ask("a.example", path, { headers: bearer("bad") })).status, 401)
    assert.equal(a.reviews.length, 2)
  })

  it("of one cluster are unknown to another", async () => {
    a.whoIs = () => bob
    assert.equal((await gateway.ask("a.example", path, { headers: bearer("good-2") })).status, 200)
    assert.equal((await gateway.ask("b.example", path, { headers: bearer("good-2") })).status, 401)
    assert.equal(b.reviews.length, 1)
  })

  it("shown many times at once are reviewed once", async () => {
    let open = (): void => {}
    a.beforeReview = () => new Promise<void>((resolve) => (open = resolve))
    a.whoIs = () => bob
    const session = gateway.session("a.example")
    const headers = { ":authority": "a.example", ...bearer("crowd") }
    const all = Array.from({ length: 50 }, () => askOn(session, path, { headers }))
    await eventually(() => a.reviews.length > 0, "a review was asked for")
    open()
    const answers = await Promise.all(all)
    assert.isTrue(answers.every(({ status }) => status === 200))
    assert.equal(a.reviews.length, 1)
    session.destroy()
  })

  it("hold no longer than they say themselves, nor than the time to live", async () => {
    a.whoIs = () => bob
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url")
    const exp = Math.ceil(Date.now() / 1000) + 2
    const token = `${part({ alg: "none" })}.${part({ exp })}.sig`
    const ask = (shown: string) => gateway.ask("a.example", path, { headers: bearer(shown) })
    assert.equal((await ask(token)).status, 200)
    await eventually(() => Date.now() > exp * 1000 + 50, "the token expired")
    assert.equal((await ask(token)).status, 401)
    // Revoked: the endpoint says no, and that counts when the memory of the yes is over.
    const quick = changed(clusterA, { authentication: { tokenSuccessTtlMs: 300, tokenFailureTtlMs: 300 } })
    gateway.snapshots.set(quick, clusterB)
    assert.equal((await ask("revocable")).status, 200)
    a.whoIs = () => ({ authenticated: false })
    let status = 200
    await eventually(() => {
      if (status === 200) void ask("revocable").then((answer) => (status = answer.status))
      return status !== 200
    }, "the revoked token was refused")
    assert.equal(status, 401)
  })

  it("that cannot be reviewed answer 503, never 401, and are asked about again", async () => {
    a.whoIs = () => undefined
    const failed = await gateway.ask("a.example", path, { headers: bearer("outage") })
    assert.equal(failed.status, 503)
    assert.equal(failed.headers["retry-after"], "1")
    assert.deepInclude(failed.json(), { kind: "Status", code: 503, reason: "ServiceUnavailable" })
    assert.notInclude(failed.body, "outage")
    a.whoIs = () => bob
    assert.equal((await gateway.ask("a.example", path, { headers: bearer("outage") })).status, 200)
  })

  it("by the hundred, all made up, cost the endpoint no more than the limit", async () => {
    const limited = changed(clusterA, { authentication: { tokenReviewsPerSecond: 1, tokenReviewsBurst: 5 } })
    gateway.snapshots.set(limited, clusterB)
    a.whoIs = (token) => (token === "good" ? bob : { authenticated: false })
    const session = gateway.session("a.example")
    const ask = (token: string) => askOn(session, path, { headers: { ":authority": "a.example", ...bearer(token) } })
    assert.equal((await ask("good")).status, 200)
    const flood = await Promise.all(Array.from({ length: 200 }, (_, n) => ask(`random-${n}`)))
    assert.isAtMost(a.reviews.length, 15)
    assert.isTrue(flood.every(({ status }) => status === 401 || status === 503))
    assert.isTrue(flood.some(({ status }) => status === 503))
    // Who is known is not hurt by it.
    assert.equal((await ask("good")).status, 200)
    session.destroy()
  })

  it("may be refused, or passed on as they are without the gateway's own proof", async () => {
    gateway.snapshots.set(changed(clusterA, { authentication: { tokens: "Refuse" } }), clusterB)
    assert.equal((await gateway.ask("a.example", path, { headers: bearer("x") })).status, 401)
    const keyPair = await pki.sign({ name: "the gateway itself", organizations: ["system:masters"] })
    const { Redacted } = await import("effect")
    const passing = changed(clusterA, {
      authentication: { tokens: "Passthrough" },
      client: { keyPair: { cert: keyPair.cert, key: Redacted.make(keyPair.key) }, token: undefined }
    })
    gateway.snapshots.set(passing, clusterB)
    assert.equal((await gateway.ask("a.example", path, { client: alice })).status, 200)
    assert.equal(a.seen[0]?.shownBy, "the gateway itself")
    assert.equal((await gateway.ask("a.example", path, { headers: bearer("my-own") })).status, 200)
    const passed = a.seen[1]
    assert.deepEqual(passed?.values("authorization"), ["Bearer my-own"])
    assert.deepEqual(passed?.values("impersonate-user"), [])
    assert.isUndefined(passed?.shownBy)
    const acting = { headers: { ...bearer("my-own"), "impersonate-user": "root" } }
    assert.equal((await gateway.ask("a.example", path, acting)).status, 403)
    assert.equal(a.seen.length, 2)
  })
})

describe("nobody and proxies", () => {
  it("nobody is let in only where the cluster says so", async () => {
    gateway.snapshots.set(changed(clusterA, { authentication: { anonymous: true } }), clusterB)
    assert.equal((await gateway.ask("a.example", path)).status, 200)
    assert.deepInclude(believed(a.seen[0]), { user: ["system:anonymous"], groups: ["system:unauthenticated"] })
    // What is wrong is not nobody.
    assert.equal((await gateway.ask("a.example", path, { headers: bearer("bad-again") })).status, 401)
    const stranger = await other.sign({ name: "alice" })
    assert.equal((await gateway.ask("a.example", path, { client: stranger })).status, 401)
  })

  it("a front proxy is believed by its certificate and by nothing else, and its fields go no further", async () => {
    const frontProxy = {
      ca: front.ca,
      allowedNames: ["proxy"],
      usernameHeaders: ["x-remote-user"],
      groupHeaders: ["x-remote-group"],
      uidHeaders: ["x-remote-uid"],
      extraHeaderPrefixes: ["x-remote-extra-"]
    }
    gateway.snapshots.set(changed(clusterA, { authentication: { frontProxy } }), clusterB)
    const headers = { "x-remote-user": "carol", "x-remote-group": ["one", "two"], "x-remote-extra-k": "v" }
    const proxy = await front.sign({ name: "proxy" })
    assert.equal((await gateway.ask("a.example", path, { client: proxy, headers })).status, 200)
    assert.deepInclude(believed(a.seen[0]), { user: ["carol"], groups: ["one", "two", "system:authenticated"] })
    assert.deepEqual(a.seen[0]?.values("impersonate-extra-k"), ["v"])
    assert.isFalse(a.seen[0]?.fields.some(([name]) => name.startsWith("x-remote-")))
    // A client's own certificate does not make its fields believed, nor does a proxy's name under another authority.
    assert.equal((await gateway.ask("a.example", path, { client: alice, headers })).status, 200)
    assert.deepInclude(believed(a.seen[1]), { user: ["alice"] })
    const impostors = [await front.sign({ name: "other" }), await other.sign({ name: "proxy" })]
    for (const client of impostors)
      assert.equal((await gateway.ask("a.example", path, { client, headers })).status, 401)
    assert.equal((await gateway.ask("a.example", path, { headers })).status, 401)
    // Of another cluster the proxy is nobody.
    assert.equal((await gateway.ask("b.example", path, { client: proxy, headers })).status, 401)
    // Without fields the proxy is no user.
    assert.equal((await gateway.ask("a.example", path, { client: proxy })).status, 401)
    assert.equal(a.seen.length, 2)
  })

  it("some are never passed on", async () => {
    const neverImpersonate = { users: ["system:kube-*"], groups: ["system:masters"], exceptCertificates: false }
    gateway.snapshots.set(changed(clusterA, { authentication: { neverImpersonate } }), clusterB)
    const master = await pki.sign({ name: "root", organizations: ["system:masters"] })
    const refused = await gateway.ask("a.example", path, { client: master })
    assert.equal(refused.status, 403)
    assert.equal(
      (await gateway.ask("a.example", path, { client: await pki.sign({ name: "system:kube-proxy" }) })).status,
      403
    )
    a.mayDo = () => ({ allowed: true })
    const acting = { client: alice, headers: { "impersonate-user": "x", "impersonate-group": "system:masters" } }
    assert.equal((await gateway.ask("a.example", path, acting)).status, 403)
    assert.equal(a.seen.length, 0)
    const lenient = { ...neverImpersonate, exceptCertificates: true }
    gateway.snapshots.set(changed(clusterA, { authentication: { neverImpersonate: lenient } }), clusterB)
    assert.equal((await gateway.ask("a.example", path, { client: master })).status, 200)
  })
})

describe("acting as somebody else", () => {
  const act = (headers: Record<string, string | Array<string>>) =>
    gateway.ask("a.example", path, { client: alice, headers })

  it("is asked of the cluster by the gateway itself, part by part, and remembered", async () => {
    a.mayDo = () => ({ allowed: true })
    const wanted = {
      "impersonate-user": "dave",
      "impersonate-group": ["g1", "g2"],
      "impersonate-uid": "u-7",
      "impersonate-extra-scopes%2fa": ["s1"]
    }
    assert.equal((await act(wanted)).status, 200)
    assert.deepEqual(believed(a.seen[0]), {
      user: ["dave"],
      groups: ["g1", "g2", "system:authenticated"],
      uid: ["u-7"]
    })
    assert.deepEqual(a.seen[0]?.values("impersonate-extra-scopes%2fa"), ["s1"])
    const asked: ReadonlyArray<object> = a.accesses.map(({ spec }) => ({
      user: spec["user"],
      ...(spec["resourceAttributes"] as object)
    }))
    const common = { user: "alice", verb: "impersonate", version: "v1" }
    assert.deepEqual(asked, [
      { ...common, group: "", resource: "users", name: "dave" },
      { ...common, group: "", resource: "groups", name: "g1" },
      { ...common, group: "", resource: "groups", name: "g2" },
      { ...common, group: "authentication.k8s.io", resource: "userextras", subresource: "scopes/a", name: "s1" },
      { ...common, group: "authentication.k8s.io", resource: "uids", name: "u-7" }
    ])
    assert.deepEqual(a.accesses[0]?.spec["groups"], ["dev", "ops", "system:authenticated"])
    assert.equal((await act(wanted)).status, 200)
    assert.equal(a.accesses.length, 5)
  })

  it("is refused when any part is, and 503 when the cluster does not say", async () => {
    a.mayDo = ({ resource }) => ({ allowed: resource !== "uids", reason: "no uids" })
    const refused = await act({ "impersonate-user": "erin", "impersonate-uid": "u-8" })
    assert.equal(refused.status, 403)
    assert.include(refused.body, "cannot impersonate")
    assert.equal((await act({ "impersonate-user": "erin" })).status, 200)
    a.mayDo = () => undefined
    assert.equal((await act({ "impersonate-user": "frank" })).status, 503)
    assert.equal(a.seen.length, 1)
  })

  it("malformed is 400, and nothing of it reaches the endpoint", async () => {
    a.mayDo = () => ({ allowed: true })
    const wrong: ReadonlyArray<Record<string, string | Array<string>>> = [
      { "impersonate-uid": "u" },
      { "impersonate-group": "g" },
      { "impersonate-extra-x": "y" },
      { "impersonate-user": "" },
      { "impersonate-user": "x", "impersonate-uid": "" },
      { "impersonate-user": "x", "impersonate-group": "" },
      { "impersonate-user": "x", "impersonate-extra-%zz": "y" },
      { "impersonate-user": "x", "impersonate-extra-": "y" },
      { "impersonate-user": "x", "impersonate-other": "y" },
      { impersonate_user: "x" },
      { "impersonate-user": "x", "impersonate-group": "\xff\xfe" }
    ]
    for (const headers of wrong) assert.equal((await act(headers)).status, 400, JSON.stringify(headers))
    const twice = "impersonate-user: x\r\nImpersonate-User: root\r\n"
    const head = `GET ${path} HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n`
    assert.match(await gateway.raw("a.example", `${head}${twice}\r\n`, undefined, alice), /^HTTP\/1.1 400 /)
    assert.equal(a.seen.length, 0)
    assert.equal(a.accesses.length, 0)
  })

  it("no field that a client makes up changes who it is", { timeout: 60_000 }, async () => {
    const session = gateway.session("a.example", alice)
    const known = [
      "impersonate-user",
      "impersonate-group",
      "impersonate-uid",
      "impersonate-extra-scopes",
      "x-remote-user"
    ]
    const odd = ["x-remote-group", "authorization", "x-forwarded-for", "forwarded", "impersonate_uid", "x_remote_user"]
    const name = fc.oneof(
      fc.constantFrom(...known, ...odd, "proxy-authorization", "accept", "x-real-ip", "impersonate-", "impersonate"),
      fc.stringMatching(/^impersonate[-_][a-z%0-9_-]{0,12}$/),
      fc.stringMatching(/^x[-_](remote|forwarded)[-_][a-z_-]{1,8}$/)
    )
    const value = fc.oneof(fc.constantFrom("root", "system:masters", "", "a,b"), fc.stringMatching(/^[ -~]{0,20}$/))
    const met = new Map<number, number>()
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(name, value), { maxLength: 6 }), async (fields) => {
        a.seen.length = 0
        a.accesses.length = 0
        const headers: Record<string, string | Array<string>> = { ":authority": "a.example" }
        for (const [field, text] of fields) {
          const before = headers[field]
          headers[field] = field.endsWith("authorization")
            ? text.trim()
            : [...(before === undefined ? [] : [before].flat()), text.trim()]
        }
        const { status } = await askOn(session, path, { headers })
        assert.include([200, 400, 403], status)
        met.set(status, (met.get(status) ?? 0) + 1)
        if (status !== 200) return assert.equal(a.seen.length, 0)
        const [seen] = a.seen
        assert.deepEqual(believed(seen), { user: ["alice"], groups: ["dev", "ops", "system:authenticated"], uid: [] })
        assert.deepEqual(seen?.values("authorization"), ["Bearer gateway-token"])
        assert.deepEqual(seen?.values("x-forwarded-for"), ["127.0.0.1"])
        const spare = seen?.fields.filter(([field]) => /^(impersonate|x[-_](remote|forwarded|real))/.test(field)) ?? []
        const mine = ["impersonate-user", "impersonate-group", "x-forwarded-for"]
        for (const [field] of spare) assert.include(mine, field)
      }),
      { numRuns: 200 }
    )
    assert.isAbove(met.get(200) ?? 0, 10)
    assert.isAbove(met.get(400) ?? 0, 10)
    session.destroy()
  })

  it("a connection's own fields cannot take the gateway's away", async () => {
    const connection = "connection: close, impersonate-user, authorization, x-forwarded-for, x-mine\r\n"
    const head = `GET ${path} HTTP/1.1\r\nhost: a.example\r\n${connection}x-mine: 1\r\nx-other: 2\r\n\r\n`
    assert.match(await gateway.raw("a.example", head, undefined, alice), /^HTTP\/1.1 200 /)
    const [seen] = a.seen
    assert.deepInclude(believed(seen), { user: ["alice"] })
    assert.deepEqual(seen?.values("authorization"), ["Bearer gateway-token"])
    assert.deepEqual(seen?.values("x-mine"), [])
    assert.deepEqual(seen?.values("x-other"), ["2"])
  })
})
