// What the cluster behind us refuses by itself, because pods and their service accounts can reach it past this server: as
// ValidatingAdmissionPolicies, so that no webhook of ours has to answer.
// Owns the rules in CEL; refuses to install them. Kubernetes exempts admission configurations from such policies: those are held by
// the rights of Roles.ts and by the rewriting alone.
import type { KubeObject } from "#kube"
import { ASSERTED } from "../identity/Caller.ts"
import { INGRESS_DOMAINS, LOAD_BALANCER_RANGES } from "../lifecycle/NamespaceMarks.ts"
import { DEFAULT_INGRESS_CLASS } from "../rules/Labels.ts"
import { TENANT_LABEL } from "../rules/Sorts.ts"
import { podRules } from "./PodRules.ts"
import type { Rule } from "./PodRules.ts"

const apiVersion = "admissionregistration.k8s.io/v1"
const suffix = "tenant.kubezoo.io"

interface ResourceRule {
  readonly apiGroups: ReadonlyArray<string>
  readonly resources: ReadonlyArray<string>
  readonly operations: ReadonlyArray<string>
  /** The one version that the rules read; objects of others are converted to it. By default as they come. */
  readonly version?: string
}

interface Wall {
  readonly name: string
  readonly scope: "Cluster" | "Namespaced"
  readonly on: ReadonlyArray<ResourceRule>
  /** Whom it holds: everyone of tenants who comes through this server, tenants' users by whatever way, or everybody in their namespaces. */
  readonly holds: "members" | "tenants" | "everybody"
  readonly variables?: Readonly<Record<string, string>>
  readonly rules: ReadonlyArray<Rule>
}

const MEMBER = `${ASSERTED}tenant:`

const isMember = `request.userInfo.groups.exists(g, g.startsWith('${MEMBER}'))`
/** A service account of a tenant's namespace has the tenant's prefix before its own namespace. */
const isTenants = `${isMember} || (namespaceObject != null && has(namespaceObject.metadata.labels) && '${TENANT_LABEL}' in namespaceObject.metadata.labels && request.userInfo.username.startsWith('system:serviceaccount:' + namespaceObject.metadata.labels['${TENANT_LABEL}'] + '-'))`

const writes = ["CREATE", "UPDATE"]
const changes = ["CREATE", "UPDATE", "DELETE"]

/** A collection's deletion has no name, and asks about each object; a creation may have none yet. */
const name = `has(request.name) && request.name != '' ? request.name : (object != null && has(object.metadata.name) && object.metadata.name != '' ? object.metadata.name : (object != null && has(object.metadata.generateName) ? object.metadata.generateName : (oldObject != null && has(oldObject.metadata.name) ? oldObject.metadata.name : '')))`
const tenant = `request.userInfo.groups.filter(g, g.startsWith('${MEMBER}'))[0].substring(${MEMBER.length})`

const ADMIN_ACCESS = "spec.devices.requests[*].exactly.adminAccess: would reach devices that are others'"

const withoutAdmin = (spec: string): string =>
  `!has(${spec}.devices.requests) || ${spec}.devices.requests.all(r, !has(r.exactly) || !has(r.exactly.adminAccess) || !r.exactly.adminAccess)`

/** Whether a claim's status says which devices it has. */
const results = (object: string): string =>
  `has(${object}.status) && has(${object}.status.allocation) && has(${object}.status.allocation.devices) && has(${object}.status.allocation.devices.results) && ${object}.status.allocation.devices.results.size() > 0`

/** The domains that a tenant's ingresses may be for; null where the platform says nothing. */
const domains = `has(namespaceObject.metadata.annotations) && '${INGRESS_DOMAINS}' in namespaceObject.metadata.annotations ? dyn(namespaceObject.metadata.annotations['${INGRESS_DOMAINS}'].split(',')) : dyn(null)`

const within = (host: string): string =>
  `variables.domains.exists(d, d != '' && (${host} == d || ${host}.endsWith('.' + d)))`

/** The addresses that a tenant's load balancers may have. */
const ranges = `has(namespaceObject.metadata.annotations) && '${LOAD_BALANCER_RANGES}' in namespaceObject.metadata.annotations ? namespaceObject.metadata.annotations['${LOAD_BALANCER_RANGES}'].split(',') : ''.split(',')`

/** What a service's status says of its load balancer. */
const ingress = (object: string): string => `${object}.status.?loadBalancer.?ingress.orValue([])`

const walls: ReadonlyArray<Wall> = [
  {
    name: "cluster-names",
    scope: "Cluster",
    on: [{ apiGroups: ["*"], resources: ["*/*"], operations: changes }],
    holds: "members",
    variables: { tenant, name },
    rules: [
      {
        expression: `request.userInfo.groups.filter(g, g.startsWith('${MEMBER}')).size() == 1`,
        message: "a request is of one tenant"
      },
      {
        expression: `request.resource.group in ['authorization.k8s.io', 'authentication.k8s.io'] || request.resource.group.startsWith(variables.tenant + '-') || (request.resource.resource == 'customresourcedefinitions' ? variables.name.contains('.' + variables.tenant + '-') : variables.name.startsWith(variables.tenant + '-'))`,
        message: "the name of an object outside namespaces must have its tenant's prefix"
      }
    ]
  },
  {
    name: "definitions",
    scope: "Cluster",
    on: [{ apiGroups: ["apiextensions.k8s.io"], resources: ["customresourcedefinitions"], operations: writes }],
    holds: "members",
    variables: { tenant },
    rules: [
      {
        expression: "object.spec.group.startsWith(variables.tenant + '-')",
        message: "spec.group must have its tenant's prefix"
      }
    ]
  },
  {
    name: "cluster-bindings",
    scope: "Cluster",
    on: [{ apiGroups: ["rbac.authorization.k8s.io"], resources: ["clusterrolebindings"], operations: writes }],
    holds: "members",
    variables: { tenant },
    rules: [
      {
        expression: `!has(object.subjects) || object.subjects.all(s, s.kind == 'Group' && s.name.startsWith('${ASSERTED}'))`,
        message: "subjects: a tenant's cluster-wide binding names only what the tenancy server asserts"
      },
      {
        expression: "object.roleRef.name.startsWith(variables.tenant + '-')",
        message: "roleRef.name must have its tenant's prefix"
      }
    ]
  },
  {
    name: "cluster-roles",
    scope: "Cluster",
    on: [{ apiGroups: ["rbac.authorization.k8s.io"], resources: ["clusterroles"], operations: writes }],
    holds: "members",
    rules: [
      {
        expression:
          "!has(object.metadata.labels) || !object.metadata.labels.exists(l, l.startsWith('rbac.authorization.k8s.io/aggregate-to-'))",
        message: "metadata.labels: a tenant's role does not become part of the platform's"
      }
    ]
  },
  {
    name: "namespaces",
    scope: "Cluster",
    on: [{ apiGroups: [""], resources: ["namespaces"], operations: writes }],
    holds: "members",
    variables: { tenant },
    rules: [
      {
        expression: `has(object.metadata.labels) && '${TENANT_LABEL}' in object.metadata.labels && object.metadata.labels['${TENANT_LABEL}'] == variables.tenant`,
        message: "metadata.labels: a namespace keeps its tenant's label"
      },
      {
        expression: `!has(object.metadata.annotations) || object.metadata.annotations.all(k, !k.startsWith('scheduler.alpha.kubernetes.io/') || (oldObject != null && has(oldObject.metadata.annotations) && k in oldObject.metadata.annotations && oldObject.metadata.annotations[k] == object.metadata.annotations[k]))`,
        message: "metadata.annotations: on which nodes a namespace's pods may stand is the platform's"
      }
    ]
  },
  {
    name: "namespace-finalizers",
    scope: "Cluster",
    on: [{ apiGroups: [""], resources: ["namespaces/finalize"], operations: ["UPDATE"] }],
    holds: "members",
    rules: [
      {
        expression:
          "!has(oldObject.spec.finalizers) || !('kubernetes' in oldObject.spec.finalizers) || (has(object.spec.finalizers) && 'kubernetes' in object.spec.finalizers)",
        message: "spec.finalizers: a namespace goes when everything in it has gone"
      }
    ]
  },
  {
    name: "ingress-classes",
    scope: "Cluster",
    on: [{ apiGroups: ["networking.k8s.io"], resources: ["ingressclasses"], operations: writes }],
    holds: "members",
    variables: { tenant },
    rules: [
      {
        expression: `!has(object.metadata.annotations) || !('${DEFAULT_INGRESS_CLASS}' in object.metadata.annotations)`,
        message: "metadata.annotations: the default class of all tenants is the platform's"
      },
      {
        expression: "object.spec.controller.startsWith(variables.tenant + '-')",
        message: "spec.controller must have its tenant's prefix"
      }
    ]
  },
  {
    name: "runtime-classes",
    scope: "Cluster",
    on: [{ apiGroups: ["node.k8s.io"], resources: ["runtimeclasses"], operations: writes, version: "v1" }],
    holds: "members",
    variables: { tenant },
    rules: [
      {
        expression: "object.handler.startsWith(variables.tenant + '-')",
        message: "handler must have its tenant's prefix"
      }
    ]
  },
  {
    name: "pods",
    scope: "Namespaced",
    on: [{ apiGroups: [""], resources: ["pods", "pods/ephemeralcontainers"], operations: writes }],
    holds: "everybody",
    rules: podRules
  },
  {
    name: "pod-placement",
    scope: "Namespaced",
    on: [{ apiGroups: [""], resources: ["pods"], operations: ["CREATE"] }],
    holds: "tenants",
    rules: [
      {
        expression: "!has(object.spec.nodeName) || object.spec.nodeName == ''",
        message: "spec.nodeName: the scheduler places pods"
      }
    ]
  },
  {
    name: "pod-binding",
    scope: "Namespaced",
    on: [{ apiGroups: [""], resources: ["pods/binding", "bindings"], operations: ["CREATE"] }],
    holds: "tenants",
    rules: [{ expression: "false", message: "the scheduler binds pods" }]
  },
  {
    name: "pod-status",
    scope: "Namespaced",
    on: [{ apiGroups: [""], resources: ["pods/status"], operations: ["UPDATE"] }],
    holds: "tenants",
    rules: ["podIP", "podIPs", "hostIP", "hostIPs"].map((field) => ({
      expression: `has(object.status.${field}) == has(oldObject.status.${field}) && (!has(object.status.${field}) || object.status.${field} == oldObject.status.${field})`,
      message: `status.${field}: only the kubelet says where a pod is`
    }))
  },
  {
    name: "services",
    scope: "Namespaced",
    on: [{ apiGroups: [""], resources: ["services"], operations: writes }],
    holds: "everybody",
    rules: [
      {
        expression: "!has(object.spec.externalIPs) || object.spec.externalIPs.size() == 0",
        message: "spec.externalIPs: would take traffic that is others'"
      },
      {
        expression:
          "!has(object.spec.externalName) || !(object.spec.externalName.endsWith('.svc') || object.spec.externalName.contains('.svc.') || object.spec.externalName.endsWith('.cluster.local') || object.spec.externalName == 'localhost')",
        message: "spec.externalName: must name something outside of the cluster"
      }
    ]
  },
  {
    // A load balancer's address in a service's status takes that address's traffic on every node, as external IPs do.
    name: "service-status",
    scope: "Namespaced",
    on: [{ apiGroups: [""], resources: ["services/status"], operations: ["UPDATE"] }],
    holds: "tenants",
    variables: { ranges },
    rules: [
      {
        expression: `${ingress("object")}.all(i, ${ingress("oldObject")}.exists(o, o == i) || (!has(i.hostname) && has(i.ip) && isIP(i.ip) && variables.ranges.exists(r, isCIDR(r) && cidr(r).containsIP(i.ip))))`,
        message: "status.loadBalancer: must be an address that the platform gave to this cluster"
      }
    ]
  },
  {
    name: "device-claims",
    scope: "Namespaced",
    on: [{ apiGroups: ["resource.k8s.io"], resources: ["resourceclaims"], operations: writes, version: "v1" }],
    holds: "everybody",
    rules: [{ expression: withoutAdmin("object.spec"), message: ADMIN_ACCESS }]
  },
  {
    name: "device-claim-templates",
    scope: "Namespaced",
    on: [{ apiGroups: ["resource.k8s.io"], resources: ["resourceclaimtemplates"], operations: writes, version: "v1" }],
    holds: "everybody",
    rules: [{ expression: withoutAdmin("object.spec.spec"), message: ADMIN_ACCESS }]
  },
  {
    name: "device-claim-status",
    scope: "Namespaced",
    on: [
      { apiGroups: ["resource.k8s.io"], resources: ["resourceclaims/status"], operations: ["UPDATE"], version: "v1" }
    ],
    holds: "tenants",
    rules: [
      {
        expression: `!(${results("object")}) || (${results("oldObject")} && object.status.allocation.devices.results == oldObject.status.allocation.devices.results)`,
        message: "status.allocation: only the scheduler says whose a device is"
      }
    ]
  },
  {
    name: "ingress-domains",
    scope: "Namespaced",
    on: [{ apiGroups: ["networking.k8s.io"], resources: ["ingresses"], operations: writes, version: "v1" }],
    holds: "everybody",
    variables: { domains },
    rules: [
      {
        expression: `variables.domains == null || ((!has(object.spec.rules) || object.spec.rules.all(r, has(r.host) && ${within("r.host")})) && (!has(object.spec.tls) || object.spec.tls.all(t, !has(t.hosts) || t.hosts.all(h, ${within("h")}))))`,
        message: "spec.rules[*].host, spec.tls[*].hosts: must be in a domain that the platform gave to this cluster"
      },
      {
        expression: "variables.domains == null || !has(object.spec.defaultBackend)",
        message: "spec.defaultBackend: would take requests of all domains"
      }
    ]
  },
  {
    name: "kept",
    scope: "Namespaced",
    on: [
      { apiGroups: ["rbac.authorization.k8s.io"], resources: ["rolebindings"], operations: changes },
      { apiGroups: [""], resources: ["resourcequotas", "resourcequotas/status"], operations: changes }
    ],
    holds: "tenants",
    variables: { name },
    rules: [
      {
        expression: `!variables.name.startsWith('${suffix}')`,
        message: `names that begin with ${suffix} are the platform's`
      },
      {
        expression: `object == null || !has(object.metadata.labels) || !object.metadata.labels.exists(l, l.startsWith('kubezoo.io/'))`,
        message: `labels of kubezoo.io are the platform's`
      }
    ]
  },
  {
    name: "kept-config",
    scope: "Namespaced",
    on: [{ apiGroups: [""], resources: ["configmaps"], operations: changes }],
    holds: "tenants",
    variables: { name },
    rules: [
      {
        expression: `!variables.name.startsWith('${suffix}')`,
        message: `names that begin with ${suffix} are the platform's`
      }
    ]
  },
  {
    name: "suspended",
    scope: "Namespaced",
    on: [{ apiGroups: ["*"], resources: ["*/*"], operations: changes }],
    holds: "tenants",
    rules: [
      {
        expression: `!has(namespaceObject.metadata.annotations) || !('kubezoo.io/access' in namespaceObject.metadata.annotations) || namespaceObject.metadata.annotations['kubezoo.io/access'] == 'ReadWrite'`,
        message: "this cluster is suspended"
      }
    ]
  }
]

const nameOf = (wall: Wall): string => `${wall.name}.${suffix}`

const policyOf = (wall: Wall): KubeObject => {
  const conditions =
    wall.holds === "everybody"
      ? []
      : [{ name: "of-a-tenant", expression: wall.holds === "members" ? isMember : isTenants }]
  const variables = Object.entries(wall.variables ?? {}).map(([each, expression]) => ({ name: each, expression }))
  return {
    apiVersion,
    kind: "ValidatingAdmissionPolicy",
    metadata: { name: nameOf(wall) },
    spec: {
      failurePolicy: "Fail",
      matchConstraints: {
        matchPolicy: "Equivalent",
        objectSelector: {},
        namespaceSelector:
          wall.scope === "Cluster" ? {} : { matchExpressions: [{ key: TENANT_LABEL, operator: "Exists" }] },
        resourceRules: wall.on.map(({ version = "*", ...rule }) => ({
          ...rule,
          apiVersions: [version],
          scope: wall.scope
        }))
      },
      ...(conditions.length === 0 ? {} : { matchConditions: conditions }),
      ...(variables.length === 0 ? {} : { variables }),
      validations: wall.rules.map(({ expression, message }) => ({ expression, message, reason: "Forbidden" }))
    }
  }
}

/** The policies, each with one subject. */
export const policies: ReadonlyArray<KubeObject> = walls.map(policyOf)

export const policyBindings: ReadonlyArray<KubeObject> = walls.map((wall) => ({
  apiVersion,
  kind: "ValidatingAdmissionPolicyBinding",
  metadata: { name: nameOf(wall) },
  spec: { policyName: nameOf(wall), validationActions: ["Deny"] }
}))
