// Bootstrap tokens: deleted when they expire, and those that may sign vouch for the config map cluster-info.
// Owns these two duties; making tokens, and letting their holders in, is others'.
import { createHmac } from "node:crypto"
import { Effect } from "effect"
import { type ApiFailure, type Controller, gvr, type KubeObject, parseRfc3339 } from "#kube"
import { mapOf } from "#apiserver"
import { clientOf, isConflict, isNotFound, keyedController } from "../ManagedController.ts"
import type { Manager } from "../Manager.ts"

const secrets = gvr("", "v1", "secrets")
const configMaps = gvr("", "v1", "configmaps")
const TYPE = "bootstrap.kubernetes.io/token"
const PREFIX = "bootstrap-token-"
const SIGNATURE = "jws-kubeconfig-"
const CLUSTER_INFO = "kube-public/cluster-info"

const ofType = { fieldSelector: `type=${TYPE}`, namespace: "kube-system" }

const dataOf = (secret: KubeObject, key: string): string =>
  Buffer.from(mapOf(secret["data"])[key] ?? "", "base64").toString("utf8")

/** Milliseconds until a token expires, 0 when it has, undefined when it never does. */
export const expiresInMs = (secret: KubeObject, nowMs: number): number | undefined => {
  const text = dataOf(secret, "expiration")
  if (text === "") return undefined
  // A time that cannot be read is over: nobody can have meant it to last.
  return Math.max(0, (parseRfc3339(text) ?? 0) - nowMs)
}

const isFine = (failure: ApiFailure): boolean => isConflict(failure) || isNotFound(failure)
const unlessFine = Effect.catch((failure: ApiFailure) => (isFine(failure) ? Effect.void : Effect.fail(failure)))

/** Makes the cleaner of expired bootstrap tokens. */
export const bootstrapTokenCleaner = (manager: Manager): Controller => {
  const informer = manager.informers.informer(secrets, ofType)
  return keyedController(manager, "token-cleaner-controller", {
    watches: [{ informer, keys: ({ metadata: { name = "", namespace = "" } }) => `${namespace}/${name}` }],
    reconcile: (key) => {
      const secret = informer.store.get(key)
      const leftMs = secret === undefined ? undefined : expiresInMs(secret, manager.clockwork.now())
      if (secret === undefined || leftMs === undefined) return Effect.void
      if (leftMs > 0) return Effect.succeed({ requeueAfterMs: leftMs })
      const { name = "", namespace = "", uid } = secret.metadata
      const options = uid === undefined ? {} : { preconditions: { uid } }
      return clientOf(manager).delete({ resource: secrets, namespace, name }, options).pipe(Effect.asVoid, unlessFine)
    }
  })
}

/** A JWS of a text with the text left out (RFC 7515, appendix F), by the token's secret. */
export const detachedSignature = (text: string, id: string, secret: string): string => {
  const encode = (part: string): string => Buffer.from(part).toString("base64url")
  const header = encode(JSON.stringify({ alg: "HS256", kid: id }))
  const signature = createHmac("sha256", secret)
    .update(`${header}.${encode(text)}`)
    .digest("base64url")
  return `${header}..${signature}`
}

/** The id and secret of a token that may sign now; undefined for others. */
const signerOf = (secret: KubeObject, nowMs: number): readonly [id: string, secret: string] | undefined => {
  const [id, value] = [dataOf(secret, "token-id"), dataOf(secret, "token-secret")]
  if (id === "" || value === "" || secret.metadata.name !== `${PREFIX}${id}`) return undefined
  if (secret.metadata.deletionTimestamp !== undefined || expiresInMs(secret, nowMs) === 0) return undefined
  return dataOf(secret, "usage-bootstrap-signing") === "true" ? [id, value] : undefined
}

/** Makes the signer of cluster-info. */
export const bootstrapSigner = (manager: Manager): Controller => {
  const tokens = manager.informers.informer(secrets, ofType)
  const maps = manager.informers.informer(configMaps, {
    namespace: "kube-public",
    fieldSelector: "metadata.name=cluster-info"
  })
  return keyedController(manager, "bootstrap-signer-controller", {
    watches: [
      { informer: tokens, keys: () => CLUSTER_INFO },
      { informer: maps, keys: () => CLUSTER_INFO }
    ],
    reconcile: (key) => {
      const map = maps.store.get(key)
      const data = mapOf(map?.["data"])
      const kubeconfig = data["kubeconfig"]
      if (map === undefined || kubeconfig === undefined) return Effect.void
      const signed: Record<string, string> = {}
      for (const name in data) if (!name.startsWith(SIGNATURE)) signed[name] = data[name]
      for (const secret of tokens.store.all()) {
        const signer = signerOf(secret, manager.clockwork.now())
        if (signer === undefined) continue
        signed[`${SIGNATURE}${signer[0]}`] = detachedSignature(kubeconfig, ...signer)
      }
      const isSame =
        Object.keys(signed).length === Object.keys(data).length &&
        Object.entries(signed).every(([name, value]) => data[name] === value)
      if (isSame) return Effect.void
      const target = { resource: configMaps, namespace: "kube-public", name: "cluster-info" }
      return clientOf(manager)
        .update(target, { ...map, data: signed })
        .pipe(Effect.asVoid, unlessFine)
    }
  })
}
