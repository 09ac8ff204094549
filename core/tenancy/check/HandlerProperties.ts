// Invariants of the server's handler: whatever path and fields a tenant sends, what is asked upstream stays inside the tenant, in the
// tenant's name.
// Owns a second reader of upstream's paths, which believes nothing that the first one decided.
import * as fc from "fast-check"
import { builtInResources } from "#kube"
import type { HttpRequestHead } from "#net"
import { assertedIdentity, ASSERTED, membersOf, type TenantCaller } from "../identity/Caller.ts"
import { cast } from "./Book.ts"
import { CheckedHandler, type Sent } from "./Handler.ts"
import type { Invariant } from "./Invariants.ts"
import { holds } from "./View.ts"

const prefix = `${cast.tenant}-`

const tenant = {
  id: cast.tenant,
  uid: "uid-of-the-check",
  access: "ReadWrite",
  deleting: false,
  object: { apiVersion: "tenant.kubezoo.io/v1alpha1", kind: "Tenant", metadata: { name: cast.tenant } }
} as const

const callerOf = (name: string, admin: boolean): TenantCaller => ({
  kind: "tenant",
  tenant,
  admin,
  user: assertedIdentity(cast.tenant, { name, groups: [`${prefix}system:authenticated`] }, admin)
})

const callers = fc.constantFrom(
  callerOf(`${prefix}admin`, true),
  callerOf(`${prefix}jane`, false),
  callerOf(`system:serviceaccount:${prefix}default:robot`, false)
)

const paths = [
  "api/v1/namespaces/default/pods/p",
  "api/v1/namespaces/default/pods/p/log",
  "api/v1/namespaces/default/pods/p/exec",
  "api/v1/namespaces/default/pods/p/proxy/a/b",
  "api/v1/namespaces/default/services/https:s:443/proxy/namespaces/x",
  "api/v1/namespaces/default/configmaps",
  "api/v1/namespaces/default/serviceaccounts/robot/token",
  "api/v1/namespaces/default/status",
  "api/v1/namespaces/shop",
  "api/v1/namespaces",
  "api/v1/pods",
  "api/v1/watch/namespaces/default/pods",
  "api/v1/nodes/n/proxy/pods",
  "api/v1/persistentvolumes/v",
  "apis/apps/v1/namespaces/default/deployments/d/scale",
  "apis/rbac.authorization.k8s.io/v1/clusterroles/r",
  "apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.acme.io",
  "apis/acme.io/v1/namespaces/default/widgets/w",
  "apis/tenant.kubezoo.io/v1alpha1/tenants/111111",
  "apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
  "openapi/v3/apis/apps/v1",
  "metrics"
].map((path) => path.split("/"))

/** Segments that lead elsewhere, or mean different things to different readers. */
const traps = [
  "..",
  ".",
  "",
  "%2e%2e",
  "%2E.",
  "%2f",
  "..%2f..",
  "a%2fb",
  "%252e%252e",
  "%5c..",
  "%00",
  "..;",
  "a;b",
  "%zz",
  "namespaces",
  "watch",
  "proxy",
  "default",
  "kube-system",
  `${prefix}default`,
  `${prefix}${prefix}x`,
  "111111-",
  ...cast.others.flatMap((id) => [`${id}-default`, `${id}-${cast.customGroup}`]),
  "api",
  "apis",
  "v1",
  "pods",
  "nodes",
  "secrets",
  "clusterroles",
  "tenants",
  "acme.io",
  "status",
  "log",
  "x"
]

type Change = readonly [kind: "replace" | "insert" | "remove", at: number, segment: string]

const changes: fc.Arbitrary<ReadonlyArray<Change>> = fc.array(
  fc.tuple(fc.constantFrom("replace", "insert", "remove"), fc.nat(12), fc.constantFrom(...traps)),
  { maxLength: 4 }
)

const applied = (path: ReadonlyArray<string>, all: ReadonlyArray<Change>): string => {
  const segments = [...path]
  for (const [kind, place, segment] of all) {
    const at = place % (segments.length + 1)
    if (kind === "insert") segments.splice(at, 0, segment)
    else if (kind === "replace") segments.splice(at, 1, segment)
    else segments.splice(at, 1)
  }
  return `/${segments.join("/")}`
}

const queries = fc.constantFrom(
  "",
  "",
  "?watch=1",
  "?limit=2",
  "?fieldSelector=metadata.namespace%3D222222-x",
  "?a=/../b"
)
const methods = fc.constantFrom("GET", "GET", "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")

const fieldNames = [
  "impersonate-user",
  "impersonate-group",
  "impersonate-uid",
  "impersonate-extra-scopes",
  "authorization",
  "cookie",
  "x-remote-user",
  "x-remote-group",
  "x-remote-extra-a",
  "x-forwarded-for",
  "x-forwarded-client-cert",
  "te",
  "connection",
  "upgrade",
  "keep-alive",
  "proxy-authorization",
  "transfer-encoding",
  "host",
  "trailer",
  "sec-websocket-protocol",
  "x-stream-protocol-version",
  "user-agent",
  "x-own",
  "content-type",
  "accept"
]
const fieldValues = [
  "system:masters",
  "admin",
  `${cast.others[0]}-admin`,
  "system:serviceaccount:kube-system:robot",
  "jane",
  `${ASSERTED}admins`,
  membersOf(cast.others[0]),
  "Bearer stolen",
  "SPDY/3.1",
  "Upgrade",
  "application/json",
  "base64url.bearer.authorization.k8s.io.c3RvbGVu, v5.channel.k8s.io",
  "system:serviceaccounts:kube-system"
]

const requests: fc.Arbitrary<Sent> = fc
  .record({
    method: methods,
    path: fc.constantFrom(...paths),
    changes,
    query: queries,
    fields: fc.array(fc.tuple(fc.constantFrom(...fieldNames), fc.constantFrom(...fieldValues)), { maxLength: 5 })
  })
  .map(({ changes: all, fields, method, path, query }) => ({
    method,
    path: applied(path, all) + query,
    fields,
    body: method === "GET" || method === "HEAD" ? "" : "{}"
  }))

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** The paths that different readers make of one: as it is, with escapes read once and twice, with its dots resolved. */
const readings = (path: string): ReadonlyArray<string> => {
  const once = decoded(path)
  const all = [path, once, decoded(once)]
  return [...all, ...all.map((one) => new URL(one.replaceAll("\\", "/"), "http://upstream").pathname)]
}

const kubernetes: ReadonlySet<string> = new Set(builtInResources().map(({ group }) => group))

const isOwnName = (resource: string, name: string): boolean =>
  resource === "nodes" ||
  name.startsWith(prefix) ||
  (resource === "persistentvolumes" && /^pvc-[0-9a-f-]{36}$/.test(name)) ||
  (resource === "customresourcedefinitions" &&
    (name.includes(`.${prefix}`) || kubernetes.has(name.slice(name.indexOf(".") + 1))))

/** Why a path of upstream leads out of the tenant; undefined when it does not. */
const leadsOut = (method: string, path: string): string | undefined => {
  const segments = path.split("/").slice(1)
  const [root = "", ...below] = segments
  if (root === "openapi" || root === "version") return undefined
  const [group, ...rest] = root === "api" ? ["", ...below.slice(1)] : [below[0] ?? "", ...below.slice(2)]
  if (root !== "api" && root !== "apis") return "is no API"
  if (!kubernetes.has(group) && !group.startsWith(prefix)) return `group ${group} is not the tenant's`
  const [resource = "", name, ...further] = rest
  if (resource === "watch" || resource === "proxy") return `${resource} stands before its resource`
  if (name === undefined) return method === "GET" || resource !== "pods" ? undefined : "changes pods of all"
  if (name === "") return "has an empty segment"
  if (!isOwnName(resource, name)) return `${resource} ${name} is not the tenant's`
  return resource === "nodes" && further.length > 0 ? "reaches into a node" : undefined
}

const judgePath = ({ method, path }: HttpRequestHead): void => {
  const [plain = ""] = path.split("?", 1)
  const mark = /^\/api\/v1\/namespaces\/[^/]+\/(pods|services)\/[^/]+\/proxy(?=\/|$)/.exec(plain)?.[0]
  for (const reading of readings(plain)) {
    // What follows belongs to whoever is reached, as long as nobody can read it as a way back.
    holds(`${path} leaves its proxy as ${reading}`, mark === undefined || decoded(reading).startsWith(decoded(mark)))
    const own = mark === undefined ? reading : decoded(mark)
    const why = leadsOut(method, own)
    holds(`${path}, read as ${own}: ${why}`, why === undefined)
    holds(`${path} is not plain`, !/\/\/|\/\.{1,2}(\/|$)|[\\\0]/.test(own))
  }
}

const mayNotPass =
  /^(x-remote-|x-forwarded-|authorization$|cookie$|proxy-|te$|trailer$|transfer-encoding$|keep-alive$|host$)/
const ownGroup = (group: string): boolean =>
  group.startsWith(prefix) ||
  group.startsWith(`system:serviceaccounts:${prefix}`) ||
  [`${ASSERTED}proxied`, `${ASSERTED}admins`, `${ASSERTED}admins:${cast.tenant}`, membersOf(cast.tenant)].includes(
    group
  ) ||
  [`${ASSERTED}user:`, `${ASSERTED}group:`].some((kind) => group.startsWith(kind) && ownUser(group.slice(kind.length)))

const ownUser = (name: string): boolean =>
  name.startsWith(prefix) ||
  name.startsWith(`system:serviceaccount:${prefix}`) ||
  name.startsWith(`system:serviceaccounts:${prefix}`)

const judgeFields = ({ fields, path }: HttpRequestHead, { admin }: TenantCaller): void => {
  for (const [name, value] of fields) {
    holds(`${path}: the field ${name} passed`, !mayNotPass.test(name))
    const tells = name === "sec-websocket-protocol" && value.includes("base64url.bearer.")
    holds(`${path}: a bearer token passed among the subprotocols`, !tells)
    if (!name.startsWith("impersonate-")) continue
    const isOwn = name === "impersonate-user" ? ownUser(value) : name === "impersonate-group" && ownGroup(value)
    holds(`${path}: ${name} is ${value}`, isOwn)
    const isAdmins = value === `${ASSERTED}admins` || value === `${ASSERTED}admins:${cast.tenant}`
    holds(`${path}: somebody became an administrator`, admin || !isAdmins)
  }
  const users = fields.filter(([name]) => name === "impersonate-user").length
  const members = fields.filter(([name, value]) => name === "impersonate-group" && value === membersOf(cast.tenant))
  holds(`${path}: ${users} users`, users <= 1 && members.length === users)
}

/** Invariants that the handler may break. */
export const handlerProperties: ReadonlyArray<Invariant> = [
  {
    number: 17,
    name: "paths",
    says: "no path leads out of the tenant, whoever reads it",
    property: (rewriter) => {
      const handler = new CheckedHandler(rewriter)
      return fc.property(fc.tuple(callers, requests), ([caller, sent]) => {
        for (const head of handler.send(caller, sent).asked) judgePath(head)
      })
    }
  },
  {
    number: 18,
    name: "headers",
    says: "no field of a client says upstream who somebody is",
    property: (rewriter) => {
      const handler = new CheckedHandler(rewriter)
      return fc.property(fc.tuple(callers, requests), ([caller, sent]) => {
        for (const head of handler.send(caller, sent).asked) judgeFields(head, caller)
      })
    }
  }
]
