// The header of every answer: cluster, member, revision, term.
// Owns its bytes, kept from call to call while the revision stands still; refuses to know the answers it heads.
import { ProtoWriter, type Int64 } from "#net"

const HEADER = 0x0a
const CLUSTER_ID = 0x08
const MEMBER_ID = 0x10
const REVISION = 0x18
const RAFT_TERM = 0x20

export interface Identity {
  readonly clusterId: Int64
  readonly memberId: Int64
  /** Of the member that leads; changes where several take turns. */
  readonly term: number
}

export class Header {
  readonly identity: Identity
  private readonly writer = new ProtoWriter(64)
  private revision = -1
  private term = -1

  constructor(identity: Identity) {
    this.identity = identity
  }

  /** Writes the header field at the start of an answer. */
  write(target: ProtoWriter, revision: number): void {
    if (revision !== this.revision || this.identity.term !== this.term) this.encode(revision)
    target.raw(this.writer.view())
  }

  /** The header as a message, for answers written from tables. */
  message(revision: number) {
    const { clusterId, memberId, term } = this.identity
    return { clusterId, memberId, revision, raftTerm: term }
  }

  private encode(revision: number): void {
    const { writer } = this
    writer.position = 0
    const start = writer.open(HEADER)
    writer.int64Field(CLUSTER_ID, this.identity.clusterId)
    writer.int64Field(MEMBER_ID, this.identity.memberId)
    if (revision !== 0) writer.int64Field(REVISION, revision)
    if (this.identity.term !== 0) writer.int64Field(RAFT_TERM, this.identity.term)
    writer.close(start)
    this.revision = revision
    this.term = this.identity.term
  }
}
