// A resource is one declaration: names, scope, schema, strategy, columns, subresources. The server derives every verb, discovery,
// OpenAPI, tables and validation from it.
// Owns the declaration's shape; refuses to declare any resource itself.
import type {
  ApiFailure,
  Clockwork,
  CustomSchema,
  FieldProblem,
  GroupVersionKind,
  Json,
  KubeObject,
  ObjectMeta,
  Schema
} from "#kube"
import type { Api } from "./Api.ts"
import type { ApiAnswer, ApiRequest, RequestOptions, UserInfo, Verb } from "./Request.ts"

/**
 * An object that is being made. Fresh at its top level and in metadata, and in spec and status when they are objects: those may be
 * assigned to. Everything deeper is shared and is replaced, never changed in place.
 */
export interface Draft {
  apiVersion: string
  kind: string
  metadata: { -readonly [K in keyof ObjectMeta]: ObjectMeta[K] }
  spec?: { [field: string]: Json | undefined }
  status?: { [field: string]: Json | undefined }
  [field: string]: unknown
}

/** What strategies may ask. */
export interface StrategyContext {
  readonly api: Api
  readonly clockwork: Clockwork
  readonly user: UserInfo
  readonly options: RequestOptions
}

/** Where a kind behaves otherwise than every kind: each hook is optional. Called in this order, on create and update alike. */
export interface Strategy {
  /** Defaults beyond those of the schema; also runs on what a patch made. */
  readonly defaults?: (draft: Draft) => void
  /** Sets what clients may not (status, generation's siblings), allocates what the server gives. */
  readonly prepareForCreate?: (draft: Draft, context: StrategyContext) => ApiFailure | undefined
  readonly prepareForUpdate?: (draft: Draft, old: KubeObject, context: StrategyContext) => ApiFailure | undefined
  readonly validate?: (object: KubeObject) => ReadonlyArray<FieldProblem>
  /** Rules beyond `validate`, such as immutable fields. */
  readonly validateUpdate?: (object: KubeObject, old: KubeObject) => ReadonlyArray<FieldProblem>
  /**
   * Whether a body of the same kind and metadata differs from the object as it is in nothing but fields of spec that are well-formed,
   * and that no rule, default or warning reads: such an update may skip them all. Absent: none may.
   */
  readonly refreshes?: (body: KubeObject, old: KubeObject) => boolean
  /** What is answered as Warning headers. */
  readonly warnings?: (object: KubeObject, old: KubeObject | undefined) => ReadonlyArray<string>
  /** Top-level fields whose change raises metadata.generation; default: `spec` where the kind has a status subresource. */
  readonly generationFields?: ReadonlyArray<string>
  /** Seconds of grace that a delete gets; default 0: gone at once unless finalizers hold it. */
  readonly graceSeconds?: (object: KubeObject, asked: number | undefined) => number
  /** The propagation policy when none is asked; default Background. */
  readonly defaultPropagation?: "Orphan" | "Background" | "Foreground"
  /** Whether an update of an absent object creates it, as for leases and events. */
  readonly createOnUpdate?: boolean
  /** Refuses a delete. */
  readonly validateDelete?: (object: KubeObject, context: StrategyContext) => ApiFailure | undefined
  /** Sets what marks an object as being deleted beyond its metadata, like a namespace's phase; called once, with the timestamp set. */
  readonly prepareForDelete?: (draft: Draft, context: StrategyContext) => void
  /** Whether something beside metadata.finalizers holds an object that is being deleted, like a namespace's spec.finalizers. */
  readonly heldBack?: (object: KubeObject) => boolean
  /** Whether a delete answers the object that is gone instead of a Status, as for pods and services. */
  readonly returnsDeleted?: boolean
  /** Whether an update without a resourceVersion is taken; default true. Leases and custom resources refuse it. */
  readonly unconditionalUpdate?: boolean
  /** Called when the object is gone from the store: gives back what was allocated. */
  readonly deleted?: (object: KubeObject) => void
}

/** A column of a Table. */
export interface Column {
  readonly name: string
  readonly type: "string" | "integer" | "number" | "boolean" | "date"
  readonly format?: string
  /** 0: always shown; 1: with -o wide. */
  readonly priority: number
  /** The cell; `listed` are all objects of the answer when it is a list. */
  readonly value: (
    object: KubeObject,
    nowMs: number,
    listed?: ReadonlyArray<KubeObject>
  ) => string | number | boolean | undefined
}

/** A request that is answered by code of its own: binding, eviction, token, reviews. */
export type Action = (
  context: { readonly api: Api; readonly clockwork: Clockwork },
  request: ApiRequest,
  done: (answer: ApiAnswer | ApiFailure) => void
) => void

export type Subresource =
  /**
   * The same object; of an update only status is taken, and of metadata what clients may set, unless `keepsMetadata`. The
   * strategy's hooks replace the resource's.
   */
  | { readonly type: "status"; readonly strategy?: Strategy; readonly keepsMetadata?: boolean }
  /** Another part of the same object, with its own rules: `ephemeralcontainers`, `resize`, `approval`, `finalize`. */
  | {
      readonly type: "part"
      readonly verbs: ReadonlyArray<Verb>
      readonly strategy: Strategy
      /** Only for actions of the server itself: neither discovered nor reached from outside. */
      readonly hidden?: boolean
    }
  /** autoscaling/v1 Scale, by the paths of a CRD's scale subresource. */
  | {
      readonly type: "scale"
      readonly specReplicasPath: string
      readonly statusReplicasPath: string
      /** Where the status' selector stands as a string, or where the spec's LabelSelector does. */
      readonly labelSelectorPath?: string
    }
  | {
      readonly type: "action"
      readonly kind: GroupVersionKind
      readonly verbs: ReadonlyArray<Verb>
      readonly run: Action
    }

export interface Definition {
  readonly group: string
  readonly version: string
  readonly kind: string
  /** "PodList" where it is not this, it says so. */
  readonly listKind: string
  /** The plural, like "pods". */
  readonly resource: string
  readonly singular: string
  readonly shortNames: ReadonlyArray<string>
  readonly categories: ReadonlyArray<string>
  readonly namespaced: boolean
  readonly verbs: ReadonlyArray<Verb>
  readonly schema: Schema
  /** A custom resource: nulls are kept, and values of wrong types are validation failures instead of undecodable bodies. */
  readonly custom?: boolean
  /** What OpenAPI says of a custom resource: the words of its definition. */
  readonly published?: CustomSchema
  /** What every answer warns of when the resource is out of use. */
  readonly deprecated?: string
  readonly strategy: Strategy
  readonly columns: ReadonlyArray<Column>
  /** Fields of field selectors beyond metadata.name and metadata.namespace. */
  readonly selectableFields: Readonly<Record<string, (object: KubeObject) => string>>
  readonly subresources: ReadonlyMap<string, Subresource>
  /**
   * Where and in which version objects are kept: definitions with the same `prefix` are versions of one resource, and `version`
   * names the one that is stored. Absent for what is never stored (reviews), which `action` answers.
   */
  readonly storage?: {
    /** Like "/registry/pods/", with the slash. */
    readonly prefix: string
    readonly group: string
    readonly version: string
    /** Between this version and the stored one; absent when only the apiVersion differs. */
    readonly convert?: {
      readonly toStored: (object: KubeObject) => KubeObject
      readonly fromStored: (object: KubeObject) => KubeObject
    }
    /** Seconds after which an object goes by itself (events). */
    readonly ttlSeconds?: number
  }
  readonly action?: Action
}

/** The definitions that are served now; custom resources come and go. */
export interface Definitions {
  readonly find: (group: string, version: string, resource: string) => Definition | undefined
  readonly byKind: (group: string, version: string, kind: string) => Definition | undefined
  /** In the order of registration. */
  readonly all: () => ReadonlyArray<Definition>
  /** Adds or replaces by group, version and resource. */
  readonly register: (definition: Definition) => void
  readonly unregister: (group: string, version: string, resource: string) => void
  readonly onChange: (listener: () => void) => void
}
