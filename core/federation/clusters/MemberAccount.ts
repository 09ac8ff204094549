// The account that a federation has in a member where it is told to use one of its own: what it may do there, and the token by which
// it is known, renewed long before it ends.
// Owns account, role, binding and token; refuses to judge when, which the cluster controller does. The token is written nowhere but into
// the host's Secret.
import { Effect } from "effect"
import { fieldsOf, mapOf, textOf } from "#apiserver"
import {
  type ApiFailure,
  type EffectClient,
  Failures,
  gvr,
  type Json,
  type JsonObject,
  type KubeObject,
  sameJson
} from "#kube"
import { SYSTEM_NAMESPACE } from "../api/FederationNames.ts"
import type { TypeConfig } from "../api/TypeConfig.ts"
import { ensure, find, MANAGER, patchRead } from "../HostCalls.ts"
import { memberSecretKeys } from "./MemberConnectionAdapter.ts"

const serviceAccounts = gvr("", "v1", "serviceaccounts")
const clusterRoles = gvr("rbac.authorization.k8s.io", "v1", "clusterroles")
const clusterRoleBindings = gvr("rbac.authorization.k8s.io", "v1", "clusterrolebindings")

const ACCOUNT = "kubeadmiral-member"
const ROLE = "kubeadmiral-member"
const RBAC = "rbac.authorization.k8s.io"
/** How long a token is asked to hold; members may give less. A third of that is used, so that a host may be away for weeks. */
const TOKEN_SECONDS = 30 * 86_400
const USED_SHARE = 1 / 3

const account = { resource: serviceAccounts, namespace: SYSTEM_NAMESPACE, name: ACCOUNT }
const clusterWide = (resource: ReturnType<typeof gvr>, name: string) => ({ resource, namespace: "", name })

const READS = ["get", "list", "watch"]
const WRITES = [...READS, "create", "update", "patch", "delete"]

/**
 * What is read of a member beside what is federated: its room, its pods, what its autoscalers measure, endpoints of its services, and what
 * its controllers tell of our copies.
 */
const READ: ReadonlyArray<readonly [group: string, ...resources: ReadonlyArray<string>]> = [
  ["", "events", "nodes", "pods"],
  ["apps", "replicasets"],
  ["discovery.k8s.io", "endpointslices"],
  ["metrics.k8s.io", "*"],
  ["custom.metrics.k8s.io", "*"],
  ["external.metrics.k8s.io", "*"]
]

/** Who writes these must be allowed to give rights that it has not itself. */
const GIVES: ReadonlySet<string> = new Set(["roles", "clusterroles"])

/**
 * The rules of the account: every federated type, what is read beside, its own namespace and token, and this very role. By the last one
 * a type that is federated later gets its rule without anybody's hand; an administrator who takes it out has bounded the account for good.
 */
export const memberRules = (types: ReadonlyArray<Pick<TypeConfig, "type">>): ReadonlyArray<JsonObject> => {
  const groups = new Map<string, Set<string>>()
  for (const { type } of types) {
    const known = groups.get(type.group)
    if (known === undefined) groups.set(type.group, new Set([type.resource]))
    else known.add(type.resource)
  }
  const federated = [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([group, resources]): ReadonlyArray<JsonObject> => {
      const rule: JsonObject = { apiGroups: [group], resources: [...resources].sort(), verbs: WRITES }
      const giving = group === RBAC ? [...resources].filter((resource) => GIVES.has(resource)).sort() : []
      return giving.length === 0
        ? [rule]
        : [rule, { apiGroups: [RBAC], resources: giving, verbs: ["bind", "escalate"] }]
    })
  return [
    ...federated,
    ...READ.map(([group, ...resources]): JsonObject => ({
      apiGroups: [group],
      resources: [...resources],
      verbs: READS
    })),
    { apiGroups: [""], resources: ["namespaces"], resourceNames: [SYSTEM_NAMESPACE], verbs: ["get", "delete"] },
    { apiGroups: [""], resources: ["serviceaccounts/token"], resourceNames: [ACCOUNT], verbs: ["create"] },
    {
      apiGroups: [RBAC],
      resources: ["clusterroles"],
      resourceNames: [ROLE],
      verbs: ["get", "update", "patch", "escalate"]
    },
    { nonResourceURLs: ["/readyz", "/version", "/api", "/api/*", "/apis", "/apis/*"], verbs: ["get"] }
  ]
}

const roleOf = (rules: ReadonlyArray<JsonObject>): KubeObject => ({
  apiVersion: `${RBAC}/v1`,
  kind: "ClusterRole",
  metadata: { name: ROLE },
  rules: [...rules]
})

/** The role as these types ask for; written only where it differs. */
const keepRole = (member: EffectClient, rules: ReadonlyArray<JsonObject>): Effect.Effect<void, ApiFailure> =>
  Effect.gen(function* () {
    // Asked first: an account of ours may change its role and not make one.
    const role =
      (yield* find(member, clusterWide(clusterRoles, ROLE))) ??
      (yield* ensure(member, clusterWide(clusterRoles, ROLE), roleOf(rules)))
    if (sameJson(role["rules"] as Json, [...rules])) return
    yield* member.patch(
      clusterWide(clusterRoles, ROLE),
      { type: "merge", body: { metadata: { resourceVersion: role.metadata.resourceVersion }, rules: [...rules] } },
      MANAGER
    )
  })

const freshToken = (member: EffectClient): Effect.Effect<string, ApiFailure> =>
  Effect.gen(function* () {
    const asked = yield* member.create(
      { ...account, subresource: "token" },
      {
        apiVersion: "authentication.k8s.io/v1",
        kind: "TokenRequest",
        metadata: {},
        spec: { expirationSeconds: TOKEN_SECONDS }
      }
    )
    const token = textOf(fieldsOf(asked.status)["token"])
    return token === "" ? yield* Effect.fail(Failures.unavailable("the member has given no token")) : token
  })

const keepToken = (host: EffectClient, target: SecretTarget, secret: KubeObject, token: string) =>
  patchRead(host, target, secret, {
    data: { [memberSecretKeys.serviceAccountToken]: Buffer.from(token).toString("base64") }
  })

type SecretTarget = Parameters<EffectClient["get"]>[0]

/** The moments of a token, in milliseconds since the epoch; undefined for what is no token with an end. */
const lifeOf = (token: string): { readonly fromMs: number; readonly toMs: number } | undefined => {
  try {
    const claims = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8")) as {
      readonly iat?: unknown
      readonly exp?: unknown
    }
    const { exp, iat } = claims
    return typeof exp === "number" && typeof iat === "number" ? { fromMs: iat * 1000, toMs: exp * 1000 } : undefined
  } catch {
    return undefined
  }
}

/** Whether a token has been used for long enough. */
export const isTokenWorn = (token: string, nowMs: number): boolean => {
  const life = lifeOf(token)
  return life !== undefined && nowMs > life.fromMs + (life.toMs - life.fromMs) * USED_SHARE
}

/** Makes the account with its role, by whoever the member is reached as now, and puts its first token into the host's Secret. */
export const makeAccount = (
  host: EffectClient,
  member: EffectClient,
  types: ReadonlyArray<TypeConfig>,
  { secret, target }: { readonly target: SecretTarget; readonly secret: KubeObject }
): Effect.Effect<void, ApiFailure> =>
  Effect.gen(function* () {
    yield* ensure(member, account, {
      apiVersion: "v1",
      kind: "ServiceAccount",
      metadata: { name: ACCOUNT, namespace: SYSTEM_NAMESPACE }
    })
    yield* keepRole(member, memberRules(types))
    yield* ensure(member, clusterWide(clusterRoleBindings, ROLE), {
      apiVersion: `${RBAC}/v1`,
      kind: "ClusterRoleBinding",
      metadata: { name: ROLE },
      roleRef: { apiGroup: RBAC, kind: "ClusterRole", name: ROLE },
      subjects: [{ kind: "ServiceAccount", name: ACCOUNT, namespace: SYSTEM_NAMESPACE }]
    })
    yield* keepToken(host, target, secret, yield* freshToken(member))
  })

/** Keeps the account up: its role to what is federated now, its token before it ends. Reached as that account itself. */
export const keepAccount = (
  host: EffectClient,
  member: EffectClient,
  types: ReadonlyArray<TypeConfig>,
  { nowMs, target }: { readonly target: SecretTarget; readonly nowMs: number }
): Effect.Effect<void, ApiFailure> =>
  Effect.gen(function* () {
    const secret = yield* find(host, target)
    const kept = secret === undefined ? undefined : mapOf(secret["data"])[memberSecretKeys.serviceAccountToken]
    if (secret === undefined || kept === undefined) return
    const token = Buffer.from(kept, "base64").toString("utf8")
    if (isTokenWorn(token, nowMs)) yield* keepToken(host, target, secret, yield* freshToken(member))
    yield* keepRole(member, memberRules(types))
  })

/** Takes the token of our account out of the host's Secret. */
export const forgetToken = (host: EffectClient, target: SecretTarget): Effect.Effect<void, ApiFailure> =>
  Effect.gen(function* () {
    const secret = yield* find(host, target)
    if (secret === undefined || mapOf(secret["data"])[memberSecretKeys.serviceAccountToken] === undefined) return
    yield* patchRead(host, target, secret, { data: { [memberSecretKeys.serviceAccountToken]: null } })
  })
