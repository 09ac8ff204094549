import * as fc from "fast-check"
import { generateKeyPairSync } from "node:crypto"
import { readFileSync } from "node:fs"
import { X509Certificate } from "node:crypto"
import { assert, describe, it } from "vitest"
import { ApiFailure, type KubeObject } from "#kube"
import type { ApiAnswer, ApiRequest } from "#apiserver"
import type { HttpFields, PeerCertificate } from "#net"
import {
  type Authentication,
  Authenticator,
  bearerTokens,
  type Credentials,
  Rejected,
  tokensForReview,
  unionOfTokens
} from "../../../core/apiserver/authn/Authenticator.ts"
import { bootstrapTokens } from "../../../core/apiserver/authn/BootstrapTokens.ts"
import { CertificateAuthorities, clientCertificates } from "../../../core/apiserver/authn/ClientCertificate.ts"
import { selfSubjectReview, tokenReview } from "../../../core/apiserver/authn/IdentityReviews.ts"
import { isSignedBy, parseJwt, signJwt } from "../../../core/apiserver/authn/Jwt.ts"
import { requestHeaders, USUAL_REQUEST_HEADERS } from "../../../core/apiserver/authn/RequestHeader.ts"
import { ServiceAccountTokens } from "../../../core/apiserver/authn/ServiceAccountTokens.ts"
import {
  jsonWebKeySet,
  openIdConfiguration,
  signingKey,
  verifyingKeys
} from "../../../core/apiserver/authn/SigningKeys.ts"
import { newSigningKeyPem } from "../../../core/apiserver/authn/SigningKeysAdapter.ts"
import { staticTokens } from "../../../core/apiserver/authn/StaticTokens.ts"
import { tokenRequest } from "../../../core/apiserver/authn/TokenRequest.ts"
import { makeAuthority } from "../../net/Certificates.ts"
import { FakeApi } from "../FakeApi.ts"

const issuer = "https://kubernetes.default.svc.cluster.local"
const key = signingKey(newSigningKeyPem("ec"))

const credentials = (fields: HttpFields, peerCertificate?: PeerCertificate): Credentials => ({
  peerCertificate,
  header: (name) => fields.find(([field]) => field === name)?.[1],
  fields: () => fields
})
const withToken = (token: string): Credentials => credentials([["authorization", `Bearer ${token}`]])

const nameOf = (answer: Authentication): string =>
  answer === undefined ? "nobody" : answer instanceof Rejected ? `rejected: ${answer.why}` : answer.user.name

const object = (kind: string, namespace: string, name: string, rest: object = {}): KubeObject => ({
  apiVersion: "v1",
  kind,
  metadata: { name, ...(namespace === "" ? {} : { namespace }) },
  ...rest
})
const data = (fields: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(fields).map(([name, text]) => [name, Buffer.from(text).toString("base64")]))

const world = () => {
  const api = new FakeApi()
  api.put("serviceaccounts", object("ServiceAccount", "default", "robot"))
  api.put("nodes", object("Node", "", "n1"))
  api.put("pods", object("Pod", "default", "p", { spec: { serviceAccountName: "robot", nodeName: "n1" } }))
  api.put("secrets", object("Secret", "default", "s"))
  const tokens = new ServiceAccountTokens(api, { keys: [key], issuers: [issuer], apiAudiences: [issuer] })
  const ask = (
    spec: KubeObject["spec"],
    metadata: KubeObject["metadata"] = {},
    name = "robot"
  ): ApiAnswer | ApiFailure => {
    const request: ApiRequest = {
      verb: "create",
      resource: { group: "", version: "v1", resource: "serviceaccounts" },
      subresource: "token",
      namespace: "default",
      name,
      user: { name: "admin", groups: [] },
      options: {},
      body: {
        apiVersion: "authentication.k8s.io/v1",
        kind: "TokenRequest",
        metadata,
        ...(spec === undefined ? {} : { spec })
      }
    }
    const answers: Array<ApiAnswer | ApiFailure> = []
    tokenRequest({ issuer, key, apiAudiences: [issuer] })({ api, clockwork: api.clockwork }, request, (said) =>
      answers.push(said)
    )
    api.settle()
    assert.lengthOf(answers, 1)
    return answers[0]
  }
  const issue = (spec: KubeObject["spec"]): string => {
    const said = ask(spec)
    assert.isNotTrue(said instanceof ApiFailure, said instanceof ApiFailure ? said.message : "")
    return ((said as ApiAnswer & { kind: "object" }).held.object.status as { token: string }).token
  }
  return { api, tokens, ask, issue }
}

describe("client certificates and proxies", () => {
  const authority = makeAuthority()
  const stranger = makeAuthority()
  const peer = (file: string, subject: string, signer = authority): PeerCertificate => {
    const { certFile } = signer.sign(file, subject)
    const raw = new X509Certificate(readFileSync(certFile)).raw
    const [commonName = "", ...rest] = subject.split("/O=")
    return { commonName, organizations: rest, raw }
  }
  const ca = new CertificateAuthorities(readFileSync(authority.caFile, "utf8"))

  it("takes CN as the user and O as its groups, and answers the same user object again", () => {
    const way = clientCertificates(ca, () => Date.now())
    const authenticator = new Authenticator({ ways: [way], anonymous: false })
    const certificate = peer("alice", "alice/O=dev/O=ops")
    const [first, second] = [1, 2].map(() => authenticator.authenticate(credentials([], certificate)))
    assert(first !== undefined && !(first instanceof Rejected) && second !== undefined && !(second instanceof Rejected))
    assert.strictEqual(first.user.name, "alice")
    assert.deepStrictEqual(first.user.groups, ["dev", "ops", "system:authenticated"])
    assert.match(
      first.user.extra?.["authentication.kubernetes.io/credential-id"]?.[0] ?? "",
      /^X509SHA256=[0-9a-f]{64}$/
    )
    assert.strictEqual(first.user, second.user)
  })

  it("refuses strangers, expired certificates and those without a name", () => {
    // The clock is read after the certificate is made, or a new second would make it one of the future.
    const certificate = peer("bob", "bob")
    const now = { ms: Date.now() }
    const way = clientCertificates(ca, () => now.ms)
    assert.match(nameOf(way.authenticate(credentials([], peer("eve", "eve", stranger)))), /^rejected/)
    assert.strictEqual(nameOf(way.authenticate(credentials([], certificate))), "bob")
    now.ms += 200 * 365 * 86_400_000
    assert.match(nameOf(way.authenticate(credentials([], certificate))), /^rejected.*expired/)
  })

  it("believes a proxy only with a certificate of the front-proxy authority and an allowed name", () => {
    const way = requestHeaders({ ...USUAL_REQUEST_HEADERS, authorities: ca, allowedNames: ["proxy"] }, () => Date.now())
    const fields: HttpFields = [
      ["x-remote-user", "carol"],
      ["x-remote-group", "a"],
      ["x-remote-group", "b"],
      ["x-remote-extra-acme.com%2Fproject", "one"],
      ["x-remote-uid", "42"]
    ]
    const answer = way.authenticate(credentials(fields, peer("proxy", "proxy")))
    assert(answer !== undefined && !(answer instanceof Rejected))
    assert.deepStrictEqual(answer.user, {
      name: "carol",
      uid: "42",
      groups: ["a", "b"],
      extra: { "acme.com/project": ["one"] }
    })
    assert.strictEqual(way.authenticate(credentials(fields)), undefined)
    assert.match(nameOf(way.authenticate(credentials(fields, peer("other", "other")))), /not in the allowed list/)
    assert.match(nameOf(way.authenticate(credentials(fields, peer("liar", "proxy", stranger)))), /^rejected/)
  })
})

describe("static tokens", () => {
  it("reads users, uids and groups", () => {
    const tokens = staticTokens('t1,alice,1,"dev,ops"\nt2,bob,2\n\n"t""3",eve,3,\n')
    const alice = tokens.authenticateToken("t1", [])
    assert(alice !== undefined && !(alice instanceof Rejected))
    assert.deepStrictEqual(alice.user, { name: "alice", uid: "1", groups: ["dev", "ops"] })
    assert.deepStrictEqual(
      ["t2", 't"3', "t4"].map((token) => nameOf(tokens.authenticateToken(token, []))),
      ["bob", "eve", "nobody"]
    )
  })

  it("names the line of a bad record, never its token", () => {
    for (const text of ["ok,a,b\nhidden,alice", 'ok,a,b\n"hidden,alice,3']) {
      assert.throws(() => staticTokens(text), /line 2/)
      try {
        staticTokens(text)
      } catch (error) {
        assert.notInclude(String(error), "hidden")
      }
    }
  })
})

describe("bootstrap tokens", () => {
  const token = { "token-id": "abcdef", "token-secret": "0123456789abcdef", "usage-bootstrap-authentication": "true" }
  const put = (api: FakeApi, fields: Record<string, string>, type = "bootstrap.kubernetes.io/token"): void =>
    void api.put("secrets", object("Secret", "kube-system", "bootstrap-token-abcdef", { type, data: data(fields) }))

  it("takes a live secret of kube-system and its groups", () => {
    const api = new FakeApi()
    const tokens = bootstrapTokens(api.view("", "secrets"), () => api.now)
    put(api, { ...token, "auth-extra-groups": "system:bootstrappers:z,system:bootstrappers:b" })
    const answer = tokens.authenticateToken("abcdef.0123456789abcdef", [])
    assert(answer !== undefined && !(answer instanceof Rejected))
    assert.deepStrictEqual(answer.user, {
      name: "system:bootstrap:abcdef",
      groups: ["system:bootstrappers", "system:bootstrappers:b", "system:bootstrappers:z"]
    })
    for (const wrong of ["abcdef.0123456789abcdeg", "abcdeg.0123456789abcdef", "abcdef", "ABCDEF.0123456789abcdef"])
      assert.strictEqual(nameOf(tokens.authenticateToken(wrong, [])), "nobody")
  })

  it("refuses what is expired, of another type, not for authentication, or has odd groups", () => {
    const api = new FakeApi()
    const tokens = bootstrapTokens(api.view("", "secrets"), () => api.now)
    const known = (fields: Record<string, string>, type?: string): string => {
      put(api, fields, type)
      return nameOf(tokens.authenticateToken("abcdef.0123456789abcdef", []))
    }
    assert.strictEqual(known({ ...token, expiration: "2040-01-01T00:00:00Z" }), "system:bootstrap:abcdef")
    assert.strictEqual(known({ ...token, expiration: "2020-01-01T00:00:00Z" }), "nobody")
    assert.strictEqual(known({ ...token, expiration: "soon" }), "nobody")
    assert.strictEqual(known(token, "Opaque"), "nobody")
    assert.strictEqual(known({ ...token, "usage-bootstrap-authentication": "yes" }), "nobody")
    assert.strictEqual(known({ ...token, "auth-extra-groups": "system:masters" }), "nobody")
  })
})

describe("service-account tokens", () => {
  it("are bound to nothing when the request says null, as Go clients do", () => {
    const { issue, tokens } = world()
    const answer = tokens.authenticateToken(issue({ boundObjectRef: null }), [issuer])
    assert(answer !== undefined && !(answer instanceof Rejected))
    assert.strictEqual(answer.user.name, "system:serviceaccount:default:robot")
  })

  it("are issued for a pod and know its node", () => {
    const { issue, tokens } = world()
    const reference = { apiVersion: "v1", kind: "Pod", name: "p" }
    const token = issue({ audiences: [], expirationSeconds: 3607, boundObjectRef: reference })
    const answer = tokens.authenticateToken(token, [issuer])
    assert(answer !== undefined && !(answer instanceof Rejected))
    assert.strictEqual(answer.user.name, "system:serviceaccount:default:robot")
    assert.strictEqual(answer.user.uid, "uid-serviceaccounts-default-robot")
    assert.deepStrictEqual(answer.user.groups, ["system:serviceaccounts", "system:serviceaccounts:default"])
    const { "authentication.kubernetes.io/credential-id": id, ...extra } = answer.user.extra ?? {}
    assert.match(id?.[0] ?? "", /^JTI=[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    assert.deepStrictEqual(extra, {
      "authentication.kubernetes.io/node-name": ["n1"],
      "authentication.kubernetes.io/node-uid": ["uid-nodes--n1"],
      "authentication.kubernetes.io/pod-name": ["p"],
      "authentication.kubernetes.io/pod-uid": ["uid-pods-default-p"]
    })
    const claims = parseJwt(token)?.claims
    // Pod-bound tokens for us live a year, and warn after what was asked for.
    assert.strictEqual((claims?.exp ?? 0) - (claims?.iat ?? 0), 365 * 86_400)
  })

  it("end with their time, and with what they are bound to", () => {
    const { api, issue, tokens } = world()
    const known = (token: string, audiences = [issuer]): string => nameOf(tokens.authenticateToken(token, audiences))
    const robot = "system:serviceaccount:default:robot"
    const bound = (kind: string, name: string): string =>
      issue({ expirationSeconds: 600, boundObjectRef: { apiVersion: "v1", kind, name } })
    const [plain, pod, secret, node] = [
      issue({ expirationSeconds: 600 }),
      bound("Pod", "p"),
      bound("Secret", "s"),
      bound("Node", "n1")
    ]
    assert.deepStrictEqual(
      [plain, pod, secret, node].map((token) => known(token)),
      [robot, robot, robot, robot]
    )
    api.remove("", "pods", "default", "p")
    api.put(
      "secrets",
      object("Secret", "default", "s", { metadata: { name: "s", namespace: "default", uid: "another" } })
    )
    api.remove("", "nodes", "", "n1")
    assert.deepStrictEqual(
      [plain, pod, secret, node].map((token) => known(token)),
      [
        robot,
        "rejected: service account token has been invalidated",
        "rejected: secret UID (another) does not match service account secret ref claim (uid-secrets-default-s)",
        "rejected: service account token has been invalidated"
      ]
    )
    assert.strictEqual(
      known(plain, ["elsewhere"]),
      `rejected: token audiences ["${issuer}"] is invalid for the target audiences ["elsewhere"]`
    )
    const issued = api.now
    api.now = issued + 661_000
    assert.strictEqual(known(plain), "rejected: service account token has expired")
    api.now = issued - 61_000
    assert.strictEqual(known(plain), "rejected: service account token is not valid yet")
    api.now = issued
    api.remove("", "serviceaccounts", "default", "robot")
    assert.strictEqual(known(plain), 'rejected: serviceaccounts "robot" not found')
  })

  it("are refused when anything in them was changed", () => {
    const { issue, tokens } = world()
    const token = issue({ expirationSeconds: 600 })
    const [head = "", body = "", signature = ""] = token.split(".")
    const claims = JSON.parse(Buffer.from(body, "base64url").toString())
    const forged = Buffer.from(JSON.stringify({ ...claims, sub: "system:serviceaccount:kube-system:root" })).toString(
      "base64url"
    )
    assert.match(
      nameOf(tokens.authenticateToken(`${head}.${forged}.${signature}`, [issuer])),
      /^rejected: invalid signature/
    )
    const none = Buffer.from(JSON.stringify({ alg: "none" })).toString("base64url")
    assert.match(nameOf(tokens.authenticateToken(`${none}.${body}.`, [issuer])), /^rejected/)
    for (const text of ["", "a", "a.b", "a.b.c", `${head}.${body}`, "x".repeat(20_000)])
      assert.strictEqual(nameOf(tokens.authenticateToken(text, [issuer])), "nobody")
    const other = signJwt(claims, signingKey(newSigningKeyPem("ec")))
    assert.match(nameOf(tokens.authenticateToken(other, [issuer])), /^rejected/)
    assert.strictEqual(
      nameOf(tokens.authenticateToken(signJwt({ ...claims, iss: "https://else" }, key), [issuer])),
      "nobody"
    )
  })

  it("of the older kind hold while their secret holds them", () => {
    const { api, tokens } = world()
    const legacy = (name: string): string => `kubernetes.io/serviceaccount/${name}`
    const token = signJwt(
      {
        iss: "kubernetes/serviceaccount",
        sub: "system:serviceaccount:default:robot",
        [legacy("namespace")]: "default",
        [legacy("secret.name")]: "robot-token",
        [legacy("service-account.name")]: "robot",
        [legacy("service-account.uid")]: "uid-serviceaccounts-default-robot"
      },
      key
    )
    const known = (): string => nameOf(tokens.authenticateToken(token, [issuer]))
    assert.strictEqual(known(), "rejected: Token has been invalidated")
    api.put("secrets", object("Secret", "default", "robot-token", { data: data({ token }) }))
    assert.strictEqual(known(), "system:serviceaccount:default:robot")
    api.put("secrets", object("Secret", "default", "robot-token", { data: data({ token: "another" }) }))
    assert.strictEqual(known(), "rejected: Token does not match server's copy")
  })

  it("are not issued against the rules", () => {
    const { ask } = world()
    const failure = (said: ApiAnswer | ApiFailure): string =>
      said instanceof ApiFailure ? `${said.code} ${said.message}` : "issued"
    const bound = (kind: string, name: string, uid?: string, apiVersion = "v1") =>
      failure(ask({ boundObjectRef: { apiVersion, kind, name, ...(uid === undefined ? {} : { uid }) } }))
    assert.strictEqual(
      failure(ask({ expirationSeconds: 599 })),
      '422 TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: 599: may not specify a duration less than 10 minutes'
    )
    assert.strictEqual(failure(ask({}, {}, "nobody")), '404 serviceaccounts "nobody" not found')
    assert.strictEqual(bound("Pod", "missing"), '404 pods "missing" not found')
    assert.match(bound("Pod", "p", "other"), /^409 .*does not match the UID in record/)
    assert.strictEqual(bound("ConfigMap", "p"), "400 cannot bind token to object of type /v1, Kind=ConfigMap")
    assert.match(failure(ask({}, { uid: "other" })), /^409 /)
    assert.match(failure(ask({}, { name: "else" })), /^422 /)
    assert.strictEqual(bound("Node", "n1"), "issued")
  })
})

describe("keys", () => {
  it("sign and verify any claims, by each algorithm, and only with their own key", () => {
    const pems = [
      newSigningKeyPem("rsa"),
      newSigningKeyPem("ec"),
      ...["P-384", "P-521"].map(
        (namedCurve) =>
          generateKeyPairSync("ec", {
            namedCurve,
            publicKeyEncoding: { type: "spki", format: "pem" },
            privateKeyEncoding: { type: "sec1", format: "pem" }
          }).privateKey
      )
    ]
    const keys = pems.map(signingKey)
    assert.deepStrictEqual(
      keys.map(({ algorithm }) => algorithm),
      ["RS256", "ES256", "ES384", "ES512"]
    )
    fc.assert(
      fc.property(fc.nat(3), fc.dictionary(fc.string({ minLength: 1 }), fc.jsonValue()), (at, claims) => {
        const token = signJwt(claims, keys[at])
        const jwt = parseJwt(token)!
        assert.deepEqual(jwt.claims, JSON.parse(JSON.stringify(claims)))
        assert.isTrue(isSignedBy(jwt, keys))
        assert.isFalse(
          isSignedBy(
            jwt,
            keys.filter((_key, index) => index !== at)
          )
        )
      }),
      { numRuns: 100 }
    )
  })

  it("are told to the world without their private parts", () => {
    const pem = newSigningKeyPem("rsa") + newSigningKeyPem("ec")
    const keys = verifyingKeys(pem)
    const set = jsonWebKeySet(keys).keys as ReadonlyArray<Record<string, string>>
    assert.deepStrictEqual(
      set.map((entry) => Object.keys(entry).sort()),
      [
        ["alg", "e", "kid", "kty", "n", "use"],
        ["alg", "crv", "kid", "kty", "use", "x", "y"]
      ]
    )
    assert.deepStrictEqual(openIdConfiguration(issuer, `${issuer}/openid/v1/jwks`, keys), {
      issuer,
      jwks_uri: `${issuer}/openid/v1/jwks`,
      response_types_supported: ["id_token"],
      subject_types_supported: ["public"],
      id_token_signing_alg_values_supported: ["ES256", "RS256"]
    })
    for (const bad of ["", "-----BEGIN PRIVATE KEY-----\nsecretstuff\n-----END PRIVATE KEY-----\n"]) {
      assert.throws(() => verifyingKeys(bad), TypeError)
      assert.throws(() => signingKey(bad), /no private key/)
    }
  })
})

describe("the whole of authentication", () => {
  const { api, issue, tokens } = world()
  const all = unionOfTokens([
    staticTokens("secret,alice,1\n"),
    tokens,
    bootstrapTokens(api.view("", "secrets"), () => api.now)
  ])
  const authenticator = new Authenticator({
    ways: [bearerTokens(all, [issuer])],
    anonymous: (path) => path === "/livez"
  })

  it("asks in order, refuses bad proofs even where anonymous is let in", () => {
    const who = (given: Credentials, path?: string): string => nameOf(authenticator.authenticate(given, path))
    assert.strictEqual(who(withToken("secret")), "alice")
    assert.strictEqual(who(credentials([["authorization", "bearer secret"]])), "alice")
    assert.strictEqual(who(withToken(issue({}))), "system:serviceaccount:default:robot")
    assert.strictEqual(who(withToken("wrong"), "/livez"), "rejected: invalid bearer token")
    assert.strictEqual(who(credentials([]), "/livez"), "system:anonymous")
    assert.strictEqual(who(credentials([]), "/api"), "rejected: no credentials provided")
    const inSocket = `v4.channel.k8s.io, base64url.bearer.authorization.k8s.io.${Buffer.from("secret").toString("base64url")}`
    assert.strictEqual(who(credentials([["sec-websocket-protocol", inSocket]])), "alice")
  })

  it("answers reviews", () => {
    const said: Array<unknown> = []
    const review = (action: typeof selfSubjectReview, spec?: KubeObject["spec"]): unknown => {
      const request: ApiRequest = {
        verb: "create",
        resource: { group: "authentication.k8s.io", version: "v1", resource: "reviews" },
        subresource: "",
        namespace: "",
        name: "",
        user: { name: "alice", groups: ["dev"], extra: { a: ["b"] } },
        options: {},
        body: {
          apiVersion: "authentication.k8s.io/v1",
          kind: "Review",
          metadata: {},
          ...(spec === undefined ? {} : { spec })
        }
      }
      action({ api, clockwork: api.clockwork }, request, (answer) =>
        said.push(answer instanceof ApiFailure ? answer.message : answer.kind === "object" && answer.held.object.status)
      )
      return said.at(-1)
    }
    const ask = tokenReview(tokensForReview(all), [issuer])
    assert.deepStrictEqual(review(ask, { token: "secret" }), {
      authenticated: true,
      user: { username: "alice", uid: "1", groups: ["system:authenticated"] },
      audiences: [issuer]
    })
    assert.deepStrictEqual(review(ask, { token: "wrong" }), { user: {}, error: "invalid bearer token" })
    assert.strictEqual(review(ask, {}), "token is required for TokenReview in authentication")
    assert.deepStrictEqual(review(selfSubjectReview), {
      userInfo: { username: "alice", groups: ["dev"], extra: { a: ["b"] } }
    })
  })
})
