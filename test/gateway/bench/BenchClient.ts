// A client in a process of its own: requests at a steady pace, timed from when they were due, and watches that time their events.
import { Effect, Scope } from "effect"
import { connectHttp, type HttpClient, type HttpFields } from "../../../core/net/index.ts"
import { readCertificates } from "./Certificates.ts"
import { answers } from "./Control.ts"

const { ca, client } = readCertificates(process.argv[2] ?? "")

const connect = (port: number, certificate: boolean): Promise<HttpClient> =>
  connectHttp({
    host: "127.0.0.1",
    port,
    authority: "a.example",
    tls: { ca, serverName: "a.example", ...(certificate ? client : {}) },
    connectTimeoutMs: 60_000
  }).pipe(Scope.provide(Scope.makeUnsafe()), Effect.runPromise)

const fieldsFor = (certificate: boolean): HttpFields => [
  ["accept", "application/json"],
  ["user-agent", "kubectl/v1.37.0 (linux/amd64) kubernetes/abcdef"],
  ...(certificate ? [] : [["authorization", `Bearer ${"t".repeat(600)}`] as const])
]

/** Requests under way in all; later ones wait, and their time runs. */
const inFlightMax = 1000

interface Pace {
  readonly port: number
  readonly perSecond: number
  readonly seconds: number
  readonly certificate: boolean
  readonly connections: number
}

interface Paced {
  /** Milliseconds from due to answered, of every good answer. */
  readonly times: ReadonlyArray<number>
  /** How often each other outcome was seen. */
  readonly failures: Readonly<Record<string, number>>
}

const paced = async ({ certificate, connections, perSecond, port, seconds }: Pace): Promise<Paced> => {
  const clients = await Promise.all(Array.from({ length: connections }, () => connect(port, certificate)))
  const fields = fieldsFor(certificate)
  const total = perSecond * seconds
  const times: Array<number> = []
  const failures: Record<string, number> = {}
  let sent = 0
  let over = 0
  const waiting: Array<() => void> = []
  const begin = performance.now() + 50
  await new Promise<void>((resolve) => {
    const next = (): void => {
      const due = begin + (sent * 1000) / perSecond
      const at = clients[sent % connections]
      sent++
      const path = `/api/v1/namespaces/n/configmaps/c${sent % 1000}`
      const done = (wrong: string | undefined): void => {
        if (wrong === undefined) times.push(performance.now() - due)
        else failures[wrong] = (failures[wrong] ?? 0) + 1
        waiting.shift()?.()
        if (++over === total) resolve()
      }
      let status = 0
      const send = (): void =>
        at
          ?.request(
            { method: "GET", path, fields },
            {
              head: (code) => void (status = code),
              body: () => {},
              end: () => done(status === 200 ? undefined : `status ${status}`),
              failed: (error) => done(error.message)
            }
          )
          .end()
      // nginx needs a connection to the endpoint for each request under way: without a bound it runs out of them on a busy machine.
      if (sent - over > inFlightMax + waiting.length) waiting.push(send)
      else send()
    }
    const tick = (): void => {
      const now = performance.now()
      const due = Math.min(total, Math.floor(((now - begin) * perSecond) / 1000) + 1)
      for (let missing = due - sent; missing > 0; missing--) next()
      if (sent < total) setImmediate(tick)
    }
    tick()
  })
  for (const each of clients) each.close()
  return { times, failures }
}

let holders: Array<HttpClient> = []
let lags: Array<number> = []
let heads = 0

const holdWatches = async (port: number, connections: number, each: number): Promise<void> => {
  const fields = fieldsFor(true)
  for (let made = 0; made < connections; made += 50) {
    holders.push(
      ...(await Promise.all(Array.from({ length: Math.min(50, connections - made) }, () => connect(port, true))))
    )
  }
  for (const holder of holders) {
    for (let n = 0; n < each; n++) {
      holder
        .request(
          { method: "GET", path: `/api/v1/pods?watch=1&n=${n}`, fields },
          {
            head: () => void heads++,
            body: (bytes) => {
              const at = /"at":([\d.]+)/.exec(Buffer.from(bytes).toString("latin1"))?.[1]
              if (at !== undefined) lags.push(performance.timeOrigin + performance.now() - Number(at))
            },
            end: () => {},
            failed: () => {}
          }
        )
        .end()
    }
  }
  for (;;) {
    if (heads >= connections * each) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

answers({
  paced,
  hold: holdWatches,
  lags: () => {
    const seen = lags
    lags = []
    return seen
  },
  drop: () => {
    for (const holder of holders) holder.close()
    holders = []
    heads = 0
  }
})
process.send?.(0)
process.on("disconnect", () => process.exit(0))
