// What a garbage collector must leave, said plainly: objects, their owners, and what a deletion under each policy takes along.
// The whole graph is gone through again after each step; nothing here knows queues, events or watches.

export interface ModelOwner {
  readonly id: string
  readonly blocks: boolean
}

export interface ModelObject {
  readonly id: string
  /** Empty: in none. */
  readonly namespace: string
  owners: ReadonlyArray<ModelOwner>
}

export type Policy = "Background" | "Foreground" | "Orphan"

export class OwnershipModel {
  readonly objects = new Map<string, ModelObject>()

  add(object: ModelObject): void {
    this.objects.set(object.id, object)
    this.settle()
  }

  own(id: string, owners: ReadonlyArray<ModelOwner>): void {
    const object = this.objects.get(id)
    if (object !== undefined) object.owners = owners
    this.settle()
  }

  delete(id: string, policy: Policy): void {
    if (!this.objects.delete(id)) return
    if (policy === "Orphan") {
      for (const object of this.objects.values()) object.owners = object.owners.filter((one) => one.id !== id)
    }
    this.settle()
  }

  /** Whether an owner exists where a dependent may refer to it. */
  private keeps(owner: ModelOwner, dependent: ModelObject): boolean {
    const found = this.objects.get(owner.id)
    return found !== undefined && (found.namespace === "" || found.namespace === dependent.namespace)
  }

  private settle(): void {
    for (let changed = true; changed;) {
      changed = false
      for (const object of this.objects.values()) {
        if (object.owners.length === 0 || object.owners.some((owner) => this.keeps(owner, object))) continue
        this.objects.delete(object.id)
        changed = true
      }
    }
    for (const object of this.objects.values()) object.owners = object.owners.filter((one) => this.keeps(one, object))
  }

  /** "id <- owners" of everything that is left, in order. */
  text(): ReadonlyArray<string> {
    return Array.from(this.objects.values(), ({ id, owners }) => {
      const ids = owners.map((one) => one.id).sort()
      return `${id} <- ${ids.join(" ")}`
    }).sort()
  }
}
