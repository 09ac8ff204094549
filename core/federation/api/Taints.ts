// Taints of clusters and the tolerations that answer them, with the time that a toleration lasts.
// Owns reading and the question how long a taint is tolerated; refuses to set taints, which health decides.
import { type KubeObject, Names, parseRfc3339 } from "#kube"
import { type Fields, fieldsOf, invalid, itemsOf, numberIn, type Problems, textOf } from "#apiserver"

/** A taint of a cluster. */
export interface ClusterTaint {
  readonly key: string
  readonly value: string
  readonly effect: "NoSchedule" | "PreferNoSchedule" | "NoExecute"
  /** Since when, in milliseconds; 0: for ever. */
  readonly addedMs: number
}

/** What a workload puts up with. */
export interface Toleration {
  readonly key: string
  readonly operator: "Equal" | "Exists"
  readonly value: string
  /** Empty: every effect. */
  readonly effect: string
  /** Infinity: for ever. */
  readonly forMs: number
}

const EFFECTS: ReadonlySet<string> = new Set(["NoSchedule", "PreferNoSchedule", "NoExecute"])

/** The taints of a list; those whose effect is unknown are left out. */
export const taintsOf = (list: unknown): ReadonlyArray<ClusterTaint> =>
  itemsOf(list).flatMap((fields) => {
    const effect = textOf(fields["effect"])
    if (!EFFECTS.has(effect)) return []
    return [
      {
        key: textOf(fields["key"]),
        value: textOf(fields["value"]),
        // SAFETY: one of the three.
        effect: effect as ClusterTaint["effect"],
        addedMs: parseRfc3339(textOf(fields["timeAdded"])) ?? 0
      }
    ]
  })

const tolerationOf = (fields: Fields, path: string, problems: Problems): Toleration => {
  const operator = textOf(fields["operator"]) || "Equal"
  const seconds = numberIn(fields["tolerationSeconds"])
  const key = textOf(fields["key"])
  if (operator !== "Equal" && operator !== "Exists") {
    problems.push(invalid(`${path}.operator`, operator, "must be Equal or Exists"))
  }
  if (key === "" && operator !== "Exists") {
    problems.push(invalid(`${path}.operator`, operator, "must be Exists when `key` is empty"))
  }
  if (operator === "Exists" && textOf(fields["value"]) !== "") {
    problems.push(invalid(`${path}.value`, fields["value"], "must be empty when `operator` is Exists"))
  }
  return {
    key,
    operator: operator === "Exists" ? "Exists" : "Equal",
    value: textOf(fields["value"]),
    effect: textOf(fields["effect"]),
    forMs: seconds === undefined ? Infinity : Math.max(0, seconds) * 1000
  }
}

/** The tolerations of a list. */
export const tolerationsOf = (list: unknown, path: string, problems: Problems): ReadonlyArray<Toleration> =>
  itemsOf(list).map((item, at) => tolerationOf(fieldsOf(item), `${path}[${at}]`, problems))

/** Whether a toleration answers a taint at all. */
export const answersTaint = (toleration: Toleration, taint: Pick<ClusterTaint, "key" | "value" | "effect">): boolean =>
  (toleration.effect === "" || toleration.effect === taint.effect) &&
  (toleration.key === "" || toleration.key === taint.key) &&
  (toleration.operator === "Exists" || toleration.value === taint.value)

/**
 * Until when a taint is tolerated, in milliseconds: the shortest of the tolerations that answer it, as kubelets have it; Infinity: for
 * ever; undefined: not at all. Only NoExecute is tolerated for a time.
 */
export const toleratedUntil = (tolerations: ReadonlyArray<Toleration>, taint: ClusterTaint): number | undefined => {
  let until: number | undefined
  for (const toleration of tolerations) {
    if (!answersTaint(toleration, taint)) continue
    const end = taint.effect === "NoExecute" ? taint.addedMs + toleration.forMs : Infinity
    if (until === undefined || end < until) until = end
  }
  return until
}

/** What is wrong with the taints of a cluster. */
export const taintProblems = ({ spec }: KubeObject): Problems =>
  itemsOf(fieldsOf(spec)["taints"]).flatMap(({ effect, key }, at) => {
    const field = `spec.taints[${at}]`
    return [
      ...(EFFECTS.has(textOf(effect))
        ? []
        : [invalid(`${field}.effect`, effect, "must be NoSchedule, PreferNoSchedule or NoExecute")]),
      ...Names.qualifiedName(textOf(key)).map((why) => invalid(`${field}.key`, key, why))
    ]
  })
