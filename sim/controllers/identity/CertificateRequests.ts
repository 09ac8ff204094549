// Certificate signing requests: kubelets' own are approved, approved ones signed, old ones deleted.
// Owns the three controllers; what a request says and how it is signed is a port's. Bound: one key for each request.
import { Effect } from "effect"
import { type ApiFailure, type Controller, gvr, type JsonObject, type KubeObject, parseRfc3339, rfc3339 } from "#kube"
import { fieldsOf, itemsOf, numberIn, textOf, textsOf } from "#apiserver"
import { clientOf, isNotFound, keyedController, periodicController } from "../ManagedController.ts"
import type { ControllerMaker, Manager } from "../Manager.ts"
import { type CertificatePort, kubeletClientProblem, SIGNERS, signerProblem } from "./CertificatePort.ts"

const requests = gvr("certificates.k8s.io", "v1", "certificatesigningrequests")
const reviews = gvr("authorization.k8s.io", "v1", "subjectaccessreviews")
const LIMITS = { baseMs: 200, maxMs: 1_000_000, perSecond: 10, burst: 100 }
const HOUR_MS = 3_600_000
const YEAR_MS = 365 * 24 * HOUR_MS
const MIN_MS = 600_000
const BACKDATE_MS = 300_000
const SHORT_MS = 8 * HOUR_MS

const decoded = (text: string): string => Buffer.from(text, "base64").toString("utf8")

const conditionsOf = (request: KubeObject): ReadonlyArray<JsonObject> => itemsOf(fieldsOf(request.status)["conditions"])

const has = (request: KubeObject, type: string): boolean =>
  conditionsOf(request).some((one) => one["type"] === type && one["status"] !== "False")

const isIssued = (request: KubeObject): boolean => textOf(fieldsOf(request.status)["certificate"]) !== ""

const pemOf = (request: KubeObject): string => decoded(textOf(fieldsOf(request.spec)["request"]))

const withCondition = (request: KubeObject, condition: JsonObject): KubeObject => ({
  ...request,
  status: { ...fieldsOf(request.status), conditions: [...conditionsOf(request), condition] }
})

const keyedRequests = (
  manager: Manager,
  name: string,
  handle: (request: KubeObject) => Effect.Effect<void, ApiFailure>
): Controller => {
  const informer = manager.informers.informer(requests)
  return keyedController(manager, name, {
    watches: [{ informer, keys: ({ metadata }) => metadata.name }],
    limits: LIMITS,
    reconcile: (key) => {
      const request = informer.store.get(key)
      return request === undefined || isIssued(request) ? Effect.void : handle(request)
    }
  })
}

/** Whether the one who asks may have such a certificate. */
const isAllowed = (manager: Manager, request: KubeObject, subresource: string): Effect.Effect<boolean, ApiFailure> => {
  const { extra, groups, uid, username } = fieldsOf(request.spec)
  const review = {
    apiVersion: "authorization.k8s.io/v1",
    kind: "SubjectAccessReview",
    metadata: {},
    spec: {
      user: username,
      ...(uid === undefined ? {} : { uid }),
      ...(groups === undefined ? {} : { groups }),
      ...(extra === undefined ? {} : { extra }),
      resourceAttributes: {
        group: requests.group,
        resource: requests.resource,
        verb: "create",
        subresource,
        version: "*"
      }
    }
  }
  return Effect.map(
    clientOf(manager).create({ resource: reviews, namespace: "" }, review),
    ({ status }) => fieldsOf(status)["allowed"] === true
  )
}

/** Makes the controller that approves kubelets' requests for client certificates. */
export const requestApproving =
  ({ read }: Pick<CertificatePort, "read">): ControllerMaker =>
  (manager: Manager): Controller =>
    keyedRequests(
      manager,
      "certificatesigningrequest-approving-controller",
      Effect.fnUntraced(function* (request: KubeObject): Effect.fn.Return<void, ApiFailure> {
        if (has(request, "Approved") || has(request, "Denied")) return
        const spec = fieldsOf(request.spec)
        if (spec["signerName"] !== SIGNERS.kubeletClient) return
        const facts = yield* read(pemOf(request))
        if (kubeletClientProblem(facts, textsOf(spec["usages"])) !== undefined) return
        const isOwn = spec["username"] === facts.commonName
        const own = isOwn && (yield* isAllowed(manager, request, "selfnodeclient"))
        if (!own && !(yield* isAllowed(manager, request, "nodeclient"))) return
        const message = own
          ? "Auto approving self kubelet client certificate after SubjectAccessReview."
          : "Auto approving kubelet client certificate after SubjectAccessReview."
        const condition = { type: "Approved", status: "True", reason: "AutoApproved", message }
        const { name = "" } = request.metadata
        const target = { resource: requests, namespace: "", name, subresource: "approval" }
        yield* clientOf(manager).update(target, withCondition(request, condition))
      })
    )

/** How long a certificate lives: as asked, within ten minutes and the signer's own bound. */
export const lifetimeMs = (request: KubeObject, maxMs: number): number => {
  const asked = numberIn(fieldsOf(request.spec)["expirationSeconds"])
  return asked === undefined ? maxMs : Math.min(maxMs, Math.max(MIN_MS, asked * 1000))
}

export interface SigningOptions {
  readonly port: CertificatePort
  /** Of the four signers; default all. */
  readonly signers?: ReadonlyArray<string>
  /** Default a year. */
  readonly maxMs?: number
}

/** Makes the controller that signs approved requests. */
export const requestSigning =
  ({ maxMs = YEAR_MS, port, signers = Object.values(SIGNERS) }: SigningOptions): ControllerMaker =>
  (manager: Manager): Controller =>
    keyedRequests(
      manager,
      "certificatesigningrequest-signing-controller",
      Effect.fnUntraced(function* (request: KubeObject): Effect.fn.Return<void, ApiFailure> {
        const spec = fieldsOf(request.spec)
        const signer = textOf(spec["signerName"])
        if (!has(request, "Approved") || has(request, "Denied") || has(request, "Failed")) return
        if (!signers.includes(signer)) return
        const now = manager.clockwork.now()
        const facts = yield* port.read(pemOf(request))
        const usages = textsOf(spec["usages"])
        const why = signerProblem(signer, facts, usages)
        const { name = "" } = request.metadata
        const target = { resource: requests, namespace: "", name, subresource: "status" }
        if (why !== undefined) {
          const condition = {
            type: "Failed",
            status: "True",
            reason: "SignerValidationFailure",
            message: why,
            lastUpdateTime: rfc3339(now)
          }
          yield* clientOf(manager).update(target, withCondition(request, condition))
          return
        }
        const livesMs = lifetimeMs(request, maxMs)
        const order = {
          request: pemOf(request),
          usages,
          notBeforeMs: now - BACKDATE_MS,
          notAfterMs: Math.min(port.endsMs, now + livesMs - (livesMs < SHORT_MS ? 0 : BACKDATE_MS))
        }
        const certificate = Buffer.from(yield* port.sign(order)).toString("base64")
        yield* clientOf(manager).update(target, {
          ...request,
          status: { ...fieldsOf(request.status), certificate }
        })
      })
    )

/** Whether a request has served: issued, refused or failed an hour ago, waiting for a day, or its certificate is over. */
export const isOutlived = (
  request: KubeObject,
  nowMs: number,
  endOf: CertificatePort["endOf"] = () => undefined
): boolean => {
  const olderThan = (time: unknown, ageMs: number): boolean => {
    const at = parseRfc3339(textOf(time))
    return at !== undefined && nowMs - at > ageMs
  }
  const conditions = conditionsOf(request)
  if (conditions.length === 0 && olderThan(request.metadata.creationTimestamp, 24 * HOUR_MS)) return true
  const certificate = decoded(textOf(fieldsOf(request.status)["certificate"]))
  const ends = certificate === "" ? undefined : endOf(certificate)
  return conditions.some(({ lastUpdateTime, type }) => {
    if (type === "Denied" || type === "Failed") return olderThan(lastUpdateTime, HOUR_MS)
    if (type !== "Approved") return false
    if (ends !== undefined && nowMs > ends) return true
    return olderThan(lastUpdateTime, certificate === "" ? 24 * HOUR_MS : HOUR_MS)
  })
}

/** Makes the cleaner of old requests; without a port it does not know when certificates end, which only hastens their turn. */
export const requestCleaner =
  (port?: Pick<CertificatePort, "endOf">): ControllerMaker =>
  (manager: Manager): Controller => {
    const informer = manager.informers.informer(requests)
    return periodicController(manager, "certificatesigningrequest-cleaner-controller", {
      informers: [informer],
      everyMs: HOUR_MS,
      pass: Effect.fnUntraced(function* () {
        const now = manager.clockwork.now()
        for (const request of Array.from(informer.store.all())) {
          if (!isOutlived(request, now, port?.endOf)) continue
          yield* clientOf(manager)
            .delete({ resource: requests, namespace: "", name: request.metadata.name ?? "" })
            .pipe(
              Effect.asVoid,
              Effect.catch((failure) => (isNotFound(failure) ? Effect.void : Effect.fail(failure)))
            )
        }
      })
    })
  }
