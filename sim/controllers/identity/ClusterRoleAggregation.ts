// Aggregated cluster roles on servers that leave them to a controller; our own API server keeps them itself, and finds nothing to do
// here.
// Owns the writing; what an aggregated role's rules must be is the API server's room's.
import { Effect } from "effect"
import { type Controller, gvr, type Json, sameJson } from "#kube"
import { aggregatedRules } from "#apiserver"
import { clientOf, keyedController } from "../ManagedController.ts"
import type { Manager } from "../Manager.ts"

const NAME = "clusterrole-aggregation-controller"
const roles = gvr("rbac.authorization.k8s.io", "v1", "clusterroles")

/** Makes the cluster role aggregation controller. */
export const clusterRoleAggregation = (manager: Manager): Controller => {
  const client = clientOf(manager)
  const informer = manager.informers.informer(roles)
  informer.store.addIndex("aggregates", (role) => (role["aggregationRule"] === undefined ? [] : ["yes"]))
  return keyedController(manager, NAME, {
    watches: [
      { informer, keys: () => informer.store.byIndex("aggregates", "yes").map(({ metadata }) => metadata.name ?? "") }
    ],
    reconcile: (name) => {
      const role = informer.store.get(name)
      const rules = role === undefined ? undefined : aggregatedRules(role, [...informer.store.all()])
      if (role === undefined || rules === undefined || sameJson(rules, (role["rules"] ?? []) as Json))
        return Effect.void
      const body = { apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRole", metadata: { name }, rules }
      return client
        .patch({ resource: roles, namespace: "", name }, { type: "apply", body }, { fieldManager: NAME, force: true })
        .pipe(Effect.asVoid)
    }
  })
}
