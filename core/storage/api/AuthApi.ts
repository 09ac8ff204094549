// etcd's Auth service: users, roles, permissions, passwords and tokens.
// Owns the way from a call to the auth store and back, and the hashing before it; refuses the rules, which auth/ has.
// Reads are answered like writes, when all before them is durable: in etcd they go through the log as well.
import { GrpcCode, type GrpcMethod, type Message, type UnaryCall } from "#net"
import type { Administration } from "../auth/Administration.ts"
import type { Verdict } from "../auth/AuthGate.ts"
import type { AuthStore } from "../auth/AuthStore.ts"
import { PASSWORD_MAX_BYTES } from "../auth/PasswordHasher.ts"
import type { Caller } from "../auth/Tokens.ts"
import type { WriteBatch } from "../engine/Engine.ts"
import {
  AuthenticateRequest,
  AuthenticateResponse,
  AuthNameRequest,
  AuthRoleGetRequest,
  AuthRoleGetResponse,
  AuthRoleGrantPermissionRequest,
  AuthRoleRevokePermissionRequest,
  AuthStatusResponse,
  AuthUserAddRequest,
  AuthUserChangePasswordRequest,
  AuthUserGrantRoleRequest,
  AuthUserRevokeRoleRequest,
  Empty,
  HeaderOnly,
  NamesResponse
} from "../rpc/AdminMessages.ts"
import { EtcdFailure, Failure } from "../rpc/EtcdFailure.ts"
import { answer, unary, type ApiContext } from "./ApiContext.ts"

const passwordTooLong = new EtcdFailure(GrpcCode.Unknown, `bcrypt: password length exceeds ${PASSWORD_MAX_BYTES} bytes`)

/** The bytes of a base64 text as Go's StdEncoding takes it (padded, line breaks allowed), or undefined. */
const decodeHash = (text: string): Uint8Array | undefined => {
  const bare = text.replace(/[\r\n]/g, "")
  const valid = /^(?:[A-Za-z\d+/]{4})*(?:[A-Za-z\d+/]{2}==|[A-Za-z\d+/]{3}=)?$/.test(bare)
  return valid ? Buffer.from(bare, "base64") : undefined
}

export const authMethods = (context: ApiContext, auth: AuthStore): ReadonlyArray<GrpcMethod> => {
  const service = new AuthService(context, auth)
  const { administration } = auth
  return [
    ...service.statusMethods(),
    ...service.userMethods(),
    service.changing("UserGrantRole", AuthUserGrantRoleRequest, (rules, writes, { role, user }) =>
      rules.grantRole(writes, user, role)
    ),
    service.changing("UserRevokeRole", AuthUserRevokeRoleRequest, (rules, writes, { name, role }) =>
      rules.revokeRole(writes, name, role)
    ),
    service.changing("RoleAdd", AuthNameRequest, (rules, writes, { name }) => rules.addRole(writes, name)),
    service.reading("RoleGet", AuthRoleGetRequest, AuthRoleGetResponse, (who, { role }) => {
      const perm = denied(auth, who, auth.holdsRole(who.user, role)) ?? administration.rolePermissions(role)
      return perm instanceof EtcdFailure ? perm : { perm }
    }),
    service.reading(
      "RoleList",
      Empty,
      NamesResponse,
      (who) => auth.administers(who) ?? { names: administration.roleNames() }
    ),
    service.changing("RoleDelete", AuthRoleGetRequest, (rules, writes, { role }) => rules.deleteRole(writes, role)),
    service.changing("RoleGrantPermission", AuthRoleGrantPermissionRequest, (rules, writes, { name, perm }) =>
      rules.grantPermission(writes, name, perm)
    ),
    service.changing("RoleRevokePermission", AuthRoleRevokePermissionRequest, (rules, writes, { role, ...on }) =>
      rules.revokePermission(writes, role, on)
    )
  ]
}

/** Why a caller may not see what only root and the one concerned may. */
const denied = (auth: AuthStore, who: Caller, isConcerned: boolean): Verdict =>
  isConcerned ? undefined : auth.administers(who)

class AuthService {
  private readonly context: ApiContext
  private readonly auth: AuthStore

  constructor(context: ApiContext, auth: AuthStore) {
    this.context = context
    this.auth = auth
  }

  statusMethods(): ReadonlyArray<GrpcMethod> {
    const { auth, context } = this
    return [
      this.changing("AuthEnable", Empty, (rules, writes) => rules.enable(writes)),
      this.changing("AuthDisable", Empty, (rules, writes) => rules.disable(writes)),
      this.reading("AuthStatus", Empty, AuthStatusResponse, () => ({
        enabled: auth.enabled,
        authRevision: auth.revision
      })),
      this.method("Authenticate", AuthenticateRequest, ({ name, password }, call) =>
        auth.authenticate(name, password, (token) =>
          answer(
            call,
            AuthenticateResponse,
            token instanceof EtcdFailure ? token : { header: context.header.message(context.store.revision), token }
          )
        )
      )
    ]
  }

  userMethods(): ReadonlyArray<GrpcMethod> {
    const { auth } = this
    const { administration } = auth
    return [
      this.method("UserAdd", AuthUserAddRequest, ({ name, options, password }, call) => {
        const add = (hash: Uint8Array | undefined): void =>
          this.change(call, (rules, writes) => rules.addUser(writes, name, options, hash))
        if (options?.noPassword === true) add(undefined)
        else this.hashed(call, password, add)
      }),
      this.reading("UserGet", AuthNameRequest, NamesResponse, (who, { name }) => {
        const names = denied(auth, who, who.user === name) ?? administration.userRoles(name)
        return names instanceof EtcdFailure ? names : { names }
      }),
      this.reading(
        "UserList",
        Empty,
        NamesResponse,
        (who) => auth.administers(who) ?? { names: administration.userNames() }
      ),
      this.changing("UserDelete", AuthNameRequest, (rules, writes, { name }) => rules.deleteUser(writes, name)),
      this.method("UserChangePassword", AuthUserChangePasswordRequest, ({ hashedPassword, name, password }, call) => {
        const change = (hash: Uint8Array | undefined): void =>
          this.change(call, (rules, writes) => rules.changePassword(writes, name, hash))
        if (password === "") change(decodeHash(hashedPassword))
        else this.hashed(call, password, change)
      })
    ]
  }

  private method<T extends object>(
    name: string,
    codec: Message<T>,
    run: (request: T, call: UnaryCall) => void
  ): GrpcMethod {
    return unary(`/etcdserverpb.Auth/${name}`, codec, run)
  }

  /** A method of root's that changes something. */
  changing<T extends object>(
    name: string,
    codec: Message<T>,
    run: (rules: Administration, writes: WriteBatch, request: T) => Verdict
  ): GrpcMethod {
    return this.method(name, codec, (request, call) =>
      this.change(call, (rules, writes) => run(rules, writes, request))
    )
  }

  private change(call: UnaryCall, run: (rules: Administration, writes: WriteBatch) => Verdict): void {
    const { auth, context } = this
    auth.change(
      (writes) => auth.requireRoot(call) ?? run(auth.administration, writes),
      (failure, revision) => answer(call, HeaderOnly, failure ?? { header: context.header.message(revision) })
    )
  }

  /** A method that shows something; its result gets the header. */
  reading<T extends object, R extends object>(
    name: string,
    codec: Message<T>,
    answered: Message<R>,
    run: (who: Caller, request: T) => Partial<R> | EtcdFailure
  ): GrpcMethod {
    const { auth, context } = this
    return this.method(name, codec, (request, call) => {
      const who = auth.identify(call)
      const result = who instanceof EtcdFailure ? who : run(who, request)
      context.store.committer.whenDurable((failure) => {
        if (failure !== undefined || result instanceof EtcdFailure) return answer(call, answered, failure ?? result)
        const header = context.header.message(context.store.revision)
        answer<R>(call, answered, { ...result, header })
      })
    })
  }

  /**
   * Hashes a password beside the loop. A caller who may not change users is told so before any work is done; one with a
   * password that bcrypt would cut off even before that, as by etcd.
   */
  private hashed(call: UnaryCall, password: string, use: (hash: Uint8Array) => void): void {
    const { auth } = this
    if (Buffer.byteLength(password) > PASSWORD_MAX_BYTES) return answer(call, HeaderOnly, passwordTooLong)
    const refused = auth.requireRoot(call)
    if (refused !== undefined) return answer(call, HeaderOnly, refused)
    auth.hasher.hash(password, auth.bcryptCost, (hash) => {
      if (hash === undefined) answer(call, HeaderOnly, Failure.tooManyRequests)
      else if (!call.cancelled) use(hash)
    })
  }
}
