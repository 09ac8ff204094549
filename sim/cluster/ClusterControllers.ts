// Which controllers a whole cluster runs, as one process: all that there are, and those for which the cluster has the means.
// Owns that choice; refuses what they do. A process has an authority and a key; a simulated world has texts that stand for them.
import type { ControllerStart } from "../Population.ts"
import { allControllers } from "../controllers/Controllers.ts"
import { controllerManager } from "../controllers/ControllerManager.ts"
import { upkeepControllersWith, type UpkeepMeans } from "../controllers/UpkeepControllers.ts"

/** What stands for the authority in a world whose clients ask for none. */
const SIMULATED_CA = "-----BEGIN CERTIFICATE-----\nc2ltdWxhdGVk\n-----END CERTIFICATE-----\n"

/** Every controller, with these means. */
export const clusterControllers = (means: UpkeepMeans = { rootCa: SIMULATED_CA, storage: {} }): ControllerStart =>
  controllerManager({ controllers: [...allControllers, ...upkeepControllersWith(means)] })
