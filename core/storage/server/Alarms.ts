// Alarms: NOSPACE when the data outgrows its quota, CORRUPT when an operator says so.
// Owns which are raised, their row, and which writes they refuse; refuses to measure the disk itself.
// Deletes and reads go on while there is no space, so that space can be made.
import { Table, type View } from "../engine/Engine.ts"
import type { Store } from "../mvcc/Store.ts"
import { AlarmType } from "../rpc/AdminMessages.ts"
import { Failure, type EtcdFailure } from "../rpc/EtcdFailure.ts"
import { MetaKey } from "../mvcc/Layout.ts"
import { rowNeed } from "../mvcc/Needs.ts"
import type { TxnRequest } from "../rpc/KvMessages.ts"

export class Alarms {
  private readonly store: Store
  private readonly quotaBytes: number
  private readonly raised = new Set<number>()

  /** `quotaBytes` of 0 or less means no quota. */
  constructor(store: Store, quotaBytes: number) {
    this.store = store
    this.quotaBytes = quotaBytes
    this.reload()
  }

  /** Reads which are raised as the engine has it. */
  reload(): void {
    this.store.engine.read(
      () => [rowNeed(Table.Meta, MetaKey.alarms)],
      (view) => this.load(view)
    )
  }

  /** Takes over which are raised from a View of Meta. */
  load(view: View): void {
    this.raised.clear()
    for (const alarm of view.get(Table.Meta, MetaKey.alarms) ?? []) this.raised.add(alarm)
  }

  get active(): ReadonlyArray<number> {
    return [...this.raised]
  }

  raise(alarm: number, done: (failure: EtcdFailure | undefined) => void): void {
    if (this.raised.has(alarm)) return done(undefined)
    this.raised.add(alarm)
    this.save(done)
  }

  clear(alarm: number, done: (failure: EtcdFailure | undefined) => void): void {
    if (!this.raised.delete(alarm)) return done(undefined)
    this.save(done)
  }

  private save(done: (failure: EtcdFailure | undefined) => void): void {
    const row = Buffer.from([...this.raised])
    this.store.writeRows<undefined>(({ batch }) => {
      batch.writes.put(Table.Meta, MetaKey.alarms, row)
      return undefined
    }, done)
  }

  /**
   * Compares the data with its quota and raises NOSPACE when it is over: called by the server every second. What
   * compaction freed counts as free, for the engine writes there again without a defragmentation.
   */
  checkQuota(): void {
    if (this.quotaBytes > 0 && this.store.engine.size().inUseBytes > this.quotaBytes) {
      this.raise(AlarmType.NoSpace, () => undefined)
    }
  }

  /** Why a write that adds data is refused now. */
  refuseWrite(): EtcdFailure | undefined {
    if (this.raised.size === 0) return undefined
    if (this.raised.has(AlarmType.Corrupt)) return Failure.corrupt
    return this.raised.has(AlarmType.NoSpace) ? Failure.noSpace : undefined
  }

  /** Why a transaction is refused now: one that puts nothing may make space. */
  refuseTxn(request: TxnRequest): EtcdFailure | undefined {
    if (this.raised.size === 0) return undefined
    const refused = this.refuseWrite()
    return refused === Failure.noSpace && !mayPut(request) ? undefined : refused
  }
}

const mayPut = ({ failure, success }: TxnRequest): boolean =>
  [...success, ...failure].some(
    ({ requestPut, requestTxn }) => requestPut !== undefined || (requestTxn !== undefined && mayPut(requestTxn))
  )
