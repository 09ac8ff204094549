// The fields of a request as the endpoint gets them: those of the client that may go on, who asks, and what proves the gateway.
// Owns the composition, made once for all requests with the same head and the same user; refuses to choose any field's value.
import type { HttpFields } from "#net"
import type { FrontProxy } from "../config/UpstreamCluster.ts"
import type { Identity } from "../identity/Identity.ts"
import type { ClusterRuntime } from "./ClusterRuntime.ts"
import type { RequestPlan } from "./RequestPlan.ts"

const hopFields: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade"
])

/** Whether a front proxy would set the field: from a client it means nothing and goes no further. */
const isOfFrontProxy = (proxy: FrontProxy, name: string): boolean =>
  [proxy.usernameHeaders, proxy.groupHeaders, proxy.uidHeaders].some((names) => names.includes(name)) ||
  proxy.extraHeaderPrefixes.some((prefix) => name.startsWith(prefix))

export const upstreamFields = (plan: RequestPlan, identity: Identity, runtime: ClusterRuntime): HttpFields => {
  const { made } = plan.found
  const { ownFields } = runtime
  if (made !== undefined && made.identity === identity && made.credentials === ownFields) return made.fields
  const { frontProxy } = runtime.cluster.authentication
  const fields: Array<readonly [string, string]> = []
  for (const field of plan.fields) {
    if (frontProxy === undefined || !isOfFrontProxy(frontProxy, field[0])) fields.push(field)
  }
  fields.push(["x-forwarded-for", plan.sourceIp], ...identity.fields)
  // Who speaks for itself must not be taken for the gateway.
  if (identity.proof !== "passthrough") fields.push(...ownFields)
  plan.found.made = { fields, identity, credentials: ownFields }
  return fields
}

/** Puts a trace's fields in the place of the client's. */
export const withTrace = (fields: HttpFields, trace: HttpFields): HttpFields => {
  const names = new Set(trace.map(([name]) => name))
  return [...fields.filter(([name]) => !names.has(name)), ...trace]
}

/** The fields of an answer over HTTP/1.1 without those of its connection. */
export const answerFields = (fields: HttpFields): HttpFields => {
  const named = new Set<string>()
  for (const [name, value] of fields) {
    if (name === "connection") for (const each of value.split(",")) named.add(each.trim().toLowerCase())
  }
  return fields.filter(([name]) => !hopFields.has(name) && !named.has(name))
}
