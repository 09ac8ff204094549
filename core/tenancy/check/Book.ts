// The second book: what each field of the checklist becomes, written down by paths and worked out over parsed objects, slowly.
// Owns an answer to compare the rewriting with that shares neither its table nor its algebra nor its bytes; refuses speed and streams.
import { builtInResources, type Json, type JsonObject } from "#kube"
import type { KindShape } from "../names/TenantView.ts"

/** The tenant of all checks, the others, and what the platform shares. Ids are chosen so that each is a part of others' names. */
export const cast = {
  tenant: "111111",
  others: ["222222", "abcde-", "1-1111"],
  published: ["published", "system-shared"],
  sharedGroup: "gateway.networking.k8s.io",
  customGroup: "acme.io"
} as const

const prefix = `${cast.tenant}-`

const namespace = (name: string): string =>
  name === "" || (name.startsWith(prefix) && name.length > prefix.length) ? name : prefix + name

const kubernetes: ReadonlySet<string> = new Set(["*", "meta.k8s.io", ...builtInResources().map(({ group }) => group)])

const group = (name: string): string => (kubernetes.has(name) || name === cast.sharedGroup ? name : prefix + name)

const version = (text: string): string => {
  const [head = "", tail] = text.split(/\/(.*)/s)
  return tail === undefined ? text : `${group(head)}/${tail}`
}

const user = (name: string): string => {
  const account = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(name)
  if (account !== null) return `system:serviceaccount:${namespace(account[1] ?? "")}:${account[2]}`
  return name === "" ? name : prefix + name
}

const userGroup = (name: string): string => {
  const accounts = /^system:serviceaccounts:(.+)$/s.exec(name)
  if (accounts !== null) return `system:serviceaccounts:${namespace(accounts[1] ?? "")}`
  return name === "" ? name : prefix + name
}

const sharing =
  /^(storageclasses|volumeattributesclasses|csidrivers|priorityclasses|ingressclasses|runtimeclasses|deviceclasses|persistentvolumes|planets)$/
const provisioned = /^pvc-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** The name of an object outside namespaces, by its plural. */
export const clusterName = (plural: string, name: string): string => {
  if (name === "" || plural === "nodes") return name
  if (plural === "namespaces") return namespace(name)
  if (plural === "customresourcedefinitions") {
    const dot = name.indexOf(".")
    return dot < 0 ? prefix + name : `${name.slice(0, dot)}.${group(name.slice(dot + 1))}`
  }
  if (plural === "persistentvolumes" && provisioned.test(name)) return name
  const shared: ReadonlyArray<string> = cast.published
  return sharing.test(plural) && shared.includes(name) ? name : prefix + name
}

/** A sentence: what already looks like an own name gets the prefix again. */
const sentence = (text: string): string => text.replace(new RegExp(`(?<![A-Za-z0-9_-])${prefix}`, "g"), prefix + prefix)

type Word = (value: string) => string
const named =
  (plural: string): Word =>
  (value) =>
    clusterName(plural, value)

/** Kinds outside namespaces that references name, by group and kind; everything else is in a namespace. */
const outside = new Map(
  builtInResources()
    .filter(({ namespaced }) => !namespaced)
    .map(({ group, kind, resource }) => [`${group}/${kind}`, resource])
)
outside.set(`${cast.customGroup}/Planet`, "planets")
const outsidePlurals = new Map(
  builtInResources()
    .filter(({ namespaced }) => !namespaced)
    .map(({ group, resource }) => [`${group}/${resource}`, resource])
)

const textOf = (value: Json | undefined): string => (typeof value === "string" ? value : "")

const member = (object: JsonObject, key: string, word: Word): JsonObject =>
  typeof object[key] === "string" ? { ...object, [key]: word(textOf(object[key])) } : object

const groupIn = (object: JsonObject): string =>
  typeof object["apiVersion"] === "string"
    ? textOf(object["apiVersion"]).includes("/")
      ? textOf(object["apiVersion"]).replace(/\/.*$/s, "")
      : ""
    : textOf(object["apiGroup"] ?? object["group"])

/** A reference by kind: its group, its namespace, and its name where it stands in none. */
const reference = (object: JsonObject): JsonObject => {
  const kind = textOf(object["kind"])
  const plural = outside.get(`${groupIn(object)}/${kind}`)
  const inside = textOf(object["namespace"]) !== "" && plural !== "namespaces"
  let other = member(member(member(object, "apiVersion", version), "apiGroup", group), "namespace", namespace)
  if (plural !== undefined && !inside) other = member(other, "name", named(plural))
  return other
}

const versionOnly = (object: JsonObject): JsonObject => member(member(object, "apiVersion", version), "apiGroup", group)

const subject = (object: JsonObject): JsonObject => {
  switch (object["kind"]) {
    case "User":
      return member(object, "name", user)
    case "Group":
      return member(object, "name", userGroup)
    default:
      return member(object, "namespace", namespace)
  }
}

const attributes = (object: JsonObject): JsonObject => {
  const plural = outsidePlurals.get(`${textOf(object["group"])}/${textOf(object["resource"])}`)
  const asked = textOf(object["resource"]) === "planets" && object["group"] === cast.customGroup ? "planets" : plural
  const other = member(member(object, "group", group), "namespace", namespace)
  return asked === undefined ? other : member(other, "name", named(asked))
}

const texts = (value: Json | undefined): ReadonlyArray<string> =>
  Array.isArray(value) ? value.filter((item) => typeof item === "string") : []

/** One spelling where the resource's scope wants it; both under the tenant's own groups. Its groups are translated already. */
const policyRule = (one: JsonObject): JsonObject => {
  const [first = ""] = texts(one["apiGroups"])
  const [resource = ""] = texts(one["resources"])
  const names = texts(one["resourceNames"])
  if (names.length === 0 || one["apiGroups"] === undefined) return one
  if (first.startsWith(prefix)) return { ...one, resourceNames: names.flatMap((name) => [name, prefix + name]) }
  const plural = outsidePlurals.get(`${first}/${resource}`)
  return plural === undefined ? one : { ...one, resourceNames: names.map(named(plural)) }
}

const scope = (one: JsonObject): JsonObject => {
  const plurals: Readonly<Record<string, string>> = {
    PriorityClass: "priorityclasses",
    VolumeAttributesClass: "volumeattributesclasses"
  }
  const plural = plurals[textOf(one["scopeName"])]
  return plural === undefined ? one : { ...one, values: texts(one["values"]).map(named(plural)) }
}

const quota = (one: JsonObject): JsonObject =>
  Object.fromEntries(
    Object.entries(one).map(([key, amount]) => {
      const counted = /^count\/([^.]*)\.(.*)$/s.exec(key)
      const classed =
        /^(.+?)\.(storageclass\.storage|volumeattributesclass\.storage|deviceclass\.resource)\.k8s\.io\//s.exec(key)
      if (counted !== null) return [`count/${counted[1]}.${group(counted[2] ?? "")}`, amount]
      if (classed === null) return [key, amount]
      const plural = `${(classed[2] ?? "").replace(/\..*$/s, "")}es`
      return [named(plural)(classed[1] ?? "") + key.slice((classed[1] ?? "").length), amount]
    })
  )

const marked = (labels: JsonObject | undefined): JsonObject => ({
  ...labels,
  "kubezoo.io/tenant": cast.tenant
})

const objectIn = (value: Json | undefined): JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : {}

const selector = (object: JsonObject): JsonObject => {
  const labels = marked(objectIn(object["matchLabels"]))
  return { ...object, matchLabels: member(labels, "kubernetes.io/metadata.name", namespace) }
}

/** A word of what the platform runs: never its own. */
const platformWord = (text: string): string => (text === "" ? text : prefix + text)

/** An expression that reads the request's namespace, which the checks write in one way only. */
const expression = (text: string): string =>
  text.replace(/^request\.namespace/, `request.namespace.replace('${prefix}', '', 1)`)

/** What stands at a path, once its parts are done: the checklist of the specification, row by row. */
type Entry = readonly [path: RegExp, word: Word | ((object: JsonObject) => JsonObject), of: "text" | "object"]
const text = (path: RegExp, word: Word): Entry => [path, word, "text"]
const object = (path: RegExp, word: (object: JsonObject) => JsonObject): Entry => [path, word, "object"]

const entries: ReadonlyArray<Entry> = [
  text(/(^|[.:])metadata\.namespace$/, namespace),
  object(/(^|[.:])ownerReferences\.\*$/, reference),
  text(/(^|[.:])managedFields\.\*\.apiVersion$/, version),
  text(/(^|[.:])annotations\.kubernetes\.io~ingress\.class$/, named("ingressclasses")),
  text(/(^|[.:])annotations\.volume\.beta\.kubernetes\.io~storage-class$/, named("storageclasses")),
  text(/(^|[.:])priorityClassName$/, named("priorityclasses")),
  text(/(^|[.:])runtimeClassName$/, named("runtimeclasses")),
  text(/(^|[.:])(storageClassName)$/, named("storageclasses")),
  text(
    /(^|[.:])(volumeAttributesClassName|currentVolumeAttributesClassName|targetVolumeAttributesClassName)$/,
    named("volumeattributesclasses")
  ),
  text(
    /^PersistentVolumeClaim:spec\.volumeName$|volumeClaimTemplates?(\.\*)?\.spec\.volumeName$/,
    named("persistentvolumes")
  ),
  text(/(^|[.:])ingressClassName$/, named("ingressclasses")),
  text(/^IngressClass:spec\.controller$|^RuntimeClass:handler$/, platformWord),
  text(/(^|[.:])volumes\.\*\.csi\.driver$/, named("csidrivers")),
  text(/(Policy:spec|webhooks\.\*)\..*[eE]xpression$/, expression),
  text(/(^|[.:])deviceClassName$/, named("deviceclasses")),
  text(/(^|[.:])clusterTrustBundle\.name$/, named("clustertrustbundles")),
  text(/(^|[.:])(pod(Anti)?Affinity\..*)\.namespaces\.\*$/, namespace),
  object(/(^|[.:])namespaceSelector$/, selector),
  object(/(^|[.:])(targetRef|involvedObject|related|regarding|claimRef)$/, reference),
  object(/^Binding:target$|^ServiceAccount:secrets\.\*$|^(CronJob:status\.active)\.\*$/, reference),
  object(/(^|[.:])dataSourceRef$|^PersistentVolume:spec\.storageos\.secretRef$/, reference),
  object(/(^|[.:])(dataSource|scaleTargetRef|describedObject|boundObjectRef)$|[bB]ackend\.resource$/, versionOnly),
  object(/(^|[.:])reservedFor\.\*$/, versionOnly),
  text(
    /(^|[.:])(secretRef|controllerPublishSecretRef|controllerExpandSecretRef|nodeStageSecretRef|nodePublishSecretRef|nodeExpandSecretRef)\.namespace$/,
    namespace
  ),
  text(/(^|[.:])(secretNamespace|endpointsNamespace|volumeNamespace)$/, namespace),
  text(/^Node:spec\.configSource\.configMap\.namespace$|^Node:status\.config\..*\.configMap\.namespace$/, namespace),
  text(/(^|[.:])(service|paramRef)\.namespace$/, namespace),
  text(/(^|[.:])paramKind\.apiVersion$/, version),
  text(/^ValidatingAdmissionPolicyBinding:spec\.policyName$/, named("validatingadmissionpolicies")),
  text(/^MutatingAdmissionPolicyBinding:spec\.policyName$/, named("mutatingadmissionpolicies")),
  text(/(^|[.:])apiGroups\.\*$/, group),
  text(/^CustomResourceDefinition:spec\.group$/, group),
  object(/(^|:)roleRef$/, (one) => (one["kind"] === "ClusterRole" ? member(one, "name", named("clusterroles")) : one)),
  object(/(^|:)subjects\.\*$/, subject),
  object(/(^|[.:])resourceAttributes$/, attributes),
  text(/AccessReview:spec\.user$/, user),
  text(/AccessReview:spec\.groups\.\*$/, userGroup),
  text(/^SelfSubjectRulesReview:spec\.namespace$/, namespace),
  text(/Review:status\.(user|userInfo)\.username$/, user),
  text(/Review:status\.(user|userInfo)\.groups\.\*$/, userGroup),
  object(/(^|[.:])(rules|resourceRules|excludeResourceRules)\.\*$|:(rules)\.\*$/, policyRule),
  text(/^(Storage|VolumeAttributes)Class:parameters(\.csi\.storage\.k8s\.io~.*-secret-namespace)?$/, namespace),
  text(/^PersistentVolume:spec\.csi\.volumeAttributes(\.csi\.storage\.k8s\.io~pvc~namespace)?$/, namespace),
  object(/scopeSelector\.matchExpressions\.\*$/, scope),
  object(/^ResourceQuota:(spec\.hard|status\.hard|status\.used)$/, quota),
  object(/aggregationRule\.clusterRoleSelectors\.\*$/, (one) => ({
    ...one,
    matchLabels: marked(objectIn(one["matchLabels"]))
  })),
  object(/^IngressClass:spec\.parameters$/, (one) => {
    const plural = outside.get(`${groupIn(one)}/${textOf(one["kind"])}`) ?? "parameters"
    const other = member(member(one, "apiGroup", group), "namespace", namespace)
    return one["scope"] === "Namespace" ? other : member(other, "name", named(plural))
  }),
  text(
    /(^|[.:])(message|note|evaluationError|warning)$|AccessReview:status\.reason$|^TokenReview:status\.error$/,
    sentence
  )
]

/** Whether a path is one of the checklist: "Kind:spec.x.*.y". Slashes in keys are written "~". */
export const inBook = (path: string): boolean =>
  entries.some(
    ([pattern, , of]) => pattern.test(path) || (of === "object" && pattern.test(path.replace(/\.[^.]+$/, "")))
  )

const visited = (value: Json | undefined, path: string): Json | undefined => {
  const done: Json | undefined = Array.isArray(value)
    ? value.map((item: Json) => visited(item, `${path}.*`) ?? null)
    : typeof value === "object" && value !== null
      ? fieldsOf(value as JsonObject, path)
      : value
  for (const [pattern, word, of] of entries) {
    if (!pattern.test(path)) continue
    // SAFETY: an entry's word takes what the entry says that it is of.
    if (of === "text" && typeof done === "string") return (word as Word)(done)
    if (of === "object" && typeof done === "object" && done !== null && !Array.isArray(done)) {
      return (word as (object: JsonObject) => JsonObject)(done as JsonObject)
    }
  }
  return done
}

const fieldsOf = (value: JsonObject, path: string): JsonObject =>
  Object.fromEntries(
    Object.entries(value).map(([key, inner]) => {
      const step = key.replaceAll("/", "~")
      return [key, visited(inner, path.endsWith(":") ? path + step : `${path}.${step}`)]
    })
  )

/** What a tenant's object of a built-in kind is upstream, but for confinement and marks, which `inBook` paths do not have. */
export const upstreamByBook = (shape: KindShape, value: JsonObject): JsonObject => {
  const other = visited(value, `${shape.kind}:`) as JsonObject
  const metadata = other["metadata"]
  if (shape.namespaced || typeof metadata !== "object" || metadata === null || shape.resource === "nodes") return other
  const meta = metadata as JsonObject
  const titled = member(member(meta, "name", named(shape.resource)), "generateName", (name) =>
    name === "" ? name : prefix + name
  )
  return { ...other, metadata: { ...titled, labels: marked(objectIn(meta["labels"])) } }
}
