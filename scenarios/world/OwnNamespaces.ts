// Keeps a run on an existing cluster to namespaces of its own: every namespace that a scenario names is another one there, made and
// labelled by the run, so that nothing of others is touched and everything of the run can be found again and deleted.
// Owns the renaming, both ways, and the label; refuses cluster-scoped objects other than namespaces, which the scenario's rules keep out.
import type { Client, Collection, KubeObject, Target } from "#kube"

/** On every namespace that a run makes; its value is the run's id. */
export const RUN_LABEL = "wharf.kubewharf.io/run"

const NAMESPACES = "namespaces"

/** The name that a scenario's namespace has on the cluster. */
export const ownNamespace = (run: string, namespace: string): string => `wharf-${run}-${namespace}`

/** The same client; the namespaces that it names are the run's own. */
export const namespacedClient = (client: Client, run: string): Client => {
  const outside = (namespace: string): string => (namespace === "" ? "" : ownNamespace(run, namespace))
  const prefix = ownNamespace(run, "")
  const inside = (namespace: string): string =>
    namespace.startsWith(prefix) ? namespace.slice(prefix.length) : namespace
  const isNamespaces = ({ resource }: Collection): boolean => resource.group === "" && resource.resource === NAMESPACES
  const there = <Place extends Collection | Target>(place: Place): Place => {
    const named = isNamespaces(place) && "name" in place ? { name: outside(place.name) } : {}
    return { ...place, namespace: outside(place.namespace), ...named }
  }
  const sent = (place: Collection, object: KubeObject): KubeObject => {
    const { metadata } = object
    if (isNamespaces(place)) {
      const labels = { ...metadata.labels, [RUN_LABEL]: run }
      return { ...object, metadata: { ...metadata, name: outside(metadata.name ?? ""), labels } }
    }
    const { namespace } = metadata
    return namespace === undefined ? object : { ...object, metadata: { ...metadata, namespace: outside(namespace) } }
  }
  const got = (place: Collection, object: KubeObject): KubeObject => {
    const { metadata } = object
    if (isNamespaces(place)) return { ...object, metadata: { ...metadata, name: inside(metadata.name ?? "") } }
    const { namespace } = metadata
    return namespace === undefined ? object : { ...object, metadata: { ...metadata, namespace: inside(namespace) } }
  }
  /** Of a list or watch over all namespaces, what is somebody else's is not seen at all. */
  const isOwn = (place: Collection, { metadata }: KubeObject): boolean => {
    if (isNamespaces(place)) return (metadata.name ?? "").startsWith(prefix)
    return metadata.namespace === undefined || metadata.namespace.startsWith(prefix)
  }
  const answered =
    <A>(place: Collection, done: (answer: A) => void) =>
    (answer: A): void =>
      done(isObject(answer) ? (got(place, answer) as A) : answer)
  const owned = (place: Collection, items: ReadonlyArray<KubeObject>): ReadonlyArray<KubeObject> =>
    items.filter((one) => isOwn(place, one)).map((one) => got(place, one))
  return {
    get: (target, options, done) => client.get(there(target), options, answered(target, done)),
    list: (collection, options, done) =>
      client.list(there(collection), options, (answer) =>
        done("items" in answer ? { ...answer, items: owned(collection, answer.items) } : answer)
      ),
    watch: (collection, options, listener) =>
      client.watch(there(collection), options, {
        event: ({ object, type }) => {
          if (type === "BOOKMARK") return listener.event({ type, object })
          if (isOwn(collection, object)) listener.event({ type, object: got(collection, object) })
        },
        ended: (failure) => listener.ended(failure)
      }),
    create: (target, object, options, done) =>
      client.create(there(target), sent(target, object), options, answered(target, done)),
    update: (target, object, options, done) =>
      client.update(there(target), sent(target, object), options, answered(target, done)),
    patch: (target, patch, options, done) => client.patch(there(target), patch, options, answered(target, done)),
    delete: (target, options, done) => client.delete(there(target), options, answered(target, done)),
    deleteCollection: (collection, options, selection, done) =>
      client.deleteCollection(there(collection), options, selection, done)
  }
}

const isObject = (answer: unknown): answer is KubeObject =>
  typeof answer === "object" && answer !== null && "metadata" in answer && "kind" in answer && answer.kind !== "Status"
