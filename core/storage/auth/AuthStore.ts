// Authentication and permissions of a store: who calls, and whether they may.
// Owns the answers to the API's questions (AuthGate), the check of passwords and the way of a change to durability.
// Refuses the rules of administration (Administration.ts) and the forms of tokens. While auth is disabled every question
// costs one boolean test.
import type { CallInfo } from "#net"
import { Table, type WriteBatch } from "../engine/Engine.ts"
import { MetaKey } from "../mvcc/Layout.ts"
import type { Store } from "../mvcc/Store.ts"
import { isReadOnly } from "../mvcc/Txn.ts"
import { EtcdFailure, Failure } from "../rpc/EtcdFailure.ts"
import type { DeleteRangeRequest, LeaseId, PutRequest, RequestOp, TxnRequest } from "../rpc/KvMessages.ts"
import type { Clockwork } from "#kube"
import { Administration, passwordOfNoPasswordUser } from "./Administration.ts"
import type { AuthGate, Verdict } from "./AuthGate.ts"
import { AuthState } from "./AuthState.ts"
import { bcryptHasher } from "./BcryptHasherAdapter.ts"
import { machineEntropy, type Entropy } from "./EntropyAdapter.ts"
import { JwtTokens } from "./JwtTokens.ts"
import type { PasswordHasher } from "./PasswordHasher.ts"
import { SimpleTokens } from "./SimpleTokens.ts"
import type { TokenOptions } from "./TokenOptions.ts"
import { NOBODY, noTokens, type Caller, type TokenProvider } from "./Tokens.ts"
import { isVouchedFor } from "./Vouched.ts"

export interface AuthOptions {
  readonly token: TokenOptions
  /** Cost of new password hashes, 4 to 31 (`--bcrypt-cost`); 10 when absent or out of that. */
  readonly bcryptCost?: number
  /** Whether the common name of a verified client certificate is a user (`--client-cert-auth`). */
  readonly clientCertAuth?: boolean
  readonly hasher?: PasswordHasher
  readonly entropy?: Entropy
}

const COST_DEFAULT = 10
const COST_MIN = 4
const COST_MAX = 31
/** Times that a password is checked anew because users or roles changed meanwhile. */
const CHECKS_MAX = 10
const NO_END = new Uint8Array(0)

const makeTokens = (options: AuthOptions, { monotonic, now }: Clockwork): TokenProvider => {
  const { entropy = machineEntropy, token } = options
  if (token.kind === "none") return noTokens
  if (token.kind === "jwt") return new JwtTokens(token.signer, token.ttlMs, now)
  return new SimpleTokens({ ttlMs: token.ttlSeconds * 1000, clock: monotonic, entropy })
}

export class AuthStore implements AuthGate {
  readonly hasher: PasswordHasher
  readonly bcryptCost: number
  readonly administration: Administration
  private readonly store: Store
  private readonly tokens: TokenProvider
  private readonly clientCertAuth: boolean
  private readonly state = new AuthState()

  constructor(store: Store, clockwork: Clockwork, options: AuthOptions) {
    const { bcryptCost = COST_DEFAULT, clientCertAuth = false, hasher = bcryptHasher } = options
    this.store = store
    this.hasher = hasher
    this.bcryptCost = bcryptCost >= COST_MIN && bcryptCost <= COST_MAX ? bcryptCost : COST_DEFAULT
    this.clientCertAuth = clientCertAuth
    this.tokens = makeTokens(options, clockwork)
    this.administration = new Administration(this.state, this.tokens)
    this.reload()
  }

  get enabled(): boolean {
    return this.state.enabled
  }

  get revision(): number {
    return this.state.revision
  }

  /** Whether tokens are good on the node that gave them alone. */
  get hasLocalTokens(): boolean {
    return this.tokens instanceof SimpleTokens
  }

  /** Reads users, roles and whether they matter as the engine has it. */
  reload(): void {
    this.store.engine.read(
      () => loadNeeds,
      (view) => this.state.load(view)
    )
  }

  // --- who calls ---

  /** Who calls: by token, else by certificate, else nobody; a failure for a token that is none. */
  identify(call: CallInfo): Caller | EtcdFailure {
    if (!this.state.enabled) return NOBODY
    const token = call.header("token") ?? call.header("authorization")
    if (token !== undefined) {
      const bare = token.startsWith("Bearer ") ? token.slice("Bearer ".length) : token
      return this.tokens.holder(bare, this.state.revision) ?? Failure.invalidAuthToken
    }
    const name = this.clientCertAuth ? call.tlsPeerCommonName : undefined
    // A gateway forwards the calls of others with its own certificate, so its name says nothing about them.
    if (name === undefined || call.header("grpcgateway-accept") !== undefined) return NOBODY
    return { user: name, revision: this.state.revision }
  }

  /** Whether a caller has the root role. */
  administers(who: Caller): Verdict {
    if (!this.state.enabled) return undefined
    if (who.user === "") return Failure.userEmpty
    if (!this.state.users.has(who.user)) return Failure.userNotFound
    return this.state.isRoot(who.user) ? undefined : Failure.permissionDenied
  }

  /** Whether a user has a role by name. */
  holdsRole(user: string, role: string): boolean {
    return this.state.users.get(user)?.roles.includes(role) === true
  }

  private permits(who: Caller, key: Uint8Array, rangeEnd: Uint8Array, access: "read" | "write"): Verdict {
    const { state } = this
    if (who.revision === 0) return Failure.userEmpty
    if (who.revision < state.revision) return Failure.authOldRevision
    if (state.isRoot(who.user)) return undefined
    return state.access(who.user)[access].covers(key, rangeEnd) ? undefined : Failure.permissionDenied
  }

  /** A proof from another revision, even a later one (of a store that was set back), reads nothing. */
  private isCurrent(who: Caller): Verdict {
    return who.revision === 0 || who.revision === this.state.revision ? undefined : Failure.authOldRevision
  }

  // --- AuthGate ---

  requireRoot(call: CallInfo): Verdict {
    if (!this.state.enabled) return undefined
    const who = this.identify(call)
    return who instanceof EtcdFailure ? who : this.administers(who)
  }

  requireUser(call: CallInfo): Verdict {
    if (!this.state.enabled || isVouchedFor(call)) return undefined
    const who = this.identify(call)
    if (who instanceof EtcdFailure) return who
    return who === NOBODY ? Failure.userEmpty : undefined
  }

  range(call: CallInfo, key: Uint8Array, rangeEnd: Uint8Array): Verdict {
    if (!this.state.enabled) return undefined
    const who = this.identify(call)
    if (who instanceof EtcdFailure) return who
    return this.permits(who, key, rangeEnd, "read") ?? this.isCurrent(who)
  }

  watch(call: CallInfo, key: Uint8Array, rangeEnd: Uint8Array): Verdict {
    if (!this.state.enabled) return undefined
    const who = this.identify(call)
    return who instanceof EtcdFailure ? who : this.permits(who, key, rangeEnd, "read")
  }

  put(call: CallInfo, request: PutRequest): Verdict {
    if (!this.state.enabled) return undefined
    const who = this.identify(call)
    return who instanceof EtcdFailure ? who : this.permitsPut(who, request)
  }

  private permitsPut(who: Caller, { key, lease, prevKv }: PutRequest): Verdict {
    return (
      this.permits(who, key, NO_END, "write") ??
      // The lease's end will delete the key in this user's name, together with those that it holds already.
      (lease === 0 ? undefined : this.permitsLease(who, lease, "write")) ??
      (prevKv ? this.permits(who, key, NO_END, "read") : undefined)
    )
  }

  deleteRange(call: CallInfo, request: DeleteRangeRequest): Verdict {
    if (!this.state.enabled) return undefined
    const who = this.identify(call)
    return who instanceof EtcdFailure ? who : this.permitsDelete(who, request)
  }

  private permitsDelete(who: Caller, { key, prevKv, rangeEnd }: DeleteRangeRequest): Verdict {
    return this.permits(who, key, rangeEnd, "write") ?? (prevKv ? this.permits(who, key, rangeEnd, "read") : undefined)
  }

  txn(call: CallInfo, request: TxnRequest): Verdict {
    if (!this.state.enabled) return undefined
    const who = this.identify(call)
    if (who instanceof EtcdFailure) return who
    return this.permitsTxn(who, request) ?? (isReadOnly(request) ? this.isCurrent(who) : undefined)
  }

  private permitsTxn(who: Caller, { compare, failure, success }: TxnRequest): Verdict {
    for (const { key, rangeEnd } of compare) {
      const denied = this.permits(who, key, rangeEnd, "read")
      if (denied !== undefined) return denied
    }
    for (const op of [...success, ...failure]) {
      const denied = this.permitsOp(who, op)
      if (denied !== undefined) return denied
    }
  }

  private permitsOp(who: Caller, op: RequestOp): Verdict {
    if (op.requestRange !== undefined) return this.permits(who, op.requestRange.key, op.requestRange.rangeEnd, "read")
    if (op.requestPut !== undefined) return this.permitsPut(who, op.requestPut)
    if (op.requestDeleteRange !== undefined) return this.permitsDelete(who, op.requestDeleteRange)
    return op.requestTxn === undefined ? undefined : this.permitsTxn(who, op.requestTxn)
  }

  lease(call: CallInfo, id: LeaseId, access: "read" | "write"): Verdict {
    if (!this.state.enabled) return undefined
    const who = this.identify(call)
    if (who instanceof EtcdFailure) return who
    return who === NOBODY ? Failure.userEmpty : this.permitsLease(who, id, access)
  }

  leases(call: CallInfo): Verdict {
    if (!this.state.enabled) return undefined
    const who = this.identify(call)
    if (who instanceof EtcdFailure) return who
    if (who === NOBODY) return Failure.userEmpty
    for (const { id } of this.store.lessor.all()) {
      const denied = this.permitsLease(who, id, "read")
      if (denied !== undefined) return denied
    }
  }

  private permitsLease(who: Caller, id: LeaseId, access: "read" | "write"): Verdict {
    if (this.administers(who) === undefined) return undefined
    for (const text of this.store.lessor.lookup(id)?.keys ?? []) {
      const denied = this.permits(who, Buffer.from(text, "latin1"), NO_END, access)
      if (denied !== undefined) return denied
    }
  }

  // --- changes ---

  /** Runs a change and answers when it is durable; when its commit fails, what was changed since the last one is undone. */
  change(run: (writes: WriteBatch) => Verdict, answer: (failure: Verdict, revision: number) => void): void {
    let refusal: Verdict
    this.store.writeRows<undefined>(
      ({ batch }) => {
        refusal = run(batch.writes)
        return refusal
      },
      (failure, revision) => {
        if (failure !== undefined && failure !== refusal) this.reload()
        answer(failure, revision)
      }
    )
  }

  /** Checks a password beside the loop and answers with a token, or the failure. */
  authenticate(user: string, password: string, answer: (token: string | EtcdFailure) => void, checks = 1): void {
    const found = this.passwordOf(user)
    if (found instanceof EtcdFailure) return answer(found)
    const { revision } = this.state
    this.hasher.compare(password, found, (same) => {
      if (same === undefined || checks > CHECKS_MAX) return answer(Failure.tooManyRequests)
      if (!same) return answer(Failure.authFailed)
      // What was checked may be gone by now, and the token must speak for what is.
      if (revision !== this.state.revision) return this.authenticate(user, password, answer, checks + 1)
      if (!this.state.enabled) return answer(Failure.authNotEnabled)
      const token = this.tokens.assign(user, revision)
      this.store.committer.whenDurable((failure) => answer(failure ?? token))
    })
  }

  private passwordOf(name: string): Uint8Array | EtcdFailure {
    if (!this.state.enabled) return Failure.authNotEnabled
    const user = this.state.users.get(name)
    if (user === undefined) return Failure.authFailed
    return user.options?.noPassword === true ? passwordOfNoPasswordUser : user.password
  }
}

const loadNeeds = [
  { table: Table.Meta, start: MetaKey.auth, end: MetaKey.auth, limit: 1 },
  { table: Table.Auth, start: NO_END, end: undefined, limit: 0 }
]
