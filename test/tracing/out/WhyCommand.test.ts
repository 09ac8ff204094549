// `wharf why` and `wharf trace` as people type them, against a server with a token.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { execFile } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { connect, GrpcCode } from "#net"
import { defaultStoreBounds, serveTracing, TracingAccess } from "#tracing"
import { temporaryFolder } from "../Stores.ts"
import { deploymentStory, MINUTE, START_US } from "./Story.ts"

const root = new URL("../../..", import.meta.url).pathname
const token = "a-token-that-may-read"

interface Said {
  readonly code: number
  readonly out: string
  readonly error: string
}

const wharf = (...args: ReadonlyArray<string>): Effect.Effect<Said> =>
  Effect.callback((resume) => {
    execFile(process.execPath, [join(root, "wharf.ts"), ...args], { cwd: root }, (failure, out, error) =>
      resume(Effect.succeed({ code: typeof failure?.code === "number" ? failure.code : 0, out, error }))
    )
  })

describe("wharf why", () => {
  it.live(
    "answers from a server, refuses without the token, and says what it did not understand",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const dataDir = temporaryFolder()
          const server = yield* serveTracing({
            host: "127.0.0.1",
            port: 0,
            dataDir,
            access: new TracingAccess({ tokens: `${token},ana,read`, open: false }),
            tls: undefined,
            config: {},
            windowSeconds: 1800,
            bounds: { ...defaultStoreBounds, ageMaxMs: 3650 * 86_400_000 },
            say: () => {}
          })
          const { story } = deploymentStory()
          yield* Effect.callback<void>((resume) => server.store.append(story.facts, () => resume(Effect.void)))
          const tokenFile = join(dataDir, "token")
          writeFileSync(tokenFile, `${token}\n`)
          const common = ["--server", server.url, "--at", String(START_US + 5 * MINUTE), "-n", "shop"]
          const [trace, why, refused, misused] = yield* Effect.all(
            [
              wharf("trace", "deployment/web", ...common, "--token-file", tokenFile),
              wharf("why", "pod/web-5d4f-c", "--json", ...common, "--token-file", tokenFile),
              wharf("why", ...common),
              wharf("why", "web", ...common, "--token-file", tokenFile)
            ],
            { concurrency: 2 }
          )
          assert.strictEqual(trace.code, 0, trace.error)
          assert.match(trace.out, /^Pod shop\/web-5d4f-c has waited 4m59s for a node: 0\/2 nodes/)
          assert.match(trace.out, /it made 1 replicasets and 3 pods\n$/)
          assert.strictEqual(JSON.parse(why.out).answers[0].kind, "unscheduled")
          assert.strictEqual(refused.code, 1)
          assert.match(refused.error, /^error: http:\S+: needs a token: give --token-file\n$/)
          assert.notStrictEqual(misused.code, 0)
          assert.match(misused.out + misused.error, /must be RESOURCE\/NAME/)
          const alone = yield* wharf("why", "--server", "http://127.0.0.1:1")
          assert.strictEqual(alone.code, 1)
          assert.match(alone.error, /^error: http:\/\/127\.0\.0\.1:1: .*start one with wharf serve tracing /)
          const client = yield* connect({ host: "127.0.0.1", port: server.port })
          const codeOf = (metadata: ReadonlyArray<readonly [string, string]>) =>
            Effect.callback<number>((resume) => {
              const path = "/jaeger.storage.v2.TraceReader/GetServices"
              client.unary(path, new Uint8Array(0), (failed) => resume(Effect.succeed(failed?.code ?? 0)), { metadata })
            })
          assert.strictEqual(yield* codeOf([]), GrpcCode.Unauthenticated)
          assert.strictEqual(yield* codeOf([["authorization", `Bearer ${token}`]]), 0)
          for (const { error, out } of [trace, why, refused, misused]) assert.notInclude(out + error, token)
        })
      ),
    120_000
  )
})
