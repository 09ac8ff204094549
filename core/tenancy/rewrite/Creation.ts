// What a new object's name must keep to, so that it still is a name with the prefix before it.
// Owns names that are kept back and lengths, told in the tenant's measure; everything else upstream validates.
import { customReferences, REFERENCES_ANNOTATION } from "../names/CustomReferences.ts"
import type { KindShape } from "../names/TenantView.ts"
import type { Translation } from "../names/Translation.ts"
import { TENANT_ID_LENGTH } from "../names/TenantId.ts"
import { fullResource } from "../rules/CompiledRules.ts"
import { textOf } from "./Bytes.ts"
import { Refused } from "./Contract.ts"

const SPENT = TENANT_ID_LENGTH + 1
/** Kubernetes' limits of a namespace's name, and of a name that is a DNS subdomain. */
const LABEL_MAX = 63
const SUBDOMAIN_MAX = 253

interface Named {
  readonly metadata?: { readonly name?: unknown; readonly annotations?: Readonly<Record<string, unknown>> | null }
}

/** Why an object outside namespaces, or a namespace, may not have its name; undefined when it may. */
export const checkCreation = (names: Translation, shape: KindShape, body: Uint8Array): Refused | undefined => {
  if (shape.namespaced) return undefined
  const resource = fullResource(shape)
  let given: Named | null
  try {
    given = JSON.parse(textOf(body)) as Named | null
  } catch {
    return undefined
  }
  if (resource === "customresourcedefinitions.apiextensions.k8s.io") {
    const text = given?.metadata?.annotations?.[REFERENCES_ANNOTATION]
    const declared = typeof text === "string" ? customReferences(text) : []
    if (declared instanceof Refused) return declared
  }
  const name = given?.metadata?.name
  if (typeof name !== "string" || name === "") return undefined
  if (names.reserved(resource, name))
    return new Refused("metadata.name", `${JSON.stringify(name)} is kept back by the platform`)
  const max = (resource === "namespaces" ? LABEL_MAX : SUBDOMAIN_MAX) - SPENT
  return name.length > max ? new Refused("metadata.name", `must be no more than ${max} characters`) : undefined
}
