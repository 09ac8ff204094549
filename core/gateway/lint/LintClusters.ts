// Everything that is to be said about manifests before they serve: what is refused, what changed its meaning, what is said in vain.
// Owns the findings and their order; refuses to fetch manifests and to print. Nothing here shows a key or a token.
import { fieldsOf, itemsOf } from "#apiserver"
import { type Clockwork, type KubeObject, rfc3339 } from "#kube"
import { ConfigStore } from "../config/ConfigStore.ts"
import type { UpstreamCluster } from "../config/UpstreamCluster.ts"
import { certificatesIn } from "../decode/Certificates.ts"
import { noFeatures } from "../decode/DecodeFeatures.ts"
import { decodeRule } from "../decode/DecodeRule.ts"
import { isNegated } from "../policy/DispatchRule.ts"
import { changedMeaning } from "./ChangedMeaning.ts"

export interface LintFinding {
  readonly cluster: string
  /** An error keeps the manifest from serving; a change is a rule that means something else than in KubeGateway. */
  readonly level: "error" | "change" | "warning"
  readonly message: string
}

const changes = (object: KubeObject): ReadonlyArray<string> =>
  itemsOf(fieldsOf(object.spec)["dispatchPolicies"]).flatMap((policy, at) =>
    itemsOf(policy["rules"]).flatMap((written, place) => {
      const found = changedMeaning(decodeRule(written))
      if (found === undefined) return []
      const [before, now] = found.matchedBefore ? ["matched", "does not match"] : ["did not match", "matches"]
      return [
        `spec.dispatchPolicies[${at}].rules[${place}]: KubeGateway ${before} ${found.example}, this gateway ${now} it`
      ]
    })
  )

const isCatchAll = (rule: ReturnType<typeof decodeRule>): boolean => {
  const { longRunning, percentage, serviceAccounts, verbs, ...lists } = rule
  const all = (list: ReadonlyArray<string>): boolean => list.includes("*")
  const narrow = [lists.namespaces, lists.userAgents, lists.sourceCIDRs, lists.labelSelectors, lists.fieldSelectors]
  return (
    all(verbs) &&
    all(lists.apiGroups) &&
    all(lists.resources) &&
    all(lists.nonResourceURLs) &&
    (all(lists.users) || (lists.users.length === 0 && serviceAccounts.length === 0)) &&
    [...narrow, lists.resourceNames, lists.userGroups, lists.resourceVersions].every(
      (list) => list.length === 0 || all(list)
    ) &&
    longRunning === undefined &&
    percentage >= 100
  )
}

/** Policies behind one that takes everything, and limits that none refers to. */
const idle = (object: KubeObject, { flowControls, policies }: UpstreamCluster): ReadonlyArray<string> => {
  const written = itemsOf(fieldsOf(object.spec)["dispatchPolicies"])
  const first = written.findIndex((policy) => itemsOf(policy["rules"]).map(decodeRule).some(isCatchAll))
  const used = new Set(policies.map(({ flowControl }) => flowControl))
  return [
    ...(first < 0 ? [] : written.slice(first + 1)).map(
      (_policy, at) => `spec.dispatchPolicies[${first + 1 + at}]: never reached, policy ${first} takes everything`
    ),
    ...[...flowControls.keys()]
      .filter((name) => !used.has(name))
      .map((name) => `spec.flowControl.flowControlSchemas: no policy refers to ${name}`)
  ]
}

const SOON_MS = 30 * 86_400_000

const ends = (field: string, pem: string | undefined, nowMs: number): ReadonlyArray<string> =>
  (pem === undefined ? [] : (certificatesIn(pem) ?? []))
    .map(({ validToDate }) => validToDate.getTime())
    .filter((endMs) => endMs < nowMs + SOON_MS)
    .map((endMs) => `${field}: a certificate ${endMs < nowMs ? "ended" : "ends"} on ${rfc3339(endMs)}`)

const risky = (cluster: UpstreamCluster, nowMs: number): ReadonlyArray<string> => {
  const { authentication, client, serving } = cluster
  return [
    ...(client.insecure
      ? ["spec.clientConfig.insecure: whoever answers at the endpoint gets the gateway's credentials"]
      : []),
    ...(serving.clientCa === undefined && serving.useGatewayClientCa
      ? [
          "spec.secureServing.useGatewayClientCA: without clientCAData, holders of certificates of the gateway's own authority are let in with the groups that these name; say false to refuse them"
        ]
      : []),
    ...(authentication.neverImpersonate.groups.some((item) => !isNegated(item))
      ? []
      : ["spec.authentication.neverImpersonate: no group is kept from being impersonated, not even system:masters"]),
    ...ends("spec.clientConfig.certData", client.keyPair?.cert, nowMs),
    ...ends("spec.clientConfig.caData", client.ca, nowMs),
    ...ends("spec.secureServing.certData", serving.keyPair?.cert, nowMs),
    ...ends("spec.secureServing.clientCAData", serving.clientCa, nowMs)
  ]
}

/** Judges clusters together, as one gateway would serve them; `secrets` are those at hand. */
export const lintClusters = (
  clusters: ReadonlyArray<KubeObject>,
  secrets: ReadonlyArray<KubeObject>,
  clockwork: Clockwork
): ReadonlyArray<LintFinding> => {
  const store = new ConfigStore({ clockwork, features: noFeatures })
  for (const secret of secrets) store.putSecret(secret)
  for (const cluster of clusters) store.put(cluster)
  store.flush()
  return Array.from(store.verdicts()).flatMap((verdict) => {
    const { lines, name, object, reason, serving } = verdict
    const of = (level: LintFinding["level"], messages: ReadonlyArray<string>): ReadonlyArray<LintFinding> =>
      messages.map((one) => ({ cluster: name, level, message: one }))
    const refused = reason === "Invalid" || reason === "HostClash"
    return [
      ...of(refused ? "error" : "warning", lines),
      ...of("change", changes(object)),
      ...(serving === undefined ? [] : of("warning", [...idle(object, serving), ...risky(serving, clockwork.now())]))
    ]
  })
}
