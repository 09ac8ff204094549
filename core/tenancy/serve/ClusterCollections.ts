// Lists of kinds that stand in no namespace, and the deletion of many of them: asked in this server's own name, because upstream can
// grant such lists only whole, and cut down to what is the tenant's.
// Owns this cutting. Upstream's pages are passed on where all that it would list is the tenant's or everybody's; of other kinds the
// tenant's few come at once, because the places of pages would count what is not the tenant's.
import { ApiFailure, Failures, isJsonObject, type Json } from "#kube"
import { type ClusterNaming, clusterNaming } from "../names/ClusterNames.ts"
import { TENANT_LABEL } from "../rules/Sorts.ts"
import { ask, jsonOf, type WholeAnswer } from "../upstream/Upstream.ts"
import { resourceName } from "../walls/Routes.ts"
import { answerOptions, answerWhole, PiecewiseAnswer } from "./Answers.ts"
import { type Forwarding, sendWhole } from "./Forward.ts"
import { bodyUp, readBody } from "./RequestBodies.ts"
import type { ListPage } from "./Streamed.ts"
import type { TenantCall } from "./TenantCall.ts"
import { acceptUp, fieldsUp, pathUp, queryUp } from "./UpstreamHead.ts"

/** Deletions that one request has under way at the same time. */
const ABREAST = 8

const paging: ReadonlySet<string> = new Set(["limit", "continue"])
const kept: ReadonlySet<string> = new Set()
const paged: ReadonlySet<ClusterNaming> = new Set<ClusterNaming>(["namespace", "prefixed", "shared"])

const namingOf = ({ kind }: TenantCall): ClusterNaming =>
  clusterNaming(resourceName(kind.served.resource, kind.served.group))

export class ClusterCollections {
  private readonly forwarding: Forwarding

  constructor(forwarding: Forwarding) {
    this.forwarding = forwarding
  }

  /** The query of a list; what can only be a tenant's own carries its label, so that upstream leaves out all others. */
  private query(call: TenantCall, page?: ListPage): string | ApiFailure {
    const further = page === undefined ? {} : { continue: page.upstreamToken }
    const query = queryUp(call, further, page === undefined ? paging : kept)
    const naming = namingOf(call)
    if (query instanceof ApiFailure || (naming !== "namespace" && naming !== "prefixed")) return query
    const own = encodeURIComponent(`${TENANT_LABEL}=${call.scope.tenant.id}`)
    if (query.includes("labelSelector=")) return query.replace("labelSelector=", `labelSelector=${own}%2C`)
    return query === "" ? `?labelSelector=${own}` : `${query}&labelSelector=${own}`
  }

  /** `page` is the place among upstream's pages that the request names. */
  list(call: TenantCall, page: () => ListPage | ApiFailure): void {
    const accept = acceptUp(call.exchange.header("accept"))
    if (accept instanceof ApiFailure) return call.fail(accept)
    const isPaged = paged.has(namingOf(call))
    if (!isPaged && call.query.get("continue") !== "") {
      return call.fail(Failures.badRequest("continue key is not valid: it is not a token of this list"))
    }
    const place = isPaged ? page() : undefined
    if (place instanceof ApiFailure) return call.fail(place)
    const query = this.query(call, place)
    if (query instanceof ApiFailure) return call.fail(query)
    const { rewriting } = call.scope
    const continued = place === undefined ? {} : { continueToken: place.continueToken }
    const options = { ...answerOptions(call), collection: true, ...continued }
    const answer = new PiecewiseAnswer(call, () => rewriting.answerToTenant(call.kind.shape, options))
    answer.continueToken = place?.continueToken
    const head = { method: "GET", path: pathUp(call) + query, fields: fieldsUp(call, { accept, own: true }) }
    answer.follow(this.forwarding.upstream.send(head, undefined, answer))
  }

  /** Deletes what a list shows, one by one, as the caller. */
  delete(call: TenantCall): void {
    readBody(call, (sent) => {
      const body = bodyUp(call, sent)
      if (body instanceof ApiFailure) return call.fail(body)
      const query = this.query(call)
      if (query instanceof ApiFailure) return call.fail(query)
      const accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
      const fields = fieldsUp(call, { accept, own: true })
      ask(this.forwarding.upstream, { method: "GET", path: pathUp(call) + query, fields }, undefined, (answer) => {
        if (call.over) return
        const list = jsonOf(answer)
        if (list instanceof ApiFailure) return answerWhole(call, answer)
        this.deleteEach(call, this.ownNames(call, list as Json), body)
      })
    })
  }

  private ownNames(call: TenantCall, list: Json): ReadonlyArray<string> {
    const items = isJsonObject(list) && Array.isArray(list["items"]) ? list["items"] : []
    const { served } = call.kind
    const { names } = call.scope
    const resource = resourceName(served.resource, served.group)
    return items.flatMap((item) => {
      const metadata = isJsonObject(item) ? item["metadata"] : undefined
      const name = isJsonObject(metadata) ? metadata["name"] : undefined
      if (typeof name !== "string") return []
      const marked = served.resource === "customresourcedefinitions" ? name.slice(name.indexOf(".") + 1) : name
      return marked.startsWith(names.prefix) && names.nameDown(resource, name) !== undefined ? [name] : []
    })
  }

  private deleteEach(call: TenantCall, names: ReadonlyArray<string>, body: Uint8Array): void {
    let waiting = names
    let open = 0
    let failure: WholeAnswer | ApiFailure | undefined
    const more = (): void => {
      while (open < ABREAST && waiting.length > 0) {
        const [name = "", ...rest] = waiting
        waiting = rest
        open++
        const head = {
          method: "DELETE",
          path: `${pathUp(call)}/${encodeURIComponent(name)}`,
          fields: fieldsUp(call, { accept: "application/json", contentType: "application/json" })
        }
        sendWhole(this.forwarding, call, { head, body: body.length === 0 ? undefined : body }, (answer) => {
          open--
          // Somebody else was faster.
          if (answer instanceof ApiFailure || (answer.code >= 300 && answer.code !== 404)) {
            failure ??= answer
            waiting = []
          }
          more()
        })
      }
      if (open > 0) return
      if (failure !== undefined) return answerWhole(call, failure)
      if (waiting.length === 0) call.json(200, { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success" })
    }
    more()
  }
}
