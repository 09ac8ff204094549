// Keepalive both ways. Owns our own pings (interval, timeout) and the rule for the peer's pings, which is grpc-go's: a ping
// that comes sooner after the last one than the minimum is a strike, anything we send on a stream wipes the strikes, and the
// third strike ends the connection with "too_many_pings". Refuses to own the sending of frames.

/** Strikes that a peer may have; one more ends the connection (grpc-go's maxPingStrikes). */
const strikesMax = 2

/** Keepalive settings in milliseconds; 0 switches a rule off. */
export interface KeepaliveOptions {
  /** How long a connection may be silent before we ping. Default 7,200,000 (two hours), as grpc-go and etcd. */
  readonly intervalMs?: number
  /** How long the answer to our ping may take before the connection is given up. Default 20,000. */
  readonly timeoutMs?: number
  /** How far apart the peer's pings must be. Default 5,000, as etcd. Pings without streams are permitted. */
  readonly minClientIntervalMs?: number
}

/** The peer's pings, counted. */
export class PingPolicy {
  /** Set when we sent HEADERS or DATA: the next ping wipes the strikes. */
  forgiven = true
  private strikes = 0
  private lastMs = Number.NEGATIVE_INFINITY
  private readonly minimumMs: number

  constructor(minimumMs: number) {
    this.minimumMs = minimumMs
  }

  /** Counts a ping; false when the peer has pinged too often. */
  allows(nowMs: number): boolean {
    const tooSoon = nowMs - this.lastMs < this.minimumMs
    this.lastMs = nowMs
    if (this.forgiven) {
      this.forgiven = false
      this.strikes = 0
      return true
    }
    if (tooSoon) this.strikes++
    return this.strikes <= strikesMax
  }
}

/** What the keeper needs of a connection. */
export interface Pingable {
  /** Bytes read so far: any progress counts as life. */
  readonly receivedBytes: number
  ping(): void
  /** No answer came in time. */
  unresponsive(): void
}

/** Our own pings on one connection. */
export class PingKeeper {
  private timer: NodeJS.Timeout | undefined
  private seenBytes = 0
  private waiting = false
  private readonly connection: Pingable
  private readonly intervalMs: number
  private readonly timeoutMs: number

  constructor(connection: Pingable, intervalMs: number, timeoutMs: number) {
    this.connection = connection
    this.intervalMs = intervalMs
    this.timeoutMs = timeoutMs
    this.arm()
  }

  stop(): void {
    clearTimeout(this.timer)
    this.timer = undefined
  }

  private arm(): void {
    if (this.intervalMs <= 0) return
    this.timer = setTimeout(() => this.check(), this.waiting ? this.timeoutMs : this.intervalMs).unref()
  }

  private check(): void {
    const { connection } = this
    const silent = connection.receivedBytes === this.seenBytes
    this.seenBytes = connection.receivedBytes
    if (silent && this.waiting) return connection.unresponsive()
    this.waiting = silent
    if (silent) connection.ping()
    this.arm()
  }
}
