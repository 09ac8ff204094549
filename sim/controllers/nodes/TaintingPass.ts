// Lets waiting nodes through to their taints, every tenth of a second while any waits and its zone's rate allows one.
// Owns the timer and the calls under way; which nodes wait, and how fast they go, is the zones'.
import { Effect } from "effect"
import { type Cancel, type ClockworkRuntime, type KubeObject, makeClockworkRuntime } from "#kube"
import type { Manager } from "../Manager.ts"
import { NOT_READY, UNREACHABLE } from "./NodeFacts.ts"
import { swapTaints } from "./NodeWrites.ts"
import type { ZoneStates } from "./ZoneStates.ts"

const EVERY_MS = 100

export class TaintingPass {
  readonly #manager: Manager
  readonly #zones: ZoneStates
  /** Taints a node; answers milliseconds after which to try again, undefined when it is done with. */
  readonly #taint: (node: string) => Effect.Effect<number | undefined>
  readonly #runtime: ClockworkRuntime
  readonly #running = new Set<Cancel>()
  #timer: Cancel | undefined
  #stopped = false

  constructor(manager: Manager, zones: ZoneStates, taint: (node: string) => Effect.Effect<number | undefined>) {
    this.#manager = manager
    this.#zones = zones
    this.#taint = taint
    this.#runtime = makeClockworkRuntime(manager.clockwork)
  }

  /** Nodes may have begun to wait, or rates may have changed. */
  wake(): void {
    if (this.#timer !== undefined || this.#stopped) return
    let dueMs: number | undefined
    for (const queue of this.#zones.queues.values()) {
      const inMs = queue.dueInMs()
      if (inMs !== undefined && (dueMs === undefined || inMs < dueMs)) dueMs = inMs
    }
    if (dueMs === undefined) return
    this.#timer = this.#manager.clockwork.after(Math.max(EVERY_MS, Math.ceil(dueMs / EVERY_MS) * EVERY_MS), () => {
      this.#timer = undefined
      this.#pass()
      this.wake()
    })
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.()
    for (const cancel of this.#running) cancel()
    this.#running.clear()
  }

  /** Takes the evicting taints off a node, as far as that goes. */
  untaint(node: KubeObject): void {
    const both = [NOT_READY, UNREACHABLE].map((key) => ({ key, effect: "NoExecute" }))
    this.#run(Effect.ignore(swapTaints(this.#manager, node, [], both)), () => undefined)
  }

  #pass(): void {
    for (const queue of this.#zones.queues.values()) {
      for (let node = queue.take(); node !== undefined; node = queue.take()) {
        const name = node
        this.#run(this.#taint(name), (againMs) => {
          if (againMs === undefined) return
          queue.retry(name, againMs)
          this.wake()
        })
      }
    }
  }

  #run<A>(effect: Effect.Effect<A>, done: (answer: A) => void): void {
    let over = false
    const running: { cancel: Cancel } = { cancel: () => undefined }
    const stop = (): void => running.cancel()
    running.cancel = this.#runtime.run(effect, (exit) => {
      over = true
      this.#running.delete(stop)
      if (exit._tag === "Success" && !this.#stopped) done(exit.value)
    })
    if (!over) this.#running.add(stop)
  }
}
