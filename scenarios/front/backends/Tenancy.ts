// Our tenancy as a front: `wharf serve tenancy` before the upstream, with as many tenants as the scenario says.
// Owns its command line, the tenants' making and their credentials.
import { Effect } from "effect"
import { packageVersion } from "../../PackageRoot.ts"
import { ServerFailed } from "../../backends/Backend.ts"
import type { FrontKind } from "./FrontBackend.ts"
import { hasServer } from "./OwnServer.ts"

/** `--backend tenancy`. */
export const tenancy: FrontKind = {
  name: "tenancy",
  note: "our tenancy: each tenant sees a cluster of its own",
  find: Effect.as(hasServer("tenancy"), {
    name: "tenancy",
    version: packageVersion(),
    settings: {},
    open: () => new ServerFailed({ backend: "tenancy", reason: "is not wired into runs yet", log: "" })
  })
}
