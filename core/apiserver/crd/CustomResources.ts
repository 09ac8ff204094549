// Serves what CustomResourceDefinitions define, for as long as they are there.
// Owns names' acceptance, conditions, registration and the clean-up of a definition that is deleted; refuses the translation into
// Definitions, which CustomResource.ts does. All of it runs off the watch cache, so a restart finds everything again.
import { ApiFailure, type Cancel, gvr, type Json, type KubeObject, rfc3339, sameJson } from "#kube"
import type { Api } from "../Api.ts"
import type { Definition } from "../Definition.ts"
import { askAsServer } from "../Loopback.ts"
import { fieldsOf, itemsOf, textOf } from "../resources/Fields.ts"
import { definitionsOf } from "./CustomResource.ts"
import { CLEANUP_FINALIZER } from "./CustomResourceDefinitions.ts"

const RESOURCE = gvr("apiextensions.k8s.io", "v1", "customresourcedefinitions")
/** How soon a definition that still has objects is looked at again, in milliseconds. */
const CLEANUP_AGAIN_MS = 200

interface Served {
  readonly spec: unknown
  readonly definitions: ReadonlyArray<Definition>
}

const condition = (type: string, status: "True" | "False", reason: string, message: string, nowMs: number) => ({
  type,
  status,
  lastTransitionTime: rfc3339(nowMs),
  reason,
  message
})

class CustomResources {
  private readonly api: Api
  private readonly served = new Map<string, Served>()
  private readonly unfollow: Cancel
  /** By definition: when the clean-up looks again. */
  private readonly timers = new Map<string, Cancel>()
  private stopped = false

  constructor(api: Api) {
    this.api = api
    const view = api.view(RESOURCE.group, RESOURCE.resource)
    this.unfollow = view.onChange((before, after) => {
      if (after !== undefined) this.reconcile(after)
      else if (before !== undefined) this.withdraw(before.metadata.name ?? "")
    })
    for (const crd of view.list("")) this.reconcile(crd)
  }

  stop(): void {
    this.stopped = true
    this.unfollow()
    for (const cancel of this.timers.values()) cancel()
  }

  private reconcile(crd: KubeObject): void {
    if (this.stopped) return
    const conflict = this.conflictOf(crd)
    if (crd.metadata.deletionTimestamp !== undefined) this.serve(crd)
    else if (conflict === undefined) this.serve(crd)
    else this.withdraw(crd.metadata.name ?? "")
    this.report(crd, conflict)
    if (crd.metadata.deletionTimestamp !== undefined) this.cleanUp(crd)
  }

  /** Why the definition's names cannot be had: another resource of the group has one of them. */
  private conflictOf(crd: KubeObject): string | undefined {
    const { group, names } = fieldsOf(crd.spec)
    const { kind, plural, singular } = fieldsOf(names)
    const own = this.served.get(crd.metadata.name ?? "")?.definitions ?? []
    for (const other of this.api.definitions.all()) {
      if (other.group !== group || own.includes(other) || other.resource === plural) continue
      if (other.kind === kind) return `"${textOf(kind)}" is already in use`
      if (other.singular === singular) return `"${textOf(singular)}" is already in use`
    }
    return undefined
  }

  private serve(crd: KubeObject): void {
    const name = crd.metadata.name ?? ""
    const known = this.served.get(name)
    if (known !== undefined && sameJson(known.spec as Json, crd.spec)) return
    const definitions = definitionsOf(crd)
    const kept = new Set(definitions.map(({ version }) => version))
    for (const { group, resource, version } of known?.definitions ?? []) {
      if (!kept.has(version)) this.api.definitions.unregister(group, version, resource)
    }
    for (const definition of definitions) this.api.definitions.register(definition)
    this.served.set(name, { spec: crd.spec, definitions })
  }

  private withdraw(name: string): void {
    for (const { group, resource, version } of this.served.get(name)?.definitions ?? []) {
      this.api.definitions.unregister(group, version, resource)
    }
    this.served.delete(name)
  }

  /** Writes names and conditions into the status, if they are other than they were. */
  private report(crd: KubeObject, conflict: string | undefined): void {
    const status = fieldsOf(crd.status)
    const nowMs = this.api.clockwork.now()
    const terminating = crd.metadata.deletionTimestamp !== undefined
    const wanted = [
      conflict === undefined
        ? condition("NamesAccepted", "True", "NoConflicts", "no conflicts found", nowMs)
        : condition("NamesAccepted", "False", "NamesConflict", conflict, nowMs),
      conflict === undefined
        ? condition("Established", "True", "InitialNamesAccepted", "the initial names have been accepted", nowMs)
        : condition("Established", "False", "NotAccepted", "not all names are accepted", nowMs),
      ...(terminating
        ? [
            condition(
              "Terminating",
              "True",
              "InstanceDeletionInProgress",
              "CustomResource deletion is in progress",
              nowMs
            )
          ]
        : [])
    ]
    const before = itemsOf(status["conditions"])
    const conditions = wanted.map(
      (one) => before.find((old) => old["type"] === one.type && old["status"] === one.status) ?? one
    )
    const acceptedNames = conflict === undefined ? fieldsOf(crd.spec)["names"] : status["acceptedNames"]
    const next = { ...status, acceptedNames, conditions }
    if (sameJson(next, status)) return
    const { name = "" } = crd.metadata
    // A conflict needs no retry of its own: what changed the definition calls this again.
    askAsServer(
      this.api,
      { verb: "update", resource: RESOURCE, name, subresource: "status", body: { ...crd, status: next } },
      () => undefined
    )
  }

  /** Deletes the objects of a definition that is going, then lets it go. */
  private cleanUp(crd: KubeObject): void {
    const { finalizers = [], name = "" } = crd.metadata
    if (!finalizers.includes(CLEANUP_FINALIZER)) return
    const [definition] = this.served.get(name)?.definitions ?? []
    const left = definition === undefined ? [] : this.api.view(definition.group, definition.resource).list("")
    if (definition === undefined || left.length === 0) return this.release(crd)
    const resource = gvr(definition.group, definition.version, definition.resource)
    for (const { metadata } of left) {
      if (metadata.deletionTimestamp !== undefined) continue
      const target = { resource, namespace: metadata.namespace ?? "", name: metadata.name ?? "" }
      askAsServer(this.api, { verb: "delete", ...target }, () => undefined)
    }
    this.timers.get(name)?.()
    this.timers.set(
      name,
      this.api.clockwork.after(CLEANUP_AGAIN_MS, () => this.cleanUpAgain(name))
    )
  }

  private cleanUpAgain(name: string): void {
    this.timers.delete(name)
    const now = this.api.view(RESOURCE.group, RESOURCE.resource).get("", name)
    if (now !== undefined && !this.stopped) this.cleanUp(now)
  }

  private release(crd: KubeObject): void {
    const { finalizers = [], name = "" } = crd.metadata
    const metadata = { ...crd.metadata, finalizers: finalizers.filter((one) => one !== CLEANUP_FINALIZER) }
    askAsServer(this.api, { verb: "update", resource: RESOURCE, name, body: { ...crd, metadata } }, (answer) => {
      if (answer instanceof ApiFailure && answer.reason === "Conflict") this.cleanUpAgain(name)
    })
  }
}

/** Serves custom resources until the returned function is called. */
export const serveCustomResources = (api: Api): Cancel => {
  const serving = new CustomResources(api)
  return () => serving.stop()
}
