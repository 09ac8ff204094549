// `wharf serve gateway` as a process, and clients of it. Owns the process's life; refuses to judge.
import { type ChildProcess, spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { Effect, type Scope } from "effect"
import { ApiFailure, type Client, httpClient, type KubeAccess, loadAccess } from "#kube"

/** The front door. */
export const wharf = fileURLToPath(new URL("../../../bin/wharf", import.meta.url))

/** A gateway that runs. */
export interface GatewayRun {
  readonly proxyPort: number
  readonly adminPort: number | undefined
  /** All that it said. */
  readonly said: () => string
  /** Stops it in good order; answers its exit code. */
  readonly stop: () => Promise<number | null>
}

const portIn = (said: string, line: RegExp): number | undefined => {
  const found = line.exec(said)?.[1]
  return found === undefined ? undefined : Number(found)
}

/** Starts `wharf serve gateway` on free ports and waits until it proxies. */
export const startGateway = (flags: ReadonlyArray<string>): Promise<GatewayRun> =>
  new Promise((resolve, reject) => {
    const args = ["serve", "gateway", "--secure-port", "0", "--proxy-secure-ports", "0", ...flags]
    const child: ChildProcess = spawn(wharf, args, { stdio: ["ignore", "pipe", "pipe"] })
    let said = ""
    let stopped: Promise<number | null> | undefined
    const stop = (): Promise<number | null> =>
      (stopped ??= new Promise((done) => {
        child.removeAllListeners("exit").once("exit", (code) => done(code))
        child.kill("SIGTERM")
      }))
    const hear = (text: Buffer): void => {
      said += String(text)
      const proxyPort = portIn(said, /proxying on https:\/\/[^:]+:(\d+)/)
      if (proxyPort === undefined || !/clusters from .*\n/.test(said)) return
      const adminPort = portIn(said, /health and metrics on https:\/\/[^:]+:(\d+)/)
      if (adminPort === undefined && flags.some((flag) => flag === "--config-dir" || flag === "--kubeconfig")) return
      resolve({ proxyPort, adminPort, said: () => said, stop })
    }
    child.stdout?.on("data", hear)
    child.stderr?.on("data", hear)
    child.once("exit", (code) => reject(new Error(`wharf ${args.join(" ")} ended with ${code}: ${said}`)))
  })

/** Runs with clients that are closed afterwards. */
export const withClients = <A>(
  body: (make: {
    readonly of: (access: KubeAccess) => Promise<Client>
    readonly ofFile: (kubeconfig: string) => Promise<Client>
  }) => Promise<A>
): Promise<A> =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const context = yield* Effect.context<Scope.Scope>()
        const run = Effect.runPromiseWith(context)
        return yield* Effect.promise(() =>
          body({
            of: (access) => run(httpClient({ access })),
            ofFile: (kubeconfig) => run(Effect.flatMap(loadAccess({ kubeconfig }), (access) => httpClient({ access })))
          })
        )
      })
    )
  )

/** A call of a client as a promise. */
export const asked = <A>(ask: (done: (answer: A | ApiFailure) => void) => void): Promise<A> =>
  new Promise((resolve, reject) => ask((answer) => (answer instanceof ApiFailure ? reject(answer) : resolve(answer))))

/** Waits until something holds, at most a minute. */
export const until = async (what: string, holds: () => boolean | Promise<boolean>): Promise<void> => {
  for (let attempt = 0; attempt < 600; attempt++) {
    if (await holds()) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error(`${what} did not come about within 60 s`)
}
