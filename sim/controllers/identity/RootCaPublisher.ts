// The config map kube-root-ca.crt in every namespace: the authority by which pods know the API server.
// Owns that map's content; refuses to know where the authority comes from, which whoever lists this controller says.
import { Effect } from "effect"
import { type Controller, gvr, sameJson } from "#kube"
import { fieldsOf } from "#apiserver"
import { clientOf, isNamespaceTerminating, isNotFound, keyedController } from "../ManagedController.ts"
import type { ControllerMaker, Manager } from "../Manager.ts"
import { isActiveNamespace } from "./ServiceAccounts.ts"

const NAME = "root-ca-certificate-publisher-controller"
const MAP = "kube-root-ca.crt"
const ANNOTATION = "kubernetes.io/description"
const DESCRIPTION =
  "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters."
const configMaps = gvr("", "v1", "configmaps")
const namespaces = gvr("", "v1", "namespaces")

/** Makes the publisher of an authority, in PEM. */
export const rootCaPublisher =
  (rootCa: string): ControllerMaker =>
  (manager: Manager): Controller => {
    const client = clientOf(manager)
    // Only maps of this name: a cluster may hold many others.
    const maps = manager.informers.informer(configMaps, { fieldSelector: `metadata.name=${MAP}` })
    const data = { "ca.crt": rootCa }
    return keyedController(manager, NAME, {
      watches: [
        {
          informer: manager.informers.informer(namespaces),
          keys: (namespace) => (isActiveNamespace(namespace) ? namespace.metadata.name : undefined)
        },
        { informer: maps, keys: ({ metadata }) => metadata.namespace }
      ],
      reconcile: (namespace) => {
        const target = { resource: configMaps, namespace }
        const map = maps.store.get(`${namespace}/${MAP}`)
        if (map === undefined) {
          const metadata = { name: MAP, namespace, annotations: { [ANNOTATION]: DESCRIPTION } }
          return client.create(target, { apiVersion: "v1", kind: "ConfigMap", metadata, data }).pipe(
            Effect.asVoid,
            Effect.catch((failure) =>
              isNotFound(failure) || isNamespaceTerminating(failure) ? Effect.void : Effect.fail(failure)
            )
          )
        }
        const { annotations = {} } = map.metadata
        if (sameJson(fieldsOf(map["data"]), data) && (annotations[ANNOTATION] ?? "") !== "") return Effect.void
        const metadata = { ...map.metadata, annotations: { ...annotations, [ANNOTATION]: DESCRIPTION } }
        return Effect.asVoid(client.update({ ...target, name: MAP }, { ...map, metadata, data }))
      }
    })
  }
