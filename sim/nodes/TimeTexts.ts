// The current time as text, for machines that say it thousands of times a second.
// Owns the texts of the last second asked for; refuses the calendar, which #kube has.
import { rfc3339 } from "#kube"

export class TimeTexts {
  private second = -1
  private prefix = ""
  private whole = ""
  private lastMs = Number.NaN
  private last = ""

  /** Milliseconds since the epoch as meta/v1 Time. */
  time(ms: number): string {
    this.turn(ms)
    return this.whole
  }

  /** Milliseconds since the epoch as meta/v1 MicroTime. */
  microTime(ms: number): string {
    if (ms === this.lastMs) return this.last
    this.turn(ms)
    const left = Math.floor(ms - this.second * 1000)
    this.lastMs = ms
    // Joined it is one text; added up it would stay its pieces, in hundreds of thousands of versions.
    return (this.last = [this.prefix, left < 100 ? (left < 10 ? "00" : "0") : "", left, "000Z"].join(""))
  }

  private turn(ms: number): void {
    const second = Math.floor(ms / 1000)
    if (second === this.second) return
    this.second = second
    this.whole = rfc3339(ms)
    this.prefix = `${this.whole.slice(0, -1)}.`
  }
}
