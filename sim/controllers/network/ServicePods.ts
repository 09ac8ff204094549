// Which pods each service selects, kept by events: a pod's change finds its services by a label, a service its pods by a set.
// Owns the two indexes of a process; refuses to make endpoints. Bound: one entry for each pod that a service selects.
import {
  type Cancel,
  gvr,
  type Informer,
  type InformerFactory,
  type KubeObject,
  type Labels,
  objectKey,
  sameJson
} from "#kube"
import type { Manager } from "../Manager.ts"
import { pods } from "../PodWrites.ts"
import { endpointChanges, selectorOf } from "./EndpointFacts.ts"

export const services = gvr("", "v1", "services")

type Selector = Readonly<Record<string, string>>

const nothing: ReadonlySet<string> = new Set()
const noLabels: Labels = {}

/** The label under which a service's selector is looked up: one of those that it asks for. */
const lookupKey = (namespace: string, selector: Selector): string => {
  const [key = ""] = Object.keys(selector).sort()
  return `${namespace}/${key}=${selector[key] ?? ""}`
}

const matches = (selector: Selector, labels: Labels): boolean => {
  for (const key in selector) if (labels[key] !== selector[key]) return false
  return true
}

export class ServicePods {
  readonly pods: Informer
  readonly services: Informer
  /** Called with the keys of services whose endpoints a pod's change concerns. */
  readonly #listeners = new Set<(service: string) => void>()
  readonly #byLabel = new Map<string, Map<string, Selector>>()
  readonly #members = new Map<string, Set<string>>()
  #users = 0
  #cancels: ReadonlyArray<Cancel> = []

  constructor({ informers }: Manager) {
    this.pods = informers.informer(pods)
    this.services = informers.informer(services)
  }

  /** Tells which services to look at, until the answer is called. */
  use(listener: (service: string) => void): Cancel {
    this.#listeners.add(listener)
    if (this.#users++ === 0) this.#follow()
    return () => {
      if (!this.#listeners.delete(listener)) return
      if (--this.#users > 0) return
      for (const cancel of this.#cancels) cancel()
      this.#byLabel.clear()
      this.#members.clear()
    }
  }

  /** The pods that a service selects, in the order in which they came. */
  podsOf(service: string): ReadonlyArray<KubeObject> {
    const found: Array<KubeObject> = []
    for (const key of this.#members.get(service) ?? nothing) {
      const pod = this.pods.store.get(key)
      if (pod !== undefined) found.push(pod)
    }
    return found
  }

  #follow(): void {
    this.#cancels = [
      this.services.addHandler({
        added: (service) => this.#serviceSeen(service),
        updated: (before, after) => {
          if (sameJson(selectorOf(before), selectorOf(after))) return
          this.#serviceGone(before)
          this.#serviceSeen(after)
        },
        deleted: (service) => this.#serviceGone(service)
      }),
      this.pods.addHandler({
        added: (pod) => this.#tell(this.#join(pod)),
        updated: (before, after) => this.#podChanged(before, after),
        deleted: (pod) => {
          const key = objectKey(pod)
          const found = this.#servicesOf(pod)
          for (const service of found) this.#members.get(service)?.delete(key)
          this.#tell(found)
        }
      })
    ]
  }

  #tell(keys: Iterable<string>): void {
    for (const key of keys) for (const listener of this.#listeners) listener(key)
  }

  #servicesOf({ metadata: { labels = noLabels, namespace = "" } }: KubeObject): ReadonlyArray<string> {
    const found: Array<string> = []
    for (const label in labels) {
      const candidates = this.#byLabel.get(`${namespace}/${label}=${labels[label]}`)
      if (candidates === undefined) continue
      for (const [service, selector] of candidates) if (matches(selector, labels)) found.push(service)
    }
    return found
  }

  #join(pod: KubeObject): ReadonlyArray<string> {
    const key = objectKey(pod)
    const found = this.#servicesOf(pod)
    for (const service of found) this.#members.get(service)?.add(key)
    return found
  }

  #podChanged(before: KubeObject, after: KubeObject): void {
    const { itself, labels } = endpointChanges(before, after)
    if (!labels) {
      if (itself) this.#tell(this.#servicesOf(after))
      return
    }
    const key = objectKey(after)
    const old = this.#servicesOf(before)
    const now = this.#join(after)
    for (const service of old) if (!now.includes(service)) this.#members.get(service)?.delete(key)
    const isHostname = sameJson(before.metadata.labels, after.metadata.labels)
    // Labels that change nothing for a service that selects the pod before and after need no look at it.
    if (itself || isHostname) this.#tell(new Set([...old, ...now]))
    else {
      this.#tell(old.filter((service) => !now.includes(service)))
      this.#tell(now.filter((service) => !old.includes(service)))
    }
  }

  #serviceSeen(service: KubeObject): void {
    const selector = selectorOf(service)
    if (selector === undefined) return
    const { namespace = "" } = service.metadata
    const key = objectKey(service)
    const label = lookupKey(namespace, selector)
    const known = this.#byLabel.get(label)
    if (known === undefined) this.#byLabel.set(label, new Map([[key, selector]]))
    else known.set(key, selector)
    const members = new Set<string>()
    for (const pod of this.pods.store.inNamespace(namespace))
      if (matches(selector, pod.metadata.labels ?? noLabels)) members.add(objectKey(pod))
    this.#members.set(key, members)
  }

  #serviceGone(service: KubeObject): void {
    const selector = selectorOf(service)
    const key = objectKey(service)
    this.#members.delete(key)
    if (selector === undefined) return
    const label = lookupKey(service.metadata.namespace ?? "", selector)
    const known = this.#byLabel.get(label)
    known?.delete(key)
    if (known?.size === 0) this.#byLabel.delete(label)
  }
}

const known = new WeakMap<InformerFactory, ServicePods>()

/** The one index of a process: managers that share informers share it. */
export const servicePods = (manager: Manager): ServicePods => {
  const { informers } = manager
  let found = known.get(informers)
  if (found === undefined) known.set(informers, (found = new ServicePods(manager)))
  return found
}
