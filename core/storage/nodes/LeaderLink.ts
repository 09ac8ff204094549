// A follower's way to the leader: one connection, opened anew when it breaks or when another leads, and the stream on it by which
// the leader tells of commits.
// Owns the connection; refuses to repeat calls, which only those who know what they did may decide.
import type { Cancel, Clockwork } from "#kube"
import type { ClientStream, GrpcClient } from "#net"
import { FollowRequest, FollowUpdate, type TermRecord } from "./TermRecord.ts"

/** The stream by which a leader tells of commits; served on the peer URLs only. */
export const FOLLOW_PATH = "/kubewharf.storage.Peer/Follow"

/** Opens a connection: answers once with a client, or with nothing; `lost` is called once when a client's connection is over. */
export type Dial = (url: string, opened: (client: GrpcClient | undefined) => void, lost: () => void) => void

/** Between attempts, in milliseconds. */
const RETRY_MS = 50

export interface LeaderLinkOptions {
  readonly clockwork: Clockwork
  readonly dial: Dial
  readonly self: Pick<TermRecord, "leaderId" | "name" | "peerUrls" | "clientUrls">
  /** The leader is reached, or no longer. */
  readonly changed: () => void
  /** The leader told of its row and its revision. */
  readonly told: (record: Uint8Array, revision: number) => void
}

export class LeaderLink {
  private readonly options: LeaderLinkOptions
  private urls: ReadonlyArray<string> = []
  private attempt = 0
  private current: GrpcClient | undefined
  private stream: ClientStream | undefined
  private retry: Cancel = () => undefined

  constructor(options: LeaderLinkOptions) {
    this.options = options
  }

  /** The connection, when it is good for calls. */
  get client(): GrpcClient | undefined {
    return this.current?.ready === true ? this.current : undefined
  }

  /** Connects to one of these URLs from now on; to none when there are none. */
  aim(urls: ReadonlyArray<string>): void {
    if (urls.join() === this.urls.join()) return
    this.urls = urls
    this.drop()
    this.connect(0)
  }

  private drop(): void {
    this.attempt++
    this.retry()
    const { current, stream } = this
    this.current = undefined
    this.stream = undefined
    stream?.cancel()
    current?.close()
  }

  private connect(at: number): void {
    const url = this.urls.at(at % Math.max(1, this.urls.length))
    if (url === undefined) return
    const attempt = ++this.attempt
    const again = (): void => {
      if (attempt !== this.attempt) return
      this.drop()
      this.options.changed()
      this.retry = this.options.clockwork.after(RETRY_MS, () => this.connect(at + 1))
    }
    this.options.dial(
      url,
      (client) => {
        if (client === undefined) return again()
        if (attempt !== this.attempt) return client.close()
        this.current = client
        this.follow(client, again)
        this.options.changed()
      },
      again
    )
  }

  private follow(client: GrpcClient, again: () => void): void {
    const { leaderId: id, ...self } = this.options.self
    const stream = client.stream(FOLLOW_PATH, {
      message: (bytes) => {
        const { record, revision } = FollowUpdate.decode(Buffer.from(bytes))
        this.options.told(record, Number(revision))
      },
      // Whoever is there does not lead, or no longer: the row says who does, and until it says so the same one is asked again.
      end: again
    })
    this.stream = stream
    stream.send(FollowRequest.encode({ ...self, id }))
  }
}
