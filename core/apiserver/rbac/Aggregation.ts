// Aggregated cluster roles: their rules are those of the roles that their selectors find.
// Owns that joining, run off the watch cache; writes through the Api as the aggregation controller does.
import { gvr, type Json, type KubeObject, LabelSelector, labelSelectorOf, sameJson } from "#kube"

import type { Api, ResourceView } from "../Api.ts"
import { askAsServer } from "../Loopback.ts"
import { fieldsOf, itemsOf } from "../resources/Fields.ts"
import { RBAC_GROUP } from "./RbacIndex.ts"

/** The rules that an aggregated role must have now; undefined for a role that aggregates nothing. */
export const aggregatedRules = (role: KubeObject, all: ReadonlyArray<KubeObject>): ReadonlyArray<Json> | undefined => {
  if (role["aggregationRule"] === undefined || role["aggregationRule"] === null) return undefined
  const rules: Array<Json> = []
  const selectors = itemsOf(fieldsOf(role["aggregationRule"])["clusterRoleSelectors"])
  for (const selector of selectors) {
    const labels = labelSelectorOf(selector)
    if (!(labels instanceof LabelSelector)) continue
    for (const other of all) {
      if (other.metadata.name === role.metadata.name || !labels.matches(other.metadata.labels)) continue
      for (const rule of itemsOf(other["rules"])) if (!rules.some((held) => sameJson(held, rule))) rules.push(rule)
    }
  }
  return rules
}

/** Keeps aggregated cluster roles as they must be, once for all changes of a turn; answers what stops it. */
export const aggregateClusterRoles = (api: Api): (() => void) => {
  const roles: ResourceView = api.view(RBAC_GROUP, "clusterroles")
  let pending = false
  let stopped = false
  const sync = (): void => {
    pending = false
    if (stopped) return
    const all = roles.list("")
    for (const role of all) {
      const rules = aggregatedRules(role, all)
      if (rules === undefined || sameJson(rules, (role["rules"] ?? []) as Json)) continue
      const request = { verb: "update", resource: gvr(RBAC_GROUP, "v1", "clusterroles") } as const
      const body = { ...role, rules }
      // A conflict needs no retry of its own: what changed the role calls this again.
      askAsServer(api, { ...request, name: role.metadata.name ?? "", body }, () => undefined)
    }
  }
  const soon = (): void => {
    if (pending) return
    pending = true
    api.clockwork.defer(sync)
  }
  const cancel = roles.onChange(soon)
  soon()
  return () => {
    stopped = true
    cancel()
  }
}
