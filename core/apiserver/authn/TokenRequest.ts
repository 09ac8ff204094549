// serviceaccounts/token: issues a signed token of a service account, bound to a pod, a secret, a node or only to a time.
// Owns the rules of a TokenRequest (authentication.k8s.io/v1); refuses to check tokens, which ServiceAccountTokens.ts does.
import { ApiFailure, apiVersionOf, Failures, type FieldProblem, gvr, type KubeObject, rfc3339 } from "#kube"
import type { Api } from "../Api.ts"
import type { Action } from "../Definition.ts"
import { readObject } from "../Loopback.ts"
import { randomUid } from "../registry/SystemFields.ts"
import type { ApiRequest } from "../Request.ts"
import { answered } from "../resources/Answers.ts"
import { fieldsIn, fieldsOf, numberIn, textOf, textsOf } from "../resources/Fields.ts"
import { signJwt } from "./Jwt.ts"
import type { SigningKey } from "./SigningKeys.ts"
import { type BoundClaims, type ClaimedObject, serviceAccountUser } from "./ServiceAccountTokens.ts"

const KIND = { group: "authentication.k8s.io", version: "v1", kind: "TokenRequest" } as const
const DEFAULT_SECONDS = 3600
const MIN_SECONDS = 600
const MAX_SECONDS = 2 ** 32
/** What kubelet asks for in a pod's own volume: such a token lives a year, and only warns after the asked time. */
const PROJECTED_SECONDS = 3607
const EXTENDED_SECONDS = 365 * 24 * 3600

export interface TokenRequestOptions {
  readonly issuer: string
  readonly key: SigningKey
  readonly apiAudiences: ReadonlyArray<string>
  /** Longer asks are shortened to so many seconds, with a warning; absent: as asked. */
  readonly maxExpirationSeconds?: number
}

/** A request with its defaults filled in. */
interface Wanted {
  readonly account: KubeObject
  readonly audiences: ReadonlyArray<string>
  readonly seconds: number
  readonly reference:
    | { readonly apiVersion: string; readonly kind: string; readonly name: string; readonly uid: string }
    | undefined
  readonly warnings: ReadonlyArray<string>
}

type Bindings = Pick<BoundClaims, "pod" | "secret" | "node">

const invalid = (name: string, field: string, value: string | number, detail: string): ApiFailure => {
  const problem: FieldProblem = { type: "FieldValueInvalid", field, value, detail }
  return Failures.invalid(KIND, name, [problem])
}

const uidConflict = (name: string, why: string): ApiFailure =>
  Failures.conflict({ group: KIND.group, resource: KIND.kind, name }, why)

const wantedOf = (options: TokenRequestOptions, request: ApiRequest, account: KubeObject): Wanted | ApiFailure => {
  const body = request.body
  const { name, namespace, uid } = body?.metadata ?? {}
  if (name !== undefined && name !== "" && name !== request.name)
    return invalid(request.name, "metadata.name", name, "must match the service account name if specified")
  if (namespace !== undefined && namespace !== "" && namespace !== request.namespace)
    return invalid(
      request.name,
      "metadata.namespace",
      namespace,
      "must match the service account namespace if specified"
    )
  if (uid !== undefined && uid !== "" && uid !== account.metadata.uid)
    return uidConflict(
      request.name,
      `the UID in the token request (${uid}) does not match the UID of the service account (${account.metadata.uid})`
    )
  const spec = fieldsOf(body?.spec)
  const asked = numberIn(spec["expirationSeconds"]) ?? DEFAULT_SECONDS
  const field = "spec.expirationSeconds"
  if (asked < MIN_SECONDS) return invalid("", field, asked, "may not specify a duration less than 10 minutes")
  if (asked > MAX_SECONDS) return invalid("", field, asked, "may not specify a duration larger than 2^32 seconds")
  const max = options.maxExpirationSeconds
  const short = max !== undefined && asked > max
  const audiences = textsOf(spec["audiences"])
  const reference = fieldsIn(spec["boundObjectRef"])
  return {
    account,
    audiences: audiences.length === 0 ? options.apiAudiences : audiences,
    seconds: short ? max : asked,
    reference: reference && {
      apiVersion: textOf(reference["apiVersion"]),
      kind: textOf(reference["kind"]),
      name: textOf(reference["name"]),
      uid: textOf(reference["uid"])
    },
    warnings: short ? [`requested expiration of ${asked} seconds shortened to ${max} seconds`] : []
  }
}

const claimed = ({ metadata: { name = "", uid = "" } }: KubeObject): ClaimedObject => ({ name, uid })

const RESOURCES: Readonly<Record<string, string>> = { Pod: "pods", Secret: "secrets", Node: "nodes" }

/** Finds what the token is to be bound to, and the node of a pod. */
const bind = (
  api: Api,
  { namespace, name }: ApiRequest,
  wanted: Wanted,
  done: (bound: Bindings | ApiFailure) => void
): void => {
  const { reference } = wanted
  if (reference === undefined) return done({})
  const resource = RESOURCES[reference.kind]
  if (resource === undefined || (reference.apiVersion !== "v1" && reference.apiVersion !== "")) {
    const shown = `${reference.apiVersion.includes("/") ? "" : "/"}${reference.apiVersion}, Kind=${reference.kind}`
    return done(Failures.badRequest(`cannot bind token to object of type ${shown}`))
  }
  const place = resource === "nodes" ? "" : namespace
  readObject(api, gvr("", "v1", resource), place, reference.name, (object) => {
    if (object instanceof ApiFailure) return done(object)
    const spec = fieldsOf(object.spec)
    if (resource === "pods" && spec["serviceAccountName"] !== name)
      return done(
        Failures.badRequest(
          `cannot bind token for serviceaccount ${JSON.stringify(name)} to pod running with different serviceaccount name.`
        )
      )
    if (reference.uid !== "" && reference.uid !== object.metadata.uid) {
      const why = `the UID in the bound object reference (${reference.uid}) does not match the UID in record. The object might have been deleted and then recreated`
      return done(Failures.conflict({ group: "", resource: reference.kind, name: reference.name }, why))
    }
    if (resource === "secrets") return done({ secret: claimed(object) })
    if (resource === "nodes") return done({ node: claimed(object) })
    const nodeName = textOf(spec["nodeName"])
    if (nodeName === "") return done({ pod: claimed(object) })
    const node = api.view("", "nodes").get("", nodeName)
    done({ pod: claimed(object), node: node === undefined ? { name: nodeName, uid: "" } : claimed(node) })
  })
}

const issue = (options: TokenRequestOptions, api: Api, wanted: Wanted, bindings: Bindings): KubeObject => {
  const { name = "", namespace = "", uid = "" } = wanted.account.metadata
  const now = api.clockwork.now()
  const seconds = Math.floor(now / 1000)
  const extended =
    bindings.pod !== undefined &&
    wanted.seconds === PROJECTED_SECONDS &&
    wanted.audiences.every((audience) => options.apiAudiences.includes(audience))
  const bound: BoundClaims = {
    namespace,
    ...(bindings.node === undefined ? {} : { node: bindings.node }),
    ...(bindings.pod === undefined ? {} : { pod: bindings.pod }),
    ...(bindings.secret === undefined ? {} : { secret: bindings.secret }),
    serviceaccount: { name, uid },
    ...(extended ? { warnafter: seconds + wanted.seconds } : {})
  }
  const token = signJwt(
    {
      aud: wanted.audiences,
      exp: seconds + (extended ? EXTENDED_SECONDS : wanted.seconds),
      iat: seconds,
      iss: options.issuer,
      jti: randomUid(api.clockwork.random),
      "kubernetes.io": bound,
      nbf: seconds,
      sub: serviceAccountUser(namespace, name)
    },
    options.key
  )
  const { reference } = wanted
  return {
    apiVersion: apiVersionOf(KIND),
    kind: KIND.kind,
    metadata: { name, namespace, uid, creationTimestamp: rfc3339(now) },
    spec: {
      audiences: wanted.audiences,
      expirationSeconds: wanted.seconds,
      boundObjectRef: reference === undefined ? null : reference
    },
    status: { token, expirationTimestamp: rfc3339(now + wanted.seconds * 1000) }
  }
}

/** The action of serviceaccounts/token; answers 201 with the token in `status`. */
export const tokenRequest =
  (options: TokenRequestOptions): Action =>
  ({ api }, request, done) =>
    readObject(api, gvr("", "v1", "serviceaccounts"), request.namespace, request.name, (account) => {
      if (account instanceof ApiFailure) return done(account)
      const wanted = wantedOf(options, request, account)
      if (wanted instanceof ApiFailure) return done(wanted)
      bind(api, request, wanted, (bindings) =>
        done(
          bindings instanceof ApiFailure
            ? bindings
            : answered(issue(options, api, wanted, bindings), 201, wanted.warnings)
        )
      )
    })
