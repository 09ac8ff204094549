// A request without a socket, and the Clockwork of its world: everything runs when the test says so.
import type { Clockwork } from "#kube"
import type { HttpBody, HttpExchange, HttpFields } from "#net"

export class FakeClockwork implements Clockwork {
  nowMs = Date.UTC(2026, 10, 24, 5)
  private queue: Array<() => void> = []
  private timers: Array<{ readonly atMs: number; readonly run: () => void }> = []
  private seed = 1

  readonly now = () => this.nowMs
  readonly monotonic = () => this.nowMs
  readonly random = () => (this.seed = (this.seed * 16_807) % 2_147_483_647) / 2_147_483_647
  readonly defer = (run: () => void) => void this.queue.push(run)
  readonly after = (delayMs: number, run: () => void) => {
    const timer = { atMs: this.nowMs + delayMs, run }
    this.timers.push(timer)
    return () => void (this.timers = this.timers.filter((each) => each !== timer))
  }
  readonly every = () => () => undefined

  get openTimers(): number {
    return this.timers.length
  }

  /** Runs what is due, then lets so many milliseconds pass. */
  run(forMs = 0): void {
    const until = this.nowMs + forMs
    for (;;) {
      for (let next = this.queue.shift(); next !== undefined; next = this.queue.shift()) next()
      const due = this.timers.filter(({ atMs }) => atMs <= until).sort((a, b) => a.atMs - b.atMs)[0]
      if (due === undefined) break
      this.timers = this.timers.filter((each) => each !== due)
      this.nowMs = due.atMs
      due.run()
    }
    this.nowMs = until
  }
}

export interface FakeRequest {
  readonly headers?: Readonly<Record<string, string>> | HttpFields
  readonly body?: string | Uint8Array
}

export class FakeExchange implements HttpExchange {
  readonly protocol = "HTTP/2.0"
  readonly method: string
  readonly path: string
  readonly peer = "192.0.2.7:4711"
  readonly secure = true
  readonly peerCertificate = undefined
  readonly peerCertificateProblem = undefined
  readonly serverName = undefined
  readonly tlsIdentity = undefined
  readonly bodyless = false
  memo: unknown
  connectionMemo: unknown
  onClose: (() => void) | undefined
  onGoAway: (() => void) | undefined
  status = 0
  answerFields: HttpFields = []
  chunks: Array<Uint8Array> = []
  ended = false
  aborted = false
  /** What `write` answers. */
  flowing = true
  stream: HttpBody | undefined
  private readonly sent: HttpFields
  private readonly bytes: Uint8Array

  constructor(method: string, path: string, { body = "", headers = {} }: FakeRequest = {}) {
    this.method = method
    this.path = path
    this.sent = (Array.isArray(headers) ? headers : Object.entries(headers)) as HttpFields
    this.bytes = typeof body === "string" ? Buffer.from(body) : body
  }

  header(name: string): string | undefined {
    return this.sent.find(([each]) => each === name)?.[1]
  }

  fields(): HttpFields {
    return this.sent
  }

  readBody(maxBytes: number, done: (body: Uint8Array | undefined) => void): void {
    done(this.bytes.length > maxBytes ? undefined : this.bytes)
  }

  onBody(): void {
    throw new Error("the front reads bodies whole")
  }

  resumeBody(): void {}

  hangUp(): void {}

  respond(status: number, fields: HttpFields, body: string | Uint8Array): void {
    if (this.status !== 0) return
    this.status = status
    this.answerFields = fields
    this.chunks = [typeof body === "string" ? Buffer.from(body) : body]
    this.ended = true
  }

  start(status: number, fields: HttpFields): HttpBody {
    this.status = status
    this.answerFields = fields
    return (this.stream = {
      write: (bytes) => {
        this.chunks.push(bytes)
        return this.flowing
      },
      relay: (view) => {
        this.chunks.push(Buffer.from(view))
        return this.flowing
      },
      bufferedBytes: 0,
      onDrain: undefined,
      end: () => void (this.ended = true),
      abort: () => void (this.aborted = true)
    })
  }

  upgrade(): undefined {
    return undefined
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString("utf8")
  }

  // oxlint-disable-next-line typescript/no-explicit-any -- tests look at what they expect
  get json(): any {
    return JSON.parse(this.text)
  }

  /** The frames of a watch. */
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look at what they expect
  get frames(): ReadonlyArray<any> {
    return this.text.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line)]))
  }

  field(name: string): string | undefined {
    return this.answerFields.find(([each]) => each === name)?.[1]
  }

  all(name: string): ReadonlyArray<string> {
    return this.answerFields.filter(([each]) => each === name).map(([, value]) => value)
  }
}
