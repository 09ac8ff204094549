// The invariant of subresources: what a tenant asks of one is asked upstream of the same object's same subresource, by the same method
// and with the same query, or is refused without anything being asked.
// Owns a table of its own of what tenants may reach, which shares nothing with the router's.
import * as fc from "fast-check"
import { builtInResources } from "#kube"
import { assertedIdentity, type TenantCaller } from "../identity/Caller.ts"
import { cast, clusterName } from "./Book.ts"
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

const admin: TenantCaller = {
  kind: "tenant",
  tenant,
  admin: true,
  user: assertedIdentity(cast.tenant, { name: `${prefix}admin`, groups: [`${prefix}system:authenticated`] }, true)
}

/** Kinds of which tenants read at most, and those that are nobody's but the platform's. */
const onlyRead =
  /^(nodes|persistentvolumes|storageclasses|volumeattributesclasses|csidrivers|priorityclasses|deviceclasses)$/
const withheld =
  /^(componentstatuses|apiservices|certificatesigningrequests|clustertrustbundles|csinodes|volumeattachments|devicetaintrules|resourceslices|flowschemas|prioritylevelconfigurations|ipaddresses|servicecidrs|storageversionmigrations|podcertificaterequests|csistoragecapacities)$/
const reached =
  /^(pods\/(eviction|binding|ephemeralcontainers|resize|log|exec|attach|portforward|proxy)|services\/proxy|serviceaccounts\/token|namespaces\/finalize)$/

const methods: Readonly<Record<string, string>> = {
  get: "GET",
  create: "POST",
  update: "PUT",
  patch: "PATCH",
  delete: "DELETE"
}

interface Asked {
  readonly group: string
  readonly version: string
  readonly resource: string
  readonly namespaced: boolean
  readonly subresource: string
  readonly verb: string
}

const every = Object.keys(methods)

/** What is served upstream: the objects' subresources, and those that lead to containers, which discovery does not tell the verbs of. */
const all: ReadonlyArray<Asked> = builtInResources().flatMap(
  ({ group, namespaced, resource, subresources, version }) => {
    const at = { group, version, resource, namespaced }
    const own = subresources.flatMap(({ name, verbs }) =>
      verbs.filter((verb) => methods[verb] !== undefined).map((verb) => ({ ...at, subresource: name, verb }))
    )
    const connected = group === "" && ["pods", "services", "nodes"].includes(resource) ? ["exec", "log", "proxy"] : []
    return [...own, ...connected.flatMap((subresource) => every.map((verb) => ({ ...at, subresource, verb })))]
  }
)

/** Whether a tenant's administrator is let through at all. */
const isLetThrough = ({ group, resource, subresource, verb }: Asked): boolean => {
  if (withheld.test(resource)) return false
  const named = subresource === "status" || subresource === "scale"
  if (!named && !(group === "" && reached.test(`${resource}/${subresource}`))) return false
  return verb === "get" || (subresource !== "log" && !onlyRead.test(resource))
}

const nameIn = ({ resource }: Asked): string => (resource === "customresourcedefinitions" ? "widgets.acme.io" : "n-1")

const pathOf = (asked: Asked, up: boolean): string => {
  const { group, namespaced, resource, subresource, version } = asked
  const root = group === "" ? `/api/${version}` : `/apis/${group}/${version}`
  const name = up && !namespaced ? clusterName(resource, nameIn(asked)) : nameIn(asked)
  return `${root}${namespaced ? `/namespaces/${up ? prefix : ""}default` : ""}/${resource}/${name}/${subresource}`
}

const upgrading: Sent["fields"] = [
  ["connection", "Upgrade"],
  ["upgrade", "SPDY/3.1"]
]

const sentFor = (asked: Asked, query: string): Sent => {
  const { subresource, verb } = asked
  const upgrades = /^(exec|attach|portforward)$/.test(subresource)
  const type = verb === "patch" ? "application/merge-patch+json" : "application/json"
  const hasBody = verb !== "get" && verb !== "delete" && !upgrades
  return {
    method: methods[verb] ?? "",
    path: pathOf(asked, false) + query,
    fields: upgrades ? upgrading : hasBody ? [["content-type", type]] : [],
    body: hasBody ? "{}" : ""
  }
}

/** The invariant that the router and the paths may break. */
export const subresourceProperties: ReadonlyArray<Invariant> = [
  {
    number: 13,
    name: "subresources",
    says: "a subresource is asked of the same object upstream, in the same way, or not at all",
    property: (rewriter) => {
      const handler = new CheckedHandler(rewriter)
      const queries = fc.constantFrom("", "?dryRun=All", "?container=c%20d&follow=true", "?a=1&a=2")
      return fc.property(fc.tuple(fc.constantFrom(...all), queries), ([asked, query]) => {
        const sent = sentFor(asked, query)
        const passed = handler.send(admin, sent)
        const told = `${sent.method} ${sent.path}`
        const [head, ...more] = passed.asked
        if (!isLetThrough(asked)) {
          holds(`${told} was let through as ${head?.path}`, head === undefined)
          return holds(`${told} was answered with ${passed.code}`, [403, 404, 405].includes(passed.code))
        }
        holds(`${told} was refused with ${passed.code}`, head !== undefined)
        holds(`${told} became ${more.length + 1} requests`, more.length === 0)
        holds(`${told} became a ${head?.method}`, head?.method === sent.method)
        holds(`${told} became ${head?.path}`, head?.path === pathOf(asked, true) + query)
      })
    }
  }
]
