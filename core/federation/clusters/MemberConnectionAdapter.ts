// The way to a real member over HTTP, with the credentials of its Secret in KubeAdmiral's keys.
// Owns the reading of both and the connection's life; refuses retries and bounds, which MemberClient.ts has.
import { Effect, Exit, Scope } from "effect"
import { fieldsOf, mapOf, textOf } from "#apiserver"
import {
  anonymous,
  ApiFailure,
  type Done,
  Failures,
  httpClient,
  type HttpKubeApi,
  type KubeAccess,
  type KubeObject,
  type PemSource
} from "#kube"
import { DISCOVERY_ACCEPT, sortedTypes, typesOfDiscovery } from "./Discovery.ts"
import type { ConnectMember, MemberConnection, ServedType } from "./MemberConnection.ts"

/** Keys of a member's Secret. */
export const memberSecretKeys = {
  authority: "certificate-authority-data",
  certificate: "client-certificate-data",
  key: "client-key-data",
  token: "bootstrap-token-data",
  serviceAccountToken: "service-account-token-data"
} as const

const PROBE_MS = 10_000

const decoded = (secret: KubeObject, key: string): string | undefined => {
  const value = mapOf(secret["data"])[key]
  return value === undefined || value === "" ? undefined : Buffer.from(value, "base64").toString("utf8")
}

const pem = (text: string | undefined): PemSource | undefined => (text === undefined ? undefined : { text })

/** How the member is reached, and as whom: its own service account where it has one and is to use it. */
export const memberAccess = (cluster: KubeObject, secret: KubeObject): KubeAccess | ApiFailure => {
  const spec = fieldsOf(cluster.spec)
  const endpoint = textOf(spec["apiEndpoint"])
  const server = /^https?:\/\//.test(endpoint) ? endpoint : `https://${endpoint}`
  if (!URL.canParse(server)) return Failures.badRequest("spec.apiEndpoint: must be a URL or HOST:PORT")
  const own = spec["useServiceAccount"] === true ? decoded(secret, memberSecretKeys.serviceAccountToken) : undefined
  const user =
    own === undefined
      ? {
          ...anonymous,
          certificate: pem(decoded(secret, memberSecretKeys.certificate)),
          key: pem(decoded(secret, memberSecretKeys.key)),
          token: decoded(secret, memberSecretKeys.token)
        }
      : { ...anonymous, token: own }
  return {
    cluster: {
      server,
      tlsServerName: undefined,
      insecureSkipTlsVerify: spec["insecure"] === true,
      certificateAuthority: spec["insecure"] === true ? undefined : pem(decoded(secret, memberSecretKeys.authority)),
      proxyUrl: undefined
    },
    user,
    namespace: "default"
  }
}

const parsed = (answer: string | ApiFailure): ReadonlyArray<ServedType> | ApiFailure => {
  if (answer instanceof ApiFailure) return answer
  try {
    return typesOfDiscovery(answer) ?? Failures.generic(406, "NotAcceptable", "the member has no aggregated discovery")
  } catch {
    return Failures.generic(502, "BadGateway", "the member's discovery is not JSON")
  }
}

const discover = (api: HttpKubeApi, done: Done<ReadonlyArray<ServedType>>): void =>
  api.page("/api", DISCOVERY_ACCEPT, (core) => {
    const first = parsed(core)
    if (first instanceof ApiFailure) return done(first)
    api.page("/apis", DISCOVERY_ACCEPT, (groups) => {
      const second = parsed(groups)
      done(second instanceof ApiFailure ? second : sortedTypes([...first, ...second]))
    })
  })

/** Connects to real members; nothing is sent before the first call. */
export const connectMember: ConnectMember = (cluster, secret) => {
  const access = memberAccess(cluster, secret)
  if (access instanceof ApiFailure) return access
  const scope = Scope.makeUnsafe()
  const open = (requestTimeoutMs: number): HttpKubeApi =>
    Effect.runSync(
      httpClient({ access, userAgent: "kubewharf-federation", requestTimeoutMs }).pipe(
        Effect.provideService(Scope.Scope, scope)
      )
    )
  const api = open(30_000)
  // Its own connection: a probe must not wait behind what it is to judge.
  const prober = open(PROBE_MS)
  const connection: MemberConnection = {
    client: api,
    probe: (done) => prober.page("/readyz", "*/*", (answer) => done(answer instanceof ApiFailure ? answer : true)),
    types: (done) => discover(prober, done),
    close: () => Effect.runSync(Scope.close(scope, Exit.void))
  }
  return connection
}
