// The authenticator and the keys' pages in the shape in which the HTTP front takes them.
// Owns that joint; refuses both sides of it.
import { Failures } from "#kube"
import type { Call } from "../http/Call.ts"
import type { FrontAuthenticator } from "../http/Front.ts"
import { type Authenticator, Rejected } from "./Authenticator.ts"
import { jsonWebKeySet, openIdConfiguration, type VerifyingKey } from "./SigningKeys.ts"

/** Whoever proves nothing, or something that does not hold, is answered 401 without being told why. */
export const frontAuthenticator = (authenticator: Authenticator): FrontAuthenticator => ({
  authenticate: (exchange, done) => {
    const query = exchange.path.indexOf("?")
    const path = query < 0 ? exchange.path : exchange.path.slice(0, query)
    const known = authenticator.authenticate(exchange, path)
    done(known instanceof Rejected ? Failures.unauthorized() : known.user)
  }
})

const CACHED = ["cache-control", "public, max-age=3600"] as const

/** `/.well-known/openid-configuration` and `/openid/v1/jwks` for an issuer; `server` is this server's https URL. */
export const openIdPaths = (
  issuer: string,
  server: string,
  keys: ReadonlyArray<VerifyingKey>
): ReadonlyMap<string, (call: Call) => void> => {
  const keySet = JSON.stringify(jsonWebKeySet(keys))
  const configuration = JSON.stringify(openIdConfiguration(issuer, `${server}/openid/v1/jwks`, keys))
  const page =
    (type: string, body: string) =>
    (call: Call): void =>
      call.respond(200, [["content-type", type], CACHED], body)
  return new Map([
    ["/.well-known/openid-configuration", page("application/json", configuration)],
    ["/openid/v1/jwks", page("application/jwk-set+json", keySet)]
  ])
}
