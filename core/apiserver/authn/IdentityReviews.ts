// TokenReview and SelfSubjectReview (authentication.k8s.io/v1): whose token is this, and who am I.
// Owns the two actions; refuses to know any kind of token, which the authenticator does.
import { Failures, type JsonObject, type KubeObject, rfc3339 } from "#kube"
import type { Action } from "../Definition.ts"
import type { UserInfo } from "../Request.ts"
import { answered } from "../resources/Answers.ts"
import { fieldsOf, textOf, textsOf } from "../resources/Fields.ts"
import { Rejected, type TokenAuthenticator } from "./Authenticator.ts"

const apiVersion = "authentication.k8s.io/v1"

const userInfoOf = ({ extra, groups, name, uid }: UserInfo): JsonObject => ({
  username: name,
  ...(uid === undefined || uid === "" ? {} : { uid }),
  ...(groups.length === 0 ? {} : { groups }),
  ...(extra === undefined || Object.keys(extra).length === 0 ? {} : { extra })
})

/** Answers whose a token is; `apiAudiences` are asked for when the review names none. */
export const tokenReview =
  (tokens: TokenAuthenticator, apiAudiences: ReadonlyArray<string>): Action =>
  (_context, request, done) => {
    const spec = fieldsOf(request.body?.spec)
    const token = textOf(spec["token"])
    if (token === "") return done(Failures.badRequest("token is required for TokenReview in authentication"))
    const asked = textsOf(spec["audiences"])
    const answer = tokens.authenticateToken(token, asked.length === 0 ? apiAudiences : asked)
    const status: JsonObject =
      answer === undefined || answer instanceof Rejected
        ? { user: {}, ...(answer === undefined ? {} : { error: answer.why }) }
        : {
            authenticated: true,
            user: userInfoOf(answer.user),
            ...(answer.audiences === undefined ? {} : { audiences: answer.audiences })
          }
    const review: KubeObject = { apiVersion, kind: "TokenReview", metadata: request.body?.metadata ?? {}, spec, status }
    done(answered(review, 201))
  }

/** Answers the requester's own user. */
export const selfSubjectReview: Action = ({ clockwork }, request, done) =>
  done(
    answered(
      {
        apiVersion,
        kind: "SelfSubjectReview",
        metadata: { creationTimestamp: rfc3339(clockwork.now()) },
        status: { userInfo: userInfoOf(request.user) }
      },
      201
    )
  )
