// How a pod of a tenant reaches the tenancy server as a pod of any cluster reaches its API server: by its environment and the authority
// in its service account's folder. A MutatingAdmissionPolicy writes both into each pod as it is made, so that what controllers make past
// this server has them too and no webhook of ours has to answer.
// Owns that policy and the ConfigMap with the authority; refuses tokens, which are the cluster's own and are proved by TokenReviews.
import { Effect } from "effect"
import { type EffectClient, gvr, type KubeObject } from "#kube"
import { ensure, remove } from "../lifecycle/Upkeep.ts"
import { TENANT_LABEL } from "../rules/Sorts.ts"

/** Where pods find this server. */
export interface PodServer {
  /** A name or address that the serving certificate has. */
  readonly host: string
  readonly port: number
  /** PEM of the authority of that certificate. */
  readonly ca: string
}

const ADMISSION = "admissionregistration.k8s.io"
const POLICIES = gvr(ADMISSION, "v1", "mutatingadmissionpolicies")
const POLICY_BINDINGS = gvr(ADMISSION, "v1", "mutatingadmissionpolicybindings")
const CONFIG_MAPS = gvr("", "v1", "configmaps")

const NAME = "pod-access.tenant.kubezoo.io"
/** In each namespace of a tenant, beside the cluster's own `kube-root-ca.crt`; a wall keeps tenants from writing it. */
export const CA_CONFIG_MAP = "tenant.kubezoo.io.ca.crt"
const CLUSTER_CA = "kube-root-ca.crt"

/** A container that names a server itself keeps it. */
const environment = (field: string, { host, port }: PodServer): string => {
  const variable = (name: string, value: string): string =>
    `Object.spec.${field}.env{name: '${name}', value: '${value}'}`
  const variables = `[${variable("KUBERNETES_SERVICE_HOST", host)}, ${variable("KUBERNETES_SERVICE_PORT", `${port}`)}, ${variable("KUBERNETES_SERVICE_PORT_HTTPS", `${port}`)}]`
  const without = `c, !has(c.env) || !c.env.exists(e, e.name.startsWith('KUBERNETES_SERVICE_'))`
  return `has(object.spec.${field}) ? Object{spec: Object.spec{${field}: object.spec.${field}.filter(${without}).map(c, Object.spec.${field}{name: c.name, env: ${variables}})}} : Object{}`
}

/** The cluster puts token, authority and namespace into one volume, in this order. */
const authority = `has(object.spec.volumes) ? object.spec.volumes.filter(v, has(v.projected) && has(v.projected.sources) && v.projected.sources.size() > 1 && v.projected.sources[1].?configMap.?name.orValue('') == '${CLUSTER_CA}').map(v, JSONPatch{op: 'replace', path: '/spec/volumes/' + string(object.spec.volumes.indexOf(v)) + '/projected/sources/1/configMap/name', value: '${CA_CONFIG_MAP}'}) : []`

const policyOf = (server: PodServer): KubeObject => ({
  apiVersion: `${ADMISSION}/v1`,
  kind: "MutatingAdmissionPolicy",
  metadata: { name: NAME },
  spec: {
    failurePolicy: "Fail",
    reinvocationPolicy: "IfNeeded",
    matchConstraints: {
      matchPolicy: "Equivalent",
      objectSelector: {},
      namespaceSelector: { matchExpressions: [{ key: TENANT_LABEL, operator: "Exists" }] },
      resourceRules: [
        { apiGroups: [""], apiVersions: ["v1"], resources: ["pods"], operations: ["CREATE"], scope: "Namespaced" }
      ]
    },
    mutations: [
      ...["initContainers", "containers"].map((field) => ({
        patchType: "ApplyConfiguration",
        applyConfiguration: { expression: environment(field, server) }
      })),
      { patchType: "JSONPatch", jsonPatch: { expression: authority } }
    ]
  }
})

const binding: KubeObject = {
  apiVersion: `${ADMISSION}/v1`,
  kind: "MutatingAdmissionPolicyBinding",
  metadata: { name: NAME },
  spec: { policyName: NAME }
}

/** Gives a namespace the authority; its pods wait for it to be there, and one that goes away needs none. */
export const ensureAuthority = (client: EffectClient, namespace: string, { ca }: PodServer) =>
  ensure(client, CONFIG_MAPS, {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: CA_CONFIG_MAP, namespace },
    data: { "ca.crt": ca }
  }).pipe(
    Effect.asVoid,
    Effect.catch((failure) => (failure.code === 403 || failure.code === 404 ? Effect.void : Effect.fail(failure)))
  )

/** Has the pods of all tenants be given this server, or, without one, no longer. */
export const installPodAccess = Effect.fn("tenancy.podAccess")(function* (
  client: EffectClient,
  server: PodServer | undefined
) {
  if (server === undefined) {
    for (const resource of [POLICY_BINDINGS, POLICIES]) yield* remove(client, { resource, namespace: "", name: NAME })
    return
  }
  yield* ensure(client, POLICIES, policyOf(server))
  yield* ensure(client, POLICY_BINDINGS, binding)
})
