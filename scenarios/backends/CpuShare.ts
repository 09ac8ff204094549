// A budget of processor time for a process of ours: it is stopped while it has used more than its share, and goes on when time has
// made up for it. Works wherever there is /proc, without rights and without cgroups.
// Owns the account; refuses what it cannot account for. A round takes 10 ms: a process overdraws by as much at most, and pays it back.
import { Effect, Schedule, type Scope } from "effect"
import { readdirSync, readFileSync } from "node:fs"
import { ServerFailed } from "#kind"

const ROUND_MS = 10
/** Saved time that counts, in milliseconds of the clock: who was idle may hurry for a while. */
const SAVED_MAX_MS = 100
/** Threads are listed anew in every this many rounds. */
const LISTED_EVERY = 50

/** Nanoseconds that a thread has run, or 0 when it is gone. */
const ranNs = (pid: number, thread: string): number => {
  try {
    return Number.parseInt(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "latin1"), 10)
  } catch {
    return 0
  }
}

/** The account of one process. */
class Budget {
  readonly #pid: number
  readonly #share: number
  #threads: ReadonlyArray<string> = []
  #rounds = 0
  #usedNs = new Map<string, number>()
  #leftMs = 0
  #atMs = performance.now()
  #stopped = false

  constructor(pid: number, share: number) {
    this.#pid = pid
    this.#share = share
    this.#usedMs()
  }

  /** Milliseconds of processor time since the last call. */
  #usedMs(): number {
    if (this.#rounds++ % LISTED_EVERY === 0) {
      try {
        this.#threads = readdirSync(`/proc/${this.#pid}/task`)
      } catch {
        this.#threads = []
      }
    }
    let sum = 0
    for (const thread of this.#threads) {
      const ran = ranNs(this.#pid, thread)
      sum += Math.max(0, ran - (this.#usedNs.get(thread) ?? 0))
      this.#usedNs.set(thread, ran)
    }
    return sum / 1e6
  }

  round(): void {
    const nowMs = performance.now()
    const gained = (nowMs - this.#atMs) * this.#share
    this.#atMs = nowMs
    this.#leftMs = Math.min(SAVED_MAX_MS * this.#share, this.#leftMs + gained) - this.#usedMs()
    if (this.#leftMs < 0 === this.#stopped) return
    this.#signal(this.#stopped ? "SIGCONT" : "SIGSTOP")
  }

  #signal(signal: "SIGCONT" | "SIGSTOP"): void {
    this.#stopped = signal === "SIGSTOP"
    try {
      process.kill(-this.#pid, signal)
    } catch {
      // It has ended.
    }
  }

  end(): void {
    this.#signal("SIGCONT")
  }
}

/** Keeps the process (the leader of its group) within its share for the life of the scope. */
export const keepWithin = (
  backend: string,
  pid: number,
  share: number
): Effect.Effect<void, ServerFailed, Scope.Scope> =>
  Effect.gen(function* () {
    if (ranNs(pid, String(pid)) === 0) {
      return yield* new ServerFailed({
        backend,
        reason: "server.cpuShare needs /proc/PID/task/TID/schedstat, which this machine's kernel does not offer",
        log: ""
      })
    }
    const budget = yield* Effect.acquireRelease(
      Effect.sync(() => new Budget(pid, share)),
      (held) => Effect.sync(() => held.end())
    )
    yield* Effect.sync(() => budget.round()).pipe(Effect.repeat(Schedule.fixed(ROUND_MS)), Effect.forkScoped)
  })
