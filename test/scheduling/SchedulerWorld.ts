// A simulated API server with a scheduler on it, in virtual time: the whole way from a created pod to a bound one.
// Nodes are objects that nobody keeps alive; deletion of bound pods needs grace 0, since no kubelet ends them.
import { ApiFailure, type Client, gvr, type GroupVersionResource, type KubeObject } from "#kube"
import { Scheduler, type SchedulerOptions } from "#scheduling"
import { ApiNode, Kernel } from "#sim"
import { clusterDefinitions } from "../sim/Definitions.ts"

const resources: Readonly<Record<string, GroupVersionResource>> = {
  Pod: gvr("", "v1", "pods"),
  Node: gvr("", "v1", "nodes"),
  Namespace: gvr("", "v1", "namespaces"),
  Service: gvr("", "v1", "services"),
  PersistentVolume: gvr("", "v1", "persistentvolumes"),
  PersistentVolumeClaim: gvr("", "v1", "persistentvolumeclaims"),
  StorageClass: gvr("storage.k8s.io", "v1", "storageclasses"),
  CSINode: gvr("storage.k8s.io", "v1", "csinodes"),
  PodDisruptionBudget: gvr("policy", "v1", "poddisruptionbudgets"),
  Event: gvr("events.k8s.io", "v1", "events")
}

export class SchedulerWorld {
  readonly kernel: Kernel
  readonly api: ApiNode
  readonly client: Client
  readonly bound: Array<readonly [string, string]> = []
  readonly failures: Array<ApiFailure> = []
  scheduler: Scheduler
  private lives = 0

  constructor(
    seed: number,
    options: Partial<SchedulerOptions> = {},
    wrap: (client: Client) => Client = (client) => client
  ) {
    this.kernel = new Kernel({ seed })
    this.api = new ApiNode({ kernel: this.kernel, server: { definitions: clusterDefinitions } })
    this.api.start()
    this.kernel.run({ untilMs: 1000 })
    const client = this.api.local()
    if (client === undefined) throw new Error("the API server has not started")
    this.client = client
    this.scheduler = this.make(wrap(client), options)
    this.scheduler.start()
    this.run(1000)
  }

  /** Stops the scheduler and starts another one, which knows nothing, once what the first has asked for has arrived. */
  restart(options: Partial<SchedulerOptions> = {}): void {
    this.scheduler.stop()
    this.run(1000)
    this.scheduler = this.make(this.client, options)
    this.scheduler.start()
    this.run(1000)
  }

  run(ms: number): void {
    this.kernel.run({ untilMs: this.kernel.nowMs + ms })
  }

  create(object: KubeObject): KubeObject {
    const { namespace = "" } = object.metadata
    const { uid: _, ...metadata } = object.metadata
    return this.call((done) =>
      this.client.create({ resource: resources[object.kind], namespace }, { ...object, metadata }, {}, done)
    )
  }

  createAll(objects: ReadonlyArray<KubeObject>): void {
    for (const object of objects) this.create(object)
  }

  get(kind: string, name: string, namespace = "default"): KubeObject {
    return this.call((done) => this.client.get({ resource: resources[kind], namespace, name }, {}, done))
  }

  list(kind: string, namespace = ""): ReadonlyArray<KubeObject> {
    let items: ReadonlyArray<KubeObject> | undefined
    this.client.list({ resource: resources[kind], namespace }, {}, (answer) => {
      if (!(answer instanceof ApiFailure)) ({ items } = answer)
    })
    this.settle(() => items !== undefined)
    return items ?? []
  }

  patch(kind: string, name: string, body: object, subresource?: string, namespace = "default"): KubeObject {
    const target = { resource: resources[kind], namespace, name, ...(subresource === undefined ? {} : { subresource }) }
    return this.call((done) => this.client.patch(target, { type: "merge", body: body as never }, {}, done))
  }

  delete(kind: string, name: string, namespace = "default"): void {
    this.call((done) =>
      this.client.delete({ resource: resources[kind], namespace, name }, { gracePeriodSeconds: 0 }, done)
    )
  }

  nodeOf(name: string, namespace = "default"): string | undefined {
    return (this.get("Pod", name, namespace).spec as { nodeName?: string }).nodeName
  }

  /** The message of a pod's PodScheduled condition. */
  conditionOf(name: string, namespace = "default"): { status?: string; reason?: string; message?: string } | undefined {
    const { conditions = [] } = this.get("Pod", name, namespace).status as {
      conditions?: ReadonlyArray<{ type: string; status?: string; reason?: string; message?: string }>
    }
    return conditions.find(({ type }) => type === "PodScheduled")
  }

  private make(client: Client, options: Partial<SchedulerOptions>): Scheduler {
    const { clockwork } = this.kernel.process(`scheduler-${this.lives++}`)
    return new Scheduler({
      client,
      clockwork,
      onBound: (pod, node) => this.bound.push([pod.metadata.name ?? "", node]),
      onFailure: (failure) => this.failures.push(failure),
      ...options
    })
  }

  private call(send: (done: (answer: KubeObject | ApiFailure) => void) => void): KubeObject {
    let answer: KubeObject | ApiFailure | undefined
    send((received) => {
      answer = received
    })
    this.settle(() => answer !== undefined)
    if (answer === undefined || answer instanceof ApiFailure) throw answer ?? new Error("no answer")
    return answer
  }

  private settle(ready: () => boolean): void {
    for (let tries = 0; tries < 1000 && !ready(); tries++) this.run(1)
  }
}
