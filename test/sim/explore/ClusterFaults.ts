// Bugs planted between the components of a simulated cluster and its API server, and one in the cluster's rules.
// Each exists in tests only; the checkers of the API level must find every one of them.
import { ApiFailure, type Client, type KubeObject, type WatchEvent } from "#kube"
import type { ChurnStep, ClusterParts, Guarantee, SimProcess } from "#sim"

export interface ClusterFault {
  readonly name: string
  readonly parts: Pick<ClusterParts, "wrapClient">
  /** Steps that are played beside the drawn ones. */
  readonly steps?: ReadonlyArray<ChurnStep>
  readonly breaks: ReadonlyArray<Guarantee>
}

const everyNth = (nth: number): (() => boolean) => {
  let count = 0
  return () => ++count % nth === 0
}

const onWatch =
  (
    make: () => (event: WatchEvent, emit: (event: WatchEvent) => void) => void
  ): NonNullable<ClusterParts["wrapClient"]> =>
  (client) => ({
    ...client,
    watch: (collection, options, listener) => {
      const faulty = make()
      return client.watch(collection, options, { ...listener, event: (event) => faulty(event, listener.event) })
    }
  })

const isChange = ({ type }: WatchEvent): boolean => type !== "BOOKMARK"

/** Acknowledges every seventh configmap without writing it. */
const lyingCreate = (client: Client, _process: SimProcess): Client => {
  const isLie = everyNth(7)
  return {
    ...client,
    create: (target, object, options, done) => {
      if (object.kind !== "ConfigMap" || !isLie()) return client.create(target, object, options, done)
      client.create(target, object, { ...options, dryRun: true }, (answer) => {
        const said: KubeObject | ApiFailure =
          answer instanceof ApiFailure ? answer : { ...answer, metadata: { ...answer.metadata, resourceVersion: "7" } }
        done(said)
      })
    }
  }
}

const at = (
  atMs: number,
  resource: string,
  kind: string,
  name: string,
  rest: object,
  apiVersion = "v1"
): ChurnStep => ({
  atMs,
  verb: "create",
  of: { apiVersion, resource, namespace: "n0", name },
  object: { apiVersion, kind, metadata: { name, namespace: "n0" }, ...rest }
})

const replicaSet = {
  spec: {
    replicas: 1,
    selector: { matchLabels: { set: "a" } },
    template: { metadata: { labels: { set: "a" } }, spec: { containers: [{ name: "a", image: "a" }] } }
  }
}

/** Says more replicas than there are, as a controller that counts wrongly would. */
const wrongCount = (client: Client, process: SimProcess): Client => {
  if (process.name !== "users") return client
  return {
    ...client,
    create: (target, object, options, done) =>
      client.create(target, object, options, (answer) => {
        done(answer)
        if (answer instanceof ApiFailure || answer.kind !== "ReplicaSet") return
        const { name = "", namespace = "" } = answer.metadata
        const status = { replicas: 3, observedGeneration: 1 }
        const set = { resource: { group: "apps", version: "v1", resource: "replicasets" }, namespace, name }
        client.update({ ...set, subresource: "status" }, { ...answer, status }, {}, () => undefined)
      })
  }
}

export const clusterFaults: ReadonlyArray<ClusterFault> = [
  {
    name: "a watch drops an event",
    parts: {
      wrapClient: onWatch(() => {
        const isDropped = everyNth(11)
        return (event, emit) => (isChange(event) && isDropped() ? undefined : emit(event))
      })
    },
    breaks: ["watch is reliable", "watch is resumable", "watch is bookmarkable", "initial list is complete"]
  },
  {
    name: "a watch repeats an event",
    parts: {
      wrapClient: onWatch(() => {
        const isRepeated = everyNth(9)
        return (event, emit) => {
          emit(event)
          if (isChange(event) && isRepeated()) emit(event)
        }
      })
    },
    breaks: ["watch is unique"]
  },
  {
    name: "a watch reorders events",
    parts: {
      wrapClient: onWatch(() => {
        const isHeld = everyNth(6)
        let held: WatchEvent | undefined
        return (event, emit) => {
          if (isChange(event) && held === undefined && isHeld()) held = event
          else {
            emit(event)
            if (held !== undefined) emit(held)
            held = undefined
          }
        }
      })
    },
    breaks: [
      "watch is ordered",
      "watch is reliable",
      "watch is resumable",
      "initial list is complete",
      "watch is bookmarkable"
    ]
  },
  {
    name: "a bookmark is ahead of its events",
    parts: {
      wrapClient: onWatch(() => (event, emit) => {
        const { resourceVersion = "0" } = event.object.metadata
        const annotated = event.object.metadata.annotations !== undefined
        if (event.type !== "BOOKMARK" || annotated) return emit(event)
        const metadata = { ...event.object.metadata, resourceVersion: String(Number(resourceVersion) + 20) }
        emit({ type: "BOOKMARK", object: { ...event.object, metadata } })
      })
    },
    breaks: ["watch is bookmarkable"]
  },
  {
    name: "a creation is told as a change",
    parts: {
      wrapClient: onWatch(() => (event, emit) => emit(event.type === "ADDED" ? { ...event, type: "MODIFIED" } : event))
    },
    breaks: ["watch marks creations"]
  },
  {
    name: "a watch of one namespace tells of others",
    parts: {
      wrapClient: (client) => ({
        ...client,
        watch: (collection, options, listener) =>
          collection.namespace === "n1" && options.sendInitialEvents !== true
            ? client.watch({ ...collection, namespace: "" }, options, listener)
            : client.watch(collection, options, listener)
      })
    },
    breaks: ["watch is filtered"]
  },
  {
    name: "the initial list lacks an object",
    parts: {
      wrapClient: (client) => ({
        ...client,
        watch: (collection, options, listener) => {
          let left = options.sendInitialEvents === true ? 1 : 0
          return client.watch(collection, options, {
            ...listener,
            event: (event) => (event.type === "ADDED" && left-- > 0 ? undefined : listener.event(event))
          })
        }
      })
    },
    breaks: ["initial list is complete", "watch is reliable", "watch is resumable"]
  },
  {
    name: "a list misses an object between pages",
    parts: {
      wrapClient: (client) => ({
        ...client,
        list: (collection, options, done) =>
          client.list(collection, options, (answer) =>
            done(
              answer instanceof ApiFailure || options.continue === undefined
                ? answer
                : { ...answer, items: answer.items.slice(1) }
            )
          )
      })
    },
    breaks: ["reads show one revision"]
  },
  {
    name: "a write is acknowledged and not made",
    parts: { wrapClient: lyingCreate },
    breaks: ["no lost acknowledged write"]
  },
  {
    name: "a quota is not enforced",
    parts: {},
    steps: [at(10, "resourcequotas", "ResourceQuota", "q", { spec: { hard: { pods: "2" } } })],
    breaks: ["quota is never exceeded"]
  },
  {
    name: "replicas are counted wrongly",
    parts: { wrapClient: wrongCount },
    steps: [at(10, "replicasets", "ReplicaSet", "a", replicaSet, "apps/v1")],
    breaks: ["replicas sum"]
  }
]
