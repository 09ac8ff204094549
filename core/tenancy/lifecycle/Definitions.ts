// What CustomResourceDefinitions declare of their kinds' references, as far as upstream has told: asked for with every kind.
// Owns the local copy, which holds names and the one annotation; refuses to translate by it, which the compiled rules do.
import { type Client, type Clockwork, gvr, Informer, isJsonObject, type Json, type KubeObject } from "#kube"
import { customReferences, REFERENCES_ANNOTATION } from "../names/CustomReferences.ts"
import type { CustomReference } from "../names/TenantView.ts"
import { Refused } from "../rewrite/Contract.ts"

const DEFINITIONS = gvr("apiextensions.k8s.io", "v1", "customresourcedefinitions")

const textOf = (value: Json | undefined): string => (typeof value === "string" ? value : "")

const keyOf = ({ metadata, spec }: KubeObject): string => {
  const group = isJsonObject(spec) ? textOf(spec["group"]) : ""
  const name = metadata.name ?? ""
  return group === "" ? name : `${name.slice(0, name.length - group.length - 1)}.${group}`
}

/** Only what is asked for is kept. */
const cut = ({ apiVersion, kind, metadata, spec }: KubeObject): KubeObject => {
  const text = metadata.annotations?.[REFERENCES_ANNOTATION]
  const { name = "", resourceVersion = "", uid = "" } = metadata
  return {
    apiVersion,
    kind,
    metadata: {
      name,
      uid,
      resourceVersion,
      ...(text === undefined ? {} : { annotations: { [REFERENCES_ANNOTATION]: text } })
    },
    spec: { group: isJsonObject(spec) ? textOf(spec["group"]) : "" }
  }
}

export class Definitions {
  readonly informer: Informer
  private readonly declared = new Map<string, ReadonlyArray<CustomReference> | undefined>()
  /** Grows with every change of what is declared. */
  generation = 0

  constructor(client: Client, clockwork: Clockwork) {
    this.informer = new Informer({
      client,
      clockwork,
      collection: { resource: DEFINITIONS, namespace: "" },
      transform: cut
    })
    this.informer.addHandler({
      added: (object) => this.put(object),
      updated: (before, after) => {
        const isSame = [before, after].map(({ metadata }) => metadata.annotations?.[REFERENCES_ANNOTATION])
        if (isSame[0] !== isSame[1]) this.put(after)
      },
      deleted: (object) => {
        this.declared.delete(keyOf(object))
        this.generation++
      }
    })
  }

  /** Of "widgets.t-acme.io" in upstream's names; undefined when there is no definition yet, or what it declares cannot be read. */
  references(resource: string, group: string): ReadonlyArray<CustomReference> | undefined {
    return this.declared.get(`${resource}.${group}`)
  }

  private put(object: KubeObject): void {
    const found = customReferences(object.metadata.annotations?.[REFERENCES_ANNOTATION])
    this.declared.set(keyOf(object), found instanceof Refused ? undefined : found)
    this.generation++
  }
}
