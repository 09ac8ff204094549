// The auth store around its rules: durability, rollback, who calls, and what never leaves it.
import { afterEach, describe, expect, it } from "vitest"
import type { CallInfo } from "../../../core/net/index.ts"
import { AuthStore, type AuthOptions } from "../../../core/storage/auth/AuthStore.ts"
import { bcryptHasher } from "../../../core/storage/auth/BcryptHasherAdapter.ts"
import type { PasswordHasher } from "../../../core/storage/auth/PasswordHasher.ts"
import { makeMemoryEngine } from "../../../core/storage/engine/MemoryEngine.ts"
import { type Engine, Table } from "../../../core/storage/engine/Engine.ts"
import { Store } from "../../../core/storage/mvcc/Store.ts"
import { PutRequest } from "../../../core/storage/rpc/KvMessages.ts"
import { EtcdFailure, Failure } from "../../../core/storage/rpc/EtcdFailure.ts"
import { machineClockwork } from "#kube"

/** A hash that is no secret: what it was made of, which tests can see and must not find elsewhere. */
const plainHasher: PasswordHasher = {
  hash: (password, _cost, done) => setImmediate(() => done(Buffer.from(`hash of ${password}`))),
  compare: (password, hash, done) => setImmediate(() => done(Buffer.from(hash).toString() === `hash of ${password}`))
}

const failing = { next: false }
afterEach(() => void (failing.next = false))

const makeEngine = (): Engine => {
  const engine = makeMemoryEngine({ defer: machineClockwork.defer, clock: machineClockwork.now })
  return {
    ...engine,
    commit: (batch, done) => {
      if (!failing.next) return engine.commit(batch, done)
      failing.next = false
      setImmediate(() => done({ kind: "failed", reason: "io", detail: "planted" }))
    }
  }
}

const open = (engine = makeEngine(), options: Partial<AuthOptions> = {}) => {
  const store = new Store(engine, { defer: machineClockwork.defer, minLeaseTtlSeconds: 1 })
  const token = { kind: "simple", ttlSeconds: 300 } as const
  const auth = new AuthStore(store, machineClockwork, { token, hasher: plainHasher, ...options })
  return { auth, engine, store }
}

const caller = (headers: Readonly<Record<string, string>> = {}, commonName?: string): CallInfo =>
  ({ header: (name: string) => headers[name], tlsPeerCommonName: commonName }) as unknown as CallInfo

type Rules = AuthStore["administration"]
type Change = (rules: Rules, writes: Parameters<Rules["enable"]>[0]) => EtcdFailure | undefined
const change = (auth: AuthStore, run: Change): Promise<EtcdFailure | undefined> =>
  new Promise((resolve) => auth.change((writes) => run(auth.administration, writes), resolve))
const login = (auth: AuthStore, user: string, password: string): Promise<string | EtcdFailure> =>
  new Promise((resolve) => auth.authenticate(user, password, resolve))

const raw = (text: string): Buffer => Buffer.from(text, "latin1")
const hashOf = (password: string): Buffer => raw(`hash of ${password}`)

/** root with its role, and alice who may do everything from a up to c. */
const populate = async (auth: AuthStore): Promise<void> => {
  await change(auth, (rules, writes) => rules.addUser(writes, "root", undefined, hashOf("secret")))
  await change(auth, (rules, writes) => rules.grantRole(writes, "root", "root"))
  await change(auth, (rules, writes) => rules.addUser(writes, "alice", undefined, hashOf("wonder")))
  await change(auth, (rules, writes) => rules.addRole(writes, "reader"))
  const perm = { permType: 2, key: raw("a"), rangeEnd: raw("c") }
  await change(auth, (rules, writes) => rules.grantPermission(writes, "reader", perm))
  await change(auth, (rules, writes) => rules.grantRole(writes, "alice", "reader"))
  await change(auth, (rules, writes) => rules.enable(writes))
}

const none = raw("")

describe("the auth store", () => {
  it("asks nobody while auth is disabled", () => {
    const { auth } = open()
    const untouchable = new Proxy({} as CallInfo, {
      get: () => {
        throw new Error("looked at the call")
      }
    })
    expect(auth.range(untouchable, raw("a"), none)).toBeUndefined()
    expect(auth.put(untouchable, PutRequest.make({ key: raw("a") }))).toBeUndefined()
    expect(auth.requireRoot(untouchable)).toBeUndefined()
    expect(auth.lease(untouchable, 1, "write")).toBeUndefined()
  })

  it("keeps everything over a restart, but not the tokens", async () => {
    const { auth, engine } = open()
    await populate(auth)
    const token = (await login(auth, "alice", "wonder")) as string
    expect(auth.range(caller({ token }), raw("b"), none)).toBeUndefined()
    const again = open(engine).auth
    expect(again.enabled).toBe(true)
    expect(again.revision).toBe(auth.revision)
    expect(again.administration.userNames()).toEqual(["alice", "root"])
    expect(again.range(caller({ token }), raw("b"), none)).toBe(Failure.invalidAuthToken)
    const fresh = (await login(again, "alice", "wonder")) as string
    expect(again.range(caller({ token: fresh }), raw("b"), none)).toBeUndefined()
    expect(again.range(caller({ token: fresh }), raw("c"), none)).toBe(Failure.permissionDenied)
  })

  it("does not move the revision of keys", async () => {
    const { auth, store } = open()
    await populate(auth)
    expect(store.revision).toBe(1)
    expect(auth.revision).toBe(7)
  })

  it("takes back what its commit could not keep, together with all that came after", async () => {
    const { auth } = open()
    await populate(auth)
    const before = auth.revision
    failing.next = true
    const results = await Promise.all([
      change(auth, (rules, writes) => rules.addUser(writes, "bob", undefined, hashOf("builder"))),
      change(auth, (rules, writes) => rules.grantRole(writes, "bob", "reader")),
      change(auth, (rules, writes) => rules.deleteRole(writes, "reader")),
      change(auth, (rules, writes) => rules.disable(writes))
    ])
    expect(results).toEqual(Array.from({ length: 4 }, () => Failure.unhealthy))
    expect(auth.revision).toBe(before)
    expect(auth.enabled).toBe(true)
    expect(auth.administration.userNames()).toEqual(["alice", "root"])
    expect(auth.administration.userRoles("alice")).toEqual(["reader"])
    expect(auth.administration.roleNames()).toEqual(["reader"])
    expect(await change(auth, (rules, writes) => rules.addUser(writes, "bob", undefined, hashOf("x")))).toBeUndefined()
  })

  it("refuses a change without undoing those before it", async () => {
    const { auth } = open()
    const results = await Promise.all([
      change(auth, (rules, writes) => rules.addRole(writes, "one")),
      change(auth, (rules, writes) => rules.addRole(writes, "one")),
      change(auth, (rules, writes) => rules.addRole(writes, "two"))
    ])
    expect(results).toEqual([undefined, Failure.roleAlreadyExists, undefined])
    expect(auth.administration.roleNames()).toEqual(["one", "two"])
  })

  it("checks a password anew when users changed meanwhile", async () => {
    const { auth } = open()
    await populate(auth)
    const waiting = login(auth, "alice", "wonder")
    await change(auth, (rules, writes) => rules.changePassword(writes, "alice", hashOf("other")))
    expect(await waiting).toBe(Failure.authFailed)
    expect(typeof (await login(auth, "alice", "other"))).toBe("string")
  })

  it("gives up when too many passwords wait", async () => {
    const full = {
      ...plainHasher,
      compare: (_p: string, _h: Uint8Array, done: (same: undefined) => void) => done(undefined)
    }
    const { auth } = open(makeEngine(), { hasher: full })
    await populate(auth)
    expect(await login(auth, "alice", "wonder")).toBe(Failure.tooManyRequests)
  })

  it("takes the name on a certificate for a user, unless a gateway shows it", async () => {
    const { auth } = open(makeEngine(), { clientCertAuth: true })
    await populate(auth)
    expect(auth.range(caller({}, "alice"), raw("b"), none)).toBeUndefined()
    expect(auth.requireRoot(caller({}, "alice"))).toBe(Failure.permissionDenied)
    expect(auth.requireRoot(caller({}, "root"))).toBeUndefined()
    expect(auth.requireRoot(caller({ "grpcgateway-accept": "*/*" }, "root"))).toBe(Failure.userEmpty)
    expect(auth.requireRoot(caller({ token: "abc.1" }, "root"))).toBe(Failure.invalidAuthToken)
    expect(auth.range(caller({}, "nobody known"), raw("b"), none)).toBe(Failure.permissionDenied)
    const without = open()
    await populate(without.auth)
    expect(without.auth.requireRoot(caller({}, "root"))).toBe(Failure.userEmpty)
  })

  it("guards the keys of a lease", async () => {
    const { auth, store } = open()
    await populate(auth)
    const token = (await login(auth, "alice", "wonder")) as string
    const { writes } = store.committer.batch
    store.lessor.grant(1, 100, writes)
    store.lessor.attach(raw("b"), 1, writes)
    expect(auth.lease(caller({ token }), 1, "write")).toBeUndefined()
    store.lessor.attach(raw("x"), 1, writes)
    expect(auth.lease(caller({ token }), 1, "write")).toBe(Failure.permissionDenied)
    expect(auth.put(caller({ token }), PutRequest.make({ key: raw("a"), lease: 1 }))).toBe(Failure.permissionDenied)
    expect(auth.put(caller({ token }), PutRequest.make({ key: raw("a") }))).toBeUndefined()
    expect(auth.leases(caller({ token }))).toBe(Failure.permissionDenied)
  })

  it("keeps no password in what it writes", async () => {
    const { auth, engine } = open(makeEngine(), { hasher: bcryptHasher })
    const hash = await new Promise<Uint8Array | undefined>((resolve) => bcryptHasher.hash("wonderland", 4, resolve))
    await change(auth, (rules, writes) => rules.addUser(writes, "alice", undefined, hash))
    const rows: Array<string> = []
    engine.read(
      () => [],
      (view) =>
        view.scan(Table.Auth, none, undefined, (key, value) => {
          rows.push(Buffer.from(key).toString("latin1") + Buffer.from(value).toString("latin1"))
          return true
        })
    )
    expect(rows).toHaveLength(1)
    expect(rows[0]).toContain("$2")
    expect(rows[0]).not.toContain("wonderland")
  })
})

describe("bcrypt beside the loop", () => {
  const compare = (password: string, hash: Uint8Array): Promise<boolean | undefined> =>
    new Promise((resolve) => bcryptHasher.compare(password, hash, resolve))

  it("knows hashes that etcd wrote", async () => {
    // The well-known vectors of OpenBSD's bcrypt: "U*U" and the empty password.
    expect(await compare("U*U", raw("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"))).toBe(true)
    expect(await compare("U*U*", raw("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"))).toBe(false)
    expect(await compare("", raw("$2a$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy"))).toBe(true)
  })

  it("finds no password behind what is no hash", async () => {
    expect(await compare("", none)).toBe(false)
    expect(await compare("a", raw("x".repeat(60)))).toBe(false)
  })

  it("refuses more than it can keep waiting", async () => {
    const results = await Promise.all(
      Array.from(
        { length: 1100 },
        () => new Promise<unknown>((resolve) => bcryptHasher.compare("a", raw("no hash"), resolve))
      )
    )
    expect(results.filter((result) => result === undefined)).toHaveLength(1100 - 1024)
  })
})
