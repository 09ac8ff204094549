// The server of a running report: for this machine's browsers alone, bounded, and the finished page at the end.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { get, type IncomingMessage, request } from "node:http"
import { openRunServer } from "../../scenarios/ui/RunServer.ts"

const ask = (url: string, options: { readonly host?: string; readonly method?: string } = {}) =>
  Effect.callback<{ readonly status: number; readonly body: string; readonly headers: IncomingMessage["headers"] }>(
    (resume) => {
      const { host, method = "GET" } = options
      const headers = host === undefined ? {} : { host }
      const asked = request(url, { method, headers, agent: false }, (answer) => {
        let body = ""
        answer.setEncoding("utf8")
        answer.on("data", (text: string) => (body += text))
        answer.on("end", () =>
          resume(Effect.succeed({ status: answer.statusCode ?? 0, body, headers: answer.headers }))
        )
      })
      asked.end()
    }
  )

interface Heard {
  readonly status: number
  readonly states: Array<{ readonly step: string; readonly lines: ReadonlyArray<string>; readonly done: boolean }>
  ended: boolean
}

const listenTo = (url: string) =>
  Effect.callback<Heard>((resume) => {
    get(`${url}events`, { agent: false }, (answer) => {
      const heard: Heard = { status: answer.statusCode ?? 0, states: [], ended: false }
      let text = ""
      answer.setEncoding("utf8")
      answer.on("data", (part: string) => {
        text += part
        for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
          const block = text.slice(0, end)
          text = text.slice(end + 2)
          if (block.startsWith("data: ")) heard.states.push(JSON.parse(block.slice(6)))
        }
      })
      answer.on("end", () => (heard.ended = true))
      resume(Effect.succeed(heard))
    })
  })

const until = (condition: () => boolean) =>
  Effect.callback<void>((resume) => {
    const look = (): void => {
      if (condition()) resume(Effect.void)
      else setTimeout(look, 10)
    }
    look()
  })

describe("the server of a running report", () => {
  it.live("shows the run while it goes, and the finished page from then on", () =>
    Effect.gen(function* () {
      const server = yield* openRunServer(`<b>"quick"</b>`)
      assert.match(server.url, /^http:\/\/127\.0\.0\.1:\d+\/$/)
      const page = yield* ask(server.url)
      assert.include(page.headers["content-type"], "text/html")
      assert.include(page.body, "&lt;b&gt;&quot;quick&quot;&lt;/b&gt;")
      assert.match(page.body, /default-src 'none'; script-src 'sha256-[^']+'; .*connect-src 'self'/)
      assert.notMatch(page.body.replaceAll(/<script[\s\S]*?<\/script>/g, ""), /https?:\/\//)
      const heard = yield* listenTo(server.url)
      server.tell({ type: "step", text: "warming" })
      server.tell({ type: "line", text: "first run done" })
      yield* until(() => heard.states.at(-1)?.lines.length === 1)
      assert.deepInclude(heard.states.at(-1), { step: "warming", lines: ["first run done"], done: false })
      server.finish("<p>the whole report</p>")
      yield* until(() => heard.ended)
      assert.isTrue(heard.states.at(-1)?.done)
      assert.strictEqual((yield* ask(server.url)).body, "<p>the whole report</p>")
      const late = yield* listenTo(server.url)
      yield* until(() => late.ended)
      assert.isTrue(late.states[0]?.done)
    }).pipe(Effect.scoped)
  )

  it.live("answers nobody who asks for it by another name, and nothing but reads", () =>
    Effect.gen(function* () {
      const { url } = yield* openRunServer("x")
      assert.strictEqual((yield* ask(url, { host: "evil.example" })).status, 421)
      assert.strictEqual((yield* ask(url, { host: new URL(url).host.replace("127.0.0.1", "localhost") })).status, 200)
      assert.strictEqual((yield* ask(url, { method: "POST" })).status, 405)
      assert.strictEqual((yield* ask(`${url}../package.json`)).status, 404)
    }).pipe(Effect.scoped)
  )

  it.live("listens to sixteen and no more, and keeps two hundred lines", () =>
    Effect.gen(function* () {
      const server = yield* openRunServer("x")
      const heard = yield* Effect.forEach(Array.from({ length: 16 }), () => listenTo(server.url))
      assert.isTrue(heard.every(({ status }) => status === 200))
      assert.strictEqual((yield* listenTo(server.url)).status, 503)
      for (let line = 0; line < 500; line++) server.tell({ type: "line", text: `line ${line}` })
      yield* until(() => heard.every(({ states }) => states.at(-1)?.lines.at(-1) === "line 499"))
      assert.lengthOf(heard[0].states.at(-1)?.lines ?? [], 200)
      assert.isBelow(heard[0].states.length, 10, "many lines at once are one event")
    }).pipe(Effect.scoped)
  )
})
