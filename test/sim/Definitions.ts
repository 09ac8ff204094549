// The kinds that the simulated cluster needs, from the API server's built-in declarations.
// Owns the choice for tests only; what a served cluster offers is the API server's own list.
import { type Definitions, makeDefinitions } from "#apiserver"
import { deployments, replicaSets } from "../../core/apiserver/resources/apps/Deployments.ts"
import { jobs } from "../../core/apiserver/resources/batch/Jobs.ts"
import { defaultResourcesContext } from "../../core/apiserver/resources/Context.ts"
import { leases } from "../../core/apiserver/resources/coordination/Leases.ts"
import { configMaps, secrets } from "../../core/apiserver/resources/core/Configuration.ts"
import { coreEvents } from "../../core/apiserver/resources/core/Events.ts"
import { namespaces } from "../../core/apiserver/resources/core/Namespaces.ts"
import { nodes } from "../../core/apiserver/resources/core/Nodes.ts"
import { pods } from "../../core/apiserver/resources/core/Pods.ts"
import { resourceQuotas } from "../../core/apiserver/resources/core/Quotas.ts"
import { services } from "../../core/apiserver/resources/core/Services.ts"

/** Fresh definitions: what they allocate belongs to one server. */
export const clusterDefinitions = (): Definitions =>
  makeDefinitions([
    namespaces(),
    nodes(),
    pods(),
    leases(),
    coreEvents(defaultResourcesContext),
    configMaps(),
    secrets(),
    services(defaultResourcesContext),
    resourceQuotas(),
    deployments(),
    replicaSets(),
    jobs()
  ])
