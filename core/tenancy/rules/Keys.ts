// Maps whose keys or keyed values name something: quotas by class, parameters of volumes.
// Owns these keys; refuses labels and annotations, which have files of their own.
import type { Translation } from "../names/Translation.ts"
import { type KeyRule, RuleNode } from "../rewrite/RuleNode.ts"
import { sortNode } from "./Sorts.ts"

const suffixes: ReadonlyArray<readonly [suffix: string, resource: string]> = [
  [".storageclass.storage.k8s.io/", "storageclasses.storage.k8s.io"],
  [".volumeattributesclass.storage.k8s.io/", "volumeattributesclasses.storage.k8s.io"],
  [".deviceclass.resource.k8s.io/", "deviceclasses.resource.k8s.io"]
]

const COUNT = "count/"

const quotaKey = (names: Translation, key: string, way: "up" | "down"): string | undefined => {
  for (const [suffix, resource] of suffixes) {
    const at = key.indexOf(suffix)
    if (at <= 0) continue
    const name = key.slice(0, at)
    const other = way === "up" ? names.nameUp(resource, name) : names.nameDown(resource, name)
    return other === undefined ? undefined : other + key.slice(at)
  }
  if (!key.startsWith(COUNT)) return key
  const dot = key.indexOf(".")
  if (dot < 0) return key
  const group = key.slice(dot + 1)
  const other = way === "up" ? names.groupUp(group) : names.groupDown(group)
  return other === undefined ? undefined : `${key.slice(0, dot)}.${other}`
}

const quotaKeys: KeyRule = {
  up: (names, key) => quotaKey(names, key, "up"),
  down: (names, key) => quotaKey(names, key, "down")
}

/** A quota's amounts: "fast.storageclass.storage.k8s.io/requests.storage", "count/widgets.acme.io". */
export const quotaNode: RuleNode = new RuleNode()
quotaNode.keys = quotaKeys

const secretKeys = [
  "provisioner",
  "controller-publish",
  "controller-expand",
  "controller-modify",
  "node-stage",
  "node-publish",
  "node-expand"
]

/** Parameters of classes: the namespaces of the secrets that drivers are given. */
export const secretParametersNode: RuleNode = new RuleNode()
for (const key of secretKeys)
  secretParametersNode.field(`csi.storage.k8s.io/${key}-secret-namespace`, sortNode("namespace"))
for (const key of ["adminSecretNamespace", "userSecretNamespace", "secretNamespace"]) {
  secretParametersNode.field(key, sortNode("namespace"))
}

/** What provisioners write down of the claim that they made a volume for. */
export const claimContextNode: RuleNode = new RuleNode()
  .field("csi.storage.k8s.io/pvc/namespace", sortNode("namespace"))
  .field("csi.storage.k8s.io/pv/name", sortNode("name:persistentvolumes"))
