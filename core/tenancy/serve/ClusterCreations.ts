// How many objects outside namespaces a tenant may have, and how many namespaces, where its operator has set a bound for their resource.
// Owns the counting, which asks upstream, because there is no copy of these objects here. What is bounded together is created one after
// another, so that nothing under way is missed or counted twice. Two things may pass a bound: what servers beside this one, which do the
// same without knowing of one another, have under way, and what upstream makes after its client has gone.
import { ApiFailure, Failures, isJsonObject, type Json } from "#kube"
import { TENANT_LABEL } from "../rules/Sorts.ts"
import { ask, jsonOf, type Upstream } from "../upstream/Upstream.ts"
import { resourceName } from "../walls/Routes.ts"
import { answerWhole } from "./Answers.ts"
import type { TenantCall } from "./TenantCall.ts"
import { fieldsUp, pathUp } from "./UpstreamHead.ts"

const METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

/** The bound of a resource; undefined when the operator has set none. */
const boundOf = (call: TenantCall, resource: string): number | undefined => {
  const { spec } = call.scope.tenant.object
  if (!isJsonObject(spec)) return undefined
  const { maxNamespaces, maxObjects } = spec
  const bound = isJsonObject(maxObjects) ? maxObjects[resource] : undefined
  const own = resource === "namespaces" ? (maxNamespaces ?? bound) : bound
  return typeof own === "number" ? own : undefined
}

const namesOf = (list: unknown): ReadonlyArray<string> => {
  const { items } = list as { readonly items?: ReadonlyArray<{ readonly metadata?: { readonly name?: Json } }> }
  return (items ?? []).flatMap(({ metadata }) => (typeof metadata?.name === "string" ? [metadata.name] : []))
}

export class ClusterCreations {
  private readonly upstream: Upstream
  /** Creations by tenant and resource, each line's first under way; as many as a tenant may have requests open. */
  private readonly lines = new Map<string, Array<() => void>>()

  constructor(upstream: Upstream) {
    this.upstream = upstream
  }

  /** Runs a request when what it may create is within the bound; otherwise it is answered. */
  within(call: TenantCall, run: () => void): void {
    const { served } = call.kind
    const resource = resourceName(served.resource, served.group)
    const bound = served.namespaced ? undefined : boundOf(call, resource)
    if (bound === undefined) return run()
    const name = call.path.info.name
    // Of patches only applying creates.
    const applies = (call.exchange.header("content-type") ?? "").startsWith("application/apply-patch")
    if (call.path.info.verb === "patch" && !applies) return run()
    this.inTurn(`${call.scope.tenant.id} ${resource}`, call, () =>
      this.count(call, (names) => {
        const own = name === "" ? "" : call.scope.names.nameUp(resource, name)
        if (names.includes(own) || names.length < bound) return run()
        const { group } = call.kind.shape
        call.fail(
          Failures.forbidden({ group, resource: served.resource, name }, `this cluster may have ${bound} ${resource}`)
        )
      })
    )
  }

  /** Runs when all that came before to the same line is over. */
  private inTurn(key: string, call: TenantCall, run: () => void): void {
    const line = this.lines.get(key) ?? []
    this.lines.set(key, line)
    line.push(run)
    call.onOver(() => {
      const wasFirst = line[0] === run
      line.splice(line.indexOf(run), 1)
      const next = line[0]
      if (next === undefined) this.lines.delete(key)
      else if (wasFirst) next()
    })
    if (line[0] === run) run()
  }

  private count(call: TenantCall, done: (names: ReadonlyArray<string>) => void): void {
    const fields = fieldsUp(call, { accept: METADATA, own: true })
    const { served } = call.kind
    const collection = pathUp(call)
      .split("/")
      .slice(0, served.group === "" ? 4 : 5)
      .join("/")
    const selector = encodeURIComponent(`${TENANT_LABEL}=${call.scope.tenant.id}`)
    const head = { method: "GET", path: `${collection}?labelSelector=${selector}`, fields }
    ask(this.upstream, head, undefined, (answer) => {
      if (call.over) return
      const list = jsonOf(answer)
      if (list instanceof ApiFailure) answerWhole(call, answer)
      else done(namesOf(list))
    })
  }
}
