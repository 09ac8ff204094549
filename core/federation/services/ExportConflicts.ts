// What the Services of one export disagree about between the clusters that export it, by the rules of sig-multicluster: the oldest counts.
// Owns the comparison, its reasons and its words; refuses to solve it: whoever made the Services differ must.
import { type Fields, fieldsOf, itemsOf, textOf } from "#apiserver"
import { type Json, type KubeObject, sameJson } from "#kube"
import { isHeadless } from "./ImportedServices.ts"

/** The Conflict condition of a ServiceExport. */
export interface ExportConflict {
  readonly reason: "TypeConflict" | "PortConflict" | "SessionAffinityConflict" | "SessionAffinityConfigConflict"
  readonly message: string
}

const portOf = (port: Fields): Json => {
  const { appProtocol = "", name = "", port: number } = port
  return [textOf(name), textOf(port["protocol"]) || "TCP", number ?? 0, textOf(appProtocol)]
}

const portsOf = (spec: Fields): Json =>
  itemsOf(spec["ports"])
    .map(portOf)
    .sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))

/** What must be the same everywhere, the weightiest first. */
const parts: ReadonlyArray<{
  readonly reason: ExportConflict["reason"]
  readonly word: string
  readonly of: (service: KubeObject) => Json
}> = [
  { reason: "TypeConflict", word: "headless or not", of: isHeadless },
  { reason: "PortConflict", word: "ports", of: ({ spec }) => portsOf(fieldsOf(spec)) },
  {
    reason: "SessionAffinityConflict",
    word: "sessionAffinity",
    of: ({ spec }) => textOf(fieldsOf(spec)["sessionAffinity"]) || "None"
  },
  {
    reason: "SessionAffinityConfigConflict",
    word: "sessionAffinityConfig",
    of: ({ spec }) => fieldsOf(spec)["sessionAffinityConfig"] ?? null
  }
]

/** The clusters' Services by age, the oldest first; of one age by name. */
const byAge = (services: ReadonlyMap<string, KubeObject>) =>
  [...services].sort(([a, one], [b, other]) => {
    const [made, later] = [one.metadata.creationTimestamp ?? "", other.metadata.creationTimestamp ?? ""]
    return made === later ? (a < b ? -1 : 1) : made < later ? -1 : 1
  })

/** What the Services of an export disagree about, by cluster; undefined: nothing. */
export const exportConflict = (services: ReadonlyMap<string, KubeObject>): ExportConflict | undefined => {
  const [first, ...others] = byAge(services)
  if (first === undefined) return undefined
  const [oldest, counts] = first
  const found = parts.flatMap(({ of, reason, word }) => {
    const wanted = of(counts)
    const differing = others.flatMap(([cluster, service]) => (sameJson(of(service), wanted) ? [] : [cluster])).sort()
    return differing.length === 0 ? [] : [{ reason, text: `${word}: ${differing.join(", ")}` }]
  })
  const [weightiest] = found
  return weightiest === undefined
    ? undefined
    : {
        reason: weightiest.reason,
        message: `differing from ${oldest}, whose Service is the oldest and counts: ${found.map(({ text }) => text).join("; ")}`
      }
}
