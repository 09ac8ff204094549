// The rules of users, roles and grants: what each administrative request changes, and when it is refused.
// Owns etcd's order of checks and the special standing of root; refuses to ask who calls and to hash passwords.
// Every function decides on the state as it is, changes it and writes its rows, or returns a failure and changes nothing.
// Source: etcd 3.7 server/auth/store.go.
import { GrpcCode } from "#net"
import { compareBytes, type WriteBatch } from "../engine/Engine.ts"
import { PermissionType, type Permission, type User } from "../rpc/AdminMessages.ts"
import { EtcdFailure, Failure } from "../rpc/EtcdFailure.ts"
import { ROOT, sortedNames, type AuthState } from "./AuthState.ts"
import type { Verdict } from "./AuthGate.ts"
import { isGrantable } from "./Permissions.ts"
import type { TokenProvider } from "./Tokens.ts"

/** etcd has no code for it: a password where there can be none, or a hash that is no base64. */
export const passwordOfNoPasswordUser = new EtcdFailure(
  GrpcCode.Unknown,
  "auth: authentication failed, password was given for no password user"
)

const NO_HASH = Buffer.alloc(0)
const everything: Permission = { permType: PermissionType.ReadWrite, key: NO_HASH, rangeEnd: Buffer.alloc(1) }

export class Administration {
  private readonly state: AuthState
  private readonly tokens: TokenProvider

  constructor(state: AuthState, tokens: TokenProvider) {
    this.state = state
    this.tokens = tokens
  }

  enable(writes: WriteBatch): Verdict {
    const { state } = this
    if (state.enabled) return undefined
    if (!state.users.has(ROOT)) return Failure.rootUserNotExist
    if (!state.isRoot(ROOT)) return Failure.rootRoleNotExist
    state.setEnabled(writes, true)
  }

  disable(writes: WriteBatch): Verdict {
    if (!this.state.enabled) return undefined
    this.state.setEnabled(writes, false)
    this.state.bump(writes)
    this.tokens.clear()
  }

  // --- users ---

  /** `hash` is undefined when the request held none that can be read. */
  addUser(writes: WriteBatch, name: string, options: User["options"], hash: Uint8Array | undefined): Verdict {
    if (name.length === 0) return Failure.userEmpty
    if (this.state.users.has(name)) return Failure.userAlreadyExists
    const noPassword = options?.noPassword === true
    if (!noPassword && hash === undefined) return passwordOfNoPasswordUser
    const password = noPassword ? NO_HASH : (hash ?? NO_HASH)
    this.state.putUser(writes, name, { password, roles: [], options: { noPassword } })
    this.state.bump(writes)
  }

  userRoles(name: string): ReadonlyArray<string> | EtcdFailure {
    return this.state.users.get(name)?.roles ?? Failure.userNotFound
  }

  userNames(): ReadonlyArray<string> {
    return sortedNames(this.state.users.keys())
  }

  deleteUser(writes: WriteBatch, name: string): Verdict {
    if (this.state.enabled && name === ROOT) return Failure.invalidAuthManagement
    if (!this.state.users.has(name)) return Failure.userNotFound
    this.state.removeUser(writes, name)
    this.state.bump(writes)
    this.tokens.invalidateUser(name)
  }

  /** `hash` is undefined when the request held none that can be read. */
  changePassword(writes: WriteBatch, name: string, hash: Uint8Array | undefined): Verdict {
    const user = this.state.users.get(name)
    if (user === undefined) return Failure.userNotFound
    const noPassword = user.options?.noPassword === true
    if (!noPassword && hash === undefined) return passwordOfNoPasswordUser
    this.state.putUser(writes, name, { ...user, password: noPassword ? NO_HASH : (hash ?? NO_HASH) })
    this.state.bump(writes)
    this.tokens.invalidateUser(name)
  }

  grantRole(writes: WriteBatch, name: string, role: string): Verdict {
    const user = this.state.users.get(name)
    if (user === undefined) return Failure.userNotFound
    if (role !== ROOT && !this.state.roles.has(role)) return Failure.roleNotFound
    if (user.roles.includes(role)) return undefined
    this.state.putUser(writes, name, { ...user, roles: sortedNames([...user.roles, role]) })
    this.state.bump(writes)
  }

  revokeRole(writes: WriteBatch, name: string, role: string): Verdict {
    if (this.state.enabled && name === ROOT && role === ROOT) return Failure.invalidAuthManagement
    const user = this.state.users.get(name)
    if (user === undefined) return Failure.userNotFound
    if (!user.roles.includes(role)) return Failure.roleNotGranted
    this.state.putUser(writes, name, { ...user, roles: user.roles.filter((held) => held !== role) })
    this.state.bump(writes)
  }

  // --- roles ---

  addRole(writes: WriteBatch, name: string): Verdict {
    if (name.length === 0) return Failure.roleEmpty
    if (this.state.roles.has(name)) return Failure.roleAlreadyExists
    this.state.putRole(writes, name, [])
    this.state.bump(writes)
  }

  rolePermissions(name: string): ReadonlyArray<Permission> | EtcdFailure {
    const role = this.state.roles.get(name)
    if (role === undefined) return Failure.roleNotFound
    return name === ROOT ? [everything] : role.keyPermission
  }

  roleNames(): ReadonlyArray<string> {
    return sortedNames(this.state.roles.keys())
  }

  deleteRole(writes: WriteBatch, name: string): Verdict {
    if (this.state.enabled && name === ROOT) return Failure.invalidAuthManagement
    if (!this.state.roles.has(name)) return Failure.roleNotFound
    this.state.removeRole(writes, name)
    for (const [holder, user] of this.state.users) {
      if (!user.roles.includes(name)) continue
      this.state.putUser(writes, holder, { ...user, roles: user.roles.filter((held) => held !== name) })
    }
    this.state.bump(writes)
  }

  /**
   * Grants, or changes the type of what is granted. As in etcd, only the first permission on a key is compared: one of
   * several that begin at the same key may be listed twice, which permits no more.
   */
  grantPermission(writes: WriteBatch, name: string, given: Permission | undefined): Verdict {
    if (given === undefined) return Failure.permissionNotGiven
    if (!isGrantable(given.key, given.rangeEnd)) return Failure.invalidAuthManagement
    const role = this.state.roles.get(name)
    if (role === undefined) return Failure.roleNotFound
    const permission = { permType: given.permType, key: Buffer.from(given.key), rangeEnd: Buffer.from(given.rangeEnd) }
    const permissions = [...role.keyPermission]
    const at = permissions.findIndex(({ key }) => compareBytes(key, permission.key) >= 0)
    if (at >= 0 && isOn(permissions[at], permission)) permissions[at] = permission
    else permissions.push(permission)
    this.state.putRole(
      writes,
      name,
      permissions.sort((a, b) => compareBytes(a.key, b.key))
    )
    this.state.bump(writes)
  }

  revokePermission(writes: WriteBatch, name: string, on: Omit<Permission, "permType">): Verdict {
    const role = this.state.roles.get(name)
    if (role === undefined) return Failure.roleNotFound
    const kept = role.keyPermission.filter((permission) => !isOn(permission, on))
    if (kept.length === role.keyPermission.length) return Failure.permissionNotGranted
    this.state.putRole(writes, name, kept)
    this.state.bump(writes)
  }
}

const isOn = (permission: Permission, { key, rangeEnd }: Omit<Permission, "permType">): boolean =>
  compareBytes(permission.key, key) === 0 && compareBytes(permission.rangeEnd, rangeEnd) === 0
