// The kinds that the simulated cluster of tests serves: all built-in ones.
// Owns nothing but the call; what there is, is the API server's list.
import { builtInDefinitions, defaultResourcesContext, type Definitions, makeDefinitions } from "#apiserver"

/** Fresh definitions: what they allocate belongs to one server. */
export const clusterDefinitions = (): Definitions => makeDefinitions(builtInDefinitions(defaultResourcesContext))
