// A shared engine as the store of a node uses it: point reads that wait together are one read of the engine, and what is read at a
// change of roles is read at once.
// Owns the gathering; refuses to cache: every read sees a snapshot that was taken after it was asked for, so all are linearizable, and
// one look at the newest revision serves all that waited for it.
import type { Engine, Need, View } from "../engine/Engine.ts"
import { isPoint } from "../engine/FetchedView.ts"

/** Gathered reads under way at once: while these run, others gather. */
const UNDER_WAY_MAX = 4
/** Reads that one gathered read may carry. */
const GATHERED_MAX = 512

interface Waiting {
  readonly needs: ReadonlyArray<Need>
  readonly use: (view: View) => void
  readonly failed: ((detail: string) => void) | undefined
}

export class SharedReads {
  readonly engine: Engine
  /** Reads asked for, and reads of the engine that answered them. */
  readonly stats = { asked: 0, carried: 0 }
  private readonly base: Engine
  private readonly defer: (run: () => void) => void
  private waiting: Array<Waiting> = []
  private scheduled = false
  private underWay = 0
  private atHand: View | undefined

  constructor(base: Engine, defer: (run: () => void) => void) {
    this.base = base
    this.defer = defer
    this.engine = {
      name: base.name,
      durable: base.durable,
      shared: true,
      read: (needs, use, failed) => this.read(needs, use, failed),
      commit: (batch, done) => base.commit(batch, done),
      partitions: (table, start, end) => base.partitions(table, start, end),
      clock: () => base.clock(),
      metrics: () => base.metrics?.() ?? [],
      size: () => base.size(),
      close: () => base.close()
    }
  }

  /** Fetches needs and runs `then`, during which reads are answered at once from what was fetched. */
  preload(needs: ReadonlyArray<Need>, then: (view: View) => void): void {
    this.base.read(
      () => needs,
      (view) => {
        this.atHand = view
        try {
          then(view)
        } finally {
          this.atHand = undefined
        }
      }
    )
  }

  private read(
    needs: () => ReadonlyArray<Need>,
    use: (view: View) => void,
    failed: ((detail: string) => void) | undefined
  ): void {
    if (this.atHand !== undefined) return use(this.atHand)
    this.stats.asked++
    const wanted = needs()
    if (this.base.gathers === true || !wanted.every(isPoint)) {
      // Ranges may take long, and nobody shall wait for another's.
      this.stats.carried++
      return this.base.read(() => wanted, use, failed)
    }
    this.waiting.push({ needs: wanted, use, failed })
    if (this.scheduled || this.underWay >= UNDER_WAY_MAX) return
    this.scheduled = true
    this.defer(() => {
      this.scheduled = false
      this.flush()
    })
  }

  private flush(): void {
    if (this.waiting.length === 0 || this.underWay >= UNDER_WAY_MAX) return
    this.carry(this.waiting.splice(0, GATHERED_MAX))
    if (this.waiting.length > 0) this.flush()
  }

  private carry(gathered: ReadonlyArray<Waiting>): void {
    const needs = new Set(gathered.flatMap((one) => one.needs))
    this.underWay++
    this.stats.carried++
    this.base.read(
      () => [...needs],
      (view) => {
        this.underWay--
        for (const { use } of gathered) use(view)
        this.flush()
      },
      (detail) => {
        this.underWay--
        for (const one of gathered) {
          // Who is not told of failures waits until the engine serves.
          if (one.failed !== undefined) one.failed(detail)
          else this.base.read(() => one.needs, one.use)
        }
        this.flush()
      }
    )
  }
}
