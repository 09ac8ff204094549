// How a source and its federated object find each other: the name made of both the source's and its type's, as KubeAdmiral makes it.
// Owns that name and the keys of queues; refuses collisions, which owner references tell apart.
import { type KubeObject, splitKey } from "#kube"
import { fieldsOf, textOf } from "#apiserver"
import { federatedSpecOf } from "../api/FederatedObject.ts"
import { federationResources } from "../api/FederationNames.ts"
import type { TypeConfig } from "../api/TypeConfig.ts"

const NAME_MAX = 253

const bytes = new TextEncoder()

/** FNV-1 of 32 bits, as Go's hash/fnv New32 has it. */
const fnv32 = (text: string): number => {
  let hash = 0x811c9dc5
  for (const byte of bytes.encode(text)) hash = Math.imul(hash, 0x01000193) ^ byte
  return hash >>> 0
}

/** The name of the federated object of a source. */
export const federatedName = (source: string, typeConfig: string): string => {
  const plain = source
    .toLowerCase()
    .replaceAll(/[^a-z0-9.-]/g, ".")
    .replaceAll(/\.{2,}/g, ".")
  const name = `${plain}-${typeConfig}`
  const whole = plain === source ? name : `${name}-${fnv32(source)}`
  if (whole.length <= NAME_MAX) return whole
  const suffix = `-${fnv32(whole)}`
  return `${whole.slice(0, NAME_MAX - suffix.length)}${suffix}`
}

/** "type|namespace/name" of a source: the key of queues over sources of all types. */
export const sourceKey = (typeConfig: string, objectKey: string): string => `${typeConfig}|${objectKey}`

/** The two parts of such a key. */
export const splitSourceKey = (key: string): { readonly type: string; readonly object: string } => {
  const bar = key.indexOf("|")
  return { type: key.slice(0, bar), object: key.slice(bar + 1) }
}

/** "namespace/name" of the federated object of a source. */
export const federatedKey = (type: TypeConfig, object: string): string => {
  const { name, namespace } = splitKey(object)
  const made = federatedName(name, type.name)
  return namespace === "" ? made : `${namespace}/${made}`
}

/** Where a federated object stands. */
export const federatedTarget = (key: string) => {
  const { name, namespace } = splitKey(key)
  const resource = namespace === "" ? federationResources.clusterObjects : federationResources.objects
  return { resource, namespace, name }
}

/** "namespace/name" of the source, and of its copies in members. */
export const templateKey = (federated: KubeObject): string => {
  const metadata = fieldsOf(federatedSpecOf(federated).template["metadata"])
  const name = textOf(metadata["name"])
  const { namespace } = federated.metadata
  return namespace === undefined || namespace === "" ? name : `${namespace}/${name}`
}
