// Which processes reach which, how fast, and how reliably.
// Owns links, partitions and the connections that suffer from them; refuses to know what is sent.
// The model is TCP's: a stream is ordered and free of duplicates; what is lost is sent again later, until a connection breaks.
import type { Kernel } from "../time/Kernel.ts"
import type { RandomStream } from "../time/RandomStream.ts"
import type { SimProcess } from "../time/SimProcess.ts"
import { drawLatency, type Latency } from "./Latency.ts"
import { SimConnection } from "./SimConnection.ts"

export interface LinkProfile {
  readonly latency: Latency
  /** Probability that a message is lost once and sent again after `RETRANSMIT_MS`. */
  readonly lossRate: number
  /** Probability that a message takes its connection down: the message may or may not have arrived. */
  readonly resetRate: number
}

export interface NetworkOptions {
  readonly profile: LinkProfile
  /** Milliseconds of silence after which both ends give a connection up, as keepalives do. */
  readonly breakAfterMs: number
}

const RETRANSMIT_MS = 200
export const defaultNetwork: NetworkOptions = {
  profile: { latency: { kind: "log-normal", medianMs: 0.5, sigma: 0.4 }, lossRate: 0, resetRate: 0 },
  breakAfterMs: 15_000
}

const linkKey = (from: SimProcess, to: SimProcess): number => from.id * 2 ** 20 + to.id

export class Network {
  readonly kernel: Kernel
  readonly breakAfterMs: number
  private readonly random: RandomStream
  private readonly standard: LinkProfile
  private readonly profiles = new Map<number, LinkProfile>()
  private readonly blocked = new Set<number>()
  private readonly connections = new Set<SimConnection>()

  constructor(kernel: Kernel, options: NetworkOptions = defaultNetwork) {
    this.kernel = kernel
    this.breakAfterMs = options.breakAfterMs
    this.standard = options.profile
    this.random = kernel.random.split("network")
  }

  /** Changes how one direction behaves; undefined brings the standard back. */
  setProfile(from: SimProcess, to: SimProcess, profile: LinkProfile | undefined): void {
    if (profile === undefined) this.profiles.delete(linkKey(from, to))
    else this.profiles.set(linkKey(from, to), profile)
  }

  /** Cuts or mends one direction between two processes. */
  setBlocked(from: SimProcess, to: SimProcess, blocked: boolean): void {
    const key = linkKey(from, to)
    if (blocked === this.blocked.has(key)) return
    if (blocked) this.blocked.add(key)
    else this.blocked.delete(key)
    for (const connection of this.connections) connection.reachabilityChanged()
  }

  /** Cuts or mends both directions between every process of one side and every one of the other. */
  setPartition(side: ReadonlyArray<SimProcess>, other: ReadonlyArray<SimProcess>, cut: boolean): void {
    for (const a of side) {
      for (const b of other) {
        this.setBlocked(a, b, cut)
        this.setBlocked(b, a, cut)
      }
    }
  }

  isBlocked(from: SimProcess, to: SimProcess): boolean {
    return this.blocked.size > 0 && this.blocked.has(linkKey(from, to))
  }

  /** Opens a connection; undefined when the other side is down or cannot be reached. */
  connect(client: SimProcess, server: SimProcess): SimConnection | undefined {
    if (!server.up || this.isBlocked(client, server) || this.isBlocked(server, client)) return undefined
    const connection = new SimConnection(this, client, server, () => void this.connections.delete(connection))
    this.connections.add(connection)
    return connection
  }

  /** Milliseconds that the next message in this direction takes. */
  delay(from: SimProcess, to: SimProcess): number {
    const { latency, lossRate } = this.profileOf(from, to)
    const lost = lossRate > 0 && this.random.chance(lossRate)
    return drawLatency(latency, this.random) + (lost ? RETRANSMIT_MS : 0)
  }

  /** Whether the next message in this direction breaks its connection. */
  resets(from: SimProcess, to: SimProcess): boolean {
    const { resetRate } = this.profileOf(from, to)
    return resetRate > 0 && this.random.chance(resetRate)
  }

  private profileOf(from: SimProcess, to: SimProcess): LinkProfile {
    return this.profiles.size === 0 ? this.standard : (this.profiles.get(linkKey(from, to)) ?? this.standard)
  }
}
