// Headers that claim to be somebody else, reviews that ask about others, and what the server tells of its kinds.
import type { Attack } from "../Attack.ts"
import { JSON_BODY, PLATFORM_MARK, VAULT_UPSTREAM, VICTIM, VICTIM_MARK } from "../Parties.ts"

const secrets = "/api/v1/secrets"

/** Identities that upstream would take from whoever may impersonate. */
const claims: ReadonlyArray<Readonly<Record<string, string | Array<string>>>> = [
  { "impersonate-user": "system:admin", "impersonate-group": "system:masters" },
  { "impersonate-user": "root" },
  { "impersonate-group": "system:masters" },
  { "impersonate-user": `${VICTIM}-admin` },
  { "impersonate-user": `${VICTIM}-admin`, "impersonate-group": `${VICTIM}:admins` },
  { "impersonate-user": `system:serviceaccount:${VAULT_UPSTREAM}:default` },
  { "impersonate-user": ["admin", "root"], "impersonate-group": ["a", "system:masters"] },
  { "Impersonate-Uid": "1", "impersonate-user": "root", "impersonate-group": "system:masters" },
  { "impersonate-extra-tenant": VICTIM, "impersonate-user": "root" },
  { "IMPERSONATE-USER": "root", "IMPERSONATE-GROUP": "system:masters" },
  { "x-remote-user": "root", "x-remote-group": "system:masters" },
  { "x-remote-user": `${VICTIM}-admin`, "x-remote-extra-tenant": VICTIM },
  { authorization: "Bearer token-of-owner" },
  { authorization: "Basic b3duZXI6b3duZXI=" },
  { "x-forwarded-for": "127.0.0.1", "x-forwarded-user": "root", forwarded: "for=127.0.0.1;by=root" },
  { connection: "impersonate-user, x-tenant", "impersonate-user": "root" },
  { "x-tenant": VICTIM, "x-kubezoo-tenant": VICTIM, "tenant-id": VICTIM },
  { host: `${VICTIM}.example` },
  { "x-original-url": "/api/v1/secrets", "x-rewrite-url": `/api/v1/namespaces/${VAULT_UPSTREAM}/secrets` },
  { "x-http-method-override": "DELETE" }
]

const claimed: ReadonlyArray<Attack> = claims.map((headers) => ({
  name: `secrets of all with ${JSON.stringify(headers)}`,
  path: secrets,
  headers,
  control: { by: "platform", path: secrets, shows: VICTIM_MARK }
}))

const review = (
  group: string,
  kind: string,
  spec: object
): { readonly method: "POST"; readonly headers: typeof JSON_BODY; readonly path: string; readonly body: string } => ({
  method: "POST",
  headers: JSON_BODY,
  path: `/apis/${group}/v1/${kind.toLowerCase()}s`,
  body: JSON.stringify({ apiVersion: `${group}/v1`, kind, spec })
})

const AUTHORIZATION = "authorization.k8s.io"

const about = (name: string, demand: ReturnType<typeof review>, shows = "status"): Attack => ({
  name,
  ...demand,
  control: { by: "platform", ...demand, shows }
})

const reviews: ReadonlyArray<Attack> = [
  about(
    "what the victim's people may do",
    review(AUTHORIZATION, "SubjectAccessReview", {
      user: `${VICTIM}-admin`,
      groups: [`${VICTIM}:admins`],
      resourceAttributes: { verb: "get", resource: "secrets", namespace: VAULT_UPSTREAM }
    })
  ),
  about(
    "what the platform's masters may do",
    review(AUTHORIZATION, "SubjectAccessReview", {
      user: "root",
      groups: ["system:masters"],
      resourceAttributes: { verb: "get", resource: "secrets", namespace: VAULT_UPSTREAM }
    }),
    '"allowed":true'
  ),
  about(
    "what itself may do there",
    review(AUTHORIZATION, "SelfSubjectAccessReview", {
      resourceAttributes: { verb: "get", resource: "secrets", namespace: VAULT_UPSTREAM }
    })
  ),
  about("its rules there", review(AUTHORIZATION, "SelfSubjectRulesReview", { namespace: VAULT_UPSTREAM })),
  about("who it is", review("authentication.k8s.io", "SelfSubjectReview", {}), "userInfo"),
  about("a token of the platform", review("authentication.k8s.io", "TokenReview", { token: "token-of-owner" }), "owner")
]

const told: ReadonlyArray<readonly [path: string, headers?: Readonly<Record<string, string>>]> = [
  ["/apis"],
  ["/apis", { accept: "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList" }],
  ["/openapi/v2"],
  ["/openapi/v3"]
]

const kinds: ReadonlyArray<Attack> = [
  ...told.flatMap(([path, headers = {}]): ReadonlyArray<Attack> =>
    [VICTIM_MARK, PLATFORM_MARK].map((shows) => ({
      name: `${path} ${headers["accept"] ?? ""} without ${shows}`,
      path,
      headers,
      control: { by: "platform", path, headers, shows }
    }))
  ),
  ...[
    `/apis/${VICTIM}-${VICTIM_MARK}.example`,
    `/apis/${VICTIM}-${VICTIM_MARK}.example/v1`,
    `/apis/${VICTIM}-${VICTIM_MARK}.example/v1/gems`,
    `/apis/${VICTIM}-${VICTIM_MARK}.example/v1/namespaces/${VAULT_UPSTREAM}/gems/${VICTIM_MARK}-thing`,
    `/apis/${PLATFORM_MARK}.example/v1`,
    `/apis/${PLATFORM_MARK}.example/v1/gems`,
    `/openapi/v3/apis/${VICTIM}-${VICTIM_MARK}.example/v1`,
    `/openapi/v3/apis/${PLATFORM_MARK}.example/v1`
  ].map((path): Attack => ({
    name: `kinds of others: ${path}`,
    path,
    codes: [403, 404],
    control: { by: "platform", path, shows: path.includes(VICTIM_MARK) ? VICTIM_MARK : PLATFORM_MARK }
  })),
  {
    name: "the victim's kind by its own name",
    path: `/apis/${VICTIM_MARK}.example/v1/gems`,
    codes: [403, 404],
    control: { by: "victim", path: `/apis/${VICTIM_MARK}.example/v1/gems`, shows: VICTIM_MARK }
  },
  ...[
    "/apis/apiregistration.k8s.io/v1/apiservices",
    "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas",
    "/apis/certificates.k8s.io/v1/certificatesigningrequests",
    "/apis/storage.k8s.io/v1/csinodes",
    "/apis/networking.k8s.io/v1/servicecidrs"
  ].map((path): Attack => ({
    name: `withheld ${path}`,
    path,
    codes: [403, 404],
    control: { by: "platform", path, shows: "items" }
  }))
]

export const headers: ReadonlyArray<Attack> = [...claimed, ...reviews, ...kinds]
