// Where this server still answers otherwise than the real one to odd objects, each kind of difference with its reason.
// Owns the list; a difference that is not in it fails the test.
import { isDeepStrictEqual } from "node:util"
import type { Difference } from "./RunKinds.ts"

export interface Known {
  readonly reason: string
  readonly explains: (difference: Difference) => boolean
}

const onlyIn = (some: ReadonlyArray<string>, others: ReadonlyArray<string>): ReadonlyArray<string> =>
  some.filter((one) => !others.includes(one))

/** The sentences that one of both says alone. */
const alone = ({ ours, real }: Difference): ReadonlyArray<string> => [
  ...onlyIn(ours.causes, real.causes),
  ...onlyIn(real.causes, ours.causes)
]

/** Differences whose every sentence matches. */
const sentences =
  (kind: RegExp, sentence: RegExp): Known["explains"] =>
  (difference) => {
    const differing = alone(difference)
    return kind.test(difference.kind) && differing.length > 0 && differing.every((one) => sentence.test(one))
  }

/** An object without the fields of these names, wherever they stand. */
const without = (value: unknown, names: ReadonlySet<string>): unknown => {
  if (Array.isArray(value)) return value.map((one) => without(one, names))
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => !names.has(name))
      .map(([name, inner]) => [name, without(inner, names)])
  )
}

const objects =
  (...names: ReadonlyArray<string>): Known["explains"] =>
  ({ ours, real }) => {
    const unseen = new Set(names)
    return ours.code === real.code && isDeepStrictEqual(without(ours.object, unseen), without(real.object, unseen))
  }

const GATED = [
  "schedulingGroup",
  "evictionResponders",
  "podPreemptionPolicy",
  "configSource",
  "bindMountOptions",
  "deprecatedTopology"
]

export const known: ReadonlyArray<Known> = [
  {
    reason: "A sentence that stands twice in one answer stands once in the other.",
    explains: (difference) =>
      difference.ours.code === difference.real.code &&
      difference.real.code >= 400 &&
      alone(difference).length === 0 &&
      isDeepStrictEqual(difference.ours.warnings, difference.real.warnings)
  },
  {
    reason:
      "Some warnings about odd but valid specs are not given: fractional bytes, empty names of pull secrets, null selectors, the Recycle policy.",
    explains: ({ ours, real }) =>
      ours.code === real.code &&
      isDeepStrictEqual(ours.object, real.object) &&
      isDeepStrictEqual(ours.causes, real.causes) &&
      onlyIn(ours.warnings, real.warnings).length === 0
  },
  {
    reason:
      "Whether an empty value counts as a change: Go's structs do not tell it from none, so that generations are raised at other updates.",
    explains: objects("generation", "deprecated.daemonset.template.generation")
  },
  {
    reason: "Fields of features that are off by default are kept here; the real server drops them.",
    explains: objects("generation", ...GATED)
  },
  {
    reason:
      "CEL expressions of webhooks' match conditions are compiled when they are first asked, not when they are written.",
    explains: sentences(/WebhookConfiguration/, /matchConditions\[\d+\]\.expression/)
  },
  {
    reason: "Inline volumes of attachments, which only migration makes, are not looked into.",
    explains: sentences(/VolumeAttachment/, /inlineVolumeSpec/)
  },
  {
    reason:
      "Parts of pods that few use are not looked into as deep: volume types of vendors, claims of devices, resources of whole pods, signals, profiles.",
    explains: sentences(
      / (Pod|PodTemplate|ReplicationController|Deployment|ReplicaSet|StatefulSet|DaemonSet|Job|CronJob)$/,
      /(volumes\[\d+\]|resourceClaims|spec\.resources|stopSignal|appArmorProfile|seccompProfile|subdomain|ephemeralContainers|lifecycle|windowsOptions|restartPolicyRules|resizePolicy)|pod updates may not change|spec\.template: /
    )
  },
  {
    reason:
      "The pods of a StatefulSet's template are looked into here; the real server looks into them when they are made.",
    explains: (difference) =>
      onlyIn(difference.real.causes, difference.ours.causes).length === 0 &&
      sentences(/StatefulSet$/, /spec\.template\.spec\./)(difference)
  },
  {
    reason: "A persistent volume of two types, or of a local one, is refused with one sentence more or less.",
    explains: sentences(/PersistentVolume$/, /volume type|Local volume requires/)
  },
  {
    reason:
      "Lists that were sent empty count as absent before rules are asked (policies of an autoscaler, scopes of a quota, selectors).",
    explains: sentences(/HorizontalPodAutoscaler|ResourceQuota|Job/, /policies|scopes|template\.metadata\.labels/)
  },
  {
    reason: "Who manages a job instead of its controller is any text here.",
    explains: sentences(/Job/, /spec\.managedBy/)
  },
  {
    reason: "What of a job may change together is told in another sentence.",
    explains: sentences(/Job/, /spec\.completions/)
  },
  {
    reason: "Cluster IPs of a dry run are told apart from those of the object in one more sentence.",
    explains: sentences(/ Service$/, /spec\.clusterIPs/)
  },
  {
    reason: "An empty string in a reference counts as a change of it.",
    explains: sentences(/IPAddress/, /spec\.parentRef/)
  },
  {
    reason: "Whether an event's object has a namespace is judged by its kind on the real server.",
    explains: sentences(/Event$/, /involvedObject/)
  }
]
