// Every kind of front by its name on the command line. A new one is its own file and one line here.
// Owns the lookup; finding programs and starting them is each kind's own.
import type { Effect } from "effect"
import { BackendMissing, type BackendServices } from "../../backends/Backend.ts"
import type { Front } from "../Front.ts"
import { frontProblem } from "../FrontRules.ts"
import { direct } from "./Direct.ts"
import type { FrontBackend, FrontKind } from "./FrontBackend.ts"
import { gateway } from "./Gateway.ts"
import { nginx } from "./Nginx.ts"
import { tenancy } from "./Tenancy.ts"

/** Every kind, in the order of the documentation. */
export const frontKinds: ReadonlyArray<FrontKind> = [direct, gateway, nginx, tenancy]

/** Finds the front of that name; one that cannot stand before the scenario's upstream is refused. */
export const findFront = (name: string, front: Front): Effect.Effect<FrontBackend, BackendMissing, BackendServices> => {
  const problem = frontProblem(name, front)
  const kind = frontKinds.find((candidate) => candidate.name === name)
  if (kind !== undefined && problem === undefined) return kind.find
  const hint = problem?.hint === undefined ? "" : `; ${problem.hint}`
  return new BackendMissing({ backend: name, reason: `${problem?.rule ?? "is not known"}${hint}` })
}
