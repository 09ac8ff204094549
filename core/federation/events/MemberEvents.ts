// What members' controllers say of copies, told of their sources on the host.
// Owns which Events of a member are followed and which source each is about; refuses to write, which HostEvents.ts does, and to keep any.
// Events of pods, their sets and nodes are never asked for: there are as many as there are pods.
import { fieldsOf, numberIn, textOf } from "#apiserver"
import { type ApiFailure, type Clockwork, gvr, type KubeObject, parseApiVersion, parseRfc3339, Reflector } from "#kube"
import type { Member } from "../clusters/Member.ts"
import type { Members } from "../clusters/Members.ts"
import type { FederatedTypes } from "../federate/FederatedTypes.ts"
import { federatedKey } from "../federate/ObjectNames.ts"
import { type HostEvents, named } from "./HostEvents.ts"

/** Which events of members are mirrored. */
export type MirroredEvents = "none" | "warnings" | "all"

export interface MemberEventsOptions {
  readonly clockwork: Clockwork
  readonly members: () => Members
  readonly types: () => FederatedTypes
  readonly events: HostEvents
  readonly mirrored: Exclude<MirroredEvents, "none">
  /** Whether this process handles an object, by its federated object's key. Default: all. */
  readonly owns?: (federatedKey: string) => boolean
  readonly onFailure?: (cluster: string, failure: ApiFailure) => void
}

const EVENTS = gvr("", "v1", "events")
const NOT_OF = ["Pod", "ReplicaSet", "Node"]
/** What happened longer ago is history: nobody is told of it when a member is connected. */
const FRESH_MS = 600_000

const selectorFor = (mirrored: MemberEventsOptions["mirrored"]): string =>
  [...NOT_OF.map((kind) => `involvedObject.kind!=${kind}`), ...(mirrored === "all" ? [] : ["type=Warning"])].join(",")

const lastOf = (event: KubeObject): string => {
  const series = fieldsOf(event["series"])
  return textOf(series["lastObservedTime"]) || textOf(event["lastTimestamp"]) || textOf(event["eventTime"])
}

const countOf = (event: KubeObject): number =>
  numberIn(fieldsOf(event["series"])["count"]) ?? numberIn(event["count"]) ?? 1

/** Whole seconds, as core/v1's times have them. */
const second = (time: string): string => time.replace(/\.\d+(?=Z$)/, "")

export class MemberEvents {
  readonly #options: MemberEventsOptions
  /** Bound: one for each member that there is a way to. */
  readonly #followed = new Map<string, Reflector>()

  constructor(options: MemberEventsOptions) {
    this.#options = options
  }

  /** There is a new way to a member, or none. */
  memberChanged = (name: string, member: Member | undefined): void => {
    this.#followed.get(name)?.stop()
    this.#followed.delete(name)
    if (member === undefined) return
    const { clockwork, mirrored, onFailure } = this.#options
    const each = (event: KubeObject): void => this.#heard(name, event)
    const reflector = new Reflector(
      {
        clockwork,
        client: member.client,
        collection: { resource: EVENTS, namespace: "" },
        fieldSelector: selectorFor(mirrored)
      },
      {
        replace: (events) => events.forEach(each),
        event: ({ object, type }) => {
          if (type !== "DELETED") each(object)
        },
        failed: (failure) => onFailure?.(name, failure)
      }
    )
    this.#followed.set(name, reflector)
    reflector.start()
  }

  stop(): void {
    for (const reflector of this.#followed.values()) reflector.stop()
    this.#followed.clear()
  }

  #heard(cluster: string, event: KubeObject): void {
    const { clockwork, events } = this.#options
    const last = lastOf(event)
    if (clockwork.now() - (parseRfc3339(last) ?? 0) > FRESH_MS) return
    const source = this.#sourceOf(cluster, event)
    if (source === undefined) return
    const from = fieldsOf(event["source"])
    events.tell({
      about: source,
      type: event["type"] === "Warning" ? "Warning" : "Normal",
      reason: textOf(event["reason"]),
      message: `cluster ${cluster}: ${textOf(event["message"])}`,
      component: textOf(event["reportingComponent"]) || textOf(from["component"]),
      cluster,
      identity: `${cluster}/${event.metadata.uid ?? ""}`,
      count: countOf(event),
      firstTimestamp: second(textOf(event["firstTimestamp"]) || textOf(event["eventTime"]) || last),
      lastTimestamp: second(last)
    })
  }

  /** The source of the copy that an event is about; undefined: it is about nothing of ours. */
  #sourceOf(cluster: string, event: KubeObject): KubeObject | undefined {
    const { members, owns } = this.#options
    const involved = fieldsOf(event["involvedObject"])
    const { group } = parseApiVersion(textOf(involved["apiVersion"]))
    const type = this.#options.types().ofKind(group, textOf(involved["kind"]))
    if (type === undefined) return undefined
    const [namespace, name] = [textOf(involved["namespace"]), textOf(involved["name"])]
    const key = namespace === "" ? name : `${namespace}/${name}`
    const copy = members().object(cluster, type.type, key)
    if (copy === undefined || copy.metadata.uid !== involved["uid"]) return undefined
    if (owns?.(federatedKey(type, key)) === false) return undefined
    const source = this.#options.types().informer(type.name)?.store.get(key)
    return source === undefined ? undefined : named(source, type)
  }
}
