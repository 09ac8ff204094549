// What joining makes in a member: its namespace that says whose it is, and where asked for an account of our own, whose token then
// serves instead of the user's credentials.
// Owns these steps, each of which may be repeated; refuses members of another federation. The account is MemberAccount.ts's.
import { Effect } from "effect"
import { fieldsOf, mapOf, textOf } from "#apiserver"
import { type ApiFailure, type EffectClient, Failures, gvr, type KubeObject } from "#kube"
import { federationAnnotations, SYSTEM_NAMESPACE } from "../api/FederationNames.ts"
import type { TypeConfig } from "../api/TypeConfig.ts"
import { ensure, find, unlessAbsent } from "../HostCalls.ts"
import type { Member } from "./Member.ts"
import { makeAccount } from "./MemberAccount.ts"
import { memberSecretKeys } from "./MemberConnectionAdapter.ts"

export const namespaces = gvr("", "v1", "namespaces")
export const secrets = gvr("", "v1", "secrets")

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

/** Makes everything that a join needs; answers whether the host's Secret was changed, so that the connection is made anew. */
export const joinCluster = (
  host: EffectClient,
  member: Member,
  cluster: KubeObject,
  { secret, types }: { readonly secret: KubeObject; readonly types: ReadonlyArray<TypeConfig> }
): Effect.Effect<boolean, ApiFailure | ClusterTaken> =>
  Effect.gen(function* () {
    yield* claim(member)
    if (fieldsOf(cluster.spec)["useServiceAccount"] !== true) return false
    if (mapOf(secret["data"])[memberSecretKeys.serviceAccountToken] !== undefined) return false
    yield* makeAccount(host, member.effects, types, { target: secretTarget(cluster), secret })
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
