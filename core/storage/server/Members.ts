// Who belongs to the cluster: the member that holds the store, those that stand in front of it, and those announced.
// Owns the list, its row, and etcd's rules for changing it; refuses replication: the other members forward to this one
// (Forwarding.ts), so none of them counts towards a quorum of copies.
import { createHash } from "node:crypto"
import { isDeepStrictEqual } from "node:util"
import { int64, type Int64 } from "#net"
import { Table, type View } from "../engine/Engine.ts"
import { MetaKey } from "../mvcc/Layout.ts"
import { rowNeed } from "../mvcc/Needs.ts"
import type { Store } from "../mvcc/Store.ts"
import { MemberListResponse, type Member } from "../rpc/AdminMessages.ts"
import { EtcdFailure, Failure } from "../rpc/EtcdFailure.ts"

/** Learners at a time (etcd's --max-learners). */
const LEARNERS_MAX = 1
const peerUrl = /^(https?:\/\/[^/\s]+:\d+|unixs?:\/\/\S+)\/?$/

/** The id that etcd gives a member: from its peer URLs and what tells it apart (the cluster's token, or the time). */
export const memberIdOf = (peerUrls: ReadonlyArray<string>, salt: string): Int64 =>
  int64(
    createHash("sha1")
      .update([...peerUrls].sort().join("") + salt)
      .digest()
      .readBigUInt64BE()
  )

/** The cluster's id: from the ids of the members that it began with. */
export const clusterIdOf = (ids: ReadonlyArray<Int64>): Int64 => {
  const bytes = Buffer.alloc(8 * ids.length)
  const sorted = ids.map((id) => BigInt(id)).sort((a, b) => (a < b ? -1 : 1))
  for (const [at, id] of sorted.entries()) bytes.writeBigUInt64BE(id, 8 * at)
  return int64(createHash("sha1").update(bytes).digest().readBigUInt64BE())
}

type Done = (failure: EtcdFailure | undefined) => void

/** A member that has said its name has started once. */
const isStarted = (member: Member): boolean => member.name !== ""

export class Members {
  private readonly store: Store
  private readonly self: Member
  private readonly others: ReadonlyArray<Member>
  private members: ReadonlyArray<Member>

  /** `self` holds the store; `others` are those that the cluster began with. */
  constructor(store: Store, self: Member, others: ReadonlyArray<Member>) {
    this.store = store
    this.self = self
    this.others = others
    this.members = [self, ...others]
    this.reload()
  }

  /** Reads the list as the engine has it. */
  reload(): void {
    this.store.engine.read(
      () => [rowNeed(Table.Meta, MetaKey.members)],
      (view) => this.load(view)
    )
  }

  /** Takes the list over from a View of Meta. */
  load(view: View): void {
    const row = view.get(Table.Meta, MetaKey.members)
    this.members =
      row === undefined
        ? [this.self, ...this.others]
        : restored(MemberListResponse.decode(Buffer.from(row)).members, this.self)
  }

  get list(): ReadonlyArray<Member> {
    return this.members
  }

  /** Announces a member; it counts as started when it joins. */
  add(peerUrls: ReadonlyArray<string>, isLearner: boolean, nowMs: number, done: (added: Member | EtcdFailure) => void) {
    const id = memberIdOf(peerUrls, String(Math.floor(nowMs / 1000)))
    const failure = this.refuseUrls(peerUrls, undefined) ?? this.refuseAddition(id, isLearner)
    if (failure !== undefined) return done(failure)
    const added: Member = { id, name: "", peerUrls, clientUrls: [], isLearner }
    this.save([...this.members, added], (failed) => done(failed ?? added))
  }

  /** Takes a member out; the one that holds the store stays. */
  remove(id: Int64, done: Done): void {
    if (this.find(id) === undefined) return done(Failure.memberNotFound)
    if (id === this.self.id) return done(Failure.memberNotEnoughStarted)
    this.save(
      this.members.filter((member) => member.id !== id),
      done
    )
  }

  update(id: Int64, peerUrls: ReadonlyArray<string>, done: Done): void {
    if (this.find(id) === undefined) return done(Failure.memberNotFound)
    const failure = this.refuseUrls(peerUrls, id)
    if (failure !== undefined) return done(failure)
    this.replace(id, { peerUrls }, done)
  }

  /** Makes a learner a full member; it must have joined. */
  promote(id: Int64, done: Done): void {
    const member = this.find(id)
    if (member === undefined) return done(Failure.memberNotFound)
    if (!member.isLearner) return done(Failure.memberNotLearner)
    if (!isStarted(member)) return done(Failure.learnerNotReady)
    this.replace(id, { isLearner: false }, done)
  }

  /** A member has started and says how clients reach it; it is known by one of its peer URLs. */
  join(name: string, peerUrls: ReadonlyArray<string>, clientUrls: ReadonlyArray<string>, done: Done): void {
    const known = this.members.find((member) => member.peerUrls.some((url) => peerUrls.includes(url)))
    if (known === undefined || known.id === this.self.id) return done(Failure.memberNotFound)
    this.replace(known.id, { name, clientUrls }, done)
  }

  /** A node that shares the engine is there: it belongs to the cluster from now on. */
  enroll(node: Member, done: Done): void {
    const known = this.find(node.id)
    if (known !== undefined && isDeepStrictEqual(known, node)) return done(undefined)
    if (known === undefined) this.save([...this.members, node], done)
    else this.replace(node.id, node, done)
  }

  private find(id: Int64): Member | undefined {
    return this.members.find((member) => member.id === id)
  }

  private refuseUrls(peerUrls: ReadonlyArray<string>, owner: Int64 | undefined): EtcdFailure | undefined {
    if (peerUrls.length === 0 || !peerUrls.every((url) => peerUrl.test(url))) return Failure.memberBadUrls
    const taken = this.members.some(
      ({ id, peerUrls: urls }) => id !== owner && urls.some((url) => peerUrls.includes(url))
    )
    return taken ? Failure.peerUrlExists : undefined
  }

  private refuseAddition(id: Int64, isLearner: boolean): EtcdFailure | undefined {
    if (this.find(id) !== undefined) return Failure.memberExists
    const learners = this.members.filter((member) => member.isLearner).length
    if (isLearner) return learners < LEARNERS_MAX ? undefined : Failure.tooManyLearners
    const voters = this.members.filter((member) => !member.isLearner)
    const started = voters.filter(isStarted).length
    const quorum = Math.floor((voters.length + 1) / 2) + 1
    return voters.length === 1 || started >= quorum ? undefined : Failure.memberNotEnoughStarted
  }

  private replace(id: Int64, change: Partial<Member>, done: Done): void {
    this.save(
      this.members.map((member) => (member.id === id ? { ...member, ...change } : member)),
      done
    )
  }

  private save(members: ReadonlyArray<Member>, done: Done): void {
    const before = this.members
    this.members = members
    const row = MemberListResponse.encode({ members })
    this.store.writeRows<undefined>(
      ({ batch }) => {
        batch.writes.put(Table.Meta, MetaKey.members, row)
        return undefined
      },
      (failure) => {
        if (failure !== undefined) this.members = before
        done(failure)
      }
    )
  }
}

/** The stored list, with this member named and reached as its flags say now. */
const restored = (stored: ReadonlyArray<Member>, self: Member): ReadonlyArray<Member> => {
  const known = stored.some(({ id }) => id === self.id)
  const list = stored.map((member) =>
    member.id === self.id ? { ...member, name: self.name, clientUrls: self.clientUrls } : member
  )
  return known ? list : [self, ...list]
}
