// Topology spread constraints, compiled: the pod's own, or the profile's defaults with the selector of what the pod belongs to.
// Owns their defaults and label keys; refuses to count pods, which the spread counts do.
import { type Labels, type LabelRequirement, LabelSelector, labelSelectorOf, noLabel } from "#kube"
import type { SpreadConstraintFields } from "./PodFields.ts"

export interface SpreadConstraint {
  readonly topologyKey: string
  readonly maxSkew: number
  readonly minDomains: number
  readonly selector: LabelSelector
  readonly honorsAffinity: boolean
  readonly honorsTaints: boolean
}

export const HOST_KEY = "kubernetes.io/hostname"

/** What applies to pods that say nothing, by default: soft, by host and zone (kube-scheduler's system defaults). */
export const systemConstraints: ReadonlyArray<SpreadConstraintFields> = [
  { topologyKey: HOST_KEY, whenUnsatisfiable: "ScheduleAnyway", maxSkew: 3 },
  { topologyKey: "topology.kubernetes.io/zone", whenUnsatisfiable: "ScheduleAnyway", maxSkew: 5 }
]

const withLabelKeys = (selector: LabelSelector, keys: ReadonlyArray<string>, labels: Labels): LabelSelector => {
  const added = keys
    .filter((key) => labels[key] !== undefined)
    .map((key): LabelRequirement => ({ key, operator: "in", values: [labels[key]] }))
  if (added.length === 0 || selector.nothing) return selector
  return new LabelSelector([...added, ...selector.requirements])
}

/** The constraints of one action ("DoNotSchedule" or "ScheduleAnyway"); `selector` replaces their own. */
export const spreadConstraintsOf = (
  fields: ReadonlyArray<SpreadConstraintFields>,
  labels: Labels,
  action: string,
  selector?: LabelSelector
): ReadonlyArray<SpreadConstraint> =>
  fields
    .filter(({ whenUnsatisfiable }) => whenUnsatisfiable === action)
    .map((one) => {
      const own = labelSelectorOf(one.labelSelector)
      return {
        topologyKey: one.topologyKey,
        maxSkew: one.maxSkew,
        minDomains: one.minDomains ?? 1,
        selector:
          selector ?? withLabelKeys(own instanceof LabelSelector ? own : noLabel, one.matchLabelKeys ?? [], labels),
        honorsAffinity: (one.nodeAffinityPolicy ?? "Honor") === "Honor",
        honorsTaints: one.nodeTaintsPolicy === "Honor"
      }
    })
