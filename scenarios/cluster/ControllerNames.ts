// Which controllers a scenario's cluster runs, by the names that kube-controller-manager has for them.
// Owns what `all`, `none` and `-name` mean in a scenario; the list of controllers is the simulator's.
import { allControllers, chooseControllers, ControllersInvalid, type NamedController } from "#sim"
import type { Problem } from "../Problems.ts"
import { nearest } from "../Suggest.ts"

/** What a scenario says of its controllers. */
export type ControllersField = "all" | "none" | ReadonlyArray<string>

/** A list of nothing but exclusions leaves them out of all. */
const listOf = (field: ControllersField): ReadonlyArray<string> => {
  if (field === "all") return ["*"]
  if (field === "none") return []
  return field.length > 0 && field.every((name) => name.startsWith("-")) ? ["*", ...field] : field
}

/** The controllers that run; a name that is not known was refused before. */
export const controllersOf = (field: ControllersField): ReadonlyArray<NamedController> => {
  const chosen = chooseControllers(listOf(field))
  return chosen instanceof ControllersInvalid ? [] : chosen
}

/** Names that are no controller's. */
export const controllerProblems = (field: ControllersField): ReadonlyArray<Problem> => {
  if (typeof field === "string") return []
  const known = allControllers.map(({ name }) => name)
  return field.flatMap((written, at) => {
    const name = written.replace(/^-/, "")
    if (known.includes(name)) return []
    const near = nearest(name, known)
    const hint = near === undefined ? `known: ${known.join(", ") || "none"}` : `did you mean "${near}"?`
    return [{ path: ["cluster", "controllers", at], rule: `there is no controller named ${name}`, hint }]
  })
}
