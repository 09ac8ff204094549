// The templates that a StatefulSet or a DaemonSet had, each kept as a ControllerRevision with a number.
// Owns their making, renumbering, adoption and removal; refuses to decide which pods get which. kubectl's rollout history and undo
// read them, so their data is upstream's: a strategic merge patch that puts the template back.
import { Effect } from "effect"
import {
  type ApiFailure,
  controllerOf,
  type EffectClient,
  type GroupVersionResource,
  isJsonObject,
  type JsonObject,
  type KubeObject,
  type LabelSelector,
  sameJson
} from "#kube"
import { type OwnerKind, ownerReference } from "../Owned.ts"
import { claim } from "../Ownership.ts"
import type { PodTemplate } from "../PodControl.ts"
import { hashOf } from "./TemplateHash.ts"
import { type Revision, revisionResource } from "./Workloads.ts"

const PREFIX_MAX = 223

export interface RevisionOwner {
  readonly object: KubeObject & { readonly spec: { readonly template: PodTemplate } }
  readonly kind: OwnerKind
  readonly resource: GroupVersionResource
  readonly selector: LabelSelector
  /** The label of a revision that holds its hash. */
  readonly hashLabel: string
}

/** What a revision holds of a template. */
const dataOf = (template: PodTemplate): JsonObject => ({
  spec: { template: { ...(template as JsonObject), $patch: "replace" } }
})

/** Older servers wrote times of templates, which are none. */
const withoutNulls = (template: JsonObject | undefined): JsonObject => {
  const { $patch: _, metadata, ...rest } = template ?? {}
  const fields = Object.entries(isJsonObject(metadata) ? metadata : {}).filter(([, value]) => value !== null)
  return { ...rest, metadata: Object.fromEntries(fields) }
}

/** Whether a revision holds this template. */
export const holdsTemplate = ({ data }: Revision, template: PodTemplate): boolean => {
  const held = data?.spec?.template
  if (held === undefined) return false
  return sameJson(held["spec"], template.spec) && sameJson(withoutNulls(held), withoutNulls(template))
}

/** The template that a revision holds. */
export const templateOfRevision = ({ data }: Revision): PodTemplate => {
  const { $patch: _, ...template } = data?.spec?.template ?? {}
  return template
}

const byNumber = (a: Revision, b: Revision): number => {
  if (a.revision !== b.revision) return a.revision - b.revision
  const { creationTimestamp: x = "", name: n = "" } = a.metadata
  const { creationTimestamp: y = "", name: m = "" } = b.metadata
  return x === y ? (n < m ? -1 : 1) : x < y ? -1 : 1
}

/** The oldest first. */
export const sortedRevisions = (revisions: ReadonlyArray<KubeObject>): ReadonlyArray<Revision> =>
  // SAFETY: callers hand in ControllerRevisions.
  (revisions as ReadonlyArray<Revision>).toSorted(byNumber)

/** The revisions of an owner, the oldest first; orphans that match are adopted. */
export const claimRevisions = (
  client: EffectClient,
  { kind, object, resource, selector }: RevisionOwner,
  candidates: ReadonlyArray<KubeObject>
): Effect.Effect<ReadonlyArray<Revision>, ApiFailure> => {
  // A revision that no longer matches stays with its owner, unseen.
  const matching = candidates.filter(
    (revision) => selector.matches(revision.metadata.labels ?? {}) || controllerOf(revision) === undefined
  )
  const options = {
    client,
    owner: object,
    ownerKind: kind,
    ownerResource: resource,
    resource: revisionResource,
    matches: (labels: Readonly<Record<string, string>>) => selector.matches(labels)
  }
  return Effect.map(claim(options, matching), sortedRevisions)
}

const newRevision = (owner: RevisionOwner, number: number, collisions: number): Revision => {
  const { hashLabel, kind, object } = owner
  const { annotations, name = "", namespace = "" } = object.metadata
  const data = dataOf(object.spec.template)
  const hash = hashOf(data, collisions)
  return {
    apiVersion: "apps/v1",
    kind: "ControllerRevision",
    metadata: {
      name: `${name.slice(0, PREFIX_MAX)}-${hash}`,
      namespace,
      labels: { ...object.spec.template.metadata?.labels, [hashLabel]: hash },
      ...(annotations && { annotations }),
      ownerReferences: [ownerReference(object, kind)]
    },
    data,
    revision: number
  }
}

/** Makes the revision of the owner's template. A name that is taken by another template is avoided by counting collisions. */
export const makeRevision = Effect.fnUntraced(function* (
  client: EffectClient,
  owner: RevisionOwner,
  number: number,
  collisionsSoFar: number
): Effect.fn.Return<{ readonly revision: Revision; readonly collisions: number }, ApiFailure> {
  let collisions = collisionsSoFar
  for (;;) {
    const draft = newRevision(owner, number, collisions)
    const { name = "", namespace = "" } = draft.metadata
    const made = yield* Effect.result(client.create({ resource: revisionResource, namespace }, draft))
    // SAFETY: the server answers the kind that it was sent.
    if (made._tag === "Success") return { revision: made.success as Revision, collisions }
    if (made.failure.reason !== "AlreadyExists") return yield* Effect.fail(made.failure)
    const found = (yield* client.get({ resource: revisionResource, namespace, name })) as Revision
    if (controllerOf(found)?.uid === owner.object.metadata.uid && holdsTemplate(found, owner.object.spec.template))
      return { revision: found, collisions }
    collisions++
  }
})

/** Gives a revision another number: it is the newest again. */
export const renumberRevision = (
  client: EffectClient,
  revision: Revision,
  number: number
): Effect.Effect<Revision, ApiFailure> => {
  const { name = "", namespace = "" } = revision.metadata
  return Effect.map(
    client.update({ resource: revisionResource, namespace, name }, { ...revision, revision: number }),
    // SAFETY: the server answers the kind that it was sent.
    (answer) => answer as Revision
  )
}

/** Removes the oldest revisions that nobody uses, as far as they are more than the history may have. */
export const truncateRevisions = Effect.fnUntraced(function* (
  client: EffectClient,
  revisions: ReadonlyArray<Revision>,
  isLive: (revision: Revision) => boolean,
  limit: number
): Effect.fn.Return<void, ApiFailure> {
  const history = revisions.filter((revision) => !isLive(revision))
  if (limit < 0) return
  for (const { metadata } of history.slice(0, Math.max(0, history.length - limit))) {
    const { name = "", namespace = "" } = metadata
    yield* client.delete({ resource: revisionResource, namespace, name }).pipe(
      Effect.catchIf(
        ({ code }) => code === 404,
        () => Effect.void
      )
    )
  }
})
