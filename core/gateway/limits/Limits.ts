// The limits of all clusters, as the current snapshot has them: the admission that the data path asks.
// Owns one flow for each flow control by cluster and name, and their change with each snapshot: a flow that stays keeps its requests,
// its tokens and who waits. Refuses the rules themselves (Flow.ts, Gate.ts) and the talk with a limiter (global/).
import { type Cancel, type Clockwork, firstQueryValue } from "#kube"
import type { Snapshots } from "../config/Snapshot.ts"
import type { FlowControl, UpstreamCluster } from "../config/UpstreamCluster.ts"
import { askedVersion, isLongRunning, type RequestFacts } from "../policy/RequestFacts.ts"
import { type Admission, type Decided, freePermit, type Permit, type Refusal, type Waiting } from "./Admission.ts"
import { type Entry, Flow } from "./Flow.ts"
import { flowSettings, localGate } from "./LocalGate.ts"
import { NameMatcher } from "./NameMatcher.ts"
import { RETRY_AFTER_MAX_S } from "./RetryAfter.ts"
import { UserBuckets } from "./UserBuckets.ts"

/** Who sets the gate of flows that are counted across gateways. */
export interface GlobalLimits {
  /** Takes a flow over and sets its gate at once; the answer gives it up again, unless it was taken over anew since. */
  readonly manage: (cluster: string, control: FlowControl, flow: Flow) => Cancel
}

export interface LimitsOptions {
  readonly clockwork: Clockwork
  readonly snapshots: Snapshots
  /** Absent: every limit is this gateway's own. */
  readonly global?: GlobalLimits
}

/** How long a watch's initial list is taken to last after the answer's head. */
const INITIAL_LIST_MS = 1000

/** One flow control of one cluster, at run time. */
interface Kept {
  control: FlowControl
  readonly flow: Flow
  users: UserBuckets | undefined
  never: NameMatcher | undefined
  unmanage: Cancel | undefined
}

const startsWithAList = (facts: RequestFacts): boolean => {
  if (facts.info.verb !== "watch") return false
  const version = askedVersion(facts)
  return version === "" || version === "0" || firstQueryValue(facts.query, "sendInitialEvents") === "true"
}

export class Limits implements Admission {
  private readonly options: LimitsOptions
  private clusters = new Map<string, Map<string, Kept>>()
  private readonly unlisten: Cancel

  constructor(options: LimitsOptions) {
    this.options = options
    this.follow(options.snapshots.current().clusters)
    this.unlisten = options.snapshots.onSwap((next) => this.follow(next.clusters))
  }

  stop(): void {
    this.unlisten()
    for (const flows of this.clusters.values()) for (const kept of flows.values()) kept.unmanage?.()
  }

  /** Every flow that stands, for metrics and for who wants to look. */
  flows(): ReadonlyArray<{ readonly cluster: string; readonly name: string; readonly flow: Flow }> {
    return Array.from(this.clusters, ([cluster, flows]) =>
      Array.from(flows, ([name, { flow }]) => ({ cluster, name, flow }))
    ).flat()
  }

  admit(cluster: string, flowControl: string, facts: RequestFacts, decided: Decided): Permit | Refusal | Waiting {
    const kept = this.clusters.get(cluster)?.get(flowControl)
    if (kept === undefined || kept.control.limit.kind === "Exempt") return freePermit
    const { control, flow, never, users } = kept
    const { info, user } = facts
    const privileged = never?.matches(user) === true
    const longRunning = isLongRunning(info)
    const entry: Entry = {
      key: control.fairness === "User" ? user.name : control.fairness === "Namespace" ? info.namespace : "",
      longRunning,
      initialListMs: longRunning && startsWithAList(facts) ? INITIAL_LIST_MS : 0,
      privileged,
      drops: info.resource === "events"
    }
    if (users === undefined || privileged) return flow.enter(entry, decided)
    const waitMs = users.take(user.name, this.options.clockwork.monotonic())
    if (waitMs > 0) return this.overOwnLimit(flow, entry, waitMs)
    const outcome = flow.enter(entry, (late) => {
      if (late.kind === "refusal") users.untake(user.name)
      decided(late)
    })
    if (outcome.kind === "refusal") users.untake(user.name)
    return outcome
  }

  private overOwnLimit(flow: Flow, { drops }: Entry, waitMs: number): Refusal {
    flow.counts.arrived++
    flow.counts.refused++
    const seconds = Math.min(RETRY_AFTER_MAX_S, Math.ceil((waitMs * (1 + this.options.clockwork.random())) / 1000))
    return { kind: "refusal", reason: "user_rate_limited", retryAfterSeconds: drops ? undefined : seconds }
  }

  private follow(clusters: ReadonlyMap<string, UpstreamCluster>): void {
    const before = this.clusters
    this.clusters = new Map(
      Array.from(clusters, ([name, cluster]) => [name, this.flowsOf(cluster, before.get(name) ?? new Map())])
    )
    for (const [name, flows] of before) {
      const after = this.clusters.get(name)
      for (const [control, kept] of flows) if (after?.get(control) !== kept) kept.unmanage?.()
    }
  }

  private flowsOf(cluster: UpstreamCluster, before: ReadonlyMap<string, Kept>): Map<string, Kept> {
    const { clockwork } = this.options
    return new Map(
      Array.from(cluster.flowControls, ([name, control]) => {
        const known = before.get(name)
        const made = known ?? {
          control,
          flow: new Flow(clockwork),
          users: undefined,
          never: undefined,
          unmanage: undefined
        }
        if (known === undefined || known.control !== control || this.isGlobal(cluster, control) !== this.managed(known))
          this.apply(made, cluster, control)
        return [name, made]
      })
    )
  }

  private isGlobal({ features }: UpstreamCluster, { limit, scope }: FlowControl): boolean {
    const global =
      (limit.kind === "MaxRequestsInflight" && limit.globalMax !== undefined) ||
      (limit.kind === "TokenBucket" && limit.global !== undefined)
    return this.options.global !== undefined && features.GlobalRateLimiter && scope !== "Local" && global
  }

  private managed({ unmanage }: Kept): boolean {
    return unmanage !== undefined
  }

  private apply(kept: Kept, cluster: UpstreamCluster, control: FlowControl): void {
    const { clockwork, global } = this.options
    const { flow } = kept
    const { neverLimited, perUser } = control
    const sameUsers = kept.control.perUser?.qps === perUser?.qps && kept.control.perUser?.burst === perUser?.burst
    if (perUser === undefined) kept.users = undefined
    else if (kept.users === undefined || !sameUsers) kept.users = new UserBuckets(perUser.qps, perUser.burst)
    kept.never = neverLimited === undefined ? undefined : new NameMatcher(neverLimited.users, neverLimited.groups)
    kept.control = control
    const last = kept.unmanage
    if (global !== undefined && this.isGlobal(cluster, control)) {
      flow.set(flow.gate, flowSettings(control))
      kept.unmanage = global.manage(cluster.name, control, flow)
    } else {
      flow.set(localGate(control, flow.gate, clockwork.monotonic()), flowSettings(control))
      kept.unmanage = undefined
    }
    // Given up only now, so that a limit that stays a limiter's keeps its lease.
    last?.()
  }
}
