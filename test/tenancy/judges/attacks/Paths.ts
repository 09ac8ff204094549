// Spellings of paths that two readers could understand differently, and paths that are no API at all.
import type { Attack } from "../Attack.ts"
import { LAIR, PLATFORM_NAMESPACE, VAULT, VAULT_UPSTREAM, VICTIM, VICTIM_MARK } from "../Parties.ts"

const SECRET = `${VICTIM_MARK}-thing`
const plain = `/api/v1/namespaces/${VAULT_UPSTREAM}/secrets/${SECRET}`
const control = { by: "platform", path: plain, shows: VICTIM_MARK } as const

/** Ways to write the victim's secret that end there for whoever resolves them. */
const spellings = [
  `/api/v1/namespaces/${LAIR}/../${VAULT_UPSTREAM}/secrets/${SECRET}`,
  `/api/v1/namespaces/${LAIR}/%2e%2e/${VAULT_UPSTREAM}/secrets/${SECRET}`,
  `/api/v1/namespaces/${LAIR}/%2E%2e/${VAULT_UPSTREAM}/secrets/${SECRET}`,
  `/api/v1/namespaces/${LAIR}/..%2f${VAULT_UPSTREAM}/secrets/${SECRET}`,
  `/api/v1/namespaces/${LAIR}%2f..%2f${VAULT_UPSTREAM}/secrets/${SECRET}`,
  `/api/v1/namespaces/${LAIR}/secrets/..%2f..%2f${VAULT_UPSTREAM}%2fsecrets%2f${SECRET}`,
  `/api/v1/namespaces/..%2f${VAULT_UPSTREAM}/secrets/${SECRET}`,
  `/api/v1//namespaces/${VAULT_UPSTREAM}/secrets/${SECRET}`,
  `//api/v1/namespaces/${VAULT_UPSTREAM}/secrets/${SECRET}`,
  `/./api/v1/namespaces/${VAULT_UPSTREAM}/secrets/${SECRET}`,
  `/api/v1/namespaces/${LAIR}/namespaces/${VAULT_UPSTREAM}/secrets/${SECRET}`,
  `/api/v1/namespaces/${LAIR};/../${VAULT_UPSTREAM}/secrets/${SECRET}`,
  `/api/v1/namespaces/${LAIR}%00/../${VAULT_UPSTREAM}/secrets/${SECRET}`,
  `/api/v1/namespaces/${LAIR}%5c..%5c${VAULT_UPSTREAM}/secrets/${SECRET}`,
  `/api/v1/namespaces/%252e%252e/${VAULT_UPSTREAM}/secrets/${SECRET}`,
  `/API/V1/namespaces/${VAULT_UPSTREAM}/secrets/${SECRET}`,
  `/apis/../api/v1/namespaces/${VAULT_UPSTREAM}/secrets/${SECRET}`,
  `/apis//v1/namespaces/${VAULT_UPSTREAM}/secrets/${SECRET}`,
  `/api/v1/namespaces/%61b-red-${VAULT}/secrets/${SECRET}`,
  `/api/v1/secrets/${SECRET}`,
  `/api/v1/namespaces//secrets/${SECRET}`,
  `/api/v1/proxy/namespaces/${VAULT_UPSTREAM}/pods/${SECRET}`,
  `/api/v1/namespaces/${VAULT_UPSTREAM}/secrets/${SECRET}/`,
  `/api/v1/namespaces/${VAULT_UPSTREAM}/secrets/${SECRET}/status`
]

const twice = (query: string): Attack => ({
  name: `a query said twice: ${query}`,
  path: `/api/v1/configmaps?${query}`,
  control: { by: "platform", path: "/api/v1/configmaps", shows: VICTIM_MARK }
})

/** What the front and the cluster have beside the API. */
const aside = [
  "/metrics",
  "/configz",
  "/logs/",
  "/debug/pprof/",
  "/debug/pprof/heap",
  "/debug/flags/v",
  "/flagz",
  "/statusz"
]

const tenantApi = "/apis/tenant.kubezoo.io/v1alpha1/tenants"

export const paths: ReadonlyArray<Attack> = [
  ...spellings.map((path): Attack => ({ name: `spelling ${path}`, path, codes: [400, 403, 404, 405], control })),
  twice(`fieldSelector=metadata.namespace%3D${LAIR}&fieldSelector=metadata.namespace%3D${VAULT_UPSTREAM}`),
  twice("limit=500&limit=1&watch=0"),
  twice("watch=0&watch=1&timeoutSeconds=1"),
  twice("fieldselector=x&fieldSelector=metadata.name!%3Dnone"),
  ...aside.map((path): Attack => ({
    name: `aside ${path}`,
    path,
    codes: [403, 404],
    control: {
      by: "platform",
      path:
        path === "/debug/flags/v" || path === "/configz" || path === "/logs/"
          ? "/metrics"
          : path.replace(/^\/(flagz|statusz)$/, "/metrics")
    }
  })),
  {
    name: "list tenants",
    path: tenantApi,
    codes: [403, 404],
    control: { by: "platform", path: tenantApi, shows: VICTIM }
  },
  {
    name: "get the victim's Tenant",
    path: `${tenantApi}/${VICTIM}`,
    codes: [403, 404],
    control: { by: "platform", path: `${tenantApi}/${VICTIM}`, shows: VICTIM }
  },
  {
    name: "a kubeconfig of the victim's",
    method: "POST",
    path: `${tenantApi}/${VICTIM}/kubeconfig`,
    codes: [403, 404],
    control: { by: "victim", method: "POST", path: `${tenantApi}/${VICTIM}/kubeconfig`, shows: "client-key-data" }
  },
  {
    name: "delete the victim's Tenant",
    method: "DELETE",
    path: `${tenantApi}/${VICTIM}`,
    codes: [403, 404],
    control: { by: "platform", method: "DELETE", path: `${tenantApi}/${VICTIM}?dryRun=All` }
  },
  {
    name: "a tenant in the tenant's own group",
    method: "POST",
    path: tenantApi,
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ apiVersion: "tenant.kubezoo.io/v1alpha1", kind: "Tenant", metadata: { name: "evil01" } }),
    codes: [403, 404],
    control: {
      by: "platform",
      method: "POST",
      path: `${tenantApi}?dryRun=All`,
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ apiVersion: "tenant.kubezoo.io/v1alpha1", kind: "Tenant", metadata: { name: "evil01" } })
    }
  },
  {
    name: "the platform's namespace through a dot",
    path: `/api/v1/namespaces/./${PLATFORM_NAMESPACE}`,
    codes: [400, 403, 404],
    control: { by: "platform", path: `/api/v1/namespaces/${PLATFORM_NAMESPACE}` }
  }
]
