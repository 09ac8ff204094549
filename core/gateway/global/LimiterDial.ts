// The gateway's sessions with limiter servers over HTTP/2: one request each, whose body and answer are lines of JSON.
// Owns opening, lines and the end of a session; refuses retries, which the client decides. A token is read for each session anew, so
// that one that was renewed on disk is used; it appears in no failure.
import type { ClientTls, HttpClient, HttpClientRequest } from "#net"
import type { Dial } from "../balance/DialAdapter.ts"
import type { LimiterSession, LimiterSessionListener, LimiterTransport } from "./LimiterClient.ts"
import { MessageInvalid, parseGrants, type Report } from "./LimiterMessages.ts"
import { lineReader, STREAM_PATH } from "./LimiterRoutes.ts"

export interface LimiterDialOptions {
  readonly dial: Dial
  /** Undefined: without TLS, for tests and loopback. */
  readonly tls: ClientTls | undefined
  readonly token?: () => string | undefined
}

const CONNECT_MS = 2000
/** Bytes of reports that may wait for a server that does not read. */
const WAITING_MAX = 8 * 1024 * 1024

/** HOST:PORT, with brackets around an IPv6 address; undefined for anything else. */
export const addressParts = (address: string): { readonly host: string; readonly port: number } | undefined => {
  const match = /^(?:https?:\/\/)?(?:\[([0-9a-f:.]+)\]|([^:/\s]+)):(\d{1,5})\/?$/i.exec(address)
  const port = Number(match?.[3])
  return match === null || port > 65_535 ? undefined : { host: match[1] ?? match[2] ?? "", port }
}

class DialedSession implements LimiterSession {
  private readonly listener: LimiterSessionListener
  private client: HttpClient | undefined
  private request: HttpClientRequest | undefined
  private waiting: Array<Uint8Array> = []
  private over = false

  constructor(listener: LimiterSessionListener) {
    this.listener = listener
  }

  readonly send = (report: Report): void => this.line(report)

  /** What was sent goes out first: a goodbye is the last line. */
  readonly close = (): void => {
    if (this.over) return
    this.over = true
    if (this.request === undefined) this.client?.close()
    else {
      this.request.end()
      this.client?.closeWhenIdle()
    }
  }

  line(value: object): void {
    if (this.over) return
    const line = Buffer.from(`${JSON.stringify(value)}\n`)
    if (this.request === undefined) {
      this.waiting.push(line)
      return
    }
    this.request.write(line)
    if (this.request.bufferedBytes > WAITING_MAX) this.fail("the limiter does not read")
  }

  fail(why: string): void {
    if (this.over) return
    this.over = true
    this.request?.cancel()
    this.client?.close()
    this.listener.closed(why)
  }

  opened(client: HttpClient, token: string | undefined): void {
    if (this.over) return client.close()
    this.client = client
    const read = lineReader(
      (line) => {
        const message = parseGrants(line)
        if (message instanceof MessageInvalid) this.fail(message.message)
        else if (!this.over) this.listener.message(message)
      },
      () => this.fail("a line is too long")
    )
    const fields: Array<readonly [string, string]> = [["content-type", "application/x-ndjson"]]
    if (token !== undefined) fields.push(["authorization", `Bearer ${token}`])
    this.request = client.request(
      { method: "POST", path: STREAM_PATH, fields },
      {
        head: (status) => {
          if (status !== 200) this.fail(`the limiter answered ${status}`)
        },
        body: (bytes) => read(bytes),
        end: () => this.fail("the limiter ended the session"),
        failed: (error) => this.fail(error.message)
      }
    )
    for (const line of this.waiting.splice(0)) this.request.write(line)
  }
}

/** Opens sessions over the machine's sockets, or whatever the dial reaches. */
export const limiterDial = ({ dial, tls, token }: LimiterDialOptions): LimiterTransport => ({
  open: (address, instance, listener) => {
    const session = new DialedSession(listener)
    session.line({ instance })
    const parts = addressParts(address)
    // An address that is none is found by the command line; one that a server hinted at may still be anything.
    const options = {
      host: parts?.host ?? "invalid.",
      port: parts?.port ?? 0,
      protocol: "h2" as const,
      connectTimeoutMs: CONNECT_MS,
      keepalive: { intervalMs: 2000, timeoutMs: 2000 },
      ...(tls === undefined ? {} : { tls })
    }
    dial.connect(options, (outcome) => {
      if ("kind" in outcome) return session.fail(outcome.message)
      outcome.onClose = () => session.fail("the connection is lost")
      session.opened(outcome, token?.())
    })
    return session
  }
})
