// Invariants of lists and watches through the handler, before a cluster that changes meanwhile: pages are the list, and a list with
// what its watch tells is the next list.
// Owns these two; what one answer's bytes say is AnswerProperties.ts's.
import * as fc from "fast-check"
import type { Rewriter } from "../rewrite/Rewriter.ts"
import { cast } from "./Book.ts"
import type { Invariant } from "./Invariants.ts"
import { ModelHandler } from "./ModelHandler.ts"
import { holds, same } from "./View.ts"

const tenants = [cast.tenant, ...cast.others]
const spaces = ["a", "a-b", "b"]

/** A pod is written or deleted, or a namespace of the tenant made or deleted with all that stands in it. */
const change = fc.record({
  who: fc.nat(tenants.length - 1),
  where: fc.nat(spaces.length - 1),
  what: fc.nat(3),
  kind: fc.constantFrom("write", "write", "write", "delete", "space")
})
type Change = typeof change extends fc.Arbitrary<infer A> ? A : never

const changes = (maxLength: number) => fc.array(change, { maxLength })

const happens = ({ cluster }: ModelHandler, { kind, what, where, who }: Change): void => {
  const namespace = `${tenants[who]}-${spaces[where]}`
  const name = `p${what}`
  const exists = cluster.namespaces.has(namespace)
  if (kind === "space") {
    for (const each of exists ? cluster.state({ namespace, name: undefined }) : []) {
      cluster.happen("DELETED", namespace, each.name)
    }
    if (exists) cluster.namespaces.delete(namespace)
    else cluster.namespaces.add(namespace)
    cluster.version++
  } else if (exists) {
    const known = cluster.state({ namespace, name }).length > 0
    if (kind === "write") cluster.happen(known ? "MODIFIED" : "ADDED", namespace, name)
    else if (known) cluster.happen("DELETED", namespace, name)
  }
}

const begun = (rewriter: Rewriter, first: ReadonlyArray<Change>): ModelHandler => {
  const handler = new ModelHandler(tenants, rewriter)
  for (const id of tenants) for (const space of ["a", "b"]) handler.cluster.namespaces.add(`${id}-${space}`)
  for (const each of first) happens(handler, each)
  return handler
}

interface List {
  readonly metadata: {
    readonly resourceVersion: string
    readonly continue?: string
    readonly remainingItemCount?: number
  }
  readonly items: ReadonlyArray<{ readonly metadata: Found }>
}

interface Found {
  readonly name: string
  readonly namespace: string
  readonly resourceVersion: string
}

const lineOf = ({ name, namespace, resourceVersion }: Found): string => `${namespace}/${name} ${resourceVersion}`

const listed = (handler: ModelHandler, namespace: string, query: string): List => {
  const { code, text } = handler.list(cast.tenant, namespace, query)
  holds(`a list (${query}) was answered ${code} ${text}`, code === 200)
  return JSON.parse(text) as List
}

/** What the tenant has at a version, as the cluster itself knows it. */
const owned = ({ cluster }: ModelHandler, namespace: string, version: number): ReadonlyArray<string> => {
  const prefix = `${cast.tenant}-`
  return cluster
    .state({ namespace: namespace === "" ? "" : prefix + namespace, name: undefined }, version)
    .filter((each) => each.namespace.startsWith(prefix))
    .map((each) => `${each.namespace.slice(prefix.length)}/${each.name} ${each.version}`)
}

const scope = fc.constantFrom("", "", "a")

/** Pages, while the cluster changes between them, are the list of the version that the first one said. */
const pages = (rewriter: Rewriter) =>
  fc.property(
    changes(20),
    fc.array(changes(4), { minLength: 1, maxLength: 6 }),
    fc.constantFrom(1, 2, 5),
    scope,
    (first, between, limit, namespace) => {
      const handler = begun(rewriter, first)
      const found: Array<string> = []
      let version = ""
      let token = ""
      for (let page = 0; page === 0 || token !== ""; page++) {
        holds("pages go round in circles", page < 100)
        const further = token === "" ? "" : `&continue=${encodeURIComponent(token)}`
        const { items, metadata } = listed(handler, namespace, `limit=${limit}${further}`)
        if (page === 0) version = metadata.resourceVersion
        same("the version of a page", metadata.resourceVersion, version)
        holds("a page holds more than was asked for", items.length <= limit)
        found.push(...items.map((item) => lineOf(item.metadata)))
        token = metadata.continue ?? ""
        if (token === "") break
        const foreign = handler.list(cast.others[0], namespace, `limit=${limit}&continue=${encodeURIComponent(token)}`)
        holds(`another tenant's token was answered ${foreign.code}`, foreign.code === 400)
        for (const each of between[page % between.length] ?? []) happens(handler, each)
      }
      // What a namespace held that went meanwhile can be shown at no version: it may be missing, and nothing else.
      const gone = new Set(spaces.filter((space) => !handler.cluster.namespaces.has(`${cast.tenant}-${space}`)))
      const still = (line: string): boolean => !gone.has(line.slice(0, line.indexOf("/")))
      const all = owned(handler, namespace, Number(version))
      same("all pages", found.filter(still).join("\n"), all.filter(still).join("\n"))
      holds(
        "a page shows what there is not",
        found.every((line) => all.includes(line))
      )
      handler.tenancy.stop()
    }
  )

/** A list and what the watch from its version tells are the list at the end. */
const replay = (rewriter: Rewriter) =>
  fc.property(
    changes(15),
    changes(5),
    fc.array(changes(4), { maxLength: 5 }),
    scope,
    fc.constantFrom("", "lose"),
    (first, between, later, namespace, trouble) => {
      const handler = begun(rewriter, first)
      const { items, metadata } = listed(handler, namespace, "")
      const known = new Map(items.map((item) => [`${item.metadata.namespace}/${item.metadata.name}`, item.metadata]))
      same(
        "a list",
        items.map((item) => lineOf(item.metadata)).join("\n"),
        owned(handler, namespace, handler.cluster.version).join("\n")
      )
      for (const each of between) happens(handler, each)
      const watching = handler.watch(cast.tenant, namespace, `resourceVersion=${metadata.resourceVersion}`)
      handler.settle()
      for (const some of later) {
        for (const each of some) happens(handler, each)
        if (trouble === "lose") handler.cluster.lose()
        handler.settle()
      }
      handler.clockwork.run(20_000)
      handler.settle()
      holds(
        `the watch was answered ${watching.code}, and is over: ${watching.over}`,
        watching.code === 200 && !watching.over
      )
      for (const { name, namespace, type, version } of watching.told) {
        const key = `${namespace}/${name}`
        holds(`${type} of ${key} that ${known.has(key) ? "exists" : "does not"}`, known.has(key) === (type !== "ADDED"))
        if (type === "DELETED") known.delete(key)
        else known.set(key, { name, namespace, resourceVersion: String(version) })
      }
      const now = [...known].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, found]) => lineOf(found))
      same("the list and its watch", now.join("\n"), owned(handler, namespace, handler.cluster.version).join("\n"))
      handler.tenancy.stop()
    }
  )

/** The invariants of lists and watches over time. */
export const replayProperties: ReadonlyArray<Invariant> = [
  {
    number: 11,
    name: "pages",
    says: "pages are the list of their version, whatever changes between them",
    property: pages
  },
  { number: 11, name: "replay", says: "a list and what its watch tells are the list at the end", property: replay }
]
