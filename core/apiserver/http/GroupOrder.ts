// In which order groups and versions are told to clients: who looks a name up takes the first that matches.
// Owns the order only (kube-apiserver's priorities); which groups exist the definitions say.

/** Named groups in the order of kube-apiserver's group priorities; all others come after, by name. */
const known = [
  "",
  "apiregistration.k8s.io",
  "apps",
  "events.k8s.io",
  "authentication.k8s.io",
  "authorization.k8s.io",
  "autoscaling",
  "batch",
  "certificates.k8s.io",
  "networking.k8s.io",
  "policy",
  "rbac.authorization.k8s.io",
  "storage.k8s.io",
  "admissionregistration.k8s.io",
  "apiextensions.k8s.io",
  "scheduling.k8s.io",
  "coordination.k8s.io",
  "node.k8s.io",
  "discovery.k8s.io",
  "resource.k8s.io",
  "flowcontrol.apiserver.k8s.io",
  "storagemigration.k8s.io"
]

const rank = (group: string): number => {
  const at = known.indexOf(group)
  return at < 0 ? known.length : at
}

export const compareGroups = (a: string, b: string): number => rank(a) - rank(b) || (a < b ? -1 : a > b ? 1 : 0)

const pattern = /^v(\d+)(?:(alpha|beta)(\d+))?$/

/** Stable versions first, then beta, then alpha, the newest of each first; other names at the end, by name. */
export const compareVersions = (a: string, b: string): number => {
  const [left, right] = [pattern.exec(a), pattern.exec(b)]
  if (left === null || right === null) {
    if ((left === null) !== (right === null)) return left === null ? 1 : -1
    return a < b ? -1 : a > b ? 1 : 0
  }
  const stage = (match: RegExpExecArray): number => (match[2] === undefined ? 2 : match[2] === "beta" ? 1 : 0)
  return (
    stage(right) - stage(left) || Number(right[1]) - Number(left[1]) || Number(right[3] ?? 0) - Number(left[3] ?? 0)
  )
}
