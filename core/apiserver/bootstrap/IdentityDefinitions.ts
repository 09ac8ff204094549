// The resources that answer who somebody is and what they may do, and the service accounts' tokens: declared, stored nowhere.
// Owns their declarations; refuses to answer, which the actions of authn and rbac do.
import { type BuiltInResource, builtInResources, schemaOfKind } from "#kube"
import type { Action, Definition } from "../Definition.ts"
import type { Authorizer } from "../Access.ts"
import type { TokenAuthenticator } from "../authn/Authenticator.ts"
import { selfSubjectReview, tokenReview } from "../authn/IdentityReviews.ts"
import {
  localSubjectAccessReview,
  selfSubjectAccessReview,
  selfSubjectRulesReview,
  subjectAccessReview
} from "../rbac/AccessReviews.ts"
import type { RbacAuthorizer } from "../rbac/RbacAuthorizer.ts"
import type { Verb } from "../Request.ts"

export interface IdentityOptions {
  readonly authorizer: Authorizer
  readonly rbac: RbacAuthorizer
  /** With everyone's group, as `tokensForReview` answers. */
  readonly tokens: TokenAuthenticator
  readonly apiAudiences: ReadonlyArray<string>
}

const reviewDefinition = (facts: BuiltInResource, action: Action): Definition => ({
  group: facts.group,
  version: facts.version,
  kind: facts.kind,
  listKind: `${facts.kind}List`,
  resource: facts.resource,
  singular: facts.singular,
  shortNames: facts.shortNames,
  categories: facts.categories,
  namespaced: facts.namespaced,
  // SAFETY: discovery tells verbs of this union alone.
  verbs: facts.verbs as ReadonlyArray<Verb>,
  schema: schemaOfKind(facts.group, facts.version, facts.kind) ?? { type: "object" },
  strategy: {},
  columns: [],
  selectableFields: {},
  subresources: new Map(),
  action
})

/** The definitions of all reviews that the generated tables know, of every version. */
export const reviewDefinitions = ({
  apiAudiences,
  authorizer,
  rbac,
  tokens
}: IdentityOptions): ReadonlyArray<Definition> => {
  const actions: Readonly<Record<string, Action>> = {
    TokenReview: tokenReview(tokens, apiAudiences),
    SelfSubjectReview: selfSubjectReview,
    SubjectAccessReview: subjectAccessReview(authorizer),
    LocalSubjectAccessReview: localSubjectAccessReview(authorizer),
    SelfSubjectAccessReview: selfSubjectAccessReview(authorizer),
    SelfSubjectRulesReview: selfSubjectRulesReview((user, namespace) => rbac.rulesFor(user, namespace))
  }
  return builtInResources().flatMap((facts) => {
    const action = actions[facts.kind]
    return action === undefined || !facts.group.startsWith("auth") ? [] : [reviewDefinition(facts, action)]
  })
}

/** The definition of service accounts with the action that issues their tokens. */
export const withTokenRequest = (accounts: Definition, action: Action): Definition => ({
  ...accounts,
  subresources: new Map(accounts.subresources).set("token", {
    type: "action",
    kind: { group: "authentication.k8s.io", version: "v1", kind: "TokenRequest" },
    verbs: ["create"],
    run: action
  })
})
