// A front on fakes: one call in, one exchange out.
import { ApiFailure } from "#kube"
import type { UserInfo } from "#apiserver"
import { type FrontAuthenticator, type FrontOptions, makeFront } from "../../../core/apiserver/http/Front.ts"
import { FakeApi, fakeDefinition } from "./FakeApi.ts"
import { FakeClockwork, FakeExchange, type FakeRequest } from "./FakeExchange.ts"

export const admin: UserInfo = { name: "admin", groups: ["system:masters", "system:authenticated"] }
export const bob: UserInfo = { name: "bob", groups: ["system:authenticated"] }

const tokens: Readonly<Record<string, UserInfo>> = { admin, bob }

/** Users by bearer token; no token is the admin. */
const authenticator: FrontAuthenticator = {
  authenticate: (exchange, done) => {
    const token = exchange.header("authorization")?.slice("Bearer ".length)
    if (token === "broken")
      done(new ApiFailure({ kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", code: 503 }))
    else done(token === undefined ? admin : tokens[token])
  }
}

export const definitions = () => [
  fakeDefinition("configmaps", "ConfigMap", { shortNames: ["cm"] }),
  fakeDefinition("pods", "Pod", { categories: ["all"] }),
  fakeDefinition("namespaces", "Namespace", { namespaced: false }),
  fakeDefinition("deployments", "Deployment", {
    group: "apps",
    subresources: new Map([
      ["status", { type: "status" }],
      ["scale", { type: "scale", specReplicasPath: ".spec.replicas", statusReplicasPath: ".status.replicas" }]
    ])
  })
]

export const makeRig = (options: Partial<FrontOptions> = {}) => {
  const clockwork = new FakeClockwork()
  const api = new FakeApi(clockwork, definitions())
  const defects: Array<unknown> = []
  const front = makeFront({
    api,
    authenticator,
    authorizer: { authorize: ({ user }) => ({ allowed: user.groups.includes("system:masters"), reason: "" }) },
    onDefect: (defect) => void defects.push(defect),
    ...options
  })
  /** Starts a request and lets everything run that is due. */
  const send = (method: string, path: string, request: FakeRequest = {}): FakeExchange => {
    const exchange = new FakeExchange(method, path, request)
    front.handler(exchange)
    clockwork.run()
    return exchange
  }
  const json = (method: string, path: string, body: unknown, headers: Readonly<Record<string, string>> = {}) =>
    send(method, path, {
      headers: { "content-type": "application/json", ...headers },
      body: typeof body === "string" ? body : JSON.stringify(body)
    })
  return { api, clockwork, defects, front, json, send }
}
