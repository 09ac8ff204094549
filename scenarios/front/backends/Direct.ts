// Nothing in between: clients reach the upstream itself. What every other front is measured against.
// Owns no process.
import { Effect } from "effect"
import { packageVersion } from "../../PackageRoot.ts"
import type { FrontKind } from "./FrontBackend.ts"

/** `--backend direct`. */
export const direct: FrontKind = {
  name: "direct",
  note: "no front: the upstream itself, what the others are measured against",
  find: Effect.sync(() => ({
    name: "direct",
    version: packageVersion(),
    settings: {},
    open: ({ upstream }) =>
      Effect.succeed({
        targets: upstream.ports.map((port) => ({ host: "127.0.0.1", port })),
        processes: [],
        ca: upstream.ca,
        translates: false,
        tenants: [],
        swap: undefined
      })
  }))
}
