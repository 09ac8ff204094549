// Clients of a real API server for a population whose kernel follows the clock: what the server answers enters the kernel.
// Owns one HTTP client for each name and their end, which comes after the last answer: a call that was sent and hung up on is one that
// the server, or a proxy before it, counts as cut short. Refuses to know who asks for what.
import { answeredClient, type Client, httpClient, type KubeAccess } from "#kube"
import { enteringClient, type Kernel, managingClient, type RealTime, type SimProcess } from "#sim"
import { Effect, Exit, Scope } from "effect"
import type { CallTimes } from "./ApiCalls.ts"

/** What a large list on a busy server may take, in ms. */
const REQUEST_TIMEOUT_MS = 120_000

/** How long answers are waited for at the end, in ms: beyond, a server that is down or stuck is left. */
const LAST_ANSWERS_MS = 10_000
const LOOK_MS = 5

/** Calls that wait for their answer. */
interface Open {
  calls: number
}

/** The same client, its open calls counted; watches, which have no end of their own, are not. */
const counted = (client: Client, open: Open): Client =>
  answeredClient(client, (done) => {
    open.calls++
    return (answer) => {
      open.calls--
      done(answer)
    }
  })

/** Changes a client before its answers enter the kernel, given the times of its calls where they go out and come in. */
export type ChangeClient = (client: Client, process: SimProcess, times: CallTimes) => Client

export class RealClients {
  private readonly accessOf: (name: string) => KubeAccess
  private readonly kernel: Kernel
  private readonly time: RealTime
  private readonly change: ChangeClient
  private readonly scope = Scope.makeUnsafe()
  private readonly open: Open = { calls: 0 }

  /** `accessOf` says how each reaches the server. */
  constructor(
    accessOf: (name: string) => KubeAccess,
    kernel: Kernel,
    time: RealTime,
    change: ChangeClient = (client) => client
  ) {
    this.accessOf = accessOf
    this.kernel = kernel
    this.time = time
    this.change = change
  }

  /**
   * A client in the kernel's process of this name. What kubelets write belongs to nobody's name, as in the simulator; who fails tries
   * again by itself, as there, so that each call is one that the server answered.
   */
  client(name: string): Client {
    const process = this.kernel.process(name)
    const options = {
      access: this.accessOf(name),
      userAgent: `wharf/${name}`,
      requestTimeoutMs: REQUEST_TIMEOUT_MS,
      once: true
    }
    const plain = Effect.runSync(httpClient(options).pipe(Effect.provideService(Scope.Scope, this.scope)))
    const times = { sentMs: () => this.time.nowMs, answeredMs: () => this.time.since(plain.answeredMs()) }
    const client = this.change(counted(plain, this.open), process, times)
    return enteringClient(name === "kubelets" ? client : managingClient(client, name), (run) =>
      this.time.enter(process, run)
    )
  }

  /** Hangs up once every call has its answer, or none comes any more. */
  async close(): Promise<void> {
    const untilMs = performance.now() + LAST_ANSWERS_MS
    while (this.open.calls > 0 && performance.now() < untilMs)
      await new Promise((resume) => setTimeout(resume, LOOK_MS))
    await Effect.runPromise(Scope.close(this.scope, Exit.void))
  }
}
