// Keeps the statuses of all clusters true: hears verdicts and how endpoints do, and writes what changed.
// Owns the rate (a cluster once a second, all of them twenty times) and its memory of endpoints, bounded by the clusters that are
// served; refuses to say what a status says. A write that fails is tried again at the next turn of its cluster.
import { fieldsOf } from "#apiserver"
import { ApiFailure, type Cancel, type Client, type Clockwork, type JsonObject, sameJson } from "#kube"
import type { ConfigStore } from "../config/ConfigStore.ts"
import type { EndpointReports, EndpointState } from "../config/Snapshot.ts"
import { upstreamClusters } from "../schema/GatewayCrds.ts"
import { clusterStatusOf } from "./ClusterStatus.ts"
import { SAY_AGAIN_MS } from "./SeenEndpoints.ts"

export interface StatusReporterOptions {
  readonly store: ConfigStore
  readonly clockwork: Clockwork
  /** Undefined: statuses are known here only, as those of a folder. */
  readonly client: Client | undefined
  /** This gateway's name in statuses, other than every other one's on the same control plane. */
  readonly gateway: string
  readonly onFailure: (failure: ApiFailure) => void
}

/** Between two writes of one cluster, and between any two. */
const CLUSTER_EVERY_MS = 1000
const ANY_EVERY_MS = 50

const noStates: ReadonlyMap<string, EndpointState> = new Map()

const isSame = (a: EndpointState | undefined, b: EndpointState): boolean =>
  a !== undefined && a.healthy === b.healthy && a.reason === b.reason && a.message === b.message

export class StatusReporter implements EndpointReports {
  readonly #options: StatusReporterOptions
  readonly #states = new Map<string, Map<string, EndpointState>>()
  /** Clusters whose status may differ from what is written, with the moment before which they must wait. */
  readonly #waiting = new Set<string>()
  readonly #notBefore = new Map<string, number>()
  readonly #writing = new Set<string>()
  readonly #cancels: ReadonlyArray<Cancel>
  #timer: Cancel | undefined

  constructor(options: StatusReporterOptions) {
    this.#options = options
    const { store } = options
    this.#cancels = [
      store.onVerdict(({ name }) => this.#touch(name)),
      store.onSwap(() => this.#forget()),
      // Others are told now and then that it is still there.
      options.clockwork.every(SAY_AGAIN_MS, () => {
        for (const { name } of store.verdicts()) this.#touch(name)
      })
    ]
  }

  readonly report = (cluster: string, endpoint: string, state: EndpointState): void => {
    const states = this.#states.get(cluster) ?? new Map<string, EndpointState>()
    if (isSame(states.get(endpoint), state)) return
    states.set(endpoint, state)
    this.#states.set(cluster, states)
    this.#touch(cluster)
  }

  /** The status as it should be now; undefined for an unknown cluster. */
  statusOf(name: string): JsonObject | undefined {
    const verdict = this.#options.store.verdict(name)
    return verdict === undefined
      ? undefined
      : clusterStatusOf(
          verdict,
          this.#states.get(name) ?? noStates,
          this.#options.clockwork.now(),
          this.#options.gateway
        )
  }

  stop(): void {
    for (const cancel of this.#cancels) cancel()
    this.#timer?.()
    this.#waiting.clear()
  }

  /** What belongs to clusters and endpoints that are gone. */
  #forget(): void {
    const { clusters } = this.#options.store.current()
    for (const [name, states] of this.#states) {
      const endpoints = new Set(clusters.get(name)?.endpoints.map(({ url }) => url))
      for (const url of states.keys()) if (!endpoints.has(url)) states.delete(url)
      if (states.size === 0) this.#states.delete(name)
    }
    for (const name of this.#notBefore.keys())
      if (this.#options.store.verdict(name) === undefined) this.#notBefore.delete(name)
  }

  #touch(name: string): void {
    if (this.#options.client === undefined) return
    this.#waiting.add(name)
    this.#timer ??= this.#options.clockwork.after(ANY_EVERY_MS, () => this.#turn())
  }

  /** Writes one status that may be written now. */
  #turn(): void {
    const { clockwork } = this.#options
    this.#timer = undefined
    const now = clockwork.monotonic()
    for (const name of this.#waiting) {
      if (this.#writing.has(name) || (this.#notBefore.get(name) ?? 0) > now) continue
      this.#waiting.delete(name)
      if (this.#write(name, now)) break
    }
    if (this.#waiting.size > 0) this.#timer = clockwork.after(ANY_EVERY_MS, () => this.#turn())
  }

  /** Whether anything had to be written. */
  #write(name: string, now: number): boolean {
    const { client, gateway, onFailure, store } = this.#options
    const verdict = store.verdict(name)
    const status = this.statusOf(name)
    if (client === undefined || verdict === undefined || status === undefined) return false
    if (sameJson(verdict.object.status, status)) return false
    this.#writing.add(name)
    this.#notBefore.set(name, now + CLUSTER_EVERY_MS)
    const target = {
      resource: upstreamClusters,
      namespace: "",
      name: verdict.object.metadata.name ?? "",
      subresource: "status"
    }
    // Of what others say nothing is written, but that they are gone.
    const { gateways, ...shared } = status
    const mine = fieldsOf(gateways)
    const gone = Object.keys(fieldsOf(fieldsOf(verdict.object.status)["gateways"])).filter((each) => !(each in mine))
    const own = { [gateway]: mine[gateway] ?? null, ...Object.fromEntries(gone.map((each) => [each, null])) }
    client.patch(target, { type: "merge", body: { status: { ...shared, gateways: own } } }, {}, (answer) => {
      this.#writing.delete(name)
      if (!(answer instanceof ApiFailure) || answer.code === 404) return
      onFailure(answer)
      this.#touch(name)
    })
    return true
  }
}
