// What joining makes in a member and on the host: the member's namespace that says whose it is, and where asked for a service account
// of our own whose token then serves instead of the user's credentials.
// Owns these steps, each of which may be repeated; refuses members of another federation. Tokens go into Secrets and nowhere else.
import { Effect } from "effect"
import { fieldsOf, mapOf, textOf } from "#apiserver"
import { type ApiFailure, type EffectClient, Failures, gvr, type KubeObject } from "#kube"
import { federationAnnotations, SYSTEM_NAMESPACE } from "../api/FederationNames.ts"
import { ensure, find, patchRead, unlessAbsent } from "../HostCalls.ts"
import type { Member } from "./Member.ts"
import { memberSecretKeys } from "./MemberConnectionAdapter.ts"

export const namespaces = gvr("", "v1", "namespaces")
export const secrets = gvr("", "v1", "secrets")
const serviceAccounts = gvr("", "v1", "serviceaccounts")
const clusterRoles = gvr("rbac.authorization.k8s.io", "v1", "clusterroles")
const clusterRoleBindings = gvr("rbac.authorization.k8s.io", "v1", "clusterrolebindings")

const ACCOUNT = "kubeadmiral-member"
const ROLE = "kubeadmiral-member"
const TOKEN_SECRET = "kubeadmiral-member-token"
const RBAC = "rbac.authorization.k8s.io"

/** Where the Secret of a cluster stands. */
export const secretTarget = (cluster: KubeObject) => ({
  resource: secrets,
  namespace: SYSTEM_NAMESPACE,
  name: textOf(fieldsOf(fieldsOf(cluster.spec)["secretRef"])["name"])
})

const systemNamespace = { resource: namespaces, namespace: "", name: SYSTEM_NAMESPACE }

/** Whose the member is, by the annotation of its system namespace; undefined when it has none. */
const ownerOf = (namespace: KubeObject): string =>
  namespace.metadata.annotations?.[federationAnnotations.federatedClusterUid] ?? ""

/** A member that belongs to somebody else: nothing in it is ours to touch. */
export class ClusterTaken {
  readonly _tag = "ClusterTaken"
}

const claim = (member: Member): Effect.Effect<void, ApiFailure | ClusterTaken> =>
  Effect.gen(function* () {
    const namespace = yield* ensure(member.effects, systemNamespace, {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: {
        name: SYSTEM_NAMESPACE,
        annotations: { [federationAnnotations.federatedClusterUid]: member.uid }
      }
    })
    if (ownerOf(namespace) !== member.uid) return yield* Effect.fail(new ClusterTaken())
    if (namespace.metadata.deletionTimestamp !== undefined)
      return yield* Effect.fail(Failures.unavailable("the member's system namespace is still being deleted"))
  })

const namespaced = (resource: ReturnType<typeof gvr>, name: string) => ({ resource, namespace: SYSTEM_NAMESPACE, name })
const clusterWide = (resource: ReturnType<typeof gvr>, name: string) => ({ resource, namespace: "", name })

/** The token of the account that is ours there; fails with 503 until the member has made it. */
const accountToken = (member: EffectClient): Effect.Effect<Readonly<Record<string, string>>, ApiFailure> =>
  Effect.gen(function* () {
    yield* ensure(member, namespaced(serviceAccounts, ACCOUNT), {
      apiVersion: "v1",
      kind: "ServiceAccount",
      metadata: { name: ACCOUNT, namespace: SYSTEM_NAMESPACE }
    })
    yield* ensure(member, clusterWide(clusterRoles, ROLE), {
      apiVersion: `${RBAC}/v1`,
      kind: "ClusterRole",
      metadata: { name: ROLE },
      rules: [
        { apiGroups: ["*"], resources: ["*"], verbs: ["*"] },
        { nonResourceURLs: ["*"], verbs: ["get"] }
      ]
    })
    yield* ensure(member, clusterWide(clusterRoleBindings, ROLE), {
      apiVersion: `${RBAC}/v1`,
      kind: "ClusterRoleBinding",
      metadata: { name: ROLE },
      roleRef: { apiGroup: RBAC, kind: "ClusterRole", name: ROLE },
      subjects: [{ kind: "ServiceAccount", name: ACCOUNT, namespace: SYSTEM_NAMESPACE }]
    })
    const secret = yield* ensure(member, namespaced(secrets, TOKEN_SECRET), {
      apiVersion: "v1",
      kind: "Secret",
      type: "kubernetes.io/service-account-token",
      metadata: {
        name: TOKEN_SECRET,
        namespace: SYSTEM_NAMESPACE,
        annotations: { "kubernetes.io/service-account.name": ACCOUNT }
      }
    })
    const data = mapOf(secret["data"])
    if (data["token"] === undefined || data["token"] === "")
      return yield* Effect.fail(Failures.unavailable("the member has not made the service account's token yet"))
    return data
  })

/** Makes everything that a join needs; answers whether the host's Secret was changed, so that the connection is made anew. */
export const joinCluster = (
  host: EffectClient,
  member: Member,
  cluster: KubeObject,
  secret: KubeObject
): Effect.Effect<boolean, ApiFailure | ClusterTaken> =>
  Effect.gen(function* () {
    yield* claim(member)
    if (fieldsOf(cluster.spec)["useServiceAccount"] !== true) return false
    if (mapOf(secret["data"])[memberSecretKeys.serviceAccountToken] !== undefined) return false
    const data = yield* accountToken(member.effects)
    yield* patchRead(host, secretTarget(cluster), secret, {
      data: {
        [memberSecretKeys.serviceAccountToken]: data["token"],
        [memberSecretKeys.serviceAccountAuthority]: data["ca.crt"]
      }
    })
    return true
  })

/** Removes from the member what a join made. */
export const unjoinMember = (member: Member): Effect.Effect<void, ApiFailure> =>
  Effect.gen(function* () {
    const namespace = yield* find(member.effects, systemNamespace)
    if (namespace !== undefined && ownerOf(namespace) !== member.uid) return
    // The account goes with its namespace; role and binding speak for nobody then, and the next join finds them.
    const { uid } = namespace?.metadata ?? {}
    if (namespace === undefined || namespace.metadata.deletionTimestamp !== undefined) return
    yield* unlessAbsent(member.effects.delete(systemNamespace, uid === undefined ? {} : { preconditions: { uid } }))
  })

/** Takes the token of our account out of the host's Secret. */
export const forgetToken = (host: EffectClient, cluster: KubeObject): Effect.Effect<void, ApiFailure> =>
  Effect.gen(function* () {
    const target = secretTarget(cluster)
    const secret = yield* find(host, target)
    if (secret === undefined || mapOf(secret["data"])[memberSecretKeys.serviceAccountToken] === undefined) return
    yield* patchRead(host, target, secret, {
      data: { [memberSecretKeys.serviceAccountToken]: null, [memberSecretKeys.serviceAccountAuthority]: null }
    })
  })
