// A simulated cluster for tests of controllers: an API server, the controllers that a test names, and calls that answer when
// virtual time has passed.
import {
  ApiFailure,
  type JsonObject,
  type Client,
  gvr,
  type GroupVersionResource,
  type KubeList,
  type KubeObject,
  type Patch,
  type DeleteOptions
} from "#kube"
import { builtInDefinitions, defaultResourcesContext, type Definitions, makeDefinitions } from "#apiserver"
import { controllerManager, type NamedController, upkeepControllers, World } from "#sim"
import type { WorldParts } from "../../../sim/World.ts"

type Draft = KubeObject & { readonly metadata: { readonly name: string } }

/** Resources of tests by short names. */
export const Resources = {
  pods: gvr("", "v1", "pods"),
  nodes: gvr("", "v1", "nodes"),
  events: gvr("", "v1", "events"),
  secrets: gvr("", "v1", "secrets"),
  services: gvr("", "v1", "services"),
  endpoints: gvr("", "v1", "endpoints"),
  namespaces: gvr("", "v1", "namespaces"),
  configmaps: gvr("", "v1", "configmaps"),
  quotas: gvr("", "v1", "resourcequotas"),
  serviceaccounts: gvr("", "v1", "serviceaccounts"),
  claims: gvr("", "v1", "persistentvolumeclaims"),
  volumes: gvr("", "v1", "persistentvolumes"),
  classes: gvr("storage.k8s.io", "v1", "storageclasses"),
  slices: gvr("discovery.k8s.io", "v1", "endpointslices"),
  leases: gvr("coordination.k8s.io", "v1", "leases"),
  csrs: gvr("certificates.k8s.io", "v1", "certificatesigningrequests"),
  crds: gvr("apiextensions.k8s.io", "v1", "customresourcedefinitions"),
  clusterroles: gvr("rbac.authorization.k8s.io", "v1", "clusterroles")
}

export interface UpkeepWorldOptions extends Partial<Omit<WorldParts, "controllers">> {
  readonly run: ReadonlyArray<NamedController>
  /** With gates, custom resources and what every cluster begins with; else the bare resources, which start faster. */
  readonly whole?: boolean
}

/** All built-in resources; services may have addresses of both families. */
const definitions = (): Definitions =>
  makeDefinitions(builtInDefinitions({ ...defaultResourcesContext, serviceCidrs: ["10.0.0.0/24", "fd00:9::/112"] }))

const whole = { server: { plane: {}, bootstrap: { serviceIp: "10.0.0.1", address: "172.16.0.1", port: 6443 } } }

/** Controllers by their names. */
export const controllersNamed = (...names: ReadonlyArray<string>): ReadonlyArray<NamedController> => {
  const found = upkeepControllers.filter(({ name }) => names.includes(name))
  if (found.length !== names.length) throw new Error(`not all of these are controllers: ${names.join(", ")}`)
  return found
}

export class UpkeepWorld {
  readonly world: World
  readonly failures: Array<string> = []
  readonly client: Client
  private untilMs = 0

  constructor({ run, whole: isWhole = false, ...options }: UpkeepWorldOptions) {
    this.world = new World({
      seed: 1,
      nodeGroups: [],
      ...options,
      ...(isWhole ? whole : { definitions }),
      controllers: [
        controllerManager({
          controllers: run,
          onFailure: (controller, key, failure) => this.failures.push(`${controller} ${key}: ${failure.message}`)
        })
      ]
    })
    this.client = this.world.client("tests")
    this.world.start()
    this.pass(1000)
  }

  get nowMs(): number {
    return this.world.kernel.epochMs + this.world.kernel.nowMs
  }

  /** Lets so much virtual time go by. */
  pass(ms: number): void {
    this.untilMs = Math.max(this.untilMs, this.world.kernel.nowMs) + ms
    this.world.kernel.run({ untilMs: this.untilMs })
  }

  private answer<A>(call: (done: (answer: A | ApiFailure) => void) => void): A | ApiFailure {
    const answers: Array<A | ApiFailure> = []
    call((answer) => answers.push(answer))
    for (let tries = 0; tries < 10_000; tries++) {
      const [answer] = answers
      if (answer !== undefined) return answer
      this.pass(1)
    }
    throw new Error("a call was never answered")
  }

  private must<A>(answer: A | ApiFailure): A {
    if (answer instanceof ApiFailure) throw new Error(`${answer.reason}: ${answer.message}`)
    return answer
  }

  tryCreate(resource: GroupVersionResource, object: Draft): KubeObject | ApiFailure {
    const { namespace = "" } = object.metadata
    return this.answer<KubeObject>((done) => this.client.create({ resource, namespace }, object, {}, done))
  }

  create(resource: GroupVersionResource, object: Draft): KubeObject {
    return this.must(this.tryCreate(resource, object))
  }

  /** Replaces an object, with what a function makes of its latest state. */
  change(
    resource: GroupVersionResource,
    [namespace, name]: readonly [string, string],
    change: (object: KubeObject) => KubeObject,
    subresource?: string
  ): KubeObject {
    const target = { resource, namespace, name, ...(subresource === undefined ? {} : { subresource }) }
    const live = this.must(this.answer<KubeObject>((done) => this.client.get({ resource, namespace, name }, {}, done)))
    return this.must(this.answer<KubeObject>((done) => this.client.update(target, change(live), {}, done)))
  }

  patch(resource: GroupVersionResource, [namespace, name]: readonly [string, string], patch: Patch): KubeObject {
    return this.must(
      this.answer<KubeObject>((done) => this.client.patch({ resource, namespace, name }, patch, {}, done))
    )
  }

  tryDelete(resource: GroupVersionResource, namespace: string, name: string, options: DeleteOptions = {}) {
    return this.answer<KubeObject>((done) => this.client.delete({ resource, namespace, name }, options, done))
  }

  delete(resource: GroupVersionResource, namespace: string, name: string, options: DeleteOptions = {}): void {
    this.must(this.tryDelete(resource, namespace, name, options))
  }

  get(resource: GroupVersionResource, namespace: string, name: string): KubeObject | undefined {
    const answer = this.answer<KubeObject>((done) => this.client.get({ resource, namespace, name }, {}, done))
    return answer instanceof ApiFailure ? undefined : answer
  }

  list(resource: GroupVersionResource, namespace = ""): ReadonlyArray<KubeObject> {
    return this.must(this.answer<KubeList>((done) => this.client.list({ resource, namespace }, {}, done))).items
  }

  names(resource: GroupVersionResource, namespace = ""): ReadonlyArray<string> {
    return this.list(resource, namespace)
      .map(({ metadata }) => metadata.name ?? "")
      .sort()
  }

  eventReasons(): ReadonlyArray<string> {
    return this.list(Resources.events).map((event) => String(event["reason"]))
  }
}

/** A namespace to create. */
export const namespace = (name: string): Draft => ({ apiVersion: "v1", kind: "Namespace", metadata: { name } })

/** A config map to create: the plainest thing that is in a namespace. */
export const configMap = (name: string, namespace = "default", metadata: KubeObject["metadata"] = {}): Draft => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace, ...metadata }
})

/** The objects of a list in an object's JSON. */
export const items = (value: unknown): ReadonlyArray<JsonObject> =>
  Array.isArray(value) ? (value as ReadonlyArray<JsonObject>) : []

/** A part of an object, or an empty one. */
export const fields = (value: unknown): JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : {}

/** A value as a text. */
export const textOf = (value: unknown): string => (typeof value === "string" ? value : (JSON.stringify(value) ?? ""))
