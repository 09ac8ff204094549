// What selects a pod besides itself: services, and the controller that owns it. Spreading by default goes by their selectors.
// Owns the objects and the merging (upstream's DefaultSelector); refuses to watch, which the scheduler's watches do.
import {
  type KubeObject,
  LabelSelector,
  type LabelSelectorObject,
  type LabelRequirement,
  type Labels,
  labelSelectorOf,
  objectKey
} from "#kube"
import type { PodShape } from "../pod/PodShape.ts"

/** Kinds whose selectors count. */
export type SelectorKind = "Service" | "ReplicationController" | "ReplicaSet" | "StatefulSet"

const groups: Readonly<Record<string, string>> = {
  ReplicationController: "v1",
  ReplicaSet: "apps/v1",
  StatefulSet: "apps/v1"
}

const equals = (labels: Labels): ReadonlyArray<LabelRequirement> =>
  Object.entries(labels).map(([key, value]) => ({ key, operator: "=", values: [value] }))

/** SAFETY of the casts below: the API server has validated the selectors of these kinds. */
const plainSelector = (object: KubeObject): Labels | undefined =>
  (object.spec as { readonly selector?: Labels } | undefined)?.selector

/** The labels that a service or controller selects by. */
const selectorKeys = (kind: SelectorKind, object: KubeObject): Iterable<string> => {
  if (kind === "Service" || kind === "ReplicationController") return Object.keys(plainSelector(object) ?? {})
  const selector = labelSelectorOf((object.spec as { readonly selector?: LabelSelectorObject } | undefined)?.selector)
  return selector instanceof LabelSelector ? selector.requirements.map(({ key }) => key) : []
}

/** A controller's status changes with each of its pods and its spec with each step of a rollout; its selector hardly ever does. */
const sameSelector = (before: KubeObject, after: KubeObject): boolean => {
  if (before.metadata.generation === after.metadata.generation) return true
  const selectorOf = ({ spec }: KubeObject) =>
    JSON.stringify((spec as { readonly selector?: unknown } | undefined)?.selector)
  return selectorOf(before) === selectorOf(after)
}

export class Selectors {
  /** Moves when any answer may be different. */
  epoch = 0
  private readonly labelKeys = new Set<string>()
  private readonly listeners: Array<(keys: Iterable<string>) => void> = []
  private readonly services = new Map<string, Map<string, Labels>>()
  private readonly controllers = new Map<string, KubeObject>()

  /** Tells, now and from now on, which labels selectors ask about. */
  onKeys(listener: (keys: Iterable<string>) => void): void {
    this.listeners.push(listener)
    listener(this.labelKeys)
  }

  private learn(keys: Iterable<string>): void {
    const before = this.labelKeys.size
    for (const key of keys) this.labelKeys.add(key)
    if (this.labelKeys.size > before) for (const tell of this.listeners) tell(this.labelKeys)
  }

  seen(kind: SelectorKind, object: KubeObject): void {
    this.learn(selectorKeys(kind, object))
    if (kind !== "Service") {
      const key = `${kind}/${objectKey(object)}`
      const before = this.controllers.get(key)
      this.controllers.set(key, object)
      if (before === undefined || !sameSelector(before, object)) this.epoch++
      return
    }
    const { name = "", namespace = "" } = object.metadata
    const selector = plainSelector(object)
    let inNamespace = this.services.get(namespace)
    if (inNamespace === undefined) this.services.set(namespace, (inNamespace = new Map()))
    const before = inNamespace.get(name)
    if (selector === undefined) inNamespace.delete(name)
    else inNamespace.set(name, selector)
    if (JSON.stringify(before) !== JSON.stringify(selector)) this.epoch++
  }

  gone(kind: SelectorKind, object: KubeObject): void {
    this.epoch++
    if (kind !== "Service") this.controllers.delete(`${kind}/${objectKey(object)}`)
    else this.services.get(object.metadata.namespace ?? "")?.delete(object.metadata.name ?? "")
  }

  /** The selector by which pods of a shape spread by default; empty when nothing selects them. */
  of(shape: PodShape): LabelSelector {
    if (shape.defaultSelector?.epoch === this.epoch) return shape.defaultSelector.selector
    const selector = this.merge(shape)
    shape.defaultSelector = { epoch: this.epoch, selector }
    return selector
  }

  private merge({ labels, namespace, owner }: PodShape): LabelSelector {
    const plain: Record<string, string> = {}
    for (const selector of this.services.get(namespace)?.values() ?? [])
      if (Object.entries(selector).every(([key, value]) => labels[key] === value)) Object.assign(plain, selector)
    const controller =
      owner === undefined || groups[owner.kind] !== owner.apiVersion
        ? undefined
        : this.controllers.get(`${owner.kind}/${namespace}/${owner.name}`)
    if (controller === undefined) return new LabelSelector(equals(plain))
    if (controller.kind === "ReplicationController" || owner?.kind === "ReplicationController")
      return new LabelSelector(equals({ ...plain, ...plainSelector(controller) }))
    const own = labelSelectorOf((controller.spec as { readonly selector?: LabelSelectorObject } | undefined)?.selector)
    const more = own instanceof LabelSelector && !own.nothing ? own.requirements : []
    return new LabelSelector([...equals(plain), ...more])
  }
}
