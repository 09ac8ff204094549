// A service account named `default` in every namespace that lives, made again whenever it is deleted.
// Owns that account only; its tokens are TokenSecrets.ts's and the API server's.
import { Effect } from "effect"
import { type Controller, gvr, type KubeObject } from "#kube"
import { fieldsOf } from "#apiserver"
import { clientOf, isNamespaceTerminating, keyedController } from "../ManagedController.ts"
import type { Manager } from "../Manager.ts"

const NAME = "serviceaccount-controller"
const accounts = gvr("", "v1", "serviceaccounts")
const namespaces = gvr("", "v1", "namespaces")
const ACCOUNT = "default"

/** Whether a namespace lives. */
export const isActiveNamespace = (namespace: KubeObject): boolean => fieldsOf(namespace.status)["phase"] === "Active"

/** Makes the service account controller. */
export const serviceAccountController = (manager: Manager): Controller => {
  const client = clientOf(manager)
  const informer = {
    accounts: manager.informers.informer(accounts),
    namespaces: manager.informers.informer(namespaces)
  }
  return keyedController(manager, NAME, {
    watches: [
      { informer: informer.namespaces, keys: ({ metadata }) => metadata.name },
      // Only a deletion matters: the account is gone from the store when its namespace is looked at.
      {
        informer: informer.accounts,
        keys: ({ metadata: { name, namespace } }) => (name === ACCOUNT ? namespace : undefined),
        changed: () => false
      }
    ],
    reconcile: (name) => {
      const namespace = informer.namespaces.store.get(name)
      if (namespace === undefined || !isActiveNamespace(namespace)) return Effect.void
      if (informer.accounts.store.get(`${name}/${ACCOUNT}`) !== undefined) return Effect.void
      const account = { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: ACCOUNT, namespace: name } }
      return client.create({ resource: accounts, namespace: name }, account).pipe(
        Effect.asVoid,
        Effect.catch((failure) =>
          failure.reason === "AlreadyExists" || isNamespaceTerminating(failure) ? Effect.void : Effect.fail(failure)
        )
      )
    }
  })
}
