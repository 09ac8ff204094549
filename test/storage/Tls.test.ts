// The store behind TLS, with etcd's flags and etcd's client: certificates of clients, certificates that change, --auto-tls.
import { it } from "@effect/vitest"
import { Effect } from "effect"
import { execFile } from "node:child_process"
import { copyFileSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { connect } from "node:tls"
import { afterAll, beforeAll, expect } from "vitest"
import { describeWith } from "../Judges.ts"
import { type Authority, makeAuthority } from "../net/Certificates.ts"
import { freePort } from "../FreePort.ts"
import { startStore } from "./StoreProcess.ts"

interface Outcome {
  readonly ok: boolean
  readonly output: string
}

/** The fingerprint of the certificate that a port shows. */
const shownBy = (port: number): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().fingerprint256)
      socket.destroy()
    })
    socket.once("error", reject)
  })

describeWith("etcdctl")("the store behind TLS", ({ etcdctl }) => {
  let authority: Authority
  beforeAll(() => {
    authority = makeAuthority()
  })
  afterAll(() => rmSync(authority.folder, { recursive: true }))

  const run = (port: number, ...args: ReadonlyArray<string>) =>
    Effect.callback<Outcome>((resume) => {
      const all = [`--endpoints=https://127.0.0.1:${port}`, "--command-timeout=3s", ...args]
      execFile(etcdctl, all, (error, stdout, stderr) =>
        resume(Effect.succeed({ ok: error === null, output: stdout + stderr }))
      )
    })
  const secureUrl = Effect.promise(freePort).pipe(
    Effect.map((port) => ({
      port,
      flags: [`--listen-client-urls=https://127.0.0.1:${port}`, `--advertise-client-urls=https://127.0.0.1:${port}`]
    }))
  )

  it.live("serves clients whose certificate comes from the trusted authority, and no others", () =>
    Effect.gen(function* () {
      const server = authority.sign("server", "server")
      const client = authority.sign("client", "client")
      const other = makeAuthority()
      const stranger = other.sign("stranger", "stranger")
      const { flags, port } = yield* secureUrl
      yield* startStore([
        ...flags,
        `--cert-file=${server.certFile}`,
        `--key-file=${server.keyFile}`,
        `--trusted-ca-file=${authority.caFile}`,
        "--client-cert-auth"
      ])
      const trust = `--cacert=${authority.caFile}`
      const put = (...args: ReadonlyArray<string>) => run(port, trust, ...args, "put", "k", "v")
      expect(yield* put(`--cert=${client.certFile}`, `--key=${client.keyFile}`)).toEqual({ ok: true, output: "OK\n" })
      expect((yield* put()).ok).toBe(false)
      expect((yield* put(`--cert=${stranger.certFile}`, `--key=${stranger.keyFile}`)).ok).toBe(false)
      rmSync(other.folder, { recursive: true })
    })
  )

  it.live("shows a new certificate once its files have changed, without a restart", () =>
    Effect.gen(function* () {
      const first = authority.sign("first", "first")
      const second = authority.sign("second", "second")
      const { flags, port } = yield* secureUrl
      yield* startStore([...flags, `--cert-file=${first.certFile}`, `--key-file=${first.keyFile}`])
      const before = yield* Effect.promise(() => shownBy(port))
      copyFileSync(second.certFile, first.certFile)
      copyFileSync(second.keyFile, first.keyFile)
      yield* Effect.promise(async () => {
        while ((await shownBy(port)) === before) await sleep(200)
      })
      const got = yield* run(port, `--cacert=${authority.caFile}`, "get", "k")
      expect(got).toEqual({ ok: true, output: "" })
    })
  )

  it.live("makes a certificate of its own with --auto-tls and keeps it", () =>
    Effect.gen(function* () {
      const directory = mkdtempSync(join(tmpdir(), "wharf-auto-tls-"))
      const { flags, port } = yield* secureUrl
      const first = yield* startStore([...flags, "--auto-tls"], { directory })
      const put = yield* run(port, "--insecure-skip-tls-verify", "--insecure-transport=false", "put", "k", "v")
      expect(put).toEqual({ ok: true, output: "OK\n" })
      const shown = yield* Effect.promise(() => shownBy(port))
      yield* Effect.promise(() => first.destroy())
      yield* startStore([...flags, "--auto-tls"], { directory })
      expect(yield* Effect.promise(() => shownBy(port))).toBe(shown)
      rmSync(directory, { recursive: true })
    })
  )
})
