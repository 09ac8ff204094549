// Everything that workload controllers leave behind in a namespace, in a form in which two managers' work can be compared: without
// uids, times and versions, with revisions in place of hashes, and with pods that only their names tell apart counted.
// Owns what is taken out; everything else is compared.
import type { KubeObject } from "#kube"

type Fields = Record<string, unknown>

const fieldsOf = (value: unknown): Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : {}

/** What a manager may choose freely, or what only tells when something happened. */
const dropped = new Set([
  "uid",
  "resourceVersion",
  "creationTimestamp",
  "managedFields",
  "lastTransitionTime",
  "lastUpdateTime",
  "lastProbeTime",
  "startTime",
  "startedAt",
  "nodeName",
  "volumeName",
  "selfLink",
  "generateName"
])

/** The names of all hashes, by what they stand for. */
const hashNames = (objects: ReadonlyArray<KubeObject>): ReadonlyArray<readonly [string, string]> =>
  objects.flatMap((object): ReadonlyArray<readonly [string, string]> => {
    const { annotations = {}, labels = {} } = object.metadata
    if (object.kind === "ReplicaSet") {
      const hash = labels["pod-template-hash"]
      return hash === undefined ? [] : [[hash, `rev${annotations["deployment.kubernetes.io/revision"] ?? ""}`]]
    }
    if (object.kind !== "ControllerRevision") return []
    const hash = labels["controller.kubernetes.io/hash"] ?? labels["controller-revision-hash"] ?? ""
    return [[hash, `rev${String(object["revision"])}`]]
  })

const normalised = (value: unknown, rename: (text: string) => string): unknown => {
  if (typeof value === "string") return rename(value)
  if (Array.isArray(value)) return value.map((item) => normalised(item, rename))
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name, field]) => !dropped.has(name) && field !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, field]) => [name, normalised(field, rename)])
  )
}

/** What a Deployment says one look after its new set was made. */
const progressing = (condition: Fields): Fields => ({
  ...condition,
  reason: "ReplicaSetUpdated",
  message: String(condition["message"]).replace(/^Created new replica set ("[^"]*")$/, "ReplicaSet $1 is progressing.")
})

/**
 * Where the real manager's own answer depends on time. Conditions stand in the order in which they last changed. And when it makes
 * the new set of a Deployment that recreates its pods, it writes a status over the one that it wrote just before: mostly that is a
 * conflict, the condition "Created new replica set" is lost, and the one of the rollout before stays, message and all. Whether a
 * rollout that cannot go on was looked at again after its set was made, and so is "progressing", depends on time as well.
 */
const withoutRaces = (object: Fields): Fields => {
  const status = fieldsOf(object["status"])
  const { conditions } = status
  if (object["kind"] !== "Deployment" || !Array.isArray(conditions)) return object
  const isRecreating = fieldsOf(fieldsOf(object["spec"])["strategy"])["type"] === "Recreate"
  const sorted = (conditions as ReadonlyArray<Fields>)
    .map((one) => (one["reason"] === "NewReplicaSetCreated" ? progressing(one) : one))
    .map((one) => (isRecreating && one["type"] === "Progressing" ? { ...one, message: "any" } : one))
    .toSorted((a, b) => (String(a["type"]) < String(b["type"]) ? -1 : 1))
  return { ...object, status: { ...status, conditions: sorted } }
}

/** A set is scaled in steps whose number depends on time: that all were seen is what counts. */
const withoutSteps = (object: Fields): Fields => {
  const metadata = fieldsOf(object["metadata"])
  const status = fieldsOf(object["status"])
  if (object["kind"] !== "ReplicaSet") return object
  const isSeen = metadata["generation"] === status["observedGeneration"]
  return { ...object, metadata: { ...metadata, generation: "any" }, status: { ...status, observedGeneration: isSeen } }
}

const podSuffix = /^(.*)-[a-z0-9]{5}$/

/** Names and objects; a name that several have in common has their number. */
export const dump = (objects: ReadonlyArray<KubeObject>, namespace: string): ReadonlyMap<string, unknown> => {
  const hashes = hashNames(objects)
  const rename = (text: string): string => {
    let renamed = text.replaceAll(namespace, "NS")
    for (const [hash, name] of hashes) if (hash !== "") renamed = renamed.replaceAll(hash, name)
    return renamed
  }
  const found = new Map<string, { count: number; objects: Set<string> }>()
  for (const object of objects) {
    const plain = withoutRaces(withoutSteps(normalised({ ...object, apiVersion: undefined }, rename) as Fields))
    const metadata = fieldsOf(plain["metadata"])
    const given = String(metadata["name"])
    const isNamed = object.kind !== "Pod" || object.metadata.labels?.["apps.kubernetes.io/pod-index"] !== undefined
    const name = isNamed ? given : given.replace(podSuffix, "$1-*")
    const spec = fieldsOf(plain["spec"])
    const text = JSON.stringify({ ...plain, metadata: { ...metadata, name }, spec })
    const key = `${object.kind} ${name}`
    const one = found.get(key) ?? { count: 0, objects: new Set() }
    one.count++
    one.objects.add(text)
    found.set(key, one)
  }
  return new Map(
    Array.from(found, ([key, { count, objects: texts }]): readonly [string, unknown] => [
      key,
      {
        count,
        objects: Array.from(texts)
          .sort()
          .map((text) => JSON.parse(text) as unknown)
      }
    ]).sort(([a], [b]) => (a < b ? -1 : 1))
  )
}

const hash = /-[bcdfghjklmnpqrstvwxz2456789]{6,10}(?![a-z0-9])/g
const suffix = /-[bcdfghjklmnpqrstvwxz2456789]{5}(?![a-z0-9-])/g

/** What was told: each sentence once, with names and numbers made alike. How often depends on time. */
export const toldEvents = (events: ReadonlyArray<KubeObject>, namespace: string): ReadonlyArray<string> => {
  const alike = (text: string): string =>
    text.replaceAll(`${namespace}/`, "NS/").replace(hash, "-#").replace(suffix, "-*").replace(/\d+/g, "N")
  const lines = events.map(({ involvedObject, message, reason, source, type }) => {
    const { kind, name } = involvedObject as { readonly kind: string; readonly name: string }
    const { component } = source as { readonly component: string }
    const said = String(message).replace("(combined from similar events): ", "")
    return `${component} ${kind}/${alike(name)} ${String(type)} ${String(reason)}: ${alike(said)}`
  })
  return [...new Set(lines)].sort()
}
