// Clients of a real API server for a population whose kernel follows the clock: what the server answers enters the kernel.
// Owns one HTTP client for each name and their end; refuses to know who asks for what.
import { type Client, httpClient, type KubeAccess } from "#kube"
import { enteringClient, type Kernel, managingClient, type RealTime } from "#sim"
import { Effect, Exit, Scope } from "effect"

/** What a large list on a busy server may take, in ms. */
const REQUEST_TIMEOUT_MS = 120_000

export class RealClients {
  private readonly accessOf: (name: string) => KubeAccess
  private readonly kernel: Kernel
  private readonly time: RealTime
  private readonly wrap: (client: Client) => Client
  private readonly scope = Scope.makeUnsafe()

  /** `accessOf` says how each reaches the server; `wrap` changes each client before its answers enter the kernel. */
  constructor(
    accessOf: (name: string) => KubeAccess,
    kernel: Kernel,
    time: RealTime,
    wrap: (client: Client) => Client = (client) => client
  ) {
    this.accessOf = accessOf
    this.kernel = kernel
    this.time = time
    this.wrap = wrap
  }

  /** A client in the kernel's process of this name. What kubelets write belongs to nobody's name, as in the simulator. */
  client(name: string): Client {
    const process = this.kernel.process(name)
    const options = { access: this.accessOf(name), userAgent: `wharf/${name}`, requestTimeoutMs: REQUEST_TIMEOUT_MS }
    const client = this.wrap(Effect.runSync(httpClient(options).pipe(Effect.provideService(Scope.Scope, this.scope))))
    return enteringClient(name === "kubelets" ? client : managingClient(client, name), (run) =>
      this.time.enter(process, run)
    )
  }

  close(): void {
    Effect.runFork(Scope.close(this.scope, Exit.void))
  }
}
