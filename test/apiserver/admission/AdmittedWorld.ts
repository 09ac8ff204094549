// A server with the real kinds, every admission plugin and what every cluster has, on the test's own time.
import { ApiFailure, gvr, type KubeObject, parseApiVersion } from "#kube"
import { type Api, makeDefinitions, type UserInfo } from "#apiserver"
import { type AdmissionOptions, admissionPlugins } from "../../../core/apiserver/admission/Plugins.ts"
import { reconcileBootstrap } from "../../../core/apiserver/bootstrap/Reconcile.ts"
import { usualChain } from "../../../core/apiserver/rbac/Authorizers.ts"
import { RbacAuthorizer } from "../../../core/apiserver/rbac/RbacAuthorizer.ts"
import { deployments } from "../../../core/apiserver/resources/apps/Deployments.ts"
import { defaultResourcesContext } from "../../../core/apiserver/resources/Context.ts"
import { configMaps, secrets, serviceAccounts } from "../../../core/apiserver/resources/core/Configuration.ts"
import { namespaces } from "../../../core/apiserver/resources/core/Namespaces.ts"
import { nodes } from "../../../core/apiserver/resources/core/Nodes.ts"
import { pods } from "../../../core/apiserver/resources/core/Pods.ts"
import { limitRanges, resourceQuotas } from "../../../core/apiserver/resources/core/Quotas.ts"
import { services } from "../../../core/apiserver/resources/core/Services.ts"
import { persistentVolumeClaims, persistentVolumes } from "../../../core/apiserver/resources/core/Volumes.ts"
import { define } from "../../../core/apiserver/resources/Define.ts"
import { endpoints, endpointSlices } from "../../../core/apiserver/resources/discovery/Endpoints.ts"
import { clusterRoleBindings, clusterRoles, roleBindings, roles } from "../../../core/apiserver/resources/rbac/Roles.ts"
import { World } from "../World.ts"

const definitions = () => [
  namespaces(),
  pods(),
  nodes(),
  services(defaultResourcesContext),
  configMaps(),
  secrets(),
  serviceAccounts(),
  resourceQuotas(),
  limitRanges(),
  persistentVolumes(),
  persistentVolumeClaims(),
  endpoints(),
  endpointSlices(),
  deployments(),
  roles(),
  clusterRoles(),
  roleBindings(),
  clusterRoleBindings(),
  define("scheduling.k8s.io", "v1", "PriorityClass"),
  define("node.k8s.io", "v1", "RuntimeClass"),
  define("storage.k8s.io", "v1", "StorageClass"),
  define("networking.k8s.io", "v1", "Ingress"),
  define("networking.k8s.io", "v1", "IngressClass"),
  define("certificates.k8s.io", "v1", "CertificateSigningRequest"),
  define("admissionregistration.k8s.io", "v1", "MutatingWebhookConfiguration"),
  define("admissionregistration.k8s.io", "v1", "ValidatingWebhookConfiguration")
]

const ADMIN: UserInfo = { name: "admin", groups: ["system:masters"] }

export class AdmittedWorld extends World {
  rbac!: RbacAuthorizer

  constructor(options: Partial<AdmissionOptions> = {}) {
    let made: RbacAuthorizer | undefined
    super({
      definitions: makeDefinitions(definitions()),
      admission: (api: Api) => {
        const rbac = (made = new RbacAuthorizer(api))
        return admissionPlugins(api, { authorizer: usualChain(rbac), rbac, enable: ["NodeRestriction"], ...options })
      }
    })
    this.rbac = made!
    const bootstrap = { serviceIp: "10.0.0.1", address: "10.9.9.9", port: 6443 }
    const failures = this.must<ReadonlyArray<ApiFailure>>((done) => reconcileBootstrap(this.server, bootstrap, done))
    if (failures.length > 0) throw failures[0]
    this.make("serviceaccounts", account("default"))
  }

  /** Creates an object as an administrator, or as somebody else; the failure is answered, not thrown. */
  attempt(resource: string, object: KubeObject, user = ADMIN, dryRun = false): KubeObject | ApiFailure {
    const { group, version } = parseApiVersion(object.apiVersion)
    const { namespace = "" } = object.metadata
    const request = { verb: "create", resource: gvr(group, version, resource), namespace, body: object, user } as const
    const answer = this.execute({ ...request, options: dryRun ? { dryRun } : {} })
    if (answer instanceof ApiFailure) return answer
    if (answer.kind === "list") throw new Error("a list")
    this.warnings = answer.warnings
    return answer.held.object
  }

  warnings: ReadonlyArray<string> = []

  make(resource: string, object: KubeObject, user = ADMIN): KubeObject {
    const made = this.attempt(resource, object, user)
    if (made instanceof ApiFailure) throw made
    return made
  }

  refused(resource: string, object: KubeObject, user = ADMIN): string {
    const made = this.attempt(resource, object, user)
    return made instanceof ApiFailure ? made.message : "let in"
  }

  change(resource: string, object: KubeObject, user = ADMIN, subresource = ""): KubeObject | ApiFailure {
    const { group, version } = parseApiVersion(object.apiVersion)
    const { name = "", namespace = "" } = object.metadata
    const target = { resource: gvr(group, version, resource), namespace, name, subresource }
    const answer = this.execute({ verb: "update", ...target, body: object, user })
    if (answer instanceof ApiFailure) return answer
    if (answer.kind === "list") throw new Error("a list")
    this.warnings = answer.warnings
    return answer.held.object
  }

  remove(resource: string, namespace: string, name: string, user = ADMIN): string {
    const answer = this.execute({ verb: "delete", resource: gvr("", "v1", resource), namespace, name, user })
    return answer instanceof ApiFailure ? answer.message : "gone"
  }
}

export const account = (name: string, more: object = {}): KubeObject => ({
  apiVersion: "v1",
  kind: "ServiceAccount",
  metadata: { name, namespace: "default" },
  ...more
})

export const namespace = (name: string, labels: Record<string, string> = {}): KubeObject => ({
  apiVersion: "v1",
  kind: "Namespace",
  metadata: { name, labels }
})

export const pod = (name: string, spec: object = {}, metadata: object = {}): KubeObject => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "default", ...metadata },
  spec: { containers: [{ name: "c", image: "i" }], ...spec }
})

/** An object of any kind, by its group and version. */
export const thing = (apiVersion: string, kind: string, name: string, more: object = {}, ns = ""): KubeObject => ({
  apiVersion,
  kind,
  metadata: { name, ...(ns === "" ? {} : { namespace: ns }) },
  ...more
})
