// Calls of webhooks as the plugins see them: where one is, and what it answered.
// Owns the port and the way from a service to an address; refuses sockets, which WebhookCallAdapter.ts or a simulation brings.
import type { Api } from "../Api.ts"
import { fieldsIn, fieldsOf, itemsOf, numberIn, textOf, textsOf } from "../resources/Fields.ts"
import type { Fields } from "./Plugin.ts"

/** Where a webhook listens. */
export interface WebhookTarget {
  readonly host: string
  readonly port: number
  /** With its query. */
  readonly path: string
  /** What its certificate must be for. */
  readonly serverName: string
  /** PEM of the authority of its certificate; absent: those that the machine trusts. */
  readonly caBundle?: string
  /** As messages name it, like "https://hooks.default.svc:443/mutate?timeout=10s". */
  readonly url: string
}

/** What a webhook answered: its body, or why there is none. */
export type WebhookAnswer = { readonly status: number; readonly body: string } | { readonly unreachable: string }

export interface WebhookCaller {
  /** Posts a JSON text; answers once, at the latest after `timeoutMs`. May answer before it returns. */
  readonly post: (target: WebhookTarget, body: string, timeoutMs: number, done: (answer: WebhookAnswer) => void) => void
}

/** The address of a service's port; undefined when it has none. */
export type ServiceResolver = (
  namespace: string,
  name: string,
  port: number
) => { readonly host: string; readonly port: number } | undefined

/** Resolves services by their ready endpoints, and by their cluster IP when no endpoint is known. */
export const serviceResolver = (api: Api): ServiceResolver => {
  const services = api.view("", "services")
  const slices = api.view("discovery.k8s.io", "endpointslices")
  return (namespace, name, port) => {
    const spec = fieldsOf(services.get(namespace, name)?.spec)
    if (spec["type"] === "ExternalName") return { host: textOf(spec["externalName"]), port }
    const own = itemsOf(spec["ports"]).find((one) => one["port"] === port)
    if (own === undefined) return undefined
    for (const slice of slices.list(namespace)) {
      if (slice.metadata.labels?.["kubernetes.io/service-name"] !== name) continue
      const ready = itemsOf(slice["endpoints"]).find(({ conditions }) => fieldsOf(conditions)["ready"] !== false)
      const target = itemsOf(slice["ports"]).find((one) => textOf(one["name"]) === textOf(own["name"]))
      const [host] = textsOf(ready?.["addresses"])
      const at = numberIn(target?.["port"])
      if (host !== undefined && at !== undefined) return { host, port: at }
    }
    const host = textOf(spec["clusterIP"])
    return host === "" || host === "None" ? undefined : { host, port }
  }
}

/** The target of a webhook's clientConfig, or why it has none. */
export const targetOf = (
  clientConfig: Fields,
  timeoutSeconds: number,
  resolve: ServiceResolver
): WebhookTarget | string => {
  const bundle = textOf(clientConfig["caBundle"])
  const trust = bundle === "" ? {} : { caBundle: Buffer.from(bundle, "base64").toString("latin1") }
  const timeout = `timeout=${timeoutSeconds}s`
  const service = fieldsIn(clientConfig["service"])
  if (service !== undefined) {
    const [namespace, name, path] = ["namespace", "name", "path"].map((field) => textOf(service[field]))
    const port = numberIn(service["port"]) ?? 443
    const full = `${path === "" || path === undefined ? "/" : path}${path?.includes("?") === true ? "&" : "?"}${timeout}`
    const serverName = `${name}.${namespace}.svc`
    const address = resolve(namespace ?? "", name ?? "", port)
    return address === undefined
      ? `service ${JSON.stringify(name)} not found`
      : { ...address, path: full, serverName, ...trust, url: `https://${serverName}:${port}${full}` }
  }
  const text = textOf(clientConfig["url"])
  if (!URL.canParse(text)) return `the webhook's url is none`
  const url = new URL(text)
  if (url.protocol !== "https:") return `the webhook's url is not of the scheme https`
  const path = `${url.pathname}${url.search === "" ? "?" : `${url.search}&`}${timeout}`
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1")
  return {
    host,
    port: url.port === "" ? 443 : Number(url.port),
    path,
    serverName: host,
    ...trust,
    url: `https://${url.host}${path}`
  }
}
