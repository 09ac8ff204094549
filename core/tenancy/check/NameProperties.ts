// Invariants of the prefix algebra, of selectors, and of what RBAC and its reviews say to one another.
// Owns names as they stand alone; whole objects have a file of their own.
import * as fc from "fast-check"
import { builtInResources, type Json, type JsonObject, parseFieldSelector, SelectorInvalid } from "#kube"
import { parseTenantId, underPrefix } from "../names/TenantId.ts"
import { Translation } from "../names/Translation.ts"
import { Refused } from "../rewrite/Contract.ts"
import { Rewriter } from "../rewrite/Rewriter.ts"
import { cast } from "./Book.ts"
import type { Invariant } from "./Invariants.ts"
import { downText, holds, parse, same, toBytes, upText, viewOf, wordOf } from "./View.ts"

const ids = fc.oneof(
  fc.constantFrom(cast.tenant, ...cast.others, "system", "calico", "cilium", "argocd", "kubead"),
  fc.stringMatching(/^[a-z0-9][a-z0-9-]{5}$/)
)

/** Names that look like other names. */
const words = fc.oneof(
  fc.constantFrom(
    "x",
    "-x",
    "111111",
    "111111-",
    "111111-x",
    "222222-x",
    "abcde--x",
    "-",
    "system:node",
    "calico-node",
    "a.b"
  ),
  fc.stringMatching(/^[a-z0-9]([a-z0-9.-]{0,14}[a-z0-9])?$/)
)

type Sorts = "namespace" | "name" | "group" | "user" | "userGroup"
const sorts: ReadonlyArray<Sorts> = ["namespace", "name", "group", "user", "userGroup"]
const resource = "clusterroles.rbac.authorization.k8s.io"

const up = (names: Translation, sort: Sorts, word: string): string => {
  switch (sort) {
    case "namespace":
      return names.namespaceUp(word)
    case "name":
      return names.nameUp(resource, word)
    case "group":
      return names.groupUp(word)
    case "user":
      return names.userUp(word)
    default:
      return names.userGroupUp(word)
  }
}

const down = (names: Translation, sort: Sorts, word: string): string | undefined => {
  switch (sort) {
    case "namespace":
      return names.namespaceDown(word)
    case "name":
      return names.nameDown(resource, word)
    case "group":
      return names.groupDown(word)
    case "user":
      return names.userDown(word)
    default:
      return names.userGroupDown(word)
  }
}

/** Another tenant's algebra, changed in the same way as the checked one, when that was changed. */
const sibling = (rewriter: Rewriter, tenant: string): Translation =>
  tenant === cast.tenant ? rewriter.names : new Translation(viewOf(tenant))

/** A namespace in upstream's spelling, and groups that are everybody's, are the same name by intent. */
const means = (names: Translation, sort: Sorts, word: string): string => {
  if (sort === "namespace" && underPrefix(names.view.tenant, word)) return `${names.view.tenant} ${word.slice(7)}`
  return sort === "group" && names.sharedGroup(word) ? word : `${names.view.tenant} ${word}`
}

const injective = (rewriter: Rewriter) =>
  fc.property(fc.constantFrom(...sorts), ids, ids, words, words, (sort, one, other, a, b) => {
    const [first, second] = [sibling(rewriter, one), sibling(rewriter, other)]
    const accounts = sort === "user" ? "system:serviceaccount:" : sort === "userGroup" ? "system:serviceaccounts:" : ""
    if (means(first, sort, a) !== means(second, sort, b)) {
      holds(`${sort} ${a} of ${one} and ${b} of ${other} are one`, up(first, sort, a) !== up(second, sort, b))
    }
    if (accounts !== "") {
      const tail = sort === "user" ? ":x" : ""
      const [c, d] = [`${accounts}n${a}${tail}`, `${accounts}n${b}${tail}`]
      if (one !== other || c !== d)
        holds(`${c} of ${one} and ${d} of ${other} are one`, up(first, sort, c) !== up(second, sort, d))
    }
    const definition = "customresourcedefinitions.apiextensions.k8s.io"
    const [e, f] = [`p.g${a}`, `p.g${b}`]
    if (one !== other || e !== f) {
      holds(
        `definition ${e} of ${one} and ${f} of ${other} are one`,
        first.nameUp(definition, e) !== second.nameUp(definition, f)
      )
    }
  })

const noDoublePrefix = (rewriter: Rewriter) =>
  fc.property(fc.constantFrom(...sorts), words, (sort, word) => {
    const { names } = rewriter
    const upstream = up(names, sort, word)
    const alias = sort === "namespace" && underPrefix(cast.tenant, word)
    holds(
      `${sort} ${word} comes back as ${down(names, sort, upstream)}`,
      down(names, sort, upstream) === (alias ? word.slice(7) : word)
    )
    if (alias) {
      holds(`${word} is not taken as upstream's spelling`, upstream === word)
      const refused = rewriter.toUpstream(namespaceShape, toBytes({ metadata: { name: word } }), { creating: true })
      holds(`a namespace ${word} can be made`, refused instanceof Refused)
    } else if (sort !== "group" || !names.sharedGroup(word)) {
      holds(`${sort} ${word} has no single prefix: ${upstream}`, upstream === `${cast.tenant}-${word}`)
    }
    holds(
      `${sort} ${word} is shown under another's name`,
      down(sibling(rewriter, "222222"), sort, upstream) === undefined || upstream === word
    )
  })

const separator = (rewriter: Rewriter) =>
  fc.property(ids, fc.constantFrom(...sorts), words, (id, sort, word) => {
    const names = sibling(rewriter, id)
    for (const upstream of [id + word, `${id}:${word}`, `${id}.${word}`, `x${id}-${word}`]) {
      const shown = down(names, sort, upstream)
      const own = upstream.startsWith(`${id}-`) && upstream.length > 7
      if (!own && shown !== undefined)
        holds(`${id} sees ${sort} ${upstream} as ${shown}`, sort === "group" && names.sharedGroup(upstream))
    }
    holds(`${id} is no tenant id`, typeof parseTenantId(id) === "string")
  })

const clusterShapes = builtInResources().filter(({ kind }) =>
  ["ClusterRole", "Namespace", "StorageClass", "PersistentVolume"].includes(kind)
)
const namespaceShape = builtInResources().find(({ kind }) => kind === "Namespace") ?? clusterShapes[0]

const generated = (rewriter: Rewriter) =>
  fc.property(fc.constantFrom(...clusterShapes), words, fc.nat(3), (shape, word, patches) => {
    let text = JSON.stringify({ metadata: { generateName: word } })
    const first = upText(rewriter, shape, text)
    holds(`generateName ${word} upstream: ${first}`, first.includes(JSON.stringify(`${cast.tenant}-${word}`)))
    // As often as it is read and written again, it is the same.
    for (let again = 0; again <= patches; again++) text = downText(rewriter, shape, upText(rewriter, shape, text))
    same(`generateName of ${shape.kind}`, text, JSON.stringify({ metadata: { generateName: word } }))
  })

const lengths = (rewriter: Rewriter) =>
  fc.property(
    fc.constantFrom(...clusterShapes),
    fc.constantFrom(55, 56, 57, 63, 64, 245, 246, 247, 253, 254),
    (shape, length) => {
      const max = shape.kind === "Namespace" ? 56 : 246
      const result = rewriter.toUpstream(shape, toBytes({ metadata: { name: "x".repeat(length) } }), { creating: true })
      holds(`a ${shape.kind} of ${length} letters`, result instanceof Refused === length > max)
      if (result instanceof Refused) holds(`says ${result.message}`, result.message.includes(` ${max} `))
    }
  )

const selectorFields = [
  "metadata.name",
  "metadata.namespace",
  "involvedObject.namespace",
  "involvedObject.name",
  "regarding.namespace"
] as const
const event = builtInResources().find(({ kind, group }) => kind === "Event" && group === "") ?? clusterShapes[0]

const valueAt = (object: JsonObject, field: string): string => {
  let value: Json | undefined = object
  for (const step of field.split(".")) value = (value as JsonObject | undefined)?.[step]
  return typeof value === "string" ? value : ""
}

const chosen = (selector: string, objects: ReadonlyArray<JsonObject>): ReadonlyArray<number> => {
  const parsed = parseFieldSelector(selector)
  if (parsed instanceof SelectorInvalid) return []
  return objects.flatMap((object, at) => (parsed.matches((field) => valueAt(object, field)) ? [at] : []))
}

const selectors = (rewriter: Rewriter) =>
  fc.property(
    fc.constantFrom(...selectorFields),
    fc.constantFrom("=", "==", "!="),
    fc.array(fc.tuple(fc.constantFrom("a", "b", "111111x"), fc.constantFrom("d", "e")), { minLength: 1, maxLength: 5 }),
    fc.boolean(),
    (field, operator, rows, ofCluster) => {
      const shape = ofCluster ? namespaceShape : event
      const objects: ReadonlyArray<JsonObject> = rows.map(([name, namespace]) =>
        ofCluster
          ? { metadata: { name } }
          : { metadata: { name, namespace }, involvedObject: { apiVersion: "v1", kind: "Pod", name, namespace } }
      )
      const [first = ["a", "d"]] = rows
      const selector = `${field}${operator}${field.endsWith("namespace") ? first[1] : first[0]}`
      const upstreamSelector = rewriter.fieldSelectorToUpstream(shape, selector)
      if (upstreamSelector instanceof Refused) return
      const upstream = objects.map((object) => parse(upText(rewriter, shape, JSON.stringify(object))))
      same(
        `${selector} as ${upstreamSelector}`,
        chosen(upstreamSelector, upstream).join(),
        chosen(selector, objects).join()
      )
    }
  )

const labelled = (rewriter: Rewriter) =>
  fc.property(
    fc.constantFrom("=", "!=", " in ", " notin "),
    fc.array(fc.constantFrom("d", "e", "111111x"), { minLength: 1, maxLength: 3 }),
    (operator, names) => {
      const value = operator.startsWith(" ") ? `(${[...new Set(names)].sort().join(",")})` : names[0]
      const result = rewriter.labelSelectorToUpstream(namespaceShape, `kubernetes.io/metadata.name${operator}${value}`)
      const wanted = operator.startsWith(" ")
        ? `(${[...new Set(names)]
            .map((name) => `111111-${name}`)
            .sort()
            .join(",")})`
        : `111111-${names[0]}`
      same(
        "the label with a namespace's name",
        String(result).replace(/ ?(in|notin) /, " $1 "),
        `kubernetes.io/metadata.name${operator}${wanted}`
      )
      holds(
        "the platform's label can be asked for",
        rewriter.labelSelectorToUpstream(namespaceShape, "kubezoo.io/tenant=222222") instanceof Refused
      )
    }
  )

const pairs = [
  ["", "pods"],
  ["", "namespaces"],
  ["acme.io", "widgets"],
  ["acme.io", "planets"],
  ["rbac.authorization.k8s.io", "clusterroles"],
  ["apps", "deployments"]
] as const
const shapeNamed = (kind: string) => builtInResources().find((one) => one.kind === kind) ?? namespaceShape

const listIn = (object: JsonObject, field: string): ReadonlyArray<Json> =>
  Array.isArray(object[field]) ? object[field] : []

const allows = (rule: JsonObject, attributes: JsonObject): boolean =>
  listIn(rule, "apiGroups").includes(attributes["group"] ?? "") &&
  listIn(rule, "resources").includes(attributes["resource"] ?? "") &&
  (listIn(rule, "resourceNames").length === 0 || listIn(rule, "resourceNames").includes(attributes["name"] ?? ""))

/** A rule allows upstream what it allows the tenant, whether it is older or newer than the definition that it speaks of. */
const rbac = (rewriter: Rewriter) =>
  fc.property(
    fc.constantFrom(...pairs),
    fc.constantFrom(...pairs),
    words,
    words,
    fc.boolean(),
    (granted, asked, name, other, sameName) => {
      // A namespace in upstream's spelling is the same namespace.
      if (underPrefix(cast.tenant, name) || underPrefix(cast.tenant, other)) return
      const rule = { apiGroups: [granted[0]], resources: [granted[1]], resourceNames: [name], verbs: ["get"] }
      const attributes = { group: asked[0], resource: asked[1], verb: "get", name: sameName ? name : other }
      const role = shapeNamed("ClusterRole")
      const text = JSON.stringify({ metadata: { name: "r" }, rules: [rule] })
      const upstreamText = upText(rewriter, role, text)
      const early = new Rewriter(viewOf(cast.tenant, false))
      if (rewriter.names.constructor === Translation && granted[0] === "acme.io")
        same("a role written before its definition", upText(early, role, text), upstreamText)
      const review = parse(
        upText(
          rewriter,
          shapeNamed("SelfSubjectAccessReview"),
          JSON.stringify({ spec: { resourceAttributes: attributes } })
        )
      )
      const upstreamRule = (parse(upstreamText)["rules"] as ReadonlyArray<JsonObject>)[0]
      const upstreamAttributes = (review["spec"] as JsonObject)["resourceAttributes"] as JsonObject
      const [expected, actual] = [allows(rule, attributes), allows(upstreamRule, upstreamAttributes)]
      // Of the tenant's own group both spellings are granted, and nothing there is another's.
      if (granted[0] === "acme.io" && !expected) return
      holds(
        `${JSON.stringify(rule)} for ${JSON.stringify(attributes)}: ${expected} becomes ${actual}`,
        expected === actual
      )
    }
  )

const subjects = (rewriter: Rewriter) =>
  fc.property(
    fc.constantFrom("User", "Group", "ServiceAccount"),
    words,
    fc.constantFrom("", "system:", "system:serviceaccount:", "system:serviceaccounts:"),
    (kind, name, before) => {
      const subject = kind === "ServiceAccount" ? { kind, name, namespace: name } : { kind, name: before + name }
      const object = {
        metadata: { name: "b" },
        roleRef: { kind: "ClusterRole", name: "cluster-admin" },
        subjects: [subject]
      }
      const upstream = parse(upText(rewriter, shapeNamed("ClusterRoleBinding"), JSON.stringify(object)))
      const [first = {}] = upstream["subjects"] as ReadonlyArray<JsonObject>
      const named = wordOf(kind === "ServiceAccount" ? first["namespace"] : first["name"]).replace(
        /^system:serviceaccounts?:/,
        ""
      )
      holds(`${JSON.stringify(subject)} becomes ${JSON.stringify(first)}`, named.startsWith(`${cast.tenant}-`))
      holds(
        "a binding reaches the platform's role",
        (upstream["roleRef"] as JsonObject)["name"] === `${cast.tenant}-cluster-admin`
      )
    }
  )

const roleLabels = (rewriter: Rewriter) =>
  fc.property(fc.constantFrom("admin", "edit", "view"), (to) => {
    const key = `rbac.authorization.k8s.io/aggregate-to-${to}`
    const object = {
      metadata: { name: "r", labels: { [key]: "true" } },
      aggregationRule: { clusterRoleSelectors: [{ matchLabels: { [key]: "true" } }, {}] }
    }
    const text = JSON.stringify(object)
    const upstream = upText(rewriter, shapeNamed("ClusterRole"), text)
    holds(`the platform's roles gather a tenant's: ${upstream}`, !upstream.includes(`"${key}"`))
    const rule = parse(upstream)["aggregationRule"] as JsonObject
    for (const selector of listIn(rule, "clusterRoleSelectors")) {
      const labels = (selector as JsonObject)["matchLabels"] as JsonObject | undefined
      holds(`a role gathers others' roles: ${upstream}`, labels?.["kubezoo.io/tenant"] === cast.tenant)
    }
    same("an aggregated role", downText(rewriter, shapeNamed("ClusterRole"), upstream), text)
  })

/** The invariants of names. */
export const nameProperties: ReadonlyArray<Invariant> = [
  { number: 2, name: "injectivity", says: "no two names of tenants are one name upstream", property: injective },
  {
    number: 3,
    name: "no-double-prefix",
    says: "a name has the prefix once, and upstream's spelling of a namespace is kept back",
    property: noDoublePrefix
  },
  {
    number: 7,
    name: "separator",
    says: "a name is a tenant's only behind its id and the separator",
    property: separator
  },
  {
    number: 8,
    name: "generate-name",
    says: "a generated name's prefix goes up and comes down, however often",
    property: generated
  },
  {
    number: 9,
    name: "lengths",
    says: "names that get too long are refused in the tenant's measure",
    property: lengths
  },
  { number: 10, name: "field-selectors", says: "selecting commutes with translating", property: selectors },
  {
    number: 10,
    name: "label-selectors",
    says: "the label with a namespace's name selects that namespace",
    property: labelled
  },
  {
    number: 14,
    name: "rbac",
    says: "a rule allows upstream what it allows the tenant, before and after its definition",
    property: rbac
  },
  { number: 14, name: "subjects", says: "no binding reaches a subject or role outside the tenant", property: subjects },
  {
    number: 14,
    name: "aggregation",
    says: "roles gather the tenant's own roles and no platform's role gathers them",
    property: roleLabels
  }
]
