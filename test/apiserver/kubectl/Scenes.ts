// All scenes of the tour, the longest first, so that the others fill the time beside them.
import { customKinds } from "./scenes/CustomKinds.ts"
import { discovery } from "./scenes/Discovery.ts"
import { imperative } from "./scenes/Imperative.ts"
import { objects } from "./scenes/Objects.ts"
import { refused } from "./scenes/Refused.ts"
import { workloads } from "./scenes/Workloads.ts"
import type { Scene } from "./Tour.ts"

export const scenes: ReadonlyArray<Scene> = [
  ...workloads,
  ...objects,
  ...imperative,
  ...refused,
  ...customKinds,
  ...discovery
]
