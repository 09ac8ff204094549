// Extenders: programs beside the scheduler that it asks over HTTP to filter, to prioritize, to preempt and to bind (extender/v1).
// Owns their wire shapes and when they are asked; refuses sockets, which a transport brings (ExtenderTransportAdapter.ts in a process).
import type { KubeObject } from "#kube"
import type { ExtenderFields } from "../config/ConfigurationSchema.ts"
import { extenderTimeoutMs } from "../config/SchedulerConfiguration.ts"
import { podSpecOf } from "../pod/PodFields.ts"

/** An extender that did not answer, or not well. */
export class ExtenderFailure extends Error {
  readonly _tag = "ExtenderFailure"
  override readonly name = "ExtenderFailure"
}

/** Posts JSON and answers JSON; `done` is called once. */
export interface ExtenderTransport {
  readonly post: (
    url: string,
    body: unknown,
    timeoutMs: number,
    done: (answer: { readonly json: unknown } | ExtenderFailure) => void
  ) => void
}

export type Answer<A> = (answer: A | ExtenderFailure) => void

export interface ExtenderFiltered {
  readonly nodes: ReadonlyArray<string>
  readonly failed: ReadonlyMap<string, string>
  /** Where evicting pods would not help. */
  readonly unresolvable: ReadonlyMap<string, string>
}

export interface ExtenderVictims {
  readonly pods: ReadonlyArray<KubeObject>
  readonly violations: number
}

/** Victims by node, as uids. */
export type VictimIds = ReadonlyMap<string, { readonly uids: ReadonlyArray<string>; readonly violations: number }>

type Fields = Readonly<Record<string, unknown>>

const fieldsOf = (value: unknown): Fields => (typeof value === "object" && value !== null ? (value as Fields) : {})
const listOf = (value: unknown): ReadonlyArray<unknown> =>
  Array.isArray(value) ? (value as ReadonlyArray<unknown>) : []
const textsOf = (value: unknown): ReadonlyMap<string, string> =>
  new Map(Object.entries(fieldsOf(value)).flatMap(([key, text]) => (typeof text === "string" ? [[key, text]] : [])))

export class Extender {
  readonly name: string
  readonly weight: number
  /** Whether pods are scheduled without it when it fails. */
  readonly ignorable: boolean
  private readonly fields: ExtenderFields
  private readonly transport: ExtenderTransport
  private readonly managed: ReadonlySet<string>

  constructor(fields: ExtenderFields, transport: ExtenderTransport) {
    this.fields = fields
    this.transport = transport
    this.name = fields.urlPrefix
    this.weight = fields.weight ?? 0
    this.ignorable = fields.ignorable ?? false
    this.managed = new Set((fields.managedResources ?? []).map(({ name }) => name))
  }

  get filters(): boolean {
    return (this.fields.filterVerb ?? "") !== ""
  }

  get prioritizes(): boolean {
    return (this.fields.prioritizeVerb ?? "") !== ""
  }

  get preempts(): boolean {
    return (this.fields.preemptVerb ?? "") !== ""
  }

  get binds(): boolean {
    return (this.fields.bindVerb ?? "") !== ""
  }

  /** Whether a pod asks for a resource that the extender manages; it manages all pods when it names none. */
  isInterested(pod: KubeObject): boolean {
    if (this.managed.size === 0) return true
    const { containers = [], initContainers = [] } = podSpecOf(pod)
    return [...containers, ...initContainers].some(({ resources }) =>
      [...Object.keys(resources?.requests ?? {}), ...Object.keys(resources?.limits ?? {})].some((name) =>
        this.managed.has(name)
      )
    )
  }

  filter(pod: KubeObject, nodes: ReadonlyArray<KubeObject>, done: Answer<ExtenderFiltered>): void {
    this.send(this.fields.filterVerb, { pod, ...this.shown(nodes) }, done, (json) => {
      const { error, failedAndUnresolvableNodes, failedNodes, nodenames, nodes: kept } = lowered(json)
      if (typeof error === "string" && error !== "") return new ExtenderFailure(error)
      const names = Array.isArray(nodenames)
        ? listOf(nodenames).map(String)
        : listOf(fieldsOf(kept)["items"]).map((item) => String(fieldsOf(fieldsOf(item)["metadata"])["name"]))
      const known = new Set(nodes.map(({ metadata }) => metadata.name))
      const strange = names.find((name) => !known.has(name))
      if (strange !== undefined)
        return new ExtenderFailure(
          `extender "${this.name}" claims a filtered node "${strange}" which is not found in the input node list`
        )
      return { nodes: names, failed: textsOf(failedNodes), unresolvable: textsOf(failedAndUnresolvableNodes) }
    })
  }

  /** Scores from 0 to 10 by node. */
  prioritize(pod: KubeObject, nodes: ReadonlyArray<KubeObject>, done: Answer<ReadonlyMap<string, number>>): void {
    this.send(this.fields.prioritizeVerb, { pod, ...this.shown(nodes) }, done, (json) => {
      const scores = new Map<string, number>()
      for (const one of listOf(json)) {
        const { host, score } = lowered(one)
        if (typeof host === "string" && typeof score === "number") scores.set(host, score)
      }
      return scores
    })
  }

  preempt(pod: KubeObject, victims: ReadonlyMap<string, ExtenderVictims>, done: Answer<VictimIds>): void {
    const whole: Record<string, unknown> = {}
    const meta: Record<string, unknown> = {}
    for (const [node, { pods, violations }] of victims) {
      whole[node] = { pods, numPDBViolations: violations }
      meta[node] = { pods: pods.map(({ metadata }) => ({ uid: metadata.uid })), numPDBViolations: violations }
    }
    const body = this.fields.nodeCacheCapable === true ? { nodeNameToMetaVictims: meta } : { nodeNameToVictims: whole }
    this.send(this.fields.preemptVerb, { pod, ...body }, done, (json) => {
      const kept = fieldsOf(fieldsOf(json)["nodeNameToMetaVictims"])
      return new Map(
        Object.entries(kept).map(([node, value]) => {
          const { numPDBViolations, pods } = fieldsOf(value)
          return [
            node,
            { uids: listOf(pods).map((one) => String(fieldsOf(one)["uid"])), violations: Number(numPDBViolations ?? 0) }
          ] as const
        })
      )
    })
  }

  bind(pod: KubeObject, node: string, done: Answer<true>): void {
    const { name, namespace, uid } = pod.metadata
    const body = { podName: name, podNamespace: namespace, podUID: uid, node }
    this.send(this.fields.bindVerb, body, done, (json) => {
      const { error } = lowered(json)
      return typeof error === "string" && error !== "" ? new ExtenderFailure(error) : true
    })
  }

  private shown(nodes: ReadonlyArray<KubeObject>): Fields {
    return this.fields.nodeCacheCapable === true
      ? { nodenames: nodes.map(({ metadata }) => metadata.name) }
      : { nodes: { apiVersion: "v1", kind: "NodeList", items: nodes } }
  }

  private send<A>(
    verb: string | undefined,
    body: unknown,
    done: Answer<A>,
    read: (json: unknown) => A | ExtenderFailure
  ): void {
    const url = `${this.name.replace(/\/+$/, "")}/${verb ?? ""}`
    this.transport.post(url, body, extenderTimeoutMs(this.fields), (answer) =>
      done(answer instanceof ExtenderFailure ? answer : read(answer.json))
    )
  }
}

/** Go reads field names in any case, and extenders write them in several. */
const lowered = (json: unknown): Fields => {
  const known: Readonly<Record<string, string>> = {
    failedandunresolvablenodes: "failedAndUnresolvableNodes",
    failednodes: "failedNodes"
  }
  return Object.fromEntries(
    Object.entries(fieldsOf(json)).map(([key, value]) => [known[key.toLowerCase()] ?? key.toLowerCase(), value])
  )
}
