// How many replicas of each object the members that answer are told to run, as their requests arrive.
// Owns these sums while members are lost and come back; refuses to know what is wanted. Bound: the objects on members.
import type { KubeObject } from "#kube"
import type { CountedMember } from "#sim"

const replicasOf = ({ spec }: KubeObject): number => (spec as { readonly replicas?: number } | undefined)?.replicas ?? 1

export class ReplicaLedger {
  /** By member, then by object. */
  readonly #told = new Map<string, Map<string, number>>()
  readonly #sums = new Map<string, number>()
  readonly #lost = new Set<string>()

  constructor(members: ReadonlyMap<string, CountedMember>) {
    for (const [name, member] of members) {
      const told = new Map(
        member.objects("deployments.apps").map((object) => [object.metadata.name ?? "", replicasOf(object)])
      )
      this.#told.set(name, told)
      for (const [object, replicas] of told) this.#add(object, replicas)
    }
  }

  /** Names of all objects. */
  get objects(): ReadonlyArray<string> {
    return [...this.#sums.keys()]
  }

  sum(object: string): number {
    return this.#sums.get(object) ?? 0
  }

  /** Objects of a member, with their replicas. */
  of(member: string): ReadonlyMap<string, number> {
    return this.#told.get(member) ?? new Map()
  }

  /** A member no longer answers: what it runs is not counted. */
  lose(member: string): void {
    this.#lost.add(member)
    for (const [object, replicas] of this.of(member)) this.#add(object, -replicas)
  }

  /** It answers again. */
  find(member: string): void {
    if (!this.#lost.delete(member)) return
    for (const [object, replicas] of this.of(member)) this.#add(object, replicas)
  }

  /** A request that changes something; the object's name where its replicas are others now. */
  write(member: string, verb: string, object: KubeObject): string | undefined {
    const told = this.#told.get(member)
    const { name = "" } = object.metadata
    if (object.kind !== "Deployment" || told === undefined) return undefined
    const before = told.get(name) ?? 0
    const after = verb === "delete" ? 0 : replicasOf(object)
    if (verb === "delete") told.delete(name)
    else told.set(name, after)
    if (before === after) return undefined
    this.#add(name, after - before)
    return name
  }

  #add(object: string, replicas: number): void {
    this.#sums.set(object, this.sum(object) + replicas)
  }
}
