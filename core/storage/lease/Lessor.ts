// Leases: who has been granted what until when, and which keys hang on them.
// Owns the leases in memory and their rows; refuses to delete keys, which a revocation does through a transaction.
// After a restart every lease starts its full time to live anew, as etcd's do without checkpoints; where deadlines are kept, a
// lease that was not renewed since its deadline was written down goes on with that.
import { int64, type Int64 } from "#net"
import { keyText, Table, type View, type WriteBatch } from "../engine/Engine.ts"
import type { LeaseId } from "../rpc/KvMessages.ts"
import { ExpiryQueue } from "./ExpiryQueue.ts"

/** The longest time to live, in seconds (etcd's lease.MaxLeaseTTL). */
export const LEASE_TTL_MAX_SECONDS = 9_000_000_000

export interface Lease {
  readonly id: LeaseId
  /** Seconds granted. */
  readonly ttlSeconds: number
  /** Milliseconds on the store's clock. */
  expiresAtMs: number
  /** Whether the row has the deadline; a renewal takes it out, for the row to say that the lease lived on. */
  deadlineStored: boolean
  /** Keys attached, as latin1 text. */
  readonly keys: Set<string>
}

export interface LessorOptions {
  readonly clock: () => number
  /** Shorter grants are lengthened to this: one and a half election timeouts, as etcd rounds it. */
  readonly minTtlSeconds: number
  /** Whether rows carry deadlines, on a clock that the next process shares. */
  readonly keepsDeadlines?: boolean
}

/** Leases with more time left than this are worth writing a deadline down again after a renewal (etcd's checkpoint interval). */
export const CHECKPOINT_MS = 300_000

/** An attachment's row says all by its key: one value for the hundreds of thousands that events make. */
const ATTACHED = Buffer.alloc(0)

const idRow = (id: LeaseId): Buffer => {
  const row = Buffer.alloc(8)
  row.writeBigUInt64BE(BigInt.asUintN(64, BigInt(id)))
  return row
}
/** A lease's row: the seconds granted, and the deadline if it is kept. */
const leaseRow = (ttlSeconds: number, expiresAtMs: number | undefined): Buffer => {
  const row = Buffer.alloc(expiresAtMs === undefined ? 8 : 16)
  row.writeDoubleBE(ttlSeconds)
  if (expiresAtMs !== undefined) row.writeDoubleBE(expiresAtMs, 8)
  return row
}
const leaseKey = (id: LeaseId, text: string): Buffer => Buffer.concat([idRow(id), Buffer.from(text, "latin1")])
const idOfRow = (row: Uint8Array): Int64 => int64(BigInt.asIntN(64, Buffer.from(row).readBigUInt64BE(0)))

export class Lessor {
  readonly stats = { granted: 0, renewed: 0, revoked: 0 }
  private readonly options: LessorOptions
  private readonly leases = new Map<LeaseId, Lease>()
  private readonly leaseOfKey = new Map<string, LeaseId>()
  private readonly expiries = new ExpiryQueue<LeaseId>((id) => this.leases.get(id)?.expiresAtMs)

  constructor(options: LessorOptions) {
    this.options = options
  }

  get size(): number {
    return this.leases.size
  }

  lookup(id: LeaseId): Lease | undefined {
    return this.leases.get(id)
  }

  all(): Iterable<Lease> {
    return this.leases.values()
  }

  /** Grants a lease; the caller has checked that the id is free. */
  grant(id: LeaseId, ttlSeconds: number, writes: WriteBatch): Lease {
    const granted = Math.max(ttlSeconds, this.options.minTtlSeconds)
    const lease = this.add(id, granted, undefined)
    lease.deadlineStored = this.options.keepsDeadlines === true
    writes.put(Table.Lease, idRow(id), leaseRow(granted, lease.deadlineStored ? lease.expiresAtMs : undefined))
    this.stats.granted++
    return lease
  }

  private add(id: LeaseId, ttlSeconds: number, storedMs: number | undefined): Lease {
    const expiresAtMs = storedMs ?? this.options.clock() + ttlSeconds * 1000
    const lease: Lease = { id, ttlSeconds, expiresAtMs, deadlineStored: storedMs !== undefined, keys: new Set() }
    this.leases.set(id, lease)
    this.expiries.push(id, lease.expiresAtMs)
    return lease
  }

  /** Forgets a lease; its keys are deleted by the transaction that revokes it. */
  remove(id: LeaseId, writes: WriteBatch): void {
    this.leases.delete(id)
    this.stats.revoked++
    writes.remove(Table.Lease, idRow(id))
  }

  /**
   * Starts a lease's time to live anew; undefined when there is no such lease. A deadline in its row no longer holds, so it
   * must be gone before anybody is told.
   */
  renew(id: LeaseId, writes: WriteBatch): Lease | undefined {
    const lease = this.leases.get(id)
    if (lease === undefined || this.remainingMs(lease) <= 0) return undefined
    lease.expiresAtMs = this.options.clock() + lease.ttlSeconds * 1000
    this.stats.renewed++
    if (lease.deadlineStored) {
      lease.deadlineStored = false
      writes.put(Table.Lease, idRow(id), leaseRow(lease.ttlSeconds, undefined))
    }
    return lease
  }

  /** Writes deadlines down again that renewals have taken out, of leases with long to live: at most `max`. */
  checkpoint(writes: WriteBatch, max: number): void {
    if (this.options.keepsDeadlines !== true) return
    let left = max
    for (const lease of this.leases.values()) {
      if (left === 0) return
      if (lease.deadlineStored || this.remainingMs(lease) <= CHECKPOINT_MS) continue
      lease.deadlineStored = true
      writes.put(Table.Lease, idRow(lease.id), leaseRow(lease.ttlSeconds, lease.expiresAtMs))
      left--
    }
  }

  remainingMs(lease: Lease): number {
    return lease.expiresAtMs - this.options.clock()
  }

  /** Attaches a key to a lease, and thereby detaches it from another; 0 only detaches. */
  attach(key: Uint8Array, id: LeaseId, writes: WriteBatch): void {
    if (id !== 0 || this.leaseOfKey.size > 0) this.attachText(keyText(key), id, writes)
  }

  /** Like `attach`, of a key's text. */
  attachText(text: string, id: LeaseId, writes: WriteBatch): void {
    if (id === 0 && this.leaseOfKey.size === 0) return
    const before = this.leaseOfKey.get(text)
    if (before === id || (before === undefined && id === 0)) return
    if (before !== undefined) {
      this.leases.get(before)?.keys.delete(text)
      this.leaseOfKey.delete(text)
      writes.remove(Table.LeaseKey, leaseKey(before, text))
    }
    if (id === 0) return
    this.leases.get(id)?.keys.add(text)
    this.leaseOfKey.set(text, id)
    writes.put(Table.LeaseKey, leaseKey(id, text), ATTACHED)
  }

  /** Leases whose time has passed, at most `max`: to be revoked now, and offered again after a second if they are not. */
  takeExpired(max: number): ReadonlyArray<Lease> {
    const now = this.options.clock()
    const found = this.expiries.takeExpired(now, max)
    for (const id of found) this.expiries.push(id, now + 1000)
    return found.flatMap((id) => this.leases.get(id) ?? [])
  }

  /** Reads leases and attachments as the engine has them, forgetting all else. */
  load(view: View): void {
    this.leases.clear()
    this.leaseOfKey.clear()
    this.expiries.clear()
    const none = Buffer.alloc(0)
    view.scan(Table.Lease, none, undefined, (row, value) => {
      const bytes = Buffer.from(value)
      this.add(idOfRow(row), bytes.readDoubleBE(0), bytes.length < 16 ? undefined : bytes.readDoubleBE(8))
      return true
    })
    view.scan(Table.LeaseKey, none, undefined, (row) => {
      const id = idOfRow(row)
      const text = keyText(row.subarray(8))
      this.leases.get(id)?.keys.add(text)
      this.leaseOfKey.set(text, id)
      return true
    })
  }
}
