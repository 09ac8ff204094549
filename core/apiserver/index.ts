// The door of the room: the generic API server.
// Owns what other rooms may use; everything else in this folder is the room's own business.
export type {
  AccessAttributes,
  AccessDecision,
  Admitted,
  AdmissionPlugin,
  AdmissionRequest,
  Authorizer
} from "./Access.ts"
export type { Api, ResourceView } from "./Api.ts"
export { type ApiServer, type ApiServerOptions, makeApiServer } from "./ApiServer.ts"
export type { RingBounds } from "./cache/EventRing.ts"
export type {
  Action,
  Column,
  Definition,
  Definitions,
  Draft,
  Strategy,
  StrategyContext,
  Subresource
} from "./Definition.ts"
export { inProcessClient } from "./InProcessClient.ts"
export { makeDefinitions } from "./registry/DefinitionRegistry.ts"
export type { FieldManagers, ManagedWrite } from "./registry/FieldManagers.ts"
export type { Compaction } from "./store/Compaction.ts"
export type { KeyValue } from "./store/KeyValue.ts"
export { type DirectStorage, storageKeyValue } from "./store/StorageKeyValue.ts"
export type {
  ApiAnswer,
  ApiRequest,
  ApiWatch,
  ApiWatchListener,
  HeldEvent,
  HeldObject,
  RequestOptions,
  UserInfo,
  Verb
} from "./Request.ts"
