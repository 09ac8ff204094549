// Our own store as a backend: `wharf serve storage` in a process of its own, with etcd's flag names.
// Owns the command line; the engines Memory.ts and Lmdb.ts differ by name and durability only.
import { Effect } from "effect"
import { join } from "node:path"
import { packageRoot, packageVersion } from "../PackageRoot.ts"
import type { Backend, ServerSettings } from "./Backend.ts"
import { openServer, storeFlags } from "./ServerProcess.ts"

/** The store over one of its engines. */
export const ownStore = (engine: "memory" | "lmdb", durable: boolean): Effect.Effect<Backend> =>
  Effect.sync(() => ({
    name: engine,
    version: packageVersion(),
    durable,
    settings: { engine },
    open: (settings: ServerSettings) =>
      openServer({
        backend: engine,
        command: join(packageRoot, "bin", "wharf"),
        settings,
        args: (endpoint) => ["serve", "storage", "--backend", engine, ...storeFlags(settings, endpoint)]
      }).pipe(
        // What is not durable does not come back, so there is nothing to restart on.
        Effect.map(({ inflict, ...server }) => (durable ? { ...server, inflict } : { ...server, restart: undefined }))
      )
  }))
