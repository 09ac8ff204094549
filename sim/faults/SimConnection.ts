// One connection between two processes: two ordered streams of messages that end together.
// Owns order, delivery and the many ways in which it breaks; refuses to reconnect, which is its user's to decide.
// A message is code that runs in the receiving process when it arrives.
import type { EventHandle } from "../time/EventHeap.ts"
import type { SimProcess } from "../time/SimProcess.ts"
import type { Network } from "./Network.ts"

/** Which end of a connection. */
export type Side = "client" | "server"

/** What a message needs besides the way: `arrivalMs` is told when it would be there, and says when it counts. */
export interface Lane {
  readonly arrivalMs: (wayMs: number) => number
}

/** Messages that wait in one direction while it is cut; beyond, the connection breaks, as full buffers make it do. */
const WAITING_MAX = 100_000

interface Message {
  readonly deliver: () => void
  readonly lane: Lane | undefined
}

interface Direction {
  readonly from: SimProcess
  readonly to: SimProcess
  readonly waiting: Array<Message>
  lastArrivalMs: number
}

export class SimConnection {
  /** Called in each process, once, when the connection is over and that side learns of it. */
  readonly onBroken: { client: (() => void) | undefined; server: (() => void) | undefined } = {
    client: undefined,
    server: undefined
  }
  broken = false
  private readonly network: Network
  private readonly directions: { readonly client: Direction; readonly server: Direction }
  private readonly forget: () => void
  private giveUp: EventHandle | undefined

  constructor(network: Network, client: SimProcess, server: SimProcess, forget: () => void) {
    this.network = network
    this.directions = {
      client: { from: client, to: server, waiting: [], lastArrivalMs: 0 },
      server: { from: server, to: client, waiting: [], lastArrivalMs: 0 }
    }
    const stops = [client.onCrash(() => this.break("client")), server.onCrash(() => this.break("server"))]
    this.forget = () => {
      for (const stop of stops) stop()
      forget()
    }
  }

  /** Sends from one side; `deliver` runs in the other process, after all that was sent before, and when its lane lets it. */
  send(side: Side, deliver: () => void, lane?: Lane): void {
    if (this.broken) return
    const direction = this.directions[side]
    const { from, to, waiting } = direction
    if (waiting.length > 0 || this.network.isBlocked(from, to)) {
      if (waiting.length >= WAITING_MAX) return this.break()
      waiting.push({ deliver, lane })
      return
    }
    if (this.network.resets(from, to)) {
      // The message may have been on its way when the connection went down.
      if (this.network.resets(to, from)) this.deliver(direction, deliver, lane)
      return this.break()
    }
    this.deliver(direction, deliver, lane)
  }

  /** The network changed: what waited goes out, or the time until the connection is given up begins. */
  reachabilityChanged(): void {
    const { client, server } = this.directions
    const cut = this.network.isBlocked(client.from, client.to) || this.network.isBlocked(server.from, server.to)
    for (const direction of [client, server]) {
      if (this.network.isBlocked(direction.from, direction.to)) continue
      for (const { deliver, lane } of direction.waiting.splice(0)) this.deliver(direction, deliver, lane)
    }
    const { kernel } = this.network
    if (cut && this.giveUp === undefined) {
      this.giveUp = kernel.closureAt(kernel.nowMs + this.network.breakAfterMs, kernel.process("network"), () =>
        this.break()
      )
    } else if (!cut && this.giveUp !== undefined) {
      kernel.cancel(this.giveUp)
      this.giveUp = undefined
    }
  }

  /** Ends the connection. The side that is named knows already; the other learns of it after the way there. */
  break(by?: Side): void {
    if (this.broken) return
    this.broken = true
    if (this.giveUp !== undefined) this.network.kernel.cancel(this.giveUp)
    this.forget()
    for (const side of ["client", "server"] as const) {
      if (side === by) continue
      const { from, to } = this.directions[side]
      const { kernel } = this.network
      kernel.closureAt(kernel.nowMs + this.network.delay(to, from), from, () => this.onBroken[side]?.())
    }
  }

  private deliver(direction: Direction, deliver: () => void, lane: Lane | undefined): void {
    const { kernel } = this.network
    const { from, to } = direction
    direction.lastArrivalMs = Math.max(direction.lastArrivalMs, kernel.nowMs + this.network.delay(from, to))
    kernel.closureAt(lane?.arrivalMs(direction.lastArrivalMs) ?? direction.lastArrivalMs, to, deliver)
  }
}
