// What the walls upstream must know of a tenant where they look at its namespaces: annotations that no tenant sees or writes.
// Owns what they say for a tenant; the policies read them.
import { Effect } from "effect"
import { type EffectClient, gvr, isJsonObject, type Json, type KubeObject } from "#kube"

/** What the tenant may do. */
export const ACCESS = "kubezoo.io/access"
/** Domains that its ingresses may be for, with commas between; absent: any. */
export const INGRESS_DOMAINS = "kubezoo.io/ingress-domains"
/** Ranges of addresses that its services' load balancers may have, with commas between; absent: none. */
export const LOAD_BALANCER_RANGES = "kubezoo.io/load-balancer-ranges"

const NAMESPACES = gvr("", "v1", "namespaces")

/** Annotations by their keys; null is none. */
export type NamespaceMarks = Readonly<Record<string, string | null>>

/** What a tenant's namespaces must say. */
export const namespaceMarks = (spec: Json | undefined): NamespaceMarks => {
  const { access, ingressDomains, loadBalancerRanges } = isJsonObject(spec) ? spec : {}
  return {
    [ACCESS]: access === "ReadOnly" || access === "Frozen" ? access : null,
    [INGRESS_DOMAINS]: joined(ingressDomains),
    [LOAD_BALANCER_RANGES]: joined(loadBalancerRanges)
  }
}

const joined = (list: Json | undefined): string | null =>
  Array.isArray(list) ? list.filter((each) => typeof each === "string").join(",") : null

const isMarked = ({ metadata }: KubeObject, marks: NamespaceMarks): boolean =>
  Object.entries(marks).every(([key, value]) => (metadata.annotations?.[key] ?? null) === value)

/** The patch that makes a namespace say it. */
export const markPatch = (marks: NamespaceMarks): Json => ({ metadata: { annotations: { ...marks } } })

/** Makes the namespaces say it that do not; one that goes away needs nothing. */
export const markNamespaces = Effect.fnUntraced(function* (
  client: EffectClient,
  marks: NamespaceMarks,
  namespaces: ReadonlyArray<KubeObject>
) {
  for (const namespace of namespaces) {
    const { metadata } = namespace
    if (isMarked(namespace, marks) || metadata.deletionTimestamp !== undefined) continue
    yield* client
      .patch(
        { resource: NAMESPACES, namespace: "", name: metadata.name ?? "" },
        { type: "merge", body: markPatch(marks) }
      )
      .pipe(
        Effect.asVoid,
        Effect.catch((failure) => (failure.code === 404 ? Effect.void : Effect.fail(failure)))
      )
  }
})
