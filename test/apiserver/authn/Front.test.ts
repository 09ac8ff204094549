// Identity as a client meets it: through the HTTP front, on a server with everything in place.
import { assert, describe, it } from "vitest"
import {
  Authenticator,
  bearerTokens,
  frontAuthenticator,
  NodeAuthorizer,
  openIdPaths,
  reviewDefinitions,
  ServiceAccountTokens,
  signingKey,
  staticTokens,
  tokenRequest,
  tokensForReview,
  unionOfTokens,
  usualChain,
  withTokenRequest
} from "#apiserver"
import { newSigningKeyPem } from "../../../core/apiserver/authn/SigningKeysAdapter.ts"
import { makeFront } from "../../../core/apiserver/http/Front.ts"
import { AdmittedWorld, namespace, pod, thing } from "../admission/AdmittedWorld.ts"
import { FakeExchange } from "../http/FakeExchange.ts"

const issuer = "https://kubernetes.default.svc.cluster.local"

const rig = () => {
  const world = new AdmittedWorld()
  const { server } = world
  const key = signingKey(newSigningKeyPem("ec"))
  const apiAudiences = [issuer]
  const accounts = new ServiceAccountTokens(server, { keys: [key], issuers: [issuer], apiAudiences })
  const users =
    'root-token,root,1,"system:masters"\nalice-token,alice,2,"dev"\nn1-token,system:node:n1,3,"system:nodes"\n'
  const tokens = unionOfTokens([staticTokens(users), accounts])
  const authorizer = usualChain(world.rbac, new NodeAuthorizer(server))
  const { definitions } = server
  definitions.register(
    withTokenRequest(definitions.find("", "v1", "serviceaccounts")!, tokenRequest({ issuer, key, apiAudiences }))
  )
  for (const one of reviewDefinitions({ authorizer, rbac: world.rbac, tokens: tokensForReview(tokens), apiAudiences }))
    definitions.register(one)
  const front = makeFront({
    api: server,
    authenticator: frontAuthenticator(
      new Authenticator({ ways: [bearerTokens(tokens, apiAudiences)], anonymous: true })
    ),
    authorizer,
    extraPaths: openIdPaths(issuer, "https://127.0.0.1:6443", [key]),
    onDefect: (defect) => {
      throw defect
    }
  })
  const ask = (
    token: string,
    method: string,
    path: string,
    body?: object
  ): { status: number; body: ReturnType<typeof JSON.parse> } => {
    const headers = {
      ...(token === "" ? {} : { authorization: `Bearer ${token}` }),
      "content-type": "application/json"
    }
    const exchange = new FakeExchange(method, path, {
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) })
    })
    front.handler(exchange)
    world.clockwork.pass(1)
    return { status: exchange.status, body: JSON.parse(Buffer.concat(exchange.chunks).toString()) }
  }
  return { world, ask }
}

describe("identity through the front", () => {
  it("knows who asks, refuses whom it does not, and says what was not allowed", () => {
    const { ask } = rig()
    const self = { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" }
    const who = (token: string) => ask(token, "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", self)
    assert.deepStrictEqual(who("alice-token").body.status.userInfo, {
      username: "alice",
      uid: "2",
      groups: ["dev", "system:authenticated"]
    })
    assert.deepInclude(who("wrong").body, { code: 401, reason: "Unauthorized", message: "Unauthorized" })
    assert.deepInclude(ask("alice-token", "GET", "/api/v1/namespaces/default/pods").body, {
      code: 403,
      message: 'pods is forbidden: User "alice" cannot list resource "pods" in API group "" in the namespace "default"'
    })
    assert.deepInclude(ask("", "GET", "/api/v1/nodes/n1").body, {
      code: 403,
      message:
        'nodes "n1" is forbidden: User "system:anonymous" cannot get resource "nodes" in API group "" at the cluster scope'
    })
  })

  it("issues a token that acts as its account, as far as its roles go", () => {
    const { ask, world } = rig()
    const request = {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenRequest",
      spec: { audiences: [], expirationSeconds: 600 }
    }
    const issued = ask("root-token", "POST", "/api/v1/namespaces/default/serviceaccounts/default/token", request)
    assert.strictEqual(issued.status, 201, JSON.stringify(issued.body))
    const { token } = issued.body.status
    assert.strictEqual(ask(token, "GET", "/api/v1/namespaces/default/pods").status, 403)
    const subjects = [{ kind: "ServiceAccount", name: "default", namespace: "default" }]
    const roleRef = {
      apiGroup: "rbac.authorization.k8s.io",
      kind: "ClusterRole",
      name: "system:controller:replicaset-controller"
    }
    world.make(
      "rolebindings",
      thing("rbac.authorization.k8s.io/v1", "RoleBinding", "b", { subjects, roleRef }, "default")
    )
    assert.strictEqual(ask(token, "GET", "/api/v1/namespaces/default/pods").status, 200)
    assert.strictEqual(ask(token, "GET", "/api/v1/namespaces/kube-system/pods").status, 403)
    const review = {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SelfSubjectAccessReview",
      spec: { resourceAttributes: { verb: "list", resource: "pods", namespace: "default" } }
    }
    const may = ask(token, "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
    assert.deepStrictEqual(may.body.status, {
      allowed: true,
      reason:
        'RBAC: allowed by RoleBinding "b/default" of ClusterRole "system:controller:replicaset-controller" to ServiceAccount "default/default"'
    })
    const told = ask("root-token", "POST", "/apis/authentication.k8s.io/v1/tokenreviews", {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenReview",
      spec: { token }
    })
    assert.strictEqual(told.body.status.user.username, "system:serviceaccount:default:default")
    world.remove("serviceaccounts", "default", "default")
    assert.strictEqual(ask(token, "GET", "/api/v1/namespaces/default/pods").status, 401)
  })

  it("lets a node read its own pods and no others", () => {
    const { ask, world } = rig()
    world.make("namespaces", namespace("a"))
    world.make("pods", pod("mine", { nodeName: "n1" }))
    world.make("pods", pod("theirs", { nodeName: "n2" }))
    assert.strictEqual(ask("n1-token", "GET", "/api/v1/namespaces/default/pods/mine").status, 200)
    assert.strictEqual(ask("n1-token", "GET", "/api/v1/namespaces/default/pods/theirs").status, 403)
    assert.strictEqual(ask("n1-token", "GET", "/api/v1/pods?fieldSelector=spec.nodeName%3Dn1").status, 200)
    assert.match(
      ask("n1-token", "GET", "/api/v1/pods").body.message,
      /node: can only list\/watch pods with spec\.nodeName field selector$/
    )
  })

  it("tells the world its keys", () => {
    const { ask } = rig()
    const { body } = ask("root-token", "GET", "/.well-known/openid-configuration")
    assert.deepInclude(body, { issuer, jwks_uri: "https://127.0.0.1:6443/openid/v1/jwks" })
    assert.strictEqual(ask("root-token", "GET", "/openid/v1/jwks").body.keys[0].alg, "ES256")
  })
})
