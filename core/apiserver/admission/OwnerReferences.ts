// OwnerReferencesPermissionEnforcement, which kube-apiserver has off unless it is asked for: owner references only from those who
// may delete the object, and blockOwnerDeletion only from those who may set finalizers of the owner.
import type { AdmissionPlugin, AdmissionRequest, Authorizer } from "../Access.ts"
import type { Api } from "../Api.ts"
import { type Json, type OwnerReference, parseApiVersion, sameJson } from "#kube"
import { validator } from "./Plugin.ts"

const ownersOf = (object: AdmissionRequest["object"]): ReadonlyArray<OwnerReference> =>
  object?.metadata.ownerReferences ?? []

/** The references that block their owner's deletion and did not before. */
const newlyBlocking = ({ object, oldObject }: AdmissionRequest): ReadonlyArray<OwnerReference> => {
  const before = new Set(
    ownersOf(oldObject).flatMap(({ blockOwnerDeletion, uid }) => (blockOwnerDeletion ? [uid] : []))
  )
  return ownersOf(object).filter(({ blockOwnerDeletion, uid }) => blockOwnerDeletion === true && !before.has(uid))
}

/** OwnerReferencesPermissionEnforcement. */
export const ownerReferencesPermissionEnforcement = (api: Api, authorizer: Authorizer): AdmissionPlugin => {
  const may = (
    admission: AdmissionRequest,
    verb: string,
    target: { group: string; version: string; resource: string; subresource: string; namespace: string; name: string }
  ) => authorizer.authorize({ resourceRequest: true, user: admission.request.user, verb, ...target })
  return validator(
    "OwnerReferencesPermissionEnforcement",
    ({ operation, object, oldObject }) =>
      (operation === "CREATE" || operation === "UPDATE") &&
      !sameJson(ownersOf(object) as unknown as Json, ownersOf(oldObject) as unknown as Json),
    (admission) => {
      const { name, namespace, resource } = admission.request
      // Who creates an object may delete it or not: only changes of what exists are asked about.
      if (admission.operation === "UPDATE") {
        const own = may(admission, "delete", { ...resource, subresource: "", namespace, name })
        if (!own.allowed) return `cannot set an ownerRef on a resource you can't delete: ${own.reason}, <nil>`
      }
      for (const owner of newlyBlocking(admission)) {
        const { group, version } = parseApiVersion(owner.apiVersion)
        const definition = api.definitions.byKind(group, version, owner.kind)
        if (definition === undefined)
          return `cannot set blockOwnerDeletion in this case because cannot find RESTMapping for APIVersion ${owner.apiVersion} Kind ${owner.kind}`
        const place = definition.namespaced ? namespace : ""
        const target = {
          group,
          version,
          resource: definition.resource,
          subresource: "finalizers",
          namespace: place,
          name: owner.name
        }
        const decision = may(admission, "update", target)
        if (!decision.allowed)
          return `cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on: ${decision.reason}, <nil>`
      }
      return undefined
    }
  )
}
