// One of several candidates leads, by a coordination.k8s.io/v1 Lease that it renews (client-go's leader election).
// Owns the protocol: who may take a lease when, judged by the local clock alone, so that clocks that differ do no harm.
// Refuses to fence: a leader that was paused may believe for a moment what is no longer so, as with the original.
import type { Client, Target } from "../Client.ts"
import type { Cancel, Clockwork } from "../Clockwork.ts"
import { isJsonObject, type Json, type JsonObject } from "../Json.ts"
import type { KubeObject } from "../KubeObject.ts"
import { gvr } from "../Resource.ts"
import { ApiFailure } from "../Status.ts"
import { rfc3339Micro } from "../Timestamp.ts"

export interface LeaderElectionOptions {
  readonly clockwork: Clockwork
  readonly client: Client
  readonly namespace: string
  /** The Lease's name. */
  readonly name: string
  /** Other than every other candidate's. */
  readonly identity: string
  /** How long others wait after they saw the last renewal; sent in whole seconds. Default 15 s. */
  readonly leaseDurationMs?: number
  /** How long a leader goes on without a renewal. Default 10 s. */
  readonly renewDeadlineMs?: number
  /** Default 2 s. */
  readonly retryPeriodMs?: number
  /** Gives the lease up when cancelled while leading. Default true. */
  readonly releaseOnCancel?: boolean
  /** Leads from now on; `transitions` counts how often the lease has changed hands, and grows with every new holder. */
  readonly started: (transitions: number) => void
  /** Leads no longer: by a lost lease or by the cancel. It stands for election again by itself, unless cancelled. */
  readonly stopped: () => void
  /** Whom the lease names, each time it is another one. */
  readonly leader?: (identity: string) => void
}

const leases = gvr("coordination.k8s.io", "v1", "leases")
const ACQUIRE_JITTER = 1.2

interface Observed {
  readonly lease: KubeObject
  /** On the local monotonic clock. */
  readonly atMs: number
}

const specOf = ({ spec }: KubeObject): JsonObject => (isJsonObject(spec) ? spec : {})

const textOf = (value: Json | undefined): string => (typeof value === "string" ? value : "")

const numberOf = (value: Json | undefined): number => (typeof value === "number" ? value : 0)

class Candidate {
  readonly #options: Required<Omit<LeaderElectionOptions, "leader">> & Pick<LeaderElectionOptions, "leader">
  readonly #target: Target
  #observed: Observed | undefined
  #reported = ""
  #leading = false
  #cancelled = false
  #timer: Cancel | undefined
  #deadline: Cancel | undefined
  /** Answers that belong to an attempt before the last change of role are not heard. */
  #term = 0

  constructor(options: LeaderElectionOptions) {
    this.#options = {
      leaseDurationMs: 15_000,
      renewDeadlineMs: 10_000,
      retryPeriodMs: 2000,
      releaseOnCancel: true,
      ...options
    }
    this.#target = { resource: leases, namespace: options.namespace, name: options.name }
    this.#attempt()
  }

  cancel(): void {
    if (this.#cancelled) return
    this.#cancelled = true
    this.#timer?.()
    const wasLeading = this.#leading
    this.#leave()
    if (wasLeading && this.#options.releaseOnCancel) this.#release()
  }

  get #holder(): string {
    return this.#observed === undefined ? "" : textOf(specOf(this.#observed.lease)["holderIdentity"])
  }

  /** Whether what was observed last still binds others. */
  get #valid(): boolean {
    if (this.#observed === undefined) return false
    const seconds = numberOf(specOf(this.#observed.lease)["leaseDurationSeconds"])
    return this.#observed.atMs + seconds * 1000 > this.#options.clockwork.monotonic()
  }

  #observe(lease: KubeObject): void {
    if (this.#observed?.lease.metadata.resourceVersion !== lease.metadata.resourceVersion) {
      this.#observed = { lease, atMs: this.#options.clockwork.monotonic() }
    }
    const holder = this.#holder
    if (holder === this.#reported) return
    this.#reported = holder
    this.#options.leader?.(holder)
  }

  #next(): void {
    if (this.#cancelled) return
    const { clockwork, retryPeriodMs } = this.#options
    const delayMs = this.#leading ? retryPeriodMs : retryPeriodMs * (1 + clockwork.random() * ACQUIRE_JITTER)
    this.#timer = clockwork.after(delayMs, () => this.#attempt())
  }

  #attempt(): void {
    const startedMs = this.#options.clockwork.monotonic()
    if (this.#leading && this.#observed !== undefined && this.#holder === this.#options.identity && this.#valid) {
      // The lease is most likely as it was left: one call instead of two.
      this.#write(this.#observed.lease, startedMs, () => this.#look(startedMs))
      return
    }
    this.#look(startedMs)
  }

  #look(startedMs: number): void {
    const term = this.#term
    const { client, clockwork, identity } = this.#options
    client.get(this.#target, {}, (answer) => {
      if (term !== this.#term || this.#cancelled) return
      if (answer instanceof ApiFailure) {
        if (answer.code === 404) this.#write(undefined, clockwork.monotonic(), () => this.#next())
        else this.#next()
        return
      }
      this.#observe(answer)
      if (this.#holder !== "" && this.#holder !== identity && this.#valid) {
        if (this.#leading) this.#leave()
        this.#next()
        return
      }
      this.#write(answer, startedMs, () => this.#next())
    })
  }

  #spec(before: KubeObject | undefined): JsonObject {
    const { clockwork, identity, leaseDurationMs } = this.#options
    const now = rfc3339Micro(clockwork.now())
    const old = before === undefined ? {} : specOf(before)
    const mine = textOf(old["holderIdentity"]) === identity
    const transitions = numberOf(old["leaseTransitions"])
    return {
      holderIdentity: identity,
      leaseDurationSeconds: Math.max(1, Math.floor(leaseDurationMs / 1000)),
      acquireTime: mine ? textOf(old["acquireTime"]) : now,
      renewTime: now,
      leaseTransitions: before === undefined ? 0 : mine ? transitions : transitions + 1
    }
  }

  /** Takes or renews the lease, if it is still as it was seen. */
  #write(before: KubeObject | undefined, startedMs: number, failed: () => void): void {
    const term = this.#term
    const { client, name, namespace } = this.#options
    const spec = this.#spec(before)
    const done = (answer: KubeObject | ApiFailure): void => {
      if (term !== this.#term || this.#cancelled) return
      if (answer instanceof ApiFailure) {
        failed()
        return
      }
      this.#observe(answer)
      this.#lead(startedMs)
      this.#next()
    }
    if (before === undefined) {
      const lease = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { name, namespace }, spec }
      client.create({ resource: leases, namespace }, lease, {}, done)
    } else client.update(this.#target, { ...before, spec }, {}, done)
  }

  /** The lease is held since an attempt that started then: the deadline counts from there, before the server can have counted. */
  #lead(startedMs: number): void {
    const { clockwork, renewDeadlineMs, started } = this.#options
    this.#deadline?.()
    this.#deadline = clockwork.after(Math.max(0, startedMs + renewDeadlineMs - clockwork.monotonic()), () => {
      this.#timer?.()
      this.#leave()
      this.#next()
    })
    if (this.#leading) return
    this.#leading = true
    started(this.#observed === undefined ? 0 : numberOf(specOf(this.#observed.lease)["leaseTransitions"]))
  }

  #leave(): void {
    this.#term++
    this.#deadline?.()
    this.#deadline = undefined
    if (!this.#leading) return
    this.#leading = false
    this.#options.stopped()
  }

  /** Once, and unheard: whoever waits for the lease gets it by time anyway. */
  #release(): void {
    const { client, clockwork } = this.#options
    if (this.#observed === undefined) return
    const now = rfc3339Micro(clockwork.now())
    const { lease } = this.#observed
    const spec = { ...specOf(lease), holderIdentity: "", leaseDurationSeconds: 1, renewTime: now, acquireTime: now }
    client.update(this.#target, { ...lease, spec }, {}, () => undefined)
  }
}

/** Stands for election until it is cancelled. */
export const electLeader = (options: LeaderElectionOptions): Cancel => {
  const candidate = new Candidate(options)
  return () => candidate.cancel()
}
