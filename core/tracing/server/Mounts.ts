// Everything that the tracing server shows of its traces, part by part.
// Owns the list; refuses to make anything of it.
import type { MakeMount } from "./Route.ts"

/** Made in this order; of two routes for one path the longer path wins, then the earlier. */
export const mounts: ReadonlyArray<MakeMount> = []
