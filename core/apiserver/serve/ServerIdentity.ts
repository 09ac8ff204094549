// Who is let in and what they may do: the ways of authentication and the chain of authorizers of one server, and the resources
// that ask both (reviews, tokens).
// Owns how these parts are joined; refuses each one's own rules.
import type { Authorizer } from "../Access.ts"
import type { Api } from "../Api.ts"
import { Authenticator, bearerTokens, tokensForReview, unionOfTokens } from "../authn/Authenticator.ts"
import { bootstrapTokens } from "../authn/BootstrapTokens.ts"
import { CertificateAuthorities, clientCertificates } from "../authn/ClientCertificate.ts"
import { frontAuthenticator } from "../authn/FrontIdentity.ts"
import { ServiceAccountTokens } from "../authn/ServiceAccountTokens.ts"
import type { SigningKey } from "../authn/SigningKeys.ts"
import { staticTokens } from "../authn/StaticTokens.ts"
import { tokenRequest } from "../authn/TokenRequest.ts"
import { reviewDefinitions, withTokenRequest } from "../bootstrap/IdentityDefinitions.ts"
import type { FrontAuthenticator } from "../http/Front.ts"
import { usualChain } from "../rbac/Authorizers.ts"
import { NodeAuthorizer } from "../rbac/NodeAuthorizer.ts"
import { RbacAuthorizer } from "../rbac/RbacAuthorizer.ts"

export interface ServerIdentityOptions {
  /** PEM of the authorities of client certificates; empty: none are taken. */
  readonly clientCa: string
  /** The text of a static token file. */
  readonly tokens: string | undefined
  readonly anonymous: boolean
  readonly issuer: string
  readonly signingKey: SigningKey
}

export interface ServerAccess {
  readonly authorizer: Authorizer
  readonly rbac: RbacAuthorizer
}

/** Who may do what; asked by admission as well, so it stands before identities do. */
export const makeAccess = (api: Api): ServerAccess => {
  const rbac = new RbacAuthorizer(api)
  return { rbac, authorizer: usualChain(rbac, new NodeAuthorizer(api)) }
}

/** Who sends a request; registers the resources that ask who somebody is. */
export const makeAuthenticator = (
  api: Api,
  { authorizer, rbac }: ServerAccess,
  options: ServerIdentityOptions
): FrontAuthenticator => {
  const { clockwork, definitions } = api
  const { issuer, signingKey } = options
  const apiAudiences = [issuer]
  const tokens = unionOfTokens([
    ...(options.tokens === undefined ? [] : [staticTokens(options.tokens)]),
    new ServiceAccountTokens(api, { keys: [signingKey], issuers: [issuer], apiAudiences }),
    bootstrapTokens(api.view("", "secrets"), clockwork.now)
  ])
  const certificates =
    options.clientCa === "" ? [] : [clientCertificates(new CertificateAuthorities(options.clientCa), clockwork.now)]
  for (const review of reviewDefinitions({ authorizer, rbac, tokens: tokensForReview(tokens), apiAudiences })) {
    definitions.register(review)
  }
  const accounts = definitions.find("", "v1", "serviceaccounts")
  if (accounts !== undefined) {
    definitions.register(withTokenRequest(accounts, tokenRequest({ issuer, key: signingKey, apiAudiences })))
  }
  const ways = [...certificates, bearerTokens(tokens, apiAudiences)]
  return frontAuthenticator(new Authenticator({ ways, anonymous: options.anonymous }))
}
