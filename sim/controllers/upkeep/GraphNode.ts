// One object in the graph of owners and dependents: who it is, who owns it, who depends on it, and nothing else of it, for there is
// one for every object of a cluster.
// Owns the node and questions about references; refuses to move nodes, which DependencyGraph.ts does.
import type { KubeObject, OwnerReference } from "#kube"

/** Who an object is, as owner references and events say it. */
export interface Identity {
  readonly apiVersion: string
  readonly kind: string
  readonly namespace: string
  readonly name: string
  readonly uid: string
}

export const FOREGROUND = "foregroundDeletion"
export const ORPHAN = "orphan"

const noOwners: ReadonlyArray<OwnerReference> = []
const noNodes: ReadonlySet<GraphNode> = new Set()

export class GraphNode implements Identity {
  apiVersion: string
  kind: string
  namespace: string
  name: string
  readonly uid: string
  owners: ReadonlyArray<OwnerReference>
  /** Known from references alone: nothing has been heard of the object itself. */
  virtual: boolean
  beingDeleted = false
  /** Deleted in the foreground: it waits until its dependents are gone. */
  deletingDependents = false
  /** What the last state said: deleted, with the finalizer of foreground deletion or of orphaning. */
  sawForeground = false
  sawOrphan = false
  /** Made with the first dependent: most objects have none. */
  #dependents: Set<GraphNode> | undefined

  constructor(identity: Identity, owners: ReadonlyArray<OwnerReference> | undefined, virtual: boolean) {
    this.apiVersion = identity.apiVersion
    this.kind = identity.kind
    this.namespace = identity.namespace
    this.name = identity.name
    this.uid = identity.uid
    this.owners = owners ?? noOwners
    this.virtual = virtual
  }

  get dependents(): ReadonlySet<GraphNode> {
    return this.#dependents ?? noNodes
  }

  addDependent(node: GraphNode): void {
    this.#dependents ??= new Set()
    this.#dependents.add(node)
  }

  deleteDependent(node: GraphNode): void {
    if (this.#dependents?.delete(node) === true && this.#dependents.size === 0) this.#dependents = undefined
  }

  become({ apiVersion, kind, name, namespace }: Identity): void {
    this.apiVersion = apiVersion
    this.kind = kind
    this.namespace = namespace
    this.name = name
  }

  /** The dependents that keep this object from going while it is deleted in the foreground. */
  blockingDependents(): ReadonlyArray<GraphNode> {
    return [...this.dependents].filter(({ owners }) =>
      owners.some(({ blockOwnerDeletion, uid }) => uid === this.uid && blockOwnerDeletion === true)
    )
  }
}

/** The identity of an object that was heard of; the list or watch of a resource may leave its kind to the resource. */
export const identityOf = ({ metadata }: KubeObject, apiVersion: string, kind: string): Identity => ({
  apiVersion,
  kind,
  namespace: metadata.namespace ?? "",
  name: metadata.name ?? "",
  uid: metadata.uid ?? ""
})

/** The identity that a reference of an object in a namespace means, were its owner in that namespace. */
export const identityOfOwner = ({ apiVersion, kind, name, uid }: OwnerReference, namespace: string): Identity => ({
  apiVersion,
  kind,
  namespace,
  name,
  uid
})

export const sameIdentity = (a: Identity, b: Identity): boolean =>
  a.uid === b.uid &&
  a.name === b.name &&
  a.namespace === b.namespace &&
  a.kind === b.kind &&
  a.apiVersion === b.apiVersion

/** Whether a reference names the owner as it is, its namespace aside. */
export const matchesOwner = (reference: OwnerReference, owner: Omit<Identity, "namespace">): boolean =>
  reference.uid === owner.uid &&
  reference.name === owner.name &&
  reference.kind === owner.kind &&
  reference.apiVersion === owner.apiVersion

/** "apiVersion/kind, namespace: …, name: …, uid: …", as messages show it. */
export const identityText = ({ apiVersion, kind, name, namespace, uid }: Identity): string =>
  `[${apiVersion}/${kind}, namespace: ${namespace}, name: ${name}, uid: ${uid}]`

const sameReference = (a: OwnerReference, b: OwnerReference): boolean =>
  a === b ||
  (matchesOwner(a, b) &&
    (a.blockOwnerDeletion ?? false) === (b.blockOwnerDeletion ?? false) &&
    (a.controller ?? false) === (b.controller ?? false))

export interface ReferenceChanges {
  readonly added: ReadonlyArray<OwnerReference>
  readonly removed: ReadonlyArray<OwnerReference>
  readonly changed: ReadonlyArray<readonly [before: OwnerReference, after: OwnerReference]>
}

/** What changed between two lists of owners; undefined when nothing did. */
export const referenceChanges = (
  before: ReadonlyArray<OwnerReference>,
  after: ReadonlyArray<OwnerReference>
): ReferenceChanges | undefined => {
  if (before === after) return undefined
  if (before.length === after.length && before.every((one, at) => sameReference(one, after[at]))) return undefined
  const left = new Map(before.map((one) => [one.uid, one]))
  const added: Array<OwnerReference> = []
  const changed: Array<readonly [OwnerReference, OwnerReference]> = []
  for (const one of after) {
    const old = left.get(one.uid)
    if (old === undefined) added.push(one)
    else if (!sameReference(old, one)) changed.push([old, one])
    left.delete(one.uid)
  }
  const kept = new Set(after.map(({ uid }) => uid))
  return { added: added.filter(isFirst), removed: before.filter(({ uid }) => !kept.has(uid)), changed }
}

/** One reference for each owner: a second one to the same uid adds nothing. */
const isFirst = ({ uid }: OwnerReference, at: number, all: ReadonlyArray<OwnerReference>): boolean =>
  all.findIndex((other) => other.uid === uid) === at
