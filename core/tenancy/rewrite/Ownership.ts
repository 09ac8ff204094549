// Whose an upstream object is, from its bytes, for whoever splits one stream for many tenants.
// Owns this reading; whether a tenant of the id exists is for the asker to know.
import { clusterNaming } from "../names/ClusterNames.ts"
import { prefixIn } from "../names/TenantId.ts"
import type { KindShape } from "../names/TenantView.ts"
import { fullResource } from "../rules/CompiledRules.ts"
import { textOf } from "./Bytes.ts"
import { BodyInvalid, type Owner } from "./Contract.ts"

interface Owned {
  readonly metadata?: { readonly name?: unknown; readonly namespace?: unknown }
  readonly spec?: { readonly claimRef?: { readonly namespace?: unknown } }
}

const byPrefix = (name: unknown): Owner => {
  const id = typeof name === "string" ? prefixIn(name) : undefined
  return id === undefined ? { of: "platform" } : { of: "tenant", id }
}

/** The owner of an object of a kind. */
export const ownerOf = (shape: KindShape, object: Uint8Array): Owner | BodyInvalid => {
  let owned: Owned
  try {
    owned = JSON.parse(textOf(object)) as Owned
  } catch {
    return new BodyInvalid("the object is no JSON")
  }
  const { name, namespace } = owned.metadata ?? {}
  if (shape.namespaced) return byPrefix(namespace)
  const resource = fullResource(shape)
  const text = typeof name === "string" ? name : ""
  switch (clusterNaming(resource)) {
    case "shared":
      return { of: "all", resource, name: text }
    case "definition":
      return byPrefix(text.slice(text.indexOf(".") + 1))
    case "withheld":
      return { of: "platform" }
    case "volume":
      if (prefixIn(text) === undefined && owned.spec?.claimRef !== undefined)
        return byPrefix(owned.spec.claimRef.namespace)
      return prefixIn(text) === undefined ? { of: "all", resource, name: text } : byPrefix(text)
    case "classes":
      return prefixIn(text) === undefined ? { of: "all", resource, name: text } : byPrefix(text)
    default:
      return byPrefix(text)
  }
}
