// The transactional part of TiKV as a model in memory: locks, versions, and what each request does to them.
// Owns the rules of Percolator as TiKV's documentation gives them; refuses regions and faults, which FakeCluster.ts adds.
// It is a second reading of the protocol, to be asked at moments that no real server can be brought to.
import type { KeyError, LockInfo } from "../../../core/storage/tikv/TikvMessages.ts"
import { KeyError as KeyErrors, LockInfo as LockInfos, Op } from "../../../core/storage/tikv/TikvMessages.ts"

interface Lock {
  readonly primary: string
  readonly startTs: bigint
  readonly op: Op
  readonly value: Uint8Array
  ttlMs: bigint
  minCommitTs: bigint
  readonly isAsync: boolean
  readonly secondaries: ReadonlyArray<string>
}

interface Version {
  readonly startTs: bigint
  /** Equal to `startTs` for a rollback. */
  readonly commitTs: bigint
  readonly kind: "put" | "delete" | "lock" | "rollback"
  readonly value: Uint8Array
}

export interface Status {
  readonly ttlMs: bigint
  readonly commitTs: bigint
  readonly pushed: boolean
  readonly lock: LockInfo | undefined
  readonly unknown: boolean
}

const text = (key: Uint8Array): string => Buffer.from(key).toString("latin1")
const bytes = (key: string): Buffer => Buffer.from(key, "latin1")
const physical = (ts: bigint): bigint => ts >> 18n
const kinds = { [Op.Put]: "put", [Op.Delete]: "delete", [Op.Lock]: "lock" } as const

export class FakeStore {
  private readonly locks = new Map<string, Lock>()
  private readonly versions = new Map<string, Array<Version>>()
  /** The largest timestamp that was read at. */
  private maxReadTs = 0n
  /** Planted mistakes of a server or a client, by name. */
  readonly planted = new Set<string>()

  private info(key: string, lock: Lock): LockInfo {
    return LockInfos.make({
      primary: bytes(lock.primary),
      version: lock.startTs,
      key: bytes(key),
      ttlMs: lock.ttlMs,
      type: lock.op,
      useAsyncCommit: lock.isAsync,
      minCommitTs: lock.minCommitTs,
      secondaries: lock.secondaries.map(bytes)
    })
  }

  /** The value at a timestamp, or the lock in the way. */
  read(
    key: Uint8Array,
    version: bigint,
    resolved: ReadonlyArray<bigint>,
    committed: ReadonlyArray<bigint>
  ): { readonly value: Uint8Array | undefined } | { readonly locked: LockInfo } {
    const name = text(key)
    if (version > this.maxReadTs) this.maxReadTs = version
    const lock = this.locks.get(name)
    if (lock !== undefined && lock.op !== Op.Lock && lock.startTs <= version && !resolved.includes(lock.startTs)) {
      if (committed.includes(lock.startTs)) return { value: lock.op === Op.Put ? lock.value : undefined }
      if (lock.minCommitTs <= version) return { locked: this.info(name, lock) }
    }
    for (const found of this.versions.get(name) ?? []) {
      if (found.commitTs > version) continue
      if (found.kind === "put") return { value: found.value }
      if (found.kind === "delete") return { value: undefined }
    }
    return { value: undefined }
  }

  /** All keys that have a version or a lock, in order. */
  keys(start: string, end: string): ReadonlyArray<string> {
    return [...new Set([...this.versions.keys(), ...this.locks.keys()])]
      .filter((key) => key >= start && (end === "" || key < end))
      .sort()
  }

  prewrite(
    mutation: { readonly op: number; readonly key: Uint8Array; readonly value: Uint8Array },
    lock: Omit<Lock, "op" | "value">
  ): KeyError | undefined {
    const key = text(mutation.key)
    const present = this.locks.get(key)
    if (present !== undefined) {
      if (present.startTs === lock.startTs) return undefined
      return KeyErrors.make({ locked: this.info(key, present) })
    }
    const [newest] = this.versions.get(key) ?? []
    const own = this.versions.get(key)?.find(({ startTs }) => startTs === lock.startTs)
    if (own?.kind === "rollback") return conflict(lock.startTs, own, key, 3)
    if (own !== undefined) return undefined
    if (newest !== undefined && newest.commitTs >= lock.startTs && !this.planted.has("ignore-conflicts")) {
      return conflict(lock.startTs, newest, key, 1)
    }
    const op = mutation.op as Op
    const minCommitTs = max(lock.minCommitTs, this.maxReadTs + 1n)
    this.locks.set(key, { ...lock, minCommitTs, op, value: Uint8Array.from(mutation.value) })
    return undefined
  }

  minCommitTsOf(key: Uint8Array): bigint {
    return this.locks.get(text(key))?.minCommitTs ?? 0n
  }

  commit(key: Uint8Array, startTs: bigint, commitTs: bigint): KeyError | undefined {
    const name = text(key)
    const lock = this.locks.get(name)
    if (lock?.startTs === startTs) {
      if (commitTs < lock.minCommitTs && !this.planted.has("ignore-min-commit")) {
        return KeyErrors.make({ commitTsExpired: { minCommitTs: lock.minCommitTs } })
      }
      this.locks.delete(name)
      this.write(name, { startTs, commitTs, kind: kinds[lock.op], value: lock.value })
      return undefined
    }
    const own = this.versions.get(name)?.find((version) => version.startTs === startTs)
    return own !== undefined && own.kind !== "rollback" ? undefined : KeyErrors.make({ retryable: "TxnLockNotFound" })
  }

  rollback(key: Uint8Array, startTs: bigint): void {
    const name = text(key)
    if (this.locks.get(name)?.startTs === startTs) this.locks.delete(name)
    const own = this.versions.get(name)?.find((version) => version.startTs === startTs)
    if (own === undefined) this.write(name, { startTs, commitTs: startTs, kind: "rollback", value: new Uint8Array() })
  }

  prolong(key: Uint8Array, startTs: bigint, ttlMs: bigint): void {
    const lock = this.locks.get(text(key))
    if (lock?.startTs === startTs && lock.ttlMs < ttlMs) lock.ttlMs = ttlMs
  }

  status(
    primary: Uint8Array,
    startTs: bigint,
    callerTs: bigint,
    now: bigint,
    rollsBack: boolean,
    force: boolean
  ): Status {
    const name = text(primary)
    const lock = this.locks.get(name)
    const none: Status = { ttlMs: 0n, commitTs: 0n, pushed: false, lock: undefined, unknown: false }
    if (lock?.startTs === startTs) {
      const isOver = physical(startTs) + lock.ttlMs <= physical(now)
      if (isOver && (!lock.isAsync || force)) {
        this.rollback(primary, startTs)
        return none
      }
      const pushed = callerTs > 0n && !lock.isAsync
      if (pushed && lock.minCommitTs <= callerTs) lock.minCommitTs = callerTs + 1n
      return { ...none, ttlMs: lock.ttlMs, pushed, lock: this.info(name, lock) }
    }
    const own = this.versions.get(name)?.find((version) => version.startTs === startTs)
    if (own !== undefined) return own.kind === "rollback" ? none : { ...none, commitTs: own.commitTs }
    if (!rollsBack) return { ...none, unknown: true }
    this.rollback(primary, startTs)
    return none
  }

  secondary(key: Uint8Array, startTs: bigint): { readonly lock?: LockInfo; readonly commitTs: bigint } {
    const name = text(key)
    const lock = this.locks.get(name)
    if (lock?.startTs === startTs) return { lock: this.info(name, lock), commitTs: 0n }
    const own = this.versions.get(name)?.find((version) => version.startTs === startTs && version.kind !== "rollback")
    if (own === undefined) this.rollback(key, startTs)
    return { commitTs: own?.commitTs ?? 0n }
  }

  resolve(key: Uint8Array, startTs: bigint, commitTs: bigint): void {
    if (this.locks.get(text(key))?.startTs !== startTs) return
    if (commitTs > 0n) this.commit(key, startTs, max(commitTs, this.minCommitTsOf(key)))
    else this.rollback(key, startTs)
  }

  /** Locks that nobody has cleared. */
  get lockCount(): number {
    return this.locks.size
  }

  private write(key: string, version: Version): void {
    const versions = this.versions.get(key) ?? []
    versions.push(version)
    this.versions.set(
      key,
      versions.sort((a, b) => (a.commitTs < b.commitTs ? 1 : a.commitTs > b.commitTs ? -1 : 0))
    )
  }
}

const max = (a: bigint, b: bigint): bigint => (a > b ? a : b)

const conflict = (startTs: bigint, { commitTs, startTs: conflictTs }: Version, key: string, reason: number): KeyError =>
  KeyErrors.make({ conflict: { startTs, conflictTs, key: bytes(key), conflictCommitTs: commitTs, reason } })
