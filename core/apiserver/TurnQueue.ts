// What is to happen after the current call has returned: in order, all of it in one turn of the loop.
// Owns that order and the one deferred turn; refuses to know what runs. It holds what one turn produced, and no more.
import type { Clockwork } from "#kube"

export class TurnQueue {
  private readonly defer: Clockwork["defer"]
  private waiting: Array<() => void> = []

  constructor({ defer }: Pick<Clockwork, "defer">) {
    this.defer = defer
  }

  push(run: () => void): void {
    this.waiting.push(run)
    if (this.waiting.length === 1) this.defer(() => this.drain())
  }

  private drain(): void {
    const { waiting } = this
    this.waiting = []
    for (const run of waiting) run()
  }
}
