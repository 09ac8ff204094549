// The graph of owners and dependents of a whole cluster, kept by watch events: which objects may have to go, and which wait.
// Owns the nodes and what each event means for them (the garbage collector's graph builder); refuses every call to the server,
// which GarbageCollector.ts makes for the nodes that are pointed out here. Bound: one node for each object, one for each absent owner.
import { apiVersionOf, type KubeObject, type OwnerReference } from "#kube"
import { AbsentOwners } from "./AbsentOwners.ts"
import { alternateIdentity, partitionDependents } from "./DependentMatch.ts"
import {
  FOREGROUND,
  GraphNode,
  type Identity,
  identityOf,
  identityOfOwner,
  matchesOwner,
  ORPHAN,
  type ReferenceChanges,
  referenceChanges,
  sameIdentity
} from "./GraphNode.ts"
import type { ServedResource } from "./ServedResources.ts"

/** What the graph asks for. Uids name nodes. */
export interface GraphWork {
  /** Perhaps this must go, or its absence is to be found out. */
  readonly toDelete: (uid: string) => void
  /** The same, after a wait. */
  readonly toDeleteLater: (uid: string) => void
  /** Its dependents are to be let go. */
  readonly toOrphan: (uid: string) => void
  /** An object names an owner that cannot be its owner, from where it is. */
  readonly invalidNamespace: (dependent: GraphNode, owner: OwnerReference) => void
}

const noOwners: ReadonlyArray<OwnerReference> = []

export class DependencyGraph {
  readonly absent = new AbsentOwners()
  readonly #nodes = new Map<string, GraphNode>()
  readonly #work: GraphWork

  constructor(work: GraphWork) {
    this.#work = work
  }

  get size(): number {
    return this.#nodes.size
  }

  get(uid: string): GraphNode | undefined {
    return this.#nodes.get(uid)
  }

  /** An object was added or changed. */
  seen(resource: ServedResource, object: KubeObject): void {
    const { deletionTimestamp, finalizers, ownerReferences = noOwners, uid = "" } = object.metadata
    const isDeleted = deletionTimestamp !== undefined
    const foreground = isDeleted && finalizers?.includes(FOREGROUND) === true
    const orphan = isDeleted && finalizers?.includes(ORPHAN) === true
    let node = this.#nodes.get(uid)
    if (node === undefined) {
      node = new GraphNode(identityOf(object, apiVersionOf(resource), resource.kind), ownerReferences, false)
      node.deletingDependents = foreground
      this.#nodes.set(uid, node)
      this.#joinOwners(node, node.owners)
    } else {
      if (node.virtual) this.#observe(node, identityOf(object, apiVersionOf(resource), resource.kind))
      this.#reown(node, ownerReferences)
    }
    if (isDeleted) node.beingDeleted = true
    const startsOrphaning = orphan && !node.sawOrphan
    const startsForeground = foreground && !node.sawForeground
    node.sawOrphan = orphan
    node.sawForeground = foreground
    if (startsOrphaning) this.#work.toOrphan(uid)
    else if (startsForeground) {
      node.deletingDependents = true
      for (const dependent of node.dependents) this.#work.toDelete(dependent.uid)
      this.#work.toDelete(uid)
    }
  }

  /** An object is gone: a watch said so. */
  gone(uid: string): void {
    const node = this.#nodes.get(uid)
    if (node !== undefined) this.#remove(node, node)
  }

  /** The objects of a resource that a new list no longer has are gone. */
  keepOnly(resource: ServedResource, uids: ReadonlySet<string>): void {
    const apiVersion = apiVersionOf(resource)
    for (const node of this.#nodes.values()) {
      if (node.virtual || node.kind !== resource.kind || node.apiVersion !== apiVersion) continue
      if (!uids.has(node.uid)) this.#remove(node, node)
    }
  }

  /** The server does not know an object of this identity: what was only believed of it is undone (a virtual delete). */
  notFound(identity: Identity): void {
    const node = this.#nodes.get(identity.uid)
    if (node === undefined) return
    const isOther = !sameIdentity(node, identity)
    if (!node.virtual) {
      if (!isOther) return this.#remove(node, identity)
      return this.#absentFor(partitionDependents(node.dependents, identity).matching, identity)
    }
    const { matching, nonmatching } = partitionDependents(node.dependents, identity)
    if (nonmatching.length === 0) return this.#remove(node, identity)
    // Some dependents know the owner by another name: it may exist under that one.
    this.#absentFor(matching, identity)
    if (isOther) return
    const alternate = alternateIdentity(nonmatching, identity)
    if (alternate === undefined) return
    node.become(alternate)
    this.#work.toDeleteLater(node.uid)
  }

  #absentFor(dependents: ReadonlyArray<GraphNode>, identity: Identity): void {
    if (dependents.length === 0) return
    this.absent.add(identity)
    for (const { uid } of dependents) this.#work.toDelete(uid)
  }

  /** A node that was only referred to turns out to exist, perhaps not as its dependents think. */
  #observe(node: GraphNode, observed: Identity): void {
    node.virtual = false
    if (sameIdentity(node, observed)) return
    for (const dependent of partitionDependents(node.dependents, observed).nonmatching) {
      if (observed.namespace !== "" && dependent.namespace !== observed.namespace) this.#tell(dependent, observed.uid)
      this.#work.toDelete(dependent.uid)
    }
    node.become(observed)
  }

  #reown(node: GraphNode, owners: ReadonlyArray<OwnerReference>): void {
    const changes = referenceChanges(node.owners, owners)
    node.owners = owners
    if (changes === undefined) return
    this.#unblock(changes)
    this.#joinOwners(node, changes.added)
    for (const { uid } of changes.removed) this.#nodes.get(uid)?.deleteDependent(node)
  }

  /** Owners that waited for a dependent which no longer blocks them are looked at again. */
  #unblock({ changed, removed }: ReferenceChanges): void {
    for (const { blockOwnerDeletion, uid } of removed)
      if (blockOwnerDeletion === true && this.#nodes.has(uid)) this.#work.toDelete(uid)
    for (const [before, after] of changed)
      if (before.blockOwnerDeletion === true && after.blockOwnerDeletion !== true && this.#nodes.has(after.uid))
        this.#work.toDelete(after.uid)
  }

  #joinOwners(node: GraphNode, owners: ReadonlyArray<OwnerReference>): void {
    let suspicious = false
    for (const reference of owners) {
      const known = this.#nodes.get(reference.uid)
      const owner = known ?? new GraphNode(identityOfOwner(reference, node.namespace), undefined, true)
      if (known === undefined) this.#nodes.set(owner.uid, owner)
      owner.addDependent(node)
      if (known === undefined) this.#work.toDelete(owner.uid)
      else if (!suspicious) suspicious = this.#isSuspicious(node, reference, owner)
    }
    if (suspicious) this.#work.toDelete(node.uid)
  }

  /** Whether an owner that is known cannot be, or may not be, the one that a reference means. */
  #isSuspicious(node: GraphNode, reference: OwnerReference, owner: GraphNode): boolean {
    const isElsewhere = owner.namespace !== node.namespace
    if (owner.namespace !== "" && isElsewhere) {
      if (!owner.virtual) this.#tell(node, owner.uid)
      return true
    }
    return !matchesOwner(reference, owner) || (owner.namespace === "" && isElsewhere && owner.virtual)
  }

  #tell(node: GraphNode, ownerUid: string): void {
    const reference = node.owners.find(({ uid }) => uid === ownerUid)
    if (reference !== undefined) this.#work.invalidNamespace(node, reference)
  }

  #remove(node: GraphNode, as: Identity): void {
    this.#nodes.delete(node.uid)
    for (const { uid } of node.owners) this.#nodes.get(uid)?.deleteDependent(node)
    if (node.dependents.size > 0) this.absent.add(as)
    for (const { uid } of node.dependents) this.#work.toDelete(uid)
    for (const { uid } of node.owners) if (this.#nodes.get(uid)?.deletingDependents === true) this.#work.toDelete(uid)
  }
}
