// The Tenant kind as a CRD of the cluster behind us: the original's fields, and what this server adds to them.
// Owns the schema; refuses to install it.
import type { KubeObject } from "#kube"

const condition = {
  type: "object",
  required: ["type", "status"],
  properties: {
    type: { type: "string" },
    status: { type: "string", enum: ["True", "False", "Unknown"] },
    reason: { type: "string" },
    message: { type: "string" },
    lastTransitionTime: { type: "string", format: "date-time" }
  }
}

const quantities = {
  type: "object",
  additionalProperties: {
    anyOf: [{ type: "integer" }, { type: "string" }],
    "x-kubernetes-int-or-string": true,
    pattern:
      "^(\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))))?$"
  }
}

const schema = {
  type: "object",
  "x-kubernetes-validations": [
    {
      rule: "self.metadata.name.matches('^[a-z0-9][a-z0-9-]{5}$')",
      message: "metadata.name: a tenant id has exactly 6 characters of a-z, 0-9 and '-' and does not start with '-'"
    }
  ],
  properties: {
    apiVersion: { type: "string" },
    kind: { type: "string" },
    metadata: { type: "object" },
    spec: {
      type: "object",
      properties: {
        id: { type: "integer", format: "int32", description: "Kept for manifests of KubeZoo; the name is the id." },
        access: {
          type: "string",
          enum: ["ReadWrite", "ReadOnly", "Frozen"],
          description: "What the tenant may do: ReadOnly refuses changes, Frozen everything."
        },
        quota: {
          type: "object",
          properties: { hard: { ...quantities, description: "Of all the tenant's namespaces together." } }
        },
        maxNamespaces: {
          type: "integer",
          format: "int32",
          minimum: 4,
          description: "Namespaces that the tenant may have."
        },
        maxObjects: {
          type: "object",
          maxProperties: 100,
          additionalProperties: { type: "integer", format: "int32", minimum: 0 },
          description:
            "Objects outside namespaces that the tenant may have, by resource: customresourcedefinitions.apiextensions.k8s.io."
        },
        ingressDomains: {
          type: "array",
          maxItems: 1000,
          items: {
            type: "string",
            maxLength: 253,
            pattern: "^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
          },
          description:
            "Domains that the tenant's ingresses may be for, with all that stands below them. Without it: any."
        },
        loadBalancerRanges: {
          type: "array",
          maxItems: 100,
          items: {
            type: "string",
            maxLength: 49,
            "x-kubernetes-validations": [
              { rule: "isCIDR(self)", message: "must be a range of addresses: 192.0.2.0/24" }
            ]
          },
          description:
            "Addresses that a load balancer of the tenant's own may say in the status of its services. Without it: none."
        }
      }
    },
    status: {
      type: "object",
      properties: {
        online: { type: "boolean" },
        phase: { type: "string", enum: ["Pending", "Ready", "Rejected", "Suspended", "Terminating"] },
        message: { type: "string" },
        namespaces: { type: "integer", format: "int32" },
        quota: {
          type: "object",
          properties: {
            hard: quantities,
            used: quantities,
            shares: { type: "object", additionalProperties: quantities, description: "What each namespace may use." }
          }
        },
        conditions: { type: "array", items: condition }
      }
    }
  }
}

/** The CustomResourceDefinition of tenants. */
export const tenantDefinition: KubeObject = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "tenants.tenant.kubezoo.io" },
  spec: {
    group: "tenant.kubezoo.io",
    scope: "Cluster",
    names: { plural: "tenants", singular: "tenant", kind: "Tenant", listKind: "TenantList" },
    versions: [
      {
        name: "v1alpha1",
        served: true,
        storage: true,
        schema: { openAPIV3Schema: schema },
        subresources: { status: {} },
        additionalPrinterColumns: [
          { name: "Phase", type: "string", jsonPath: ".status.phase" },
          { name: "Access", type: "string", jsonPath: ".spec.access" },
          { name: "Namespaces", type: "integer", jsonPath: ".status.namespaces" },
          { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" }
        ]
      }
    ]
  }
}
