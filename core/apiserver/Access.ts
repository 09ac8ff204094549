// The two gates of a request: may this user do it (authorization), and should it be so (admission).
// Owns their ports; RBAC, webhooks and the built-in plugins fill them.
import type { ApiFailure, KubeObject } from "#kube"
import type { Definition } from "./Definition.ts"
import type { ApiRequest, UserInfo } from "./Request.ts"

/** What is asked of an authorizer. */
export type AccessAttributes = { readonly user: UserInfo } & (
  | {
      readonly resourceRequest: true
      /** Also "impersonate", "escalate", "bind", "use", "approve", "sign", "*". */
      readonly verb: string
      readonly group: string
      readonly version: string
      readonly resource: string
      readonly subresource: string
      readonly namespace: string
      readonly name: string
      /** Of list, watch and deletecollection, as asked for. */
      readonly fieldSelector?: string
    }
  | { readonly resourceRequest: false; readonly verb: string; readonly path: string }
)

export interface AccessDecision {
  readonly allowed: boolean
  /** Why, for the audit log and the client; may be empty. */
  readonly reason: string
}

export interface Authorizer {
  readonly authorize: (attributes: AccessAttributes) => AccessDecision
}

export interface AdmissionRequest {
  readonly operation: "CREATE" | "UPDATE" | "DELETE" | "CONNECT"
  readonly request: ApiRequest
  readonly definition: Definition
  /** Undefined on DELETE. */
  readonly object: KubeObject | undefined
  /** Undefined on CREATE. */
  readonly oldObject: KubeObject | undefined
}

/** What a plugin says; warnings go to the client. */
export type Admitted =
  | { readonly object: KubeObject | undefined; readonly warnings?: ReadonlyArray<string> }
  | ApiFailure

export interface AdmissionPlugin {
  readonly name: string
  /** Cheap: decides whether the other two are called at all. */
  readonly handles: (request: AdmissionRequest) => boolean
  /** Answers the object, perhaps another one. May answer before it returns. */
  readonly mutate?: (request: AdmissionRequest, done: (admitted: Admitted) => void) => void
  /** Runs after all mutation. May answer before it returns; warnings go to the client. */
  readonly validate?: (
    request: AdmissionRequest,
    done: (failure: ApiFailure | undefined, warnings?: ReadonlyArray<string>) => void
  ) => void
}
