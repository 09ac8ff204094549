// `…/tenants/<id>/kubeconfig`: a kubeconfig with a short-lived certificate, for operators who may create it and, as long as theirs is
// good, for the tenant's administrators, who so renew it.
// Owns this one path; no kubeconfig and no key is kept anywhere.
import { CertificatesFailed, clientCertificate, type KeyPair, kubeconfigText, BODY_BYTES_MAX } from "#apiserver"
import { Effect } from "effect"
import {
  ApiFailure,
  type Client,
  type Clockwork,
  type ClockworkRuntime,
  Failures,
  gvr,
  isJsonObject,
  type Json,
  makeClockworkRuntime
} from "#kube"
import type { HttpExchange } from "#net"
import type { Caller } from "../identity/Caller.ts"
import { subjectText } from "../identity/TenantCertificates.ts"
import { answerFailure } from "../serve/TenantCall.ts"
import type { Tenant, Tenants } from "./Tenants.ts"

const path = /^\/apis\/tenant\.kubezoo\.io\/v1alpha1\/tenants\/([a-z0-9][a-z0-9-]{5})\/kubeconfig\/?(?:\?.*)?$/

const SECONDS_MIN = 600
const reviews = { resource: gvr("authorization.k8s.io", "v1", "subjectaccessreviews"), namespace: "" }

/** Names of users that a certificate's subject can say without escapes. */
const userPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/

export interface KubeconfigRouteOptions {
  readonly client: Client
  readonly clockwork: Clockwork
  readonly tenants: Tenants
  /** Signs tenants' certificates. */
  readonly authority: KeyPair
  /** PEM of the authority of this server's own certificate. */
  readonly serverCa: string
  /** Under which tenants reach this server, like "https://zoo.example.com:6443". */
  readonly server: () => string
  readonly defaultSeconds: number
  readonly maxSeconds: number
}

interface Asked {
  readonly user: string
  readonly seconds: number
}

const decoder = new TextDecoder()

/** What a request's body asks for; a failure that names the field and the rule. */
const askedIn = (body: Uint8Array, { defaultSeconds, maxSeconds }: KubeconfigRouteOptions): Asked | ApiFailure => {
  if (body.length === 0) return { user: "admin", seconds: defaultSeconds }
  let value: Json
  try {
    value = JSON.parse(decoder.decode(body)) as Json
  } catch {
    return Failures.badRequest("the body is no JSON")
  }
  const spec = isJsonObject(value) ? (value["spec"] ?? {}) : undefined
  if (!isJsonObject(spec)) return Failures.badRequest("spec: must be an object")
  const { expirationSeconds = defaultSeconds, user = "admin" } = spec
  if (typeof user !== "string" || !userPattern.test(user)) {
    return Failures.badRequest(
      "spec.user: must be 1 to 63 characters of A-Z, a-z, 0-9, '.', '_' and '-', the first a letter or digit"
    )
  }
  const isGood = typeof expirationSeconds === "number" && Number.isInteger(expirationSeconds)
  if (!isGood || expirationSeconds < SECONDS_MIN || expirationSeconds > maxSeconds) {
    return Failures.badRequest(
      `spec.expirationSeconds: must be a whole number between ${SECONDS_MIN} and ${maxSeconds}`
    )
  }
  return { user, seconds: expirationSeconds }
}

export class KubeconfigRoute {
  private readonly options: KubeconfigRouteOptions
  private readonly runtime: ClockworkRuntime

  constructor(options: KubeconfigRouteOptions) {
    this.options = options
    this.runtime = makeClockworkRuntime(options.clockwork)
  }

  /** Takes a request for its path; false for any other. */
  answer(exchange: HttpExchange, caller: Caller): boolean {
    const id = path.exec(exchange.path)?.[1]
    if (id === undefined) return false
    if (exchange.method !== "POST") {
      answerFailure(
        exchange,
        Failures.methodNotSupported({ group: "tenant.kubezoo.io", resource: "tenants/kubeconfig" }, "get")
      )
      return true
    }
    exchange.readBody(BODY_BYTES_MAX, (body) => {
      if (body === undefined) return answerFailure(exchange, Failures.tooLarge("the request body is too large"))
      this.allowed(id, caller, (failure) => {
        if (failure !== undefined) return answerFailure(exchange, failure)
        this.issue(exchange, id, body)
      })
    })
    return true
  }

  private allowed(id: string, caller: Caller, done: (failure: ApiFailure | undefined) => void): void {
    const about = { group: "tenant.kubezoo.io", resource: "tenants", name: id }
    if (caller.kind === "tenant") {
      const own =
        caller.tenant.id === id && caller.admin && caller.tenant.access !== "Frozen" && !caller.tenant.deleting
      return done(
        own ? undefined : Failures.forbidden(about, "a tenant's administrators renew their own kubeconfig only")
      )
    }
    const { groups, name } = caller.user
    const review = {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SubjectAccessReview",
      metadata: {},
      spec: {
        user: name,
        groups,
        resourceAttributes: {
          verb: "create",
          group: "tenant.kubezoo.io",
          version: "v1alpha1",
          resource: "tenants",
          subresource: "kubeconfig",
          name: id
        }
      }
    }
    this.options.client.create(reviews, review, {}, (answer) => {
      if (answer instanceof ApiFailure) return done(answer)
      const isAllowed = isJsonObject(answer.status) && answer.status["allowed"] === true
      const why = `User ${JSON.stringify(name)} cannot create resource "tenants/kubeconfig" in API group "tenant.kubezoo.io" at the cluster scope`
      done(isAllowed ? undefined : Failures.forbidden(about, why))
    })
  }

  private issue(exchange: HttpExchange, id: string, body: Uint8Array): void {
    const tenant = this.options.tenants.get(id)
    if (tenant === undefined) {
      return answerFailure(exchange, Failures.notFound({ group: "tenant.kubezoo.io", resource: "tenants", name: id }))
    }
    const asked = askedIn(body, this.options)
    if (asked instanceof ApiFailure) return answerFailure(exchange, asked)
    this.runtime.run(this.kubeconfig(tenant, asked), (exit) => {
      if (exit._tag === "Success") {
        return exchange.respond(
          201,
          [
            ["content-type", "application/yaml"],
            ["cache-control", "no-store"]
          ],
          exit.value
        )
      }
      answerFailure(exchange, Failures.internal("no certificate could be made"))
    })
  }

  private kubeconfig(tenant: Tenant, { seconds, user }: Asked): Effect.Effect<string, CertificatesFailed> {
    const { authority, server, serverCa } = this.options
    const subject = subjectText(tenant.id, tenant.uid, user)
    return clientCertificate(authority, { subject, lifetimeMs: seconds * 1000 }).pipe(
      Effect.map((admin) =>
        kubeconfigText({ server: server(), name: tenant.id, certificates: { ca: serverCa, admin } })
      )
    )
  }
}
