// How fast the world turns: events per second of real time, and virtual seconds per real one.
// Owns the arithmetic; refuses to read the machine's clock, which is handed in.
import type { Kernel } from "./Kernel.ts"

export interface SpeedReading {
  readonly events: number
  readonly virtualMs: number
  readonly wallMs: number
  readonly eventsPerSecond: number
  /** Virtual time by real time: 100 means a hundred times real time. */
  readonly timesRealTime: number
}

export class SpeedMeter {
  private readonly kernel: Kernel
  private readonly wallMs: () => number
  private fromEvents = 0
  private fromVirtualMs = 0
  private fromWallMs = 0

  /** `wallMs` reads the real clock in milliseconds. */
  constructor(kernel: Kernel, wallMs: () => number) {
    this.kernel = kernel
    this.wallMs = wallMs
    this.restart()
  }

  restart(): void {
    this.fromEvents = this.kernel.log.count
    this.fromVirtualMs = this.kernel.nowMs
    this.fromWallMs = this.wallMs()
  }

  /** What happened since the last restart. */
  read(): SpeedReading {
    const events = this.kernel.log.count - this.fromEvents
    const virtualMs = this.kernel.nowMs - this.fromVirtualMs
    const wallMs = this.wallMs() - this.fromWallMs
    const per = wallMs > 0 ? 1 / wallMs : 0
    return { events, virtualMs, wallMs, eventsPerSecond: events * per * 1000, timesRealTime: virtualMs * per }
  }
}
