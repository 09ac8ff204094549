// Everything that the tracing server shows of its traces, part by part.
// Owns the list; refuses to make anything of it.
import { outwardMount } from "../Outward.ts"
import type { MakeMount } from "./Route.ts"

/**
 * Made in this order; of two routes for one path the longer path wins, then the earlier. `modes` is the text of a transformation file;
 * one that cannot be used is thrown as TransformInvalid when its part is made.
 */
export const mounts = (modes?: string): ReadonlyArray<MakeMount> => [outwardMount(modes)]
