// Secrets of type kubernetes.io/service-account-token: filled with a token, a namespace and the authority, and gone with their account.
// Owns what such a secret holds; how a token is signed is a port's. New clusters ask for tokens instead, old manifests still say this.
import { Effect } from "effect"
import { type ApiFailure, type Controller, gvr, type JsonObject, type KubeObject } from "#kube"
import { fieldsOf, itemsOf, mapOf } from "#apiserver"
import { clientOf, isConflict, isNotFound, keyedController } from "../ManagedController.ts"
import type { ControllerMaker, Manager } from "../Manager.ts"

const NAME = "serviceaccount-token-controller"
const secrets = gvr("", "v1", "secrets")
const accounts = gvr("", "v1", "serviceaccounts")
export const TOKEN_TYPE = "kubernetes.io/service-account-token"
const ACCOUNT = "kubernetes.io/service-account.name"
const ACCOUNT_UID = "kubernetes.io/service-account.uid"
const CLAIM = "kubernetes.io/serviceaccount/"
const CONFLICT_TRIES = 10
const CONFLICT_WAIT_MS = 100

export interface TokenSecretsOptions {
  /** The signed token that says these claims. */
  readonly sign: (claims: JsonObject) => string
  /** PEM of the API server's authority; absent: secrets hold none. */
  readonly rootCa?: string
}

/** The account that a token secret names. */
export const accountOf = ({ metadata }: KubeObject): { readonly name: string; readonly uid: string } => ({
  name: metadata.annotations?.[ACCOUNT] ?? "",
  uid: metadata.annotations?.[ACCOUNT_UID] ?? ""
})

const claimsOf = (account: KubeObject, secret: KubeObject): JsonObject => {
  const { name = "", namespace = "", uid = "" } = account.metadata
  return {
    iss: "kubernetes/serviceaccount",
    sub: `system:serviceaccount:${namespace}:${name}`,
    [`${CLAIM}namespace`]: namespace,
    [`${CLAIM}secret.name`]: secret.metadata.name ?? "",
    [`${CLAIM}service-account.name`]: name,
    [`${CLAIM}service-account.uid`]: uid
  }
}

const base64 = (text: string): string => Buffer.from(text).toString("base64")

/** The secret with all that it lacks; undefined when it lacks nothing. */
export const filledSecret = (
  secret: KubeObject,
  account: KubeObject,
  { rootCa, sign }: TokenSecretsOptions
): KubeObject | undefined => {
  const data = mapOf(secret["data"])
  const { namespace = "", annotations } = secret.metadata
  const missing: Record<string, string> = {}
  if (rootCa !== undefined && data["ca.crt"] !== base64(rootCa)) missing["ca.crt"] = base64(rootCa)
  if ((data["namespace"] ?? "") === "") missing["namespace"] = base64(namespace)
  if ((data["token"] ?? "") === "") missing["token"] = base64(sign(claimsOf(account, secret)))
  if (Object.keys(missing).length === 0) return undefined
  const { name = "", uid = "" } = account.metadata
  return {
    ...secret,
    metadata: { ...secret.metadata, annotations: { ...annotations, [ACCOUNT]: name, [ACCOUNT_UID]: uid } },
    data: { ...data, ...missing }
  }
}

class TokenSecrets {
  readonly #manager: Manager
  readonly #options: TokenSecretsOptions

  constructor(manager: Manager, options: TokenSecretsOptions) {
    this.#manager = manager
    this.#options = options
  }

  /** The live account of a secret, if it is the one that is meant. */
  #account(namespace: string, name: string, uid: string): Effect.Effect<KubeObject | undefined, ApiFailure> {
    const isMeant = (account: KubeObject): boolean => uid === "" || account.metadata.uid === uid
    const cached = this.#manager.informers.informer(accounts).store.get(`${namespace}/${name}`)
    if (cached !== undefined && isMeant(cached)) return Effect.succeed(cached)
    return clientOf(this.#manager)
      .get({ resource: accounts, namespace, name })
      .pipe(
        Effect.map((account) => (isMeant(account) ? account : undefined)),
        Effect.catch((failure) => (isNotFound(failure) ? Effect.succeed(undefined) : Effect.fail(failure)))
      )
  }

  readonly sync = Effect.fnUntraced(
    function* (this: TokenSecrets, key: string): Effect.fn.Return<void, ApiFailure> {
      const secret = this.#manager.informers.informer(secrets).store.get(key)
      if (secret === undefined || secret["type"] !== TOKEN_TYPE) return
      const { name: accountName, uid: accountUid } = accountOf(secret)
      if (accountName === "") return
      const { name = "", namespace = "", resourceVersion, uid = "" } = secret.metadata
      const client = clientOf(this.#manager)
      const target = { resource: secrets, namespace, name }
      const account = yield* this.#account(namespace, accountName, accountUid)
      const unless = (fine: (failure: ApiFailure) => boolean) =>
        Effect.catch((failure: ApiFailure) => (fine(failure) ? Effect.void : Effect.fail(failure)))
      if (account === undefined) {
        yield* client.delete(target, { preconditions: { uid } }).pipe(
          Effect.asVoid,
          unless((failure) => isNotFound(failure) || isConflict(failure))
        )
        return
      }
      if (filledSecret(secret, account, this.#options) === undefined) return
      const live = yield* client
        .get(target)
        .pipe(Effect.catch((failure) => (isNotFound(failure) ? Effect.succeed(undefined) : Effect.fail(failure))))
      // Another event follows for what is newer than the cache.
      if (live === undefined || live.metadata.resourceVersion !== resourceVersion) return
      const filled = filledSecret(live, account, this.#options)
      if (filled === undefined) return
      yield* client.update(target, filled).pipe(
        Effect.asVoid,
        unless((failure) => isNotFound(failure) || isConflict(failure))
      )
    }.bind(this)
  )

  /** An account no longer lists a secret that is gone. */
  readonly forget = Effect.fnUntraced(
    function* (this: TokenSecrets, secret: KubeObject): Effect.fn.Return<void, ApiFailure> {
      const { name: accountName, uid } = accountOf(secret)
      const { name, namespace = "" } = secret.metadata
      for (let tries = 1; ; tries++) {
        const account = yield* this.#account(namespace, accountName, uid)
        const listed = itemsOf(fieldsOf(account)["secrets"])
        if (account === undefined || !listed.some((one) => one["name"] === name)) return
        const rest = listed.filter((one) => one["name"] !== name)
        const failure = yield* clientOf(this.#manager)
          .update({ resource: accounts, namespace, name: accountName }, { ...account, secrets: rest })
          .pipe(Effect.as(undefined), Effect.catch(Effect.succeed))
        if (failure === undefined || isNotFound(failure)) return
        if (!isConflict(failure) || tries === CONFLICT_TRIES) return yield* Effect.fail(failure)
        yield* Effect.sleep(CONFLICT_WAIT_MS)
      }
    }.bind(this)
  )
}

/** Makes the controller of token secrets. */
export const tokenSecrets =
  (options: TokenSecretsOptions): ControllerMaker =>
  (manager: Manager): Controller => {
    const tokens = new TokenSecrets(manager, options)
    const informer = manager.informers.informer(secrets)
    informer.store.addIndex("token account", (secret) =>
      secret["type"] === TOKEN_TYPE ? [`${secret.metadata.namespace ?? ""}/${accountOf(secret).name}`] : []
    )
    /** Deleted secrets whose accounts may still list them, by key. */
    const gone = new Map<string, KubeObject>()
    const keyOf = ({ metadata: { name = "", namespace = "" } }: KubeObject): string => `${namespace}/${name}`
    informer.addHandler({
      deleted: (secret) => {
        if (secret["type"] === TOKEN_TYPE && accountOf(secret).name !== "") gone.set(keyOf(secret), secret)
      }
    })
    return keyedController(manager, NAME, {
      watches: [
        { informer, keys: (secret) => (secret["type"] === TOKEN_TYPE ? keyOf(secret) : undefined) },
        {
          informer: manager.informers.informer(accounts),
          keys: (account) => informer.store.byIndex("token account", keyOf(account)).map(keyOf)
        }
      ],
      reconcile: (key) => {
        const secret = gone.get(key)
        gone.delete(key)
        return secret === undefined ? tokens.sync(key) : Effect.andThen(tokens.forget(secret), tokens.sync(key))
      }
    })
  }
