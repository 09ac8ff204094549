// One child process of a run against a front: an instance of the front, a limiter, an upstream. Lives as long as the scope, can be
// killed and started again, and says its process id for sampling. Owns that, and asking an HTTPS server whether it is ready.
import { type ChildCommand, launch, type ServerFailed, stop } from "#kind"
import { Effect, type Scope } from "effect"
import { request } from "node:https"
import { clusterHost, type PemPair } from "./load/FrontEndpoint.ts"

/** What a process is to the run. */
export type FrontRole = "front" | "limiter" | "upstream"

/** A process of the run. */
export interface FrontProcess {
  readonly name: string
  readonly role: FrontRole
  readonly pid: () => number | undefined
  /** Whether it works in children of its own, which are looked at with it. */
  readonly forks: boolean
  /** Kills it and, after so many ms, starts it again; gives the ms from start to readiness. */
  readonly restart: (downMs: number) => Effect.Effect<number, ServerFailed>
}

/** Starts a process that lives as long as the scope. */
export const openFrontProcess = (
  name: string,
  role: FrontRole,
  command: ChildCommand & { readonly forks?: boolean }
): Effect.Effect<FrontProcess, ServerFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const current = yield* Effect.acquireRelease(
      Effect.map(launch(command), (child) => ({ child })),
      ({ child }) => stop(child)
    )
    const restart = (downMs: number) =>
      Effect.gen(function* () {
        yield* stop(current.child, "SIGKILL")
        yield* Effect.sleep(downMs)
        current.child = yield* launch(command)
        return current.child.startMs
      })
    return { name, role, pid: () => current.child.process.pid, forks: command.forks ?? false, restart }
  })

/** What to ask for over HTTPS, and as whom. */
export interface Asked {
  readonly port: number
  readonly path: string
  readonly ca: string
  readonly pair?: PemPair
  readonly token?: string
  readonly method?: string
  readonly body?: string
  readonly contentType?: string
}

/** An answer read whole; status 0 when there was none. */
export interface Told {
  readonly status: number
  readonly text: string
}

const timeoutMs = 5000

/** Asks once, under the cluster's host; never fails. */
export const askOnce = ({ body, ca, contentType, method, pair, path, port, token }: Asked): Effect.Effect<Told> =>
  Effect.callback((resume) => {
    const none = () => resume(Effect.succeed({ status: 0, text: "" }))
    const sent = request(
      {
        host: "127.0.0.1",
        port,
        path,
        method: method ?? "GET",
        servername: clusterHost,
        ca,
        ...pair,
        agent: false,
        timeout: timeoutMs,
        headers: {
          host: clusterHost,
          accept: "application/json",
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined
            ? {}
            : { "content-type": contentType ?? "application/json", "content-length": Buffer.byteLength(body) })
        }
      },
      (response) => {
        let text = ""
        response.setEncoding("utf8")
        response.on("data", (part: string) => (text += part))
        response.on("end", () => resume(Effect.succeed({ status: response.statusCode ?? 0, text })))
        response.on("error", none)
      }
    )
    sent.on("timeout", () => sent.destroy())
    sent.on("error", none)
    sent.end(body)
    return Effect.sync(() => sent.destroy())
  })

/** Whether an HTTPS server answers 200. */
export const answersOk = (asked: Asked): Effect.Effect<boolean> =>
  Effect.map(askOnce(asked), ({ status }) => status === 200)
