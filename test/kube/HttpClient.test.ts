// The Client over HTTP against small servers that answer as they are told: retries, watches in pieces, failures, credentials.
import { assert, describe, it } from "vitest"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import { type AddressInfo, connect, type Socket } from "node:net"
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect } from "effect"
import {
  anonymous,
  ApiFailure,
  type Client,
  effectClient,
  type EffectClient,
  gvr,
  httpClient,
  type HttpClientOptions,
  type HttpKubeApi,
  type KubeObject,
  type KubeUser,
  type WatchEvent
} from "#kube"

type Handle = (request: IncomingMessage, response: ServerResponse, body: string) => void

interface Asked {
  readonly line: string
  readonly headers: IncomingMessage["headers"]
  readonly body: string
}

const pods = gvr("", "v1", "pods")
const inTeam = { resource: pods, namespace: "team" }
const target = { ...inTeam, name: "p" }
const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "p", namespace: "team" } }

const started = async (handle: Handle, asked: Array<Asked>): Promise<Server> => {
  const server = createServer((request, response) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      const body = Buffer.concat(chunks).toString()
      asked.push({ line: `${request.method} ${request.url}`, headers: request.headers, body })
      handle(request, response, body)
    })
  })
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve))
  return server
}

const json = (response: ServerResponse, code: number, value: unknown, fields: Record<string, string> = {}): void => {
  response.writeHead(code, { "content-type": "application/json", ...fields }).end(JSON.stringify(value))
}

interface Here {
  readonly client: EffectClient
  readonly plain: HttpKubeApi
  readonly asked: Array<Asked>
  readonly server: Server
}

interface Given {
  readonly user?: KubeUser
  readonly proxyUrl?: string
}

/** Runs a test with a client of a server that answers like this. */
const withServer = async (
  handle: Handle,
  body: (here: Here) => Effect.Effect<void, ApiFailure | KubeObject>,
  { proxyUrl, user = anonymous, ...options }: Partial<HttpClientOptions> & Given = {}
): Promise<void> => {
  const asked: Array<Asked> = []
  const server = await started(handle, asked)
  const { port } = server.address() as AddressInfo
  const access = {
    cluster: {
      server: `http://127.0.0.1:${port}/base/`,
      tlsServerName: undefined,
      insecureSkipTlsVerify: false,
      certificateAuthority: undefined,
      proxyUrl
    },
    user,
    namespace: ""
  }
  try {
    await Effect.runPromise(
      Effect.scoped(
        httpClient({ access, ...options }).pipe(
          Effect.flatMap((plain) => body({ client: effectClient(plain), plain, asked, server }))
        )
      )
    )
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

const status = (code: number, reason: string) => ({
  kind: "Status",
  apiVersion: "v1",
  metadata: {},
  status: "Failure",
  message: `no: ${reason}`,
  reason,
  code
})

const echo: Handle = (_request, response) => json(response, 200, pod)

describe("HttpClient", () => {
  it("sends each call as kubectl would", () =>
    withServer(echo, ({ asked, client }) =>
      Effect.gen(function* () {
        yield* client.get(target, { resourceVersion: "5" })
        yield* client.create(inTeam, pod, { fieldManager: "me", fieldValidation: "Strict", dryRun: true })
        yield* client.update({ ...target, subresource: "status" }, pod)
        yield* client.patch(target, { type: "apply", body: { a: 1 } }, { fieldManager: "me", force: true })
        yield* client.patch(target, { type: "strategic", body: {} })
        yield* client.delete(target, {
          gracePeriodSeconds: 0,
          propagationPolicy: "Foreground",
          preconditions: { uid: "u" }
        })
        yield* client.deleteCollection(inTeam, {}, { labelSelector: "app in (a,b)" })
        yield* client.create({ ...target, subresource: "binding" }, pod)
        yield* client.get({ resource: gvr("apps", "v1", "deployments"), namespace: "team", name: "d" })
        assert.deepStrictEqual(
          asked.map(({ line }) => line),
          [
            "GET /base/api/v1/namespaces/team/pods/p?resourceVersion=5",
            "POST /base/api/v1/namespaces/team/pods?dryRun=All&fieldManager=me&fieldValidation=Strict",
            "PUT /base/api/v1/namespaces/team/pods/p/status",
            "PATCH /base/api/v1/namespaces/team/pods/p?fieldManager=me&force=true",
            "PATCH /base/api/v1/namespaces/team/pods/p",
            "DELETE /base/api/v1/namespaces/team/pods/p",
            "DELETE /base/api/v1/namespaces/team/pods?labelSelector=app%20in%20(a%2Cb)",
            "POST /base/api/v1/namespaces/team/pods/p/binding",
            "GET /base/apis/apps/v1/namespaces/team/deployments/d"
          ]
        )
        assert.deepStrictEqual(JSON.parse(asked[5].body), {
          kind: "DeleteOptions",
          apiVersion: "v1",
          gracePeriodSeconds: 0,
          propagationPolicy: "Foreground",
          preconditions: { uid: "u" }
        })
        assert.strictEqual(asked[3].headers["content-type"], "application/apply-patch+yaml")
        assert.strictEqual(asked[4].headers["content-type"], "application/strategic-merge-patch+json")
        assert.strictEqual(asked[0].headers.accept, "application/json")
      })
    ))

  it("gives the items of a list the type that servers leave out", () =>
    withServer(
      (_request, response) =>
        json(response, 200, {
          kind: "PodList",
          apiVersion: "v1",
          metadata: { resourceVersion: "9" },
          items: [{ metadata: { name: "a" } }]
        }),
      ({ client }) =>
        Effect.gen(function* () {
          const list = yield* client.list(inTeam, { limit: 1 })
          assert.deepStrictEqual(list.items, [{ apiVersion: "v1", kind: "Pod", metadata: { name: "a" } }])
        })
    ))

  it("hands failures on as the server said them, or as well as it can", () => {
    const answers: Array<Handle> = [
      (_request, response) => json(response, 409, status(409, "Conflict")),
      (_request, response) => void response.writeHead(502).end("<html>bad gateway</html>"),
      (_request, response) => void response.writeHead(200).end("not json")
    ]
    return withServer(
      (request, response, body) => answers.shift()?.(request, response, body),
      ({ client }) =>
        Effect.gen(function* () {
          const conflict = yield* Effect.flip(client.update(target, pod))
          assert.deepStrictEqual([conflict.code, conflict.reason, conflict.message], [409, "Conflict", "no: Conflict"])
          const gateway = yield* Effect.flip(client.get(target))
          assert.deepStrictEqual([gateway.code, gateway.message], [502, "<html>bad gateway</html>"])
          const text = yield* Effect.flip(client.get(target))
          assert.strictEqual(text.message, "Internal error occurred: the server's answer is no JSON object")
        })
    )
  })

  it("waits and asks again after 429 and 503 with Retry-After, also when it writes, but not for ever", () => {
    let refusals = 2
    return withServer(
      (_request, response) => {
        if (refusals-- > 0)
          json(response, refusals % 2 === 0 ? 429 : 503, status(429, "TooManyRequests"), { "retry-after": "0" })
        else json(response, 201, pod)
      },
      ({ asked, client }) =>
        Effect.gen(function* () {
          yield* client.create(inTeam, pod)
          assert.strictEqual(asked.length, 3)
          refusals = Infinity
          const failure = yield* Effect.flip(client.get(target))
          assert.strictEqual(failure.reason, "TooManyRequests")
          assert.strictEqual(asked.length, 13)
        })
    )
  })

  it("lets the server get a call once where that is asked for, and says when the answer was there", () =>
    withServer(
      (_request, response) => json(response, 429, status(429, "TooManyRequests"), { "retry-after": "0" }),
      ({ asked, client, plain }) =>
        Effect.gen(function* () {
          const since = performance.now()
          const failure = yield* Effect.flip(client.create(inTeam, pod))
          assert.strictEqual(failure.reason, "TooManyRequests")
          assert.strictEqual(asked.length, 1)
          assert.isTrue(plain.answeredMs() >= since && plain.answeredMs() <= performance.now())
        }),
      { once: true }
    ))

  it("asks again when a connection was lost, unless a write may have been done", () => {
    let losses = 1
    return withServer(
      (request, response) => {
        if (losses-- > 0) request.socket.destroy()
        else json(response, 200, pod)
      },
      ({ asked, client }) =>
        Effect.gen(function* () {
          yield* client.get(target)
          assert.strictEqual(asked.length, 2)
          losses = 1
          const failure = yield* Effect.flip(client.create(inTeam, pod))
          assert.strictEqual(failure.code, 503)
          assert.strictEqual(asked.length, 3)
        })
    )
  })

  it("says where nothing listens, without its query", () =>
    withServer(echo, ({ client, server }) =>
      Effect.gen(function* () {
        yield* client.get(target)
        yield* Effect.promise(
          () =>
            new Promise((resolve) => {
              server.close(resolve)
              server.closeAllConnections()
            })
        )
        const failure = yield* Effect.flip(client.get(target, { resourceVersion: "1" }))
        assert.strictEqual(failure.code, 503)
        assert.match(failure.message, /^cannot connect to 127\.0\.0\.1:\d+: /)
      })
    ))

  it("gives up on an answer that does not come", () =>
    withServer(
      () => undefined,
      ({ client }) =>
        Effect.gen(function* () {
          const failure = yield* Effect.flip(client.get(target))
          assert.deepStrictEqual([failure.code, failure.reason], [504, "Timeout"])
          assert.match(failure.message, /GET \/base\/api\/v1\/namespaces\/team\/pods\/p took longer than 50 ms/)
        }),
      { requestTimeoutMs: 50 }
    ))

  it("refuses an answer that is too long", () =>
    withServer(
      (_request, response) => json(response, 200, { metadata: { name: "x".repeat(5000) } }),
      ({ client }) =>
        Effect.gen(function* () {
          const failure = yield* Effect.flip(client.get(target))
          assert.strictEqual(failure.reason, "RequestEntityTooLarge")
        }),
      { answerBytesMax: 1000 }
    ))

  it("goes through a proxy where the cluster names one", async () => {
    const targets: Array<string> = []
    const proxy = createServer()
    proxy.on("connect", (request: IncomingMessage, socket: Socket) => {
      targets.push(request.url ?? "")
      const [host, port] = (request.url ?? "").split(":")
      const through = connect(Number(port), host, () => {
        socket.write("HTTP/1.1 200 OK\r\n\r\n")
        through.pipe(socket)
        socket.pipe(through)
      })
      for (const end of [socket, through]) end.on("error", () => [socket, through].forEach((both) => both.destroy()))
    })
    await new Promise<void>((resolve) => void proxy.listen(0, "127.0.0.1", resolve))
    try {
      await withServer(
        echo,
        ({ client, server }) =>
          Effect.map(client.get(target), () =>
            assert.deepStrictEqual(targets, [`127.0.0.1:${(server.address() as AddressInfo).port}`])
          ),
        { proxyUrl: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}` }
      )
    } finally {
      proxy.close()
    }
  })

  it("passes warnings on", () => {
    const heard: Array<string> = []
    return withServer(
      (_request, response) => json(response, 200, pod, { warning: '299 - "v1 Foo is \\"old\\"", 299 kube "second"' }),
      ({ client }) =>
        Effect.map(client.get(target), () => assert.deepStrictEqual(heard, ['v1 Foo is "old"', "second"])),
      { onWarning: (warning) => heard.push(warning) }
    )
  })

  it("reuses connections", () => {
    const sockets = new Set<unknown>()
    return withServer(
      (request, response) => {
        sockets.add(request.socket)
        json(response, 200, pod)
      },
      ({ client }) =>
        Effect.gen(function* () {
          for (let at = 0; at < 50; at++) yield* client.get(target)
          assert.strictEqual(sockets.size, 1)
          yield* Effect.all(
            Array.from({ length: 300 }, () => client.get(target)),
            { concurrency: "unbounded" }
          )
          assert.isAtMost(sockets.size, 128)
        })
    )
  })
})

const watching = (
  plain: Client
): Effect.Effect<{ events: ReadonlyArray<WatchEvent>; failure: ApiFailure | undefined }> =>
  Effect.callback((resume) => {
    const events: Array<WatchEvent> = []
    plain.watch(
      inTeam,
      { resourceVersion: "3", allowWatchBookmarks: true, sendInitialEvents: true, timeoutSeconds: 9 },
      {
        event: (event) => events.push(event),
        ended: (failure) => resume(Effect.succeed({ events, failure }))
      }
    )
  })

const lines = ["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]
  .map(
    (type, at) =>
      `${JSON.stringify({ type, object: { ...pod, metadata: { name: `ü-${at}`, resourceVersion: String(at) } } })}\n`
  )
  .join("")

describe("a watch over HTTP", () => {
  it("reads lines however they are cut", () =>
    withServer(
      (_request, response) => {
        response.writeHead(200)
        const bytes = Buffer.from(lines)
        for (let at = 0; at < bytes.length; at++) response.write(bytes.subarray(at, at + 1))
        response.end()
      },
      ({ asked, plain }) =>
        Effect.gen(function* () {
          const { events, failure } = yield* watching(plain)
          assert.isUndefined(failure)
          assert.deepStrictEqual(
            events.map(({ object, type }) => `${type} ${object.metadata.name}`),
            ["ADDED ü-0", "MODIFIED ü-1", "DELETED ü-2", "BOOKMARK ü-3"]
          )
          assert.strictEqual(
            asked[0].line,
            "GET /base/api/v1/namespaces/team/pods?watch=1&resourceVersion=3&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&timeoutSeconds=9"
          )
        })
    ))

  it("ends with what an ERROR says, with the answer that is no watch, or with a lost connection", () => {
    const error = `${JSON.stringify({ type: "ERROR", object: status(410, "Expired") })}\n`
    const answers: Array<Handle> = [
      (_request, response) => void response.writeHead(200).write(lines + error),
      (_request, response) => json(response, 403, status(403, "Forbidden")),
      (request, response) => {
        response.writeHead(200).write(lines)
        setTimeout(() => request.socket.destroy(), 20)
      },
      (_request, response) => void response.writeHead(200).write("{}\n")
    ]
    return withServer(
      (request, response, body) => answers.shift()?.(request, response, body),
      ({ plain }) =>
        Effect.gen(function* () {
          const expired = yield* watching(plain)
          assert.deepStrictEqual(
            [expired.events.length, expired.failure?.code, expired.failure?.reason],
            [4, 410, "Expired"]
          )
          assert.strictEqual((yield* watching(plain)).failure?.code, 403)
          const lost = yield* watching(plain)
          assert.deepStrictEqual([lost.events.length, lost.failure?.code], [4, 503])
          assert.strictEqual((yield* watching(plain)).failure?.code, 500)
        })
    )
  })

  it("is heard no more after its cancel, and frees its connection", () =>
    withServer(
      (request, response) => {
        if (request.url?.includes("watch") === true) response.writeHead(200).write(lines)
        else json(response, 200, pod)
      },
      ({ client, plain, server }) =>
        Effect.gen(function* () {
          let heard = 0
          yield* Effect.callback<void>((resume) => {
            const cancel = plain.watch(
              inTeam,
              {},
              {
                event: () => {
                  heard++
                  cancel()
                  resume(Effect.void)
                },
                ended: () => {
                  heard += 100
                }
              }
            )
          })
          yield* client.get(target)
          assert.strictEqual(heard, 1)
          yield* Effect.sleep(20)
          const open = yield* Effect.callback<number>(
            (resume) => void server.getConnections((_problem, count) => resume(Effect.succeed(count)))
          )
          assert.strictEqual(open, 1)
        })
    ))
})

const guarded: Handle = (request, response) => {
  if (request.headers.authorization === "Bearer good") json(response, 200, pod)
  else json(response, 401, status(401, "Unauthorized"))
}

describe("credentials", () => {
  const folder = mkdtempSync(join(tmpdir(), "credentials-"))
  const exec = (script: string): KubeUser => {
    const command = join(folder, `login-${Math.random()}`)
    writeFileSync(command, `#!/bin/sh\n${script}\n`)
    chmodSync(command, 0o755)
    return {
      ...anonymous,
      exec: {
        apiVersion: "client.authentication.k8s.io/v1",
        command,
        args: [],
        env: [["SHARE", folder]],
        provideClusterInfo: true,
        installHint: undefined
      }
    }
  }
  const credential = (token: string, expires = ""): string =>
    `echo '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":{"token":"${token}"${expires}}}'`

  it("reads a token's file again when the server refuses what it said", () => {
    const tokenFile = join(folder, "token")
    writeFileSync(tokenFile, "good\n")
    return withServer(
      guarded,
      ({ asked, client }) =>
        Effect.gen(function* () {
          yield* client.get(target)
          writeFileSync(tokenFile, "stale")
          yield* client.get(target)
          assert.strictEqual(asked.length, 2, "remembered for a while")
        }),
      { user: { ...anonymous, tokenFile } }
    ).then(() => {
      writeFileSync(tokenFile, "stale")
      return withServer(
        (request, response, body) => {
          guarded(request, response, body)
          writeFileSync(tokenFile, "good")
        },
        ({ asked, client }) => Effect.map(client.get(target), () => assert.strictEqual(asked.length, 2)),
        { user: { ...anonymous, tokenFile } }
      )
    })
  })

  it("asks a program once for as long as its token lasts, for all who wait", () =>
    withServer(
      guarded,
      ({ client }) =>
        Effect.gen(function* () {
          yield* Effect.all(
            Array.from({ length: 20 }, () => client.get(target)),
            { concurrency: "unbounded" }
          )
          yield* client.get(target)
        }),
      {
        user: exec(
          `[ -e $SHARE/ran ] && exit 3; touch $SHARE/ran; [ -n "$KUBERNETES_EXEC_INFO" ] || exit 4; ${credential("good")}`
        )
      }
    ))

  it("asks a program again when its token has expired or is refused", () =>
    withServer(
      guarded,
      ({ client }) =>
        Effect.gen(function* () {
          yield* client.get(target)
          yield* client.get(target)
        }),
      {
        user: exec(
          `[ -e $SHARE/once ] && { ${credential("good", ',"expirationTimestamp":"2001-01-01T00:00:00Z"')}; exit; }; touch $SHARE/once; ${credential("bad")}`
        )
      }
    ))

  it("says what is wrong with a program's answer, never what it was", async () => {
    const messages: Array<string> = []
    for (const script of [
      "echo hunter2",
      "echo hunter2 >&2; exit 7",
      'echo \'{"kind":"ExecCredential","apiVersion":"v9","status":{"token":"hunter2"}}\''
    ]) {
      await withServer(
        guarded,
        ({ client }) =>
          Effect.map(Effect.flip(client.get(target)), ({ code, message }) =>
            messages.push(`${code} ${message.replace(/"[^"]*"/, "X")}`)
          ),
        { user: exec(script) }
      )
    }
    assert.deepStrictEqual(messages, [
      "401 the program X of users[].user.exec answered wrongly: its output is no JSON",
      "401 the program X of users[].user.exec failed with 7",
      "401 the program X of users[].user.exec answered wrongly: apiVersion must be client.authentication.k8s.io/v1"
    ])
    rmSync(folder, { recursive: true })
  })

  it("shows basic credentials and impersonates", () =>
    withServer(
      echo,
      ({ asked, client }) =>
        Effect.map(client.get(target), () => {
          const { headers } = asked[0]
          assert.strictEqual(headers.authorization, `Basic ${Buffer.from("me:pass").toString("base64")}`)
          assert.strictEqual(headers["impersonate-user"], "jane")
          assert.strictEqual(headers["impersonate-extra-scopes"], "view")
          // HTTP/2 refuses a field in whose name the escape is upper case.
          assert.strictEqual(headers["impersonate-extra-example.org%2fteam"], "web")
        }),
      {
        user: {
          ...anonymous,
          basic: { username: "me", password: "pass" },
          impersonate: {
            user: "jane",
            uid: undefined,
            groups: ["a"],
            extra: { Scopes: ["view"], "example.org/team": ["web"] }
          }
        }
      }
    ))
})
