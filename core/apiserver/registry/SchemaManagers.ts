// Managed fields as #kube's structured merge keeps them, for the server's writes.
// Owns the joint between a definition's write and the merge; refuses when it is called, which FieldManagers.ts says.
import { applyPatch, type ManagedFieldsEntry, updateManagers, apiVersionOf, ApiFailure } from "#kube"
import type { FieldManagers, ManagedWrite } from "./FieldManagers.ts"

const contextOf = ({ definition, manager, nowMs, subresource }: ManagedWrite) => ({
  schema: definition.schema,
  apiVersion: apiVersionOf(definition),
  manager,
  subresource,
  now: nowMs
})

export const schemaManagers: FieldManagers = {
  updated: (write, live, object): ReadonlyArray<ManagedFieldsEntry> | undefined =>
    updateManagers({ ...contextOf(write), live, next: object }).metadata.managedFields,
  applied: (write, live, configuration, force) => {
    const { kind } = write.definition
    const merged = applyPatch({ ...contextOf(write), kind, live, applied: configuration, force })
    return merged instanceof ApiFailure ? merged : merged.object
  }
}
