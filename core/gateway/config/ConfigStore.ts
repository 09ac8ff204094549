// All manifests and secrets as they are now, and the snapshot that follows from them.
// Owns building and the one assignment that puts a new snapshot in place: what changes within one turn becomes one snapshot, a bad
// manifest leaves the last good one of its cluster serving, and every manifest gets a verdict. Refuses sources, status and the wire.
// Bound: what the sources hold, one manifest a cluster and the secrets that they name.
import { type Cancel, type Clockwork, describeProblem, type FieldProblem, type KubeObject } from "#kube"
import { type DecodedCluster, decodeCluster } from "../decode/DecodeCluster.ts"
import { secretKey, type SecretPlace } from "../decode/SecretRefs.ts"
import { type Claim, settleClaims, type Settled } from "./HostClaims.ts"
import { hostTable } from "./HostTable.ts"
import type { GatewaySnapshot, Snapshots } from "./Snapshot.ts"
import type { FeatureGates, UpstreamCluster } from "./UpstreamCluster.ts"

/** How a manifest fares. */
export interface Verdict {
  readonly name: string
  /** As it was seen last. */
  readonly object: KubeObject
  readonly reason: "Accepted" | "Invalid" | "HostClash" | "SecretMissing"
  /** Names fields and rules, never a secret; empty when accepted without a warning. */
  readonly message: string
  /** The same, one finding each, uncut. */
  readonly lines: ReadonlyArray<string>
  /** What is served: of this manifest when it is accepted, else of the last one that was; undefined when nothing is. */
  readonly serving: UpstreamCluster | undefined
}

export interface ConfigStoreOptions {
  readonly clockwork: Clockwork
  /** Defaults of the feature gates. */
  readonly features: FeatureGates
}

/** Characters of a verdict's message at most; what is beyond is cut. */
const MESSAGE_MAX = 2048

interface Entry {
  readonly object: KubeObject
  decoded: DecodedCluster
  serving: UpstreamCluster | undefined
}

const DEFAULT_HOST = "(default)"

const claimedBy = ({ hosts, isDefault }: UpstreamCluster): ReadonlyArray<string> =>
  isDefault ? [...hosts, DEFAULT_HOST] : hosts

const lineOf = (problem: FieldProblem): string => `${problem.field}: ${describeProblem(problem)}`

const cut = (lines: ReadonlyArray<string>): string => {
  const text = lines.join("; ")
  return text.length <= MESSAGE_MAX ? text : `${text.slice(0, MESSAGE_MAX)}…`
}

const clashText = ({ host, owner }: NonNullable<Settled["clash"]>): string =>
  host === DEFAULT_HOST
    ? `spec.secureServing.defaultHost: ${owner} is the default cluster already`
    : `spec.secureServing.serverNames: ${host} belongs to ${owner}`

const verdictOf = (name: string, { decoded, object, serving }: Entry, settled: Settled): Verdict => {
  const { problems, unresolved, warnings } = decoded.findings
  const judged = (reason: Verdict["reason"], lines: ReadonlyArray<string>): Verdict => ({
    name,
    object,
    serving,
    reason,
    lines,
    message: cut(lines)
  })
  if (problems.length > 0) return judged("Invalid", problems.map(lineOf))
  if (unresolved.length > 0) return judged("SecretMissing", unresolved.map(lineOf))
  if (settled.clash !== undefined) return judged("HostClash", [clashText(settled.clash)])
  return judged("Accepted", warnings)
}

const isSame = (a: Verdict | undefined, b: Verdict): boolean =>
  a !== undefined &&
  a.object === b.object &&
  a.reason === b.reason &&
  a.message === b.message &&
  a.serving === b.serving

const emptySnapshot: GatewaySnapshot = { revision: 0, clusters: new Map(), clusterOf: () => undefined }

export class ConfigStore implements Snapshots {
  readonly #options: ConfigStoreOptions
  readonly #entries = new Map<string, Entry>()
  readonly #secrets = new Map<string, KubeObject>()
  readonly #verdicts = new Map<string, Verdict>()
  readonly #onSwap: Array<(next: GatewaySnapshot, last: GatewaySnapshot) => void> = []
  readonly #onVerdict: Array<(verdict: Verdict) => void> = []
  #snapshot = emptySnapshot
  #pending = false

  constructor(options: ConfigStoreOptions) {
    this.#options = options
  }

  readonly current = (): GatewaySnapshot => this.#snapshot

  readonly onSwap: Snapshots["onSwap"] = (listener) => subscribe(this.#onSwap, listener)

  /** Hears of every verdict that changed, after the snapshot that goes with it is in place. */
  onVerdict(listener: (verdict: Verdict) => void): Cancel {
    return subscribe(this.#onVerdict, listener)
  }

  verdict(name: string): Verdict | undefined {
    return this.#verdicts.get(name)
  }

  verdicts(): Iterable<Verdict> {
    return this.#verdicts.values()
  }

  /** Takes a manifest, new or changed. */
  put(object: KubeObject): void {
    const name = nameOf(object)
    const before = this.#entries.get(name)
    const isSameCluster = before?.object.metadata.uid === object.metadata.uid
    const decoded = this.#decode(object, isSameCluster ? before : undefined)
    this.#entries.set(name, { object, decoded, serving: isSameCluster ? before?.serving : undefined })
    this.#schedule()
  }

  /** The cluster of this name is no more. */
  remove(name: string): void {
    if (!this.#entries.delete(name.toLowerCase())) return
    this.#verdicts.delete(name.toLowerCase())
    this.#schedule()
  }

  /** Takes a secret; the clusters that name it are read again. */
  putSecret(object: KubeObject): void {
    const place = { namespace: object.metadata.namespace ?? "", name: object.metadata.name ?? "" }
    this.#secrets.set(secretKey(place), object)
    this.#readAgain(secretKey(place))
  }

  removeSecret(place: SecretPlace): void {
    if (this.#secrets.delete(secretKey(place))) this.#readAgain(secretKey(place))
  }

  /** The secrets that manifests name, each once. */
  secretRefs(): ReadonlyArray<SecretPlace> {
    const refs = new Map<string, SecretPlace>()
    for (const { decoded } of this.#entries.values())
      for (const place of decoded.secretRefs) refs.set(secretKey(place), place)
    return [...refs.values()]
  }

  /** Builds at once what waits for the end of the turn. */
  flush(): void {
    if (!this.#pending) return
    this.#pending = false
    this.#build()
  }

  #decode(object: KubeObject, before: Entry | undefined): DecodedCluster {
    const context = {
      secrets: (place: SecretPlace) => this.#secrets.get(secretKey(place)),
      features: this.#options.features
    }
    return decodeCluster(object, context, before?.decoded.memory)
  }

  #readAgain(key: string): void {
    for (const entry of this.#entries.values()) {
      if (!entry.decoded.secretRefs.some((place) => secretKey(place) === key)) continue
      entry.decoded = this.#decode(entry.object, entry)
      this.#schedule()
    }
  }

  #schedule(): void {
    if (this.#pending) return
    this.#pending = true
    this.#options.clockwork.defer(() => this.flush())
  }

  #build(): void {
    const settled = settleClaims(
      Array.from(this.#entries, ([name, { decoded, object, serving }]): Claim => ({
        name,
        age: object.metadata.creationTimestamp ?? "",
        wanted: decoded.cluster && claimedBy(decoded.cluster),
        held: serving && claimedBy(serving)
      }))
    )
    const changed: Array<Verdict> = []
    for (const [name, entry] of this.#entries) {
      const outcome = settled.get(name) ?? { takes: "nothing", clash: undefined }
      if (outcome.takes === "wanted") entry.serving = sameOr(entry.serving, entry.decoded.cluster)
      if (outcome.takes === "nothing") entry.serving = undefined
      const verdict = verdictOf(name, entry, outcome)
      if (isSame(this.#verdicts.get(name), verdict)) continue
      this.#verdicts.set(name, verdict)
      changed.push(verdict)
    }
    this.#swap()
    for (const verdict of changed) for (const listener of this.#onVerdict) listener(verdict)
  }

  #swap(): void {
    const clusters = new Map<string, UpstreamCluster>()
    for (const [name, { serving }] of this.#entries) if (serving !== undefined) clusters.set(name, serving)
    const last = this.#snapshot
    if (holdsSame(last.clusters, clusters)) return
    const next = { revision: last.revision + 1, clusters, clusterOf: hostTable(clusters.values()) }
    this.#snapshot = next
    for (const listener of this.#onSwap) listener(next, last)
  }
}

const nameOf = ({ metadata }: KubeObject): string => (metadata.name ?? "").toLowerCase()

const subscribe = <A>(listeners: Array<A>, listener: A): Cancel => {
  listeners.push(listener)
  return () => {
    const at = listeners.indexOf(listener)
    if (at >= 0) listeners.splice(at, 1)
  }
}

const holdsSame = (a: ReadonlyMap<string, UpstreamCluster>, b: ReadonlyMap<string, UpstreamCluster>): boolean => {
  if (a.size !== b.size) return false
  for (const [name, cluster] of a) if (b.get(name) !== cluster) return false
  return true
}

/** What is served already, when a new reading differs in nothing: an annotation or a status was written. */
const sameOr = (
  serving: UpstreamCluster | undefined,
  next: UpstreamCluster | undefined
): UpstreamCluster | undefined => {
  if (serving === undefined || next === undefined) return next
  const fields = Object.keys(next) as ReadonlyArray<keyof UpstreamCluster>
  return fields.every((field) => serving[field] === next[field]) ? serving : next
}
