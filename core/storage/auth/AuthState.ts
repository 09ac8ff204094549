// Users, roles and the auth revision: in memory for every check, in the engine's Auth table for the next start.
// Owns the rows and the cache of merged permissions; refuses the rules of administration (Administration.ts).
// A change is seen at once and is durable with the batch that it was written to; `load` goes back to what is durable.
import { Table, type View, type WriteBatch } from "../engine/Engine.ts"
import { MetaKey, readRevision, writeRevision } from "../mvcc/Layout.ts"
import { Role, User } from "../rpc/AdminMessages.ts"
import { mergePermissions, type Access } from "./Permissions.ts"

/** The user and the role that may do everything. */
export const ROOT = "root"

const USER_ROW = "u"
const ROLE_ROW = "r"
const ENABLED_AT = 8
/** The revision of a store that has never seen a change: etcd counts its own setup as the first. */
const FIRST_REVISION = 1

const row = (kind: string, name: string): Buffer => Buffer.from(kind + name)

/** Names in the order of their bytes, which is etcd's order for users, roles and the roles of a user. */
export const sortedNames = (names: Iterable<string>): Array<string> =>
  [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))

export class AuthState {
  enabled = false
  /** Counts changes of users, roles and permissions; independent of the revision of keys. */
  revision = FIRST_REVISION
  readonly users = new Map<string, User>()
  readonly roles = new Map<string, Role>()
  /** Merged permissions of users that were checked since the last change: at most one entry a user. */
  private readonly merged = new Map<string, Access>()

  /** Reads everything as the engine has it, forgetting all else. */
  load(view: View): void {
    this.users.clear()
    this.roles.clear()
    this.merged.clear()
    const meta = view.get(Table.Meta, MetaKey.auth)
    this.revision = meta === undefined ? FIRST_REVISION : readRevision(meta, 0)
    this.enabled = meta !== undefined && meta[ENABLED_AT] === 1
    view.scan(Table.Auth, Buffer.alloc(0), undefined, (key, value) => {
      const text = Buffer.from(key).toString()
      const name = text.slice(1)
      if (text.startsWith(USER_ROW)) this.users.set(name, User.decode(Buffer.from(value)))
      else this.roles.set(name, Role.decode(Buffer.from(value)))
      return true
    })
  }

  /** What a user may do by its roles; nothing for a user that does not exist. */
  access(name: string): Access {
    const known = this.merged.get(name)
    if (known !== undefined) return known
    const roles = this.users.get(name)?.roles ?? []
    const access = mergePermissions(roles.flatMap((role) => this.roles.get(role)?.keyPermission ?? []))
    if (this.users.has(name)) this.merged.set(name, access)
    return access
  }

  isRoot(name: string): boolean {
    return this.users.get(name)?.roles.includes(ROOT) === true
  }

  putUser(writes: WriteBatch, name: string, user: Omit<User, "name">): void {
    const stored = { ...user, name: Buffer.from(name) }
    this.users.set(name, stored)
    writes.put(Table.Auth, row(USER_ROW, name), User.encode(stored))
  }

  removeUser(writes: WriteBatch, name: string): void {
    this.users.delete(name)
    writes.remove(Table.Auth, row(USER_ROW, name))
  }

  putRole(writes: WriteBatch, name: string, keyPermission: Role["keyPermission"]): void {
    const stored = { name: Buffer.from(name), keyPermission }
    this.roles.set(name, stored)
    writes.put(Table.Auth, row(ROLE_ROW, name), Role.encode(stored))
  }

  removeRole(writes: WriteBatch, name: string): void {
    this.roles.delete(name)
    writes.remove(Table.Auth, row(ROLE_ROW, name))
  }

  /** Ends a change: a new revision, and permissions merged anew. */
  bump(writes: WriteBatch): void {
    this.revision++
    this.merged.clear()
    this.save(writes)
  }

  setEnabled(writes: WriteBatch, enabled: boolean): void {
    this.enabled = enabled
    this.save(writes)
  }

  private save(writes: WriteBatch): void {
    const meta = Buffer.alloc(ENABLED_AT + 1)
    writeRevision(meta, 0, this.revision)
    meta[ENABLED_AT] = this.enabled ? 1 : 0
    writes.put(Table.Meta, MetaKey.auth, meta)
  }
}
