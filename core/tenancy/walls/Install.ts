// What this server needs of the cluster behind it before the first tenant: the Tenant kind, the roles, the admission policies.
// Owns the order and the waiting; refuses to change what an operator has put beside it.
import { Effect, Schedule } from "effect"
import { ApiFailure, type EffectClient, gvr } from "#kube"
import { tenantDefinition } from "../lifecycle/TenantDefinition.ts"
import { TENANTS } from "../lifecycle/Tenants.ts"
import { CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, DEFINITIONS } from "../lifecycle/TenantSetup.ts"
import { ensure } from "../lifecycle/Upkeep.ts"
import { policies, policyBindings } from "./Policies.ts"
import { clusterWriter, clusterWriterBinding, namespaceRole } from "./Roles.ts"

const ADMISSION = "admissionregistration.k8s.io"
const POLICIES = gvr(ADMISSION, "v1", "validatingadmissionpolicies")
const POLICY_BINDINGS = gvr(ADMISSION, "v1", "validatingadmissionpolicybindings")

/** The kind is served a moment after its definition is there. */
const whenServed = Schedule.max([Schedule.spaced("100 millis"), Schedule.recurs(300)])

/** Installs what is missing and mends what differs. */
export const installWalls = Effect.fn("tenancy.install")(function* (client: EffectClient) {
  yield* ensure(client, DEFINITIONS, tenantDefinition)
  yield* ensure(client, CLUSTER_ROLES, namespaceRole)
  yield* ensure(client, CLUSTER_ROLES, clusterWriter)
  yield* ensure(client, CLUSTER_ROLE_BINDINGS, clusterWriterBinding)
  for (const policy of policies) yield* ensure(client, POLICIES, policy)
  for (const binding of policyBindings) yield* ensure(client, POLICY_BINDINGS, binding)
  yield* client
    .list({ resource: TENANTS, namespace: "" }, { limit: 1 })
    .pipe(Effect.asVoid, Effect.retry({ schedule: whenServed, while: (failure: ApiFailure) => failure.code === 404 }))
})
