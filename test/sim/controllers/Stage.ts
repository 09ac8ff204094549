// What scripts of tests do on a control plane: create, patch, delete, wait; the same in real and in virtual time.
// Owns these steps; refuses to know which control plane it is.
import { Effect } from "effect"
import {
  type ApiFailure,
  type EffectClient,
  Failures,
  gvr,
  type GroupVersionResource,
  type Json,
  type KubeObject
} from "#kube"

export const Kinds = {
  namespaces: gvr("", "v1", "namespaces"),
  pods: gvr("", "v1", "pods"),
  jobs: gvr("batch", "v1", "jobs"),
  cronJobs: gvr("batch", "v1", "cronjobs"),
  budgets: gvr("policy", "v1", "poddisruptionbudgets"),
  replicaSets: gvr("apps", "v1", "replicasets"),
  deployments: gvr("apps", "v1", "deployments"),
  statefulSets: gvr("apps", "v1", "statefulsets"),
  replicationControllers: gvr("", "v1", "replicationcontrollers"),
  autoscalers: gvr("autoscaling", "v2", "horizontalpodautoscalers"),
  crds: gvr("apiextensions.k8s.io", "v1", "customresourcedefinitions")
}

const POLL_MS = 100
const WAIT_MS = 45_000

export class Stage {
  readonly client: EffectClient
  readonly namespace: string

  constructor(client: EffectClient, namespace: string) {
    this.client = client
    this.namespace = namespace
  }

  at(resource: GroupVersionResource, name: string, subresource?: string) {
    return { resource, namespace: this.namespace, name, ...(subresource === undefined ? {} : { subresource }) }
  }

  create(resource: GroupVersionResource, object: KubeObject): Effect.Effect<KubeObject, ApiFailure> {
    const { namespace } = this
    const whole = { ...object, metadata: { ...object.metadata, namespace } }
    return this.client.create({ resource, namespace }, whole)
  }

  get(resource: GroupVersionResource, name: string): Effect.Effect<KubeObject, ApiFailure> {
    return this.client.get(this.at(resource, name))
  }

  merge(
    resource: GroupVersionResource,
    name: string,
    body: Json,
    subresource?: string
  ): Effect.Effect<KubeObject, ApiFailure> {
    return this.client.patch(this.at(resource, name, subresource), { type: "merge", body })
  }

  delete(
    resource: GroupVersionResource,
    name: string,
    options: Parameters<EffectClient["delete"]>[1] = {}
  ): Effect.Effect<KubeObject, ApiFailure> {
    return this.client.delete(this.at(resource, name), options)
  }

  list(resource: GroupVersionResource, labelSelector?: string): Effect.Effect<ReadonlyArray<KubeObject>, ApiFailure> {
    const { namespace } = this
    return Effect.map(
      this.client.list({ resource, namespace }, labelSelector === undefined ? {} : { labelSelector }),
      ({ items }) => items
    )
  }

  /** Has a custom kind served. */
  serveKind(definition: KubeObject): Effect.Effect<void, ApiFailure> {
    const [plural = "", ...group] = (definition.metadata.name ?? "").split(".")
    const { versions } = definition.spec as { readonly versions: ReadonlyArray<{ readonly name: string }> }
    const resource = gvr(group.join("."), versions[0]?.name ?? "", plural)
    return Effect.andThen(
      this.client.create({ resource: Kinds.crds, namespace: "" }, definition),
      this.until(
        `${plural} are served`,
        Effect.map(Effect.result(this.list(resource)), (end) => end._tag === "Success")
      )
    )
  }

  /** Waits until a question about the server's state is answered with true. */
  until(what: string, ask: Effect.Effect<boolean, ApiFailure>): Effect.Effect<void, ApiFailure> {
    return Effect.gen(function* () {
      for (let waited = 0; waited < WAIT_MS; waited += POLL_MS) {
        if (yield* ask) return
        yield* Effect.sleep(POLL_MS)
      }
      return yield* Effect.fail(Failures.timeout(`waited ${WAIT_MS} ms until ${what}`, 0))
    })
  }

  /** Waits until an object is so. */
  untilObject(
    resource: GroupVersionResource,
    name: string,
    what: string,
    is: (object: KubeObject) => boolean
  ): Effect.Effect<void, ApiFailure> {
    return this.until(`${resource.resource} ${name} ${what}`, Effect.map(this.get(resource, name), is))
  }
}

type Status = { readonly conditions?: ReadonlyArray<{ readonly type: string; readonly status: string }> }

/** Whether a condition is true. */
export const isTrue =
  (...types: ReadonlyArray<string>) =>
  ({ status }: KubeObject): boolean =>
    ((status ?? {}) as Status).conditions?.some(({ status, type }) => types.includes(type) && status === "True") ===
    true

/** A number of the status, 0 when absent. */
export const counted = ({ status }: KubeObject, field: string): number =>
  ((status ?? {}) as Record<string, number>)[field] ?? 0
