// Who manages which fields: the one place where writes meet managed fields.
// Owns when managers are written down; refuses how, which #kube's structured merge does. A request that names no manager leaves them
// alone: clients of this process that nobody applies against pay nothing.
import type { ApiFailure, Json, KubeObject, ManagedFieldsEntry } from "#kube"
import type { Definition } from "../Definition.ts"

/** A write, as far as managers care. */
export interface ManagedWrite {
  readonly definition: Definition
  readonly manager: string
  /** Empty for the object itself. */
  readonly subresource: string
  /** Milliseconds since the epoch. */
  readonly nowMs: number
}

export interface FieldManagers {
  /** The managers after a write that is no apply: of the object as it was (undefined: created) and as it is to be. */
  readonly updated: (
    write: ManagedWrite,
    live: KubeObject | undefined,
    object: KubeObject
  ) => ReadonlyArray<ManagedFieldsEntry> | undefined
  /** The object after an applied configuration, with its managers; the live object is undefined when it is created. */
  readonly applied: (
    write: ManagedWrite,
    live: KubeObject | undefined,
    configuration: Json,
    force: boolean
  ) => KubeObject | ApiFailure
}
