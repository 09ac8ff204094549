// The watch that catches up those who begin before what is kept: one at a time for all of them, from the oldest version among them.
// Owns where it stands and asking anew; who hears what, its listener decides. Refuses to go on when it has reached what is kept.
import type { ApiFailure, Cancel, Clockwork } from "#kube"
import type { Upstream, UpstreamCall } from "../upstream/Upstream.ts"
import { Past, type PastRoom } from "./Past.ts"
import { isAfter, openSource, Pauses, type SourceEvent, type WatchQuestion } from "./WatchSource.ts"

/** Those who come within this time are caught up together. */
const GATHER_MS = 5

export interface BackfillListener {
  /** It begins for everybody who is behind: the oldest version that somebody stands at; undefined: nobody is any more. */
  readonly begin: () => string | undefined
  /** Where what is kept begins. */
  readonly until: () => string
  readonly event: (event: SourceEvent) => void
  /** It has reached what is kept, and this is what was between. */
  readonly reached: (between: Past, position: string) => void
  /** It broke off there: who heard it has heard all up to this version. */
  readonly stopped: (position: string) => void
  /** Upstream refuses: with 410 those who stand at the version it began from, otherwise all. */
  readonly refused: (failure: ApiFailure, from: string) => void
}

export interface BackfillOptions {
  readonly upstream: Upstream
  readonly clockwork: Clockwork
  readonly question: WatchQuestion
  readonly pastMax: number | undefined
  readonly room: PastRoom
}

/** A refusal that asking again does not change. */
export const isFinal = ({ code }: ApiFailure): boolean =>
  code >= 400 && code < 500 && code !== 401 && code !== 408 && code !== 429

export class Backfill {
  private readonly options: BackfillOptions
  private readonly listener: BackfillListener
  private readonly pauses: Pauses
  private source: UpstreamCall | undefined
  private cancelPause: Cancel | undefined
  private from = ""
  private position = ""
  /** What has come since it began; undefined while it has not. */
  private between: Past | undefined

  constructor(options: BackfillOptions, listener: BackfillListener) {
    this.options = options
    this.listener = listener
    this.pauses = new Pauses(options.clockwork)
  }

  get running(): boolean {
    return this.source !== undefined
  }

  /** What who stands at a version has missed of what it told so far; undefined: it does not cover that version. */
  missed(version: string): ReadonlyArray<SourceEvent> | undefined {
    return this.between?.covers(version) === true ? this.between.after(version) : undefined
  }

  /** Somebody is behind. */
  want(): void {
    if (this.source !== undefined || this.cancelPause !== undefined) return
    this.cancelPause = this.options.clockwork.after(GATHER_MS, () => this.begin())
  }

  stop(): void {
    this.leave()?.release()
  }

  /** Stops, and hands out what came between. */
  private leave(): Past | undefined {
    const { between } = this
    this.cancelPause?.()
    this.cancelPause = undefined
    this.source?.cancel()
    this.source = undefined
    this.between = undefined
    return between
  }

  private begin(): void {
    this.cancelPause = undefined
    const from = this.listener.begin()
    if (from === undefined) return
    const { pastMax, question, room, upstream } = this.options
    this.from = from
    this.position = from
    this.between = new Past(from, room, pastMax)
    this.source = openSource(
      upstream,
      question,
      { resourceVersion: from },
      { event: (event) => this.hear(event), ended: (failure) => this.ended(failure) }
    )
  }

  private hear(event: SourceEvent): void {
    const { between, listener } = this
    if (between === undefined) return
    this.pauses.well()
    this.position = event.resourceVersion
    if (event.type !== "BOOKMARK") {
      between.push(event)
      listener.event(event)
    }
    if (isAfter(listener.until(), this.position)) return
    this.leave()
    listener.reached(between, this.position)
    this.want()
  }

  private ended(failure: ApiFailure | undefined): void {
    const { from, listener, position } = this
    this.stop()
    listener.stopped(position)
    if (failure !== undefined && isFinal(failure) && (failure.code !== 410 || position === from)) {
      listener.refused(failure, from)
      this.want()
    } else this.cancelPause = this.pauses.after(() => this.begin())
  }
}
