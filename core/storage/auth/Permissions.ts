// What a user may read and write: the permissions of all its roles, merged into disjoint intervals of keys.
// Owns the union and the questions to it; refuses to know users, roles and the root role, which needs no permission.
// Source: etcd 3.7 server/auth/range_perm_cache.go: a range is permitted when the union covers it, not when one grant does.
import { keyText } from "../engine/Engine.ts"
import { PermissionType, type Permission } from "../rpc/AdminMessages.ts"

/** Keys as latin1 text, which sorts as their bytes do; without an end it goes on to the last key. */
interface Interval {
  readonly start: string
  readonly end: string | undefined
}

/** Whether a range end means "to the last key": a single zero byte. */
export const isOpenEnded = (rangeEnd: Uint8Array): boolean => rangeEnd.length === 1 && rangeEnd[0] === 0

/** Whether a permission may be granted on [key, rangeEnd): one key, a range that is not empty, or an open-ended one. */
export const isGrantable = (key: Uint8Array, rangeEnd: Uint8Array): boolean =>
  key.length > 0 && (rangeEnd.length === 0 || isOpenEnded(rangeEnd) || keyText(key) < keyText(rangeEnd))

const intervalOf = ({ key, rangeEnd }: Permission): Interval => {
  const start = keyText(key)
  if (rangeEnd.length === 0) return { start, end: `${start}\0` }
  return { start, end: isOpenEnded(rangeEnd) ? undefined : keyText(rangeEnd) }
}

const reaches = (end: string | undefined, text: string): boolean => end === undefined || end >= text

/** A set of keys, as disjoint intervals in key order. */
export class KeySet {
  private readonly intervals: ReadonlyArray<Interval>

  constructor(parts: ReadonlyArray<Interval>) {
    const merged: Array<Interval> = []
    for (const part of [...parts].sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0))) {
      const last = merged.at(-1)
      if (last === undefined || !reaches(last.end, part.start)) merged.push(part)
      else if (last.end !== undefined && (part.end === undefined || part.end > last.end)) {
        merged[merged.length - 1] = { start: last.start, end: part.end }
      }
    }
    this.intervals = merged
  }

  /**
   * Whether every key of [key, rangeEnd) is in the set: one key without an end, to the last key with an end of one zero
   * byte. A range that holds no key is permitted as its first key is.
   */
  covers(key: Uint8Array, rangeEnd: Uint8Array): boolean {
    const start = keyText(key)
    const found = this.holding(start)
    if (found === undefined) return false
    if (rangeEnd.length === 0 || found.end === undefined) return true
    return !isOpenEnded(rangeEnd) && keyText(rangeEnd) <= found.end
  }

  /** The interval that a key lies in. */
  private holding(text: string): Interval | undefined {
    const { intervals } = this
    let low = 0
    let high = intervals.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (intervals[middle].start <= text) low = middle + 1
      else high = middle
    }
    const candidate = intervals[low - 1]
    return candidate !== undefined && (candidate.end === undefined || text < candidate.end) ? candidate : undefined
  }
}

/** The merged permissions of one user. */
export interface Access {
  readonly read: KeySet
  readonly write: KeySet
}

/** Merges permissions; a type that is none of read, write and both permits nothing. */
export const mergePermissions = (permissions: ReadonlyArray<Permission>): Access => {
  const allowing = (type: number) =>
    new KeySet(
      permissions
        .filter(({ permType }) => permType === type || permType === PermissionType.ReadWrite)
        .map((permission) => intervalOf(permission))
    )
  return { read: allowing(PermissionType.Read), write: allowing(PermissionType.Write) }
}
