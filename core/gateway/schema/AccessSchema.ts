// The schema of who is who: how the gateway proves itself to endpoints, how it serves clients, and how clients prove themselves.
// Owns names, types and bounds. Keys and tokens have no format here: a validator would show the value that breaks it.
import { SchemaParts } from "#apiserver"
import type { JsonObject } from "#kube"

const { choice, flag, integer, listOf, struct, text, texts } = SchemaParts

const secretRef = (description: string): JsonObject =>
  struct(description, { namespace: text("The namespace of the secret."), name: text("The name of the secret.") }, [
    "namespace",
    "name"
  ])

const count = (description: string): JsonObject => integer(description)

const clientConfig = struct("How the gateway reaches the servers.", {
  insecure: flag("Accepts any certificate of the servers. For testing."),
  bearerToken: text("A token, in base64."),
  keyData: text("The PEM of a client key, in base64."),
  certData: text("The PEM of a client certificate, in base64."),
  caData: text("The PEM of the servers' authorities, in base64."),
  secretRef: secretRef("A secret with tls.crt and tls.key, token, ca.crt: what is not given above is taken from here."),
  serverName: text("The name that the servers' certificates carry; the cluster's name by default."),
  qps: count("Calls of the gateway itself in a second (health, TokenReview, SubjectAccessReview); 0 is no limit."),
  burst: count("Such calls at once; not less than qps."),
  qpsDivisor: count("Divides qps, for less than one call in a second.")
})

const secureServing = struct("How the gateway serves this cluster's clients.", {
  keyData: text("The PEM of the serving key, in base64; without it the gateway's own certificate is shown."),
  certData: text("The PEM of the serving certificate, in base64."),
  clientCAData: text("The PEM of authorities of client certificates, in base64."),
  secretRef: secretRef(
    "A secret with tls.crt, tls.key and ca.crt (for clients): what is not given above is taken from here."
  ),
  serverNames: texts("Further host names; *.example.io stands for one label more. The cluster's name is always one."),
  defaultHost: flag("Whether hosts that no cluster has come here. At most one cluster may say so."),
  useGatewayClientCA: flag(
    "Whether certificates of the gateway's own client authority count where the cluster has none; true by default, as in KubeGateway."
  )
})

const frontProxy = struct("A proxy that names users in headers, known by its client certificate.", {
  caData: text("The PEM of its authority, in base64."),
  allowedNames: texts("Common names of its certificate; empty: any."),
  usernameHeaders: texts("X-Remote-User by default."),
  groupHeaders: texts("X-Remote-Group by default."),
  uidHeaders: texts("X-Remote-Uid by default."),
  extraHeaderPrefixes: texts("X-Remote-Extra- by default.")
})

const authentication = struct("Whose requests are taken, and under which name they go on.", {
  anonymous: flag("Whether requests that prove nobody go on as system:anonymous; true by default."),
  tokens: choice(
    "What is done with bearer tokens: Review asks the cluster and impersonates the user, Passthrough sends them on, Refuse takes none.",
    ["", "Review", "Passthrough", "Refuse"]
  ),
  tokenSuccessTTLSeconds: integer("How long a good token is believed, at most until it ends; 600 by default.", {
    min: 0,
    max: 3600
  }),
  tokenFailureTTLSeconds: integer("How long a bad token is remembered; 10 by default.", { min: 0, max: 3600 }),
  tokenReviewsPerSecond: integer("TokenReviews that the cluster is asked in a second; 50 by default.", {
    min: 1,
    max: 100_000
  }),
  tokenReviewsBurst: integer("TokenReviews at once; twice the rate by default.", { min: 1, max: 100_000 }),
  neverImpersonate: struct("Whom the gateway never acts as.", {
    users: texts('Users; an item that ends in "*" is a prefix.'),
    groups: texts('Groups; an item that ends in "*" is a prefix.'),
    exceptCertificates: flag("Whether a client certificate lifts this.")
  }),
  frontProxy
})

const server = struct("", {
  endpoint: text("Like https://10.0.0.1:6443."),
  disabled: flag("Takes no new requests; those that are open go on."),
  weight: integer("Its share among its siblings; 1 by default, 0 only when no other is left.", { min: 0, max: 1000 })
})

/** spec.servers, clientConfig, secureServing and authentication. */
export const accessFields: JsonObject = {
  servers: listOf("The kube-apiservers of the cluster.", server),
  clientConfig,
  secureServing,
  authentication
}
