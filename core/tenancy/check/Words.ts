// The words that random objects are filled with: names as a tenant might choose them to confuse, and as upstream might hold them.
// Owns these lists; the smallest number is the plainest word, so that what shrinks gets plain.
import type { Json, JsonObject, Schema } from "#kube"
import type { KindShape } from "../names/TenantView.ts"
import { cast, inBook } from "./Book.ts"

/** Words of one side. */
export interface Words {
  readonly objectName: (shape: KindShape, pick: number) => string
  readonly namespace: (pick: number) => string
  /** Of a field that may name something. */
  readonly name: (pick: number) => string
  /** Of any other field. */
  readonly plain: (pick: number) => string
  readonly group: (pick: number) => string
  readonly sentence: (pick: number) => string
}

const at = <A>(list: ReadonlyArray<A>, pick: number): A => list[pick % list.length]

const { tenant } = cast
const volume = "pvc-0b0d7a1e-5d0e-4b52-9a61-000000000001"

const names = [
  "a",
  "b-c",
  "published",
  `x-${tenant}-y`,
  tenant,
  `${tenant}x`,
  `222222-${tenant}-z`,
  "system:serviceaccount:d:x",
  "system:serviceaccounts:d",
  "system:authenticated",
  "view",
  'gr\u00fc\u00df "und" \\ \u2028',
  volume,
  "widgets.acme.io",
  `${tenant}-a`,
  ""
]

/** A tenant's words. Namespaces in upstream's spelling are another's spelling of the same, and are tested apart. */
export const tenantWords: Words = {
  objectName: ({ kind, namespaced }, pick) => {
    if (kind === "CustomResourceDefinition")
      return at(["widgets.acme.io", "things.example.com", "x.222222-acme.io"], pick)
    return namespaced || kind === "Node"
      ? at(
          names.filter((name) => name !== ""),
          pick
        )
      : at(["a", "b-c", `x-${tenant}-y`, "222222-a", `${tenant}x`], pick)
  },
  namespace: (pick) => at(["d", "default", "kube-system", "222222-x", "abcde--x", `x-${tenant}-y`], pick),
  name: (pick) => at(names, pick),
  plain: (pick) => at(["plain", "a b", "1", "true", "gr\u00fc\u00df", '\\"\n', `x-${tenant}-y`], pick),
  sentence: (pick) => at(["plain", `of ${tenant}-a, "${tenant}-${tenant}-b"`, `x-${tenant}-y ${tenant}-`, "a.b"], pick),
  group: (pick) =>
    at(["acme.io", "", "apps", "222222-acme.io", "rbac.authorization.k8s.io", cast.sharedGroup, "storage.k8s.io"], pick)
}

const foreign = ["222222-a", "abcde--b", "1-1111-c", "222222-111111-d"]
const own = [`${tenant}-a`, `${tenant}-b-c`]

/** What may stand upstream: own names, others' and the platform's. Fields that name nothing hold words without any id. */
export const upstreamWords: Words = {
  objectName: ({ kind, namespaced }, pick) =>
    namespaced || kind === "Node"
      ? at(["a", "b-c"], pick)
      : kind === "CustomResourceDefinition"
        ? at([`widgets.${tenant}-acme.io`, "widgets.222222-acme.io", "x.example.com"], pick)
        : at([...own, ...own, "222222-a", "published", "platform"], pick),
  namespace: (pick) => at([`${tenant}-d`, `${tenant}-d`, `${tenant}-d`, "222222-x", "kube-system"], pick),
  name: (pick) =>
    at(
      [
        ...own,
        ...foreign,
        "published",
        "platform",
        `system:serviceaccount:${tenant}-d:x`,
        "system:serviceaccount:222222-d:x",
        "system:serviceaccounts:222222-d",
        "system:masters"
      ],
      pick
    ),
  plain: (pick) => at(["plain", "other", "1"], pick),
  sentence: (pick) => at([`of "${tenant}-a"`, "pod 222222-x in abcde--y", `widgets.${tenant}-acme.io/1-1111-z`], pick),
  group: (pick) =>
    at(
      [`${tenant}-acme.io`, "apps", "", "222222-acme.io", "abcde--x.io", "platform.example.com", cast.sharedGroup],
      pick
    )
}

const kinds: ReadonlyArray<readonly [group: string, version: string, kind: string]> = [
  ["", "v1", "Pod"],
  ["", "v1", "Namespace"],
  ["rbac.authorization.k8s.io", "v1", "ClusterRole"],
  ["acme.io", "v1", "Widget"],
  ["acme.io", "v1", "Planet"],
  ["", "v1", "Node"],
  ["storage.k8s.io", "v1", "StorageClass"],
  ["", "v1", "PersistentVolume"],
  ["apps", "v1", "ReplicaSet"]
]

const resources: ReadonlyArray<readonly [group: string, resource: string]> = [
  ["", "pods"],
  ["", "namespaces"],
  ["rbac.authorization.k8s.io", "clusterroles"],
  ["acme.io", "widgets"],
  ["acme.io", "planets"],
  ["storage.k8s.io", "storageclasses"],
  ["apps", "deployments/scale"],
  ["scheduling.k8s.io", "priorityclasses"]
]

type Composite = "reference" | "rule" | "attributes" | "scope" | "selector" | "subject" | "quota" | "labels"

/** What is filled as one: objects whose fields decide on each other. */
export const compositeOf = (schema: Schema, path: string): Composite | undefined => {
  const { fields } = schema
  if (fields === undefined) return undefined
  if (fields.has("matchLabels") && fields.has("matchExpressions")) return "selector"
  if (fields.has("scopeName")) return "scope"
  if (fields.has("apiGroups") && fields.has("resources")) return "rule"
  if (fields.has("group") && fields.has("resource") && fields.has("verb")) return "attributes"
  if (path.endsWith("subjects.*")) return "subject"
  return fields.has("kind") && fields.has("name") && !fields.has("metadata") ? "reference" : undefined
}

/** Upstream groups are spelled as upstream spells them where words are upstream's. */
const spelled = (words: Words, group: string, pick: number): string =>
  words === upstreamWords && group === "acme.io" ? at([`${tenant}-acme.io`, "222222-acme.io"], pick) : group

const reference = (words: Words, schema: Schema, path: string, pick: number): JsonObject => {
  const has = (field: string): boolean => schema.fields?.has(field) === true
  const roleRef = path.endsWith("roleRef")
  const [group, version, kind] = at(kinds, pick)
  const own = spelled(words, group, pick >> 4)
  const local = /Local|CrossVersion|Consumer|Bound/.test(schema.name ?? "")
  const inNamespace =
    local ||
    ["Pod", "Widget", "ReplicaSet", "Node"].includes(kind) ||
    (roleRef && pick % 2 === 1) ||
    (has("scope") && pick % 2 === 1)
  const inside =
    has("namespace") &&
    !["Namespace", "ClusterRole", "Planet", "Node", "StorageClass", "PersistentVolume"].includes(kind)
  return {
    ...(has("apiVersion") ? { apiVersion: own === "" ? version : `${own}/${version}` } : {}),
    ...(has("apiGroup") ? { apiGroup: roleRef ? "rbac.authorization.k8s.io" : own } : {}),
    kind: roleRef ? at(["ClusterRole", "Role"], pick) : kind,
    name: inNamespace && words === upstreamWords ? words.plain(pick >> 4) : nameOf(words, kind, pick >> 4),
    ...(inside ? { namespace: words.namespace(pick >> 5) } : {}),
    ...(has("scope") ? { scope: at(["Cluster", "Namespace"], pick) } : {})
  }
}

const subject = (words: Words, pick: number): JsonObject => {
  const kind = at(["User", "Group", "ServiceAccount"], pick)
  return kind === "ServiceAccount"
    ? { kind, name: "x", namespace: words.namespace(pick >> 2) }
    : { kind, apiGroup: "rbac.authorization.k8s.io", name: words.name(pick >> 2) }
}

/** A name of a resource or kind: upstream, those in namespaces have no prefix; a namespace in upstream's spelling is an alias. */
const nameOf = (words: Words, word: string, pick: number): string => {
  if (words === upstreamWords && /^(pods|widgets|deployments)/.test(word)) return words.plain(pick)
  const name = words.name(pick)
  return words === tenantWords && /^namespaces?$/i.test(word) && name.startsWith(`${tenant}-`) ? "a" : name
}

const rule = (words: Words, schema: Schema, pick: number): JsonObject => {
  const [group, resource] = at(resources, pick)
  const named = schema.fields?.has("resourceNames") === true
  return {
    apiGroups: [spelled(words, group, pick >> 3)],
    resources: [resource],
    ...(named ? { resourceNames: [nameOf(words, resource, pick >> 4)] } : {})
  }
}

const attributes = (words: Words, pick: number): JsonObject => {
  const [group, resource] = at(resources, pick)
  return {
    group: spelled(words, group, pick >> 3),
    resource,
    verb: "get",
    name: nameOf(words, resource, pick >> 3),
    namespace: words.namespace(pick >> 4)
  }
}

const selector = (words: Words, path: string, pick: number): JsonObject => {
  const ofNamespaces = path.endsWith("namespaceSelector")
  const key = "kubernetes.io/metadata.name"
  const parts: ReadonlyArray<JsonObject> = [
    {},
    { matchLabels: { app: words.plain(pick >> 2) } },
    { matchExpressions: [{ key: "app", operator: "In", values: [words.plain(pick >> 2)] }] },
    ofNamespaces ? { matchLabels: { [key]: words.namespace(pick >> 2) } } : { matchLabels: { a: "b" } }
  ]
  return at(parts, pick)
}

const scope = (words: Words, pick: number): JsonObject => {
  const scopeName = at(["PriorityClass", "VolumeAttributesClass", "Terminating"], pick)
  const value = scopeName === "Terminating" ? words.plain(pick >> 2) : words.name((pick >> 2) % 5)
  return { scopeName, operator: "In", values: [value] }
}

const composite = (words: Words, of: Composite, schema: Schema, path: string, pick: number): JsonObject => {
  switch (of) {
    case "reference":
      return reference(words, schema, path, pick)
    case "subject":
      return subject(words, pick)
    case "rule":
      return rule(words, schema, pick)
    case "attributes":
      return attributes(words, pick)
    case "scope":
      return scope(words, pick)
    default:
      return selector(words, path, pick)
  }
}

const mapOf = (words: Words, path: string, pick: number): JsonObject => {
  if (/(hard|used)$/.test(path)) {
    const name = words.name((pick >> 2) % 3)
    return {
      [at(
        [
          `${name}.storageclass.storage.k8s.io/requests.storage`,
          `count/widgets.${spelled(words, "acme.io", pick >> 2)}`,
          "pods"
        ],
        pick
      )]: "1"
    }
  }
  if (path.endsWith("Class:parameters")) {
    return { "csi.storage.k8s.io/provisioner-secret-namespace": words.namespace(pick) }
  }
  if (path === "PersistentVolume:spec.csi.volumeAttributes")
    return { "csi.storage.k8s.io/pvc/namespace": words.namespace(pick) }
  if (path.endsWith("annotations")) {
    return at<JsonObject>(
      [
        { k: words.plain(pick >> 2) },
        { "kubernetes.io/ingress.class": words.name(pick >> 2) },
        { "volume.beta.kubernetes.io/storage-class": words.name(pick >> 2) }
      ],
      pick
    )
  }
  return path.endsWith("labels") ? { [at(["app", "team"], pick)]: words.plain(pick >> 2) } : { k: words.plain(pick) }
}

/** Fields whose words are sentences: another tenant's name at a name's beginning would not come back. */
const sentences = /message$|note$|warning$|evaluationError$|reason$|status\.error$/

/** Fields whose words are names. */
const nameFields = /name$|namespaces?(\.\*)?$|user$|groups\.\*$|Name$|Namespace$/

/** The value at a place. */
export const wordFor = (words: Words, schema: Schema, path: string, pick: number): Json => {
  const of = compositeOf(schema, path)
  if (of !== undefined) return composite(words, of, schema, path, pick)
  if (schema.values !== undefined)
    return schema.values.type === "string" || schema.values.format === "quantity" ? mapOf(words, path, pick) : {}
  switch (schema.type) {
    case "integer":
    case "number":
      return pick % 7
    case "boolean":
      return pick % 2 === 0
    case "string":
      return textFor(words, path, pick)
    case "int-or-string":
      return pick % 2 === 0 ? 80 : "http"
    default:
      return {}
  }
}

/** CEL, as a tenant writes it and as upstream has it. */
const expression = (words: Words, pick: number): string => {
  const read = words === upstreamWords ? `request.namespace.replace('${tenant}-', '', 1)` : "request.namespace"
  return at(["true", `${read} == 'd'`, "'request.namespace' != 'd'"], pick)
}

const textFor = (words: Words, path: string, pick: number): string => {
  if (words === upstreamWords && (!inBook(path) || path.endsWith("reservedFor.*.name"))) return words.plain(pick)
  if (/[eE]xpression$/.test(path) && inBook(path)) return expression(words, pick)
  if (words === upstreamWords && /^IngressClass:spec\.controller$|^RuntimeClass:handler$/.test(path)) {
    return `${tenant}-${words.plain(pick)}`
  }
  if (path.endsWith("apiVersion")) {
    const group = words.group(pick)
    return group === "" ? "v1" : `${group}/v1`
  }
  if (/apiGroups\.\*$|spec\.group$|apiGroup$/.test(path)) return words.group(pick)
  if (/(^|[.:])namespace$|[a-z]Namespace$|namespaces\.\*$/.test(path)) return words.namespace(pick)
  if (path.endsWith("kind")) return "Pod"
  if (sentences.test(path)) return words.sentence(pick)
  return nameFields.test(path) ? words.name(pick) : words.plain(pick)
}
