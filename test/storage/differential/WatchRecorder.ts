// What one watch stream was told, per watch: created, each event, cancelled, in order.
// Owns the flattening (several revisions may share a message, a big one may be in fragments) and the promises that hold for
// every message whatever the other server says. Refuses to compare.
import type { ClientDuplexStream } from "@grpc/grpc-js"
import type { Driver, Fields } from "../GrpcDriver.ts"
import { normalize } from "./Normalize.ts"

interface WatchAnswer {
  readonly header: { readonly revision: number }
  readonly watchId: number | bigint
  readonly created: boolean
  readonly canceled: boolean
  readonly compactRevision: number
  readonly cancelReason: string
  readonly fragment: boolean
  readonly events: ReadonlyArray<{ readonly kv: { readonly modRevision: number } }>
}

/** Of this id etcd holds no event back until the watch is told to be created, so the one may overtake the other. */
const UNHELD = "-1"
const isCreated = (entry: unknown): boolean => (entry as { readonly created?: boolean }).created === true
const createdFirst = (a: unknown, b: unknown): number => Number(isCreated(b)) - Number(isCreated(a))

export class WatchRecorder {
  private readonly stream: ClientDuplexStream<object, Fields>
  /** What each watch id was told; ids are reused, so a cancelled watch and its successor share a list. */
  readonly told = new Map<string, Array<unknown>>()
  /** Broken promises: none may ever be there. */
  readonly broken: Array<string> = []
  private readonly lastRevision = new Map<string, number>()
  private openFragment: string | undefined
  end: unknown

  constructor(driver: Driver) {
    this.stream = driver.open("watch")
    this.stream.on("data", (answer: Fields) => this.take(answer as unknown as WatchAnswer))
    this.stream.on("error", () => undefined)
    this.stream.on("status", ({ code, details }: { code: number; details: string }) => {
      this.end = { code, details }
    })
  }

  send(request: Fields): void {
    this.stream.write(request)
  }

  finish(how: "half" | "cancel"): void {
    if (how === "half") this.stream.end()
    else this.stream.cancel()
  }

  /** Everything told, as comparable data. */
  account(): Readonly<Record<string, ReadonlyArray<unknown>>> {
    return Object.fromEntries(
      [...this.told]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([id, told]) => [id, id === UNHELD ? told.toSorted(createdFirst) : told])
    )
  }

  private take(answer: WatchAnswer): void {
    const id = String(answer.watchId)
    let list = this.told.get(id)
    if (list === undefined) this.told.set(id, (list = []))
    const { cancelReason, canceled, compactRevision, created, events, fragment, header } = answer
    if (events.length === 0) {
      if (created) this.lastRevision.delete(id)
      list.push({ created, canceled, compactRevision, cancelReason, revision: header.revision })
      return
    }
    this.check(id, answer)
    this.openFragment = fragment ? id : undefined
    for (const event of events) list.push(normalize(event))
  }

  private check(id: string, { events, header }: WatchAnswer): void {
    if (this.openFragment !== undefined && this.openFragment !== id) this.broken.push(`fragments of ${id} interleaved`)
    for (const { kv } of events) {
      if (kv.modRevision < (this.lastRevision.get(id) ?? 0))
        this.broken.push(`watch ${id} went back to ${kv.modRevision}`)
      this.lastRevision.set(id, kv.modRevision)
      if (header.revision < kv.modRevision)
        this.broken.push(`watch ${id}: header ${header.revision} < ${kv.modRevision}`)
    }
  }
}
