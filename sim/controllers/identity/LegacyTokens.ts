// Token secrets that were made by older clusters and that nobody has used for a year: marked invalid first, deleted a year later.
// Owns the two steps and who is spared; refuses secrets that their account does not list, which somebody made by hand.
import { Effect } from "effect"
import { type Controller, gvr, type KubeObject, parseRfc3339, rfc3339 } from "#kube"
import { fieldsOf, itemsOf, mapOf, textOf } from "#apiserver"
import { clientOf, periodicController } from "../ManagedController.ts"
import type { Manager } from "../Manager.ts"
import { accountOf, TOKEN_TYPE } from "./TokenSecrets.ts"

const NAME = "legacy-serviceaccount-token-cleaner-controller"
const secrets = gvr("", "v1", "secrets")
const accounts = gvr("", "v1", "serviceaccounts")
const pods = gvr("", "v1", "pods")
const configMaps = gvr("", "v1", "configmaps")
const DAY_MS = 86_400_000
const EVERY_MS = DAY_MS
const UNUSED_MS = 365 * DAY_MS
const LAST_USED = "kubernetes.io/legacy-token-last-used"
const INVALID_SINCE = "kubernetes.io/legacy-token-invalid-since"
const TRACKING = "kube-apiserver-legacy-service-account-token-tracking"

const dayOf = (ms: number): string => rfc3339(ms).slice(0, 10)
const isDay = (text: string): boolean =>
  /^\d{4}-\d\d-\d\d$/.test(text) && parseRfc3339(`${text}T00:00:00Z`) !== undefined

/** The secrets that a pod's volumes and containers name. */
const secretsOf = ({ spec }: KubeObject): ReadonlyArray<string> => {
  const fields = fieldsOf(spec)
  const containers = [
    ...itemsOf(fields["containers"]),
    ...itemsOf(fields["initContainers"]),
    ...itemsOf(fields["ephemeralContainers"])
  ]
  const ofVolumes = itemsOf(fields["volumes"]).flatMap((volume) => [
    textOf(fieldsOf(volume["secret"])["secretName"]),
    ...itemsOf(fieldsOf(volume["projected"])["sources"]).map((source) => textOf(fieldsOf(source["secret"])["name"]))
  ])
  const ofContainers = containers.flatMap((container) => [
    ...itemsOf(container["envFrom"]).map((one) => textOf(fieldsOf(one["secretRef"])["name"])),
    ...itemsOf(container["env"]).map((one) => textOf(fieldsOf(fieldsOf(one["valueFrom"])["secretKeyRef"])["name"]))
  ])
  const pulled = itemsOf(fields["imagePullSecrets"]).map(({ name }) => textOf(name))
  return [...ofVolumes, ...ofContainers, ...pulled].filter((name) => name !== "")
}

/** What is due for a secret by the labels and times that it has: "mark" it invalid, "delete" it, or nothing. */
export const legacyTokenStep = (secret: KubeObject, nowMs: number): "mark" | "delete" | undefined => {
  const { creationTimestamp = "", deletionTimestamp, labels = {} } = secret.metadata
  const keepFromMs = nowMs - UNUSED_MS
  const createdMs = parseRfc3339(creationTimestamp)
  if (createdMs === undefined || createdMs >= keepFromMs || deletionTimestamp !== undefined) return undefined
  const lastUsed = labels[LAST_USED]
  if (lastUsed !== undefined && (!isDay(lastUsed) || lastUsed >= dayOf(keepFromMs))) return undefined
  const invalidSince = labels[INVALID_SINCE] ?? ""
  if (!isDay(invalidSince)) return "mark"
  return invalidSince >= dayOf(keepFromMs) ? undefined : "delete"
}

/** Makes the cleaner of unused legacy tokens. */
export const legacyTokenCleaner = (manager: Manager): Controller => {
  const client = clientOf(manager)
  const of = {
    secrets: manager.informers.informer(secrets),
    accounts: manager.informers.informer(accounts),
    pods: manager.informers.informer(pods)
  }
  const isListed = (secret: KubeObject): boolean => {
    const { name, uid } = accountOf(secret)
    const account = of.accounts.store.get(`${secret.metadata.namespace ?? ""}/${name}`)
    if (account === undefined || (uid !== "" && uid !== account.metadata.uid)) return false
    return itemsOf(account["secrets"]).some((one) => one["name"] === secret.metadata.name)
  }
  const isMounted = ({ metadata: { name = "", namespace = "" } }: KubeObject): boolean =>
    of.pods.store.inNamespace(namespace).some((pod) => secretsOf(pod).includes(name))
  const clean = (secret: KubeObject): Effect.Effect<unknown> => {
    const nowMs = manager.clockwork.now()
    const step = secret["type"] === TOKEN_TYPE ? legacyTokenStep(secret, nowMs) : undefined
    if (step === undefined || !isListed(secret) || isMounted(secret)) return Effect.void
    const { name = "", namespace = "", resourceVersion = "", uid } = secret.metadata
    const target = { resource: secrets, namespace, name }
    if (step === "delete") return client.delete(target, { preconditions: { resourceVersion } }).pipe(Effect.ignore)
    const body = { metadata: { uid, labels: { [INVALID_SINCE]: dayOf(nowMs) } } }
    return client.patch(target, { type: "merge", body }).pipe(Effect.ignore)
  }
  return periodicController(manager, NAME, {
    informers: [of.secrets, of.accounts, of.pods],
    everyMs: EVERY_MS,
    pass: Effect.fnUntraced(function* () {
      const tracking = yield* client.get({ resource: configMaps, namespace: "kube-system", name: TRACKING })
      const since = mapOf(tracking["data"])["since"] ?? ""
      // Uses before that day are unknown, so its end counts.
      const trackedMs = isDay(since) ? (parseRfc3339(`${since}T00:00:00Z`) ?? Infinity) + DAY_MS : Infinity
      if (manager.clockwork.now() < trackedMs + UNUSED_MS) return
      for (const secret of Array.from(of.secrets.store.all())) yield* clean(secret)
    })
  })
}
